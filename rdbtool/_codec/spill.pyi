"""Unnamed temporary files for what key tables cannot hold."""

from collections.abc import Iterator
from typing import Final

from rdbtool.core.errors import Remedy

MORE_ROOM: Final[Remedy]

class Partitions:
    """Entries of one size, of which the first eight bytes are a hash, in partitions by bits of it from ``shift`` on."""

    count: int
    entry_size: int
    def __init__(self, entry_size: int, memory: int, shift: int = 0) -> None: ...

def each_partition(files: tuple[Partitions, ...], most: int) -> Iterator[tuple[tuple[Partitions, ...], int]]:
    """Yield (files, number) of all partitions that have entries, with the same hashes in each of the files."""
