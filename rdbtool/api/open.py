"""``rdbtool.open``: the keys of any input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, Unpack

from rdbtool.api.arguments import (
    ReadOptions,
    Replaying,
    Source,
    replaying_of,
    selection_of,
    source_of,
    takes,
)
from rdbtool.core.progress import Progress
from rdbtool.dataset.loading import load_keys
from rdbtool.reader.open.dispatch import open_any

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool.core.errors import UncertainError
    from rdbtool.dataset.loading import Opened
    from rdbtool.model import Aux, FunctionLibrary, Header, KeyRecord


class DatasetReader:
    """An open dataset. Iterating yields its ``KeyRecord``s in file order, once.

    It is closed at the end of the iteration, or when it is garbage collected; close it, or use ``with``, to stop
    earlier. Iterating raises FormatError at damage, after the keys that precede it, and UnsupportedError, LimitError or
    InputError.
    """

    def __init__(self, keys: Opened, selection: Selection | None, progress: Progress | None) -> None:
        self._keys = keys
        self._selection = selection
        self._progress = progress
        self._is_closed = False

    @property
    def name(self) -> str:
        """The name of the file."""
        return self._keys.name

    @property
    def header(self) -> Header:
        """Magic and RDB version; for an input without, those of its assumed format."""
        return self._keys.header

    @property
    def aux(self) -> Sequence[Aux]:
        """The aux fields, as far as the file was read."""
        return self._keys.aux

    @property
    def functions(self) -> Sequence[FunctionLibrary]:
        """The function libraries, as far as the file was read."""
        return self._keys.functions

    @property
    def doubt(self) -> UncertainError | None:
        """What makes the dataset uncertain: commands of an AOF whose effect is unknown. None: it is certain."""
        return self._keys.doubt

    @property
    def remarks(self) -> Sequence[str]:
        """Remarks on the dataset."""
        return self._keys.remarks

    def __iter__(self) -> Iterator[KeyRecord]:
        if self._is_closed:
            raise ValueError(f"{self.name} was read to its end, or closed: open it again")
        # Not a generator: that would cost a fifth of the time for small records.
        return chain(self._keys.records(selection=self._selection, progress=self._progress), self._end())

    def _end(self) -> Iterator[KeyRecord]:
        self.close()
        yield from ()

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

    def __repr__(self) -> str:
        return f"<rdbtool.DatasetReader of {self.name!r}{', closed' if self._is_closed else ''}>"


def load_source(target: str | bytes | BinaryIO, how: Replaying) -> Opened:
    """Open what ``source_of`` returned; an AOF is replayed. The caller closes the result. Raises what ``open`` does."""
    reader = open_any(target, jsonl=True)
    keys: Opened | None = None
    try:
        keys = load_keys(
            reader,
            how.rules,
            now_ms=how.now_ms,
            places=how.places,
            source=target,
            rename_commands=how.rename_commands,
            progress=how.progress,
        )
    finally:
        # An AOF was read during its replay; everything else is read through its reader.
        if keys is not reader:
            reader.close()
    return keys


@takes(ReadOptions)
def open(source: Source, **options: Unpack[ReadOptions]) -> DatasetReader:  # noqa: A001 - rdbtool.open reads like gzip.open
    """Open an RDB, an AOF (a file, a manifest or a directory) or JSON lines, and iterate its keys.

        >>> for record in rdbtool.open("dump.rdb", type="hash"):
        ...     print(record.key, dict(record.value))

    The format is detected by content; compressed files are decompressed. An AOF is replayed when it is opened; check
    ``doubt``. For ``rules`` to ``progress`` see ``ReplayOptions``, for ``key`` to ``limit`` see ``KeyFilters``. Raises
    InputError, UnsupportedError, FormatError, PlaceError; LimitError if there is not enough memory.
    """
    target = source_of(source)
    how = replaying_of(options)
    selection = selection_of(options, how.now_ms)
    keys = load_source(target, how)
    return DatasetReader(keys, selection, how.progress)
