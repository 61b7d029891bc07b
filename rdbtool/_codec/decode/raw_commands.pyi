"""A batch of commands of an AOF, which become tuples when they are asked for."""

from collections.abc import Sequence
from typing import overload

class RawCommands(Sequence[tuple[bytes, ...]]):
    """A sequence of commands, each a tuple of its words, that is made when it is first asked for.

    What a slice returns is a list. Another tuple may be put in the place of one.
    """

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: int) -> tuple[bytes, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[bytes, ...]]: ...
    def __setitem__(self, index: int, argv: tuple[bytes, ...]) -> None: ...
