"""``rdbtool.memory``: the memory usage of each key in a server."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from rdbtool.api.arguments import (
    ReadOptions,
    Source,
    check_flags,
    choice_of,
    count_of,
    replaying_of,
    selection_of,
    source_of,
    takes,
)
from rdbtool.api.open import load_source
from rdbtool.core.memory_models import ALLOCATORS
from rdbtool.operations.memory.model import choose_memory_model
from rdbtool.operations.memory.rows import MemoryRows

if TYPE_CHECKING:
    from rdbtool.core.errors import UncertainError
    from rdbtool.dataset.loading import Opened
    from rdbtool.operations.memory.model import MemoryChoice
    from rdbtool.operations.memory.rows import KeyMemory, MemoryTotals


class MemoryReader:
    """The memory usage of the keys of an open dataset: iterate it once for ``KeyMemory`` rows; ``totals`` sums them.

    Closes itself at the end of the data; if you stop earlier, call ``close`` or use ``with``. Iterating raises the
    errors of ``open``.
    """

    def __init__(self, keys: Opened, rows: MemoryRows) -> None:
        self._keys = keys
        self._rows = rows
        self._is_closed = False

    @property
    def choice(self) -> MemoryChoice:
        """The server and allocator that the sizes are calculated for."""
        return self._rows.choice

    @property
    def totals(self) -> MemoryTotals:
        """The totals of the keys read so far, including their hash tables."""
        return self._rows.totals

    @property
    def doubt(self) -> UncertainError | None:
        """Why the dataset is uncertain: commands of an AOF with an unknown effect. None: it is certain."""
        return self._keys.doubt

    def __iter__(self) -> Iterator[KeyMemory]:
        if self._is_closed:
            raise ValueError(f"{self._keys.name} was read to its end, or closed: open it again")
        yield from self._rows
        self.close()

    def close(self) -> None:
        """Close the file, unless the caller opened it."""
        self._is_closed = True
        self._keys.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not self._is_closed:
            self.close()


@takes(ReadOptions)
def memory(
    source: Source,
    *,
    allocator: str = ALLOCATORS[0],
    cluster: bool = False,
    least: int = 0,
    no_ttl: bool = False,
    **options: Unpack[ReadOptions],
) -> MemoryReader:
    """Return the memory usage of each key after a restart of a server from the data; iterate it for rows.

    >>> for row in rdbtool.memory("dump.rdb"):
    ...     print(row.key, row.memory)

    ``rules`` names the server to calculate for; None: the one that wrote the file. ``allocator`` is ``jemalloc``,
    ``jemalloc-distro``, ``jemalloc-distro-5.3.1`` or ``libc``. ``cluster``: the server is in cluster mode. ``least``
    yields only keys of at least so many bytes, ``no_ttl`` only keys without an expiry; ``totals`` covers all keys
    nevertheless. For the other options and the errors see ``open``.
    """
    target = source_of(source)
    choice_of("allocator", allocator, ALLOCATORS)
    check_flags(cluster=cluster, no_ttl=no_ttl)
    least = count_of("least", least) or 0
    how = replaying_of(options)
    selection = selection_of(options, how.now_ms)
    keys = load_source(target, how)
    try:
        choice = choose_memory_model(keys, how.rules, allocator=allocator, is_cluster=cluster)
    except BaseException:
        keys.close()
        raise
    rows = MemoryRows(keys, choice, least=least, no_ttl=no_ttl, selection=selection, progress=how.progress)
    return MemoryReader(keys, rows)
