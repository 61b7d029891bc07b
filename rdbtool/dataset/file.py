"""Datasets that can be fed any number of times.

A file is reopened each time, and must be unchanged. What can be read only once (standard input, a pipe) is copied to an
anonymous temporary file. An AOF is replayed once, and its engine is fed again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import TYPE_CHECKING, BinaryIO, Final, Literal
from rdbtool.core.progress import Progress, begin_pass
from rdbtool.core.servers import Target, default_target
from rdbtool.io.source import STANDARD_INPUT
from rdbtool.reader.open.dispatch import open_any

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool._codec.sinks.key_table import KeyPrints
    from rdbtool.dataset.replayed import ReplayedDataset
    from rdbtool.engine.replay.places import Places
    from rdbtool.model import Item, KeyRecord
    from rdbtool.reader.jsonl.reader import JsonlReader
    from rdbtool.reader.rdb import RdbReader, Totals

Readable = str | os.PathLike[str] | bytes
_Identity = tuple[int, int, int, int]

_STANDARD_INPUT: Final = 0


class FileDataset:
    """An RDB or JSON lines, at a path, in memory, or in a copy of a pipe."""

    kind: Literal["file"] = "file"
    repeatable = True
    sizes: None = None

    #: The contents of a file are certain: only effects of commands can be unknown.
    doubt: None = None
    obstacle: None = None
    remarks: Sequence[str] = ()
    extent: None = None

    def __init__(self, target: Readable | BinaryIO, name: str | None) -> None:
        self._target = target
        self._name = name
        self._identity = self._identify()
        with self._open() as reader:
            self._learn(reader)
            self.name = reader.name
            self.size = reader.size

    def read_preamble(self) -> list[Item]:
        """Read up to the first key and return what precedes it."""
        with self._open() as reader:
            preamble = reader.read_preamble()
            self._learn(reader)
            return preamble

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> Totals:
        """Feed ``sink`` with everything, but only the keys that ``selection`` matches, and return what was read."""
        with self._open() as reader:
            totals = reader.feed(sink, selection=selection, progress=progress)
            self._learn(reader)
            return totals

    def feed_with(
        self,
        prints: KeyPrints,
        other: FileDataset,
        others: KeyPrints,
        *,
        progress: Progress | None = None,
        begin_rest: Callable[[], object] = bool,
    ) -> bool:
        """Feed ``prints`` with this file and ``others`` with ``other`` side by side, see ``RdbReader.feed_with``.

        False: that is not possible for files of these kinds, and nothing was read.
        """
        with self._open() as reader, other._open() as beside:
            if reader.kind != "rdb" or beside.kind != "rdb" or not reader.can_pair(beside):
                return False
            reader.feed_with(prints, beside, others, progress=progress, begin_rest=begin_rest)
            self._learn(reader)
            other._learn(beside)
        return True

    def records(self, *, selection: Selection | None = None, progress: Progress | None = None) -> Iterator[KeyRecord]:
        """Yield the keys that ``selection`` matches."""
        with self._open() as reader:
            yield from reader.records(selection=selection, progress=progress)

    def target(self) -> Target:
        """Return its format: magic, version and server."""
        return default_target(self.header, self.aux)

    def close(self) -> None:
        """Close the copy, which deletes it."""
        if not isinstance(self._target, str | os.PathLike | bytes):
            self._target.close()

    def _learn(self, reader: RdbReader | JsonlReader) -> None:
        self.header, self.aux, self.functions = reader.header, reader.aux, reader.functions
        self.choice = reader.choice
        self.remarks = reader.remarks

    def _open(self) -> RdbReader | JsonlReader:
        if not isinstance(self._target, str | os.PathLike | bytes):
            self._target.seek(0)
        reader = open_any(self._target, name=self._name, jsonl=True)
        if reader.kind == "aof" or self._identify() != self._identity:
            reader.close()
            raise InputError(f"{reader.name} changed while it was read")
        return reader

    def _identify(self) -> _Identity | None:
        if not isinstance(self._target, str | os.PathLike):
            return None
        try:
            status = Path(self._target).stat()
        except OSError:
            # Opening it reports why it cannot be opened.
            return None
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


if TYPE_CHECKING:
    #: Datasets that can be fed again, distinguished by their ``kind``.
    Repeatable = FileDataset | ReplayedDataset


def open_repeatable(
    target: Readable,
    *,
    rules: str | None,
    now_ms: int,
    places: Places | None,
    rename_commands: Mapping[str, str] | None,
    progress: Progress | None,
) -> Repeatable:
    """Open a dataset that can be fed again; an AOF is replayed by ``rules`` at ``now_ms``, as ``places`` says.

    Raises what opening and replaying raise, and what makes the dataset of an AOF uncertain.
    """
    name = copy = None
    if not isinstance(target, bytes) and _is_read_once(target):
        copy, name = _copy(target), STANDARD_INPUT if target == "-" else os.fspath(target)
    kept = target if copy is None else copy
    try:
        reader = open_any(kept, name=name, jsonl=True)
        with reader:
            if reader.kind == "aof":
                from rdbtool.dataset.replayed import ReplayedDataset  # noqa: PLC0415 - likewise
                from rdbtool.engine.replay.loader import replay_log  # noqa: PLC0415 - likewise
                from rdbtool.engine.replay.replay_options import replay_options  # noqa: PLC0415 - the engine is for AOFs only

                again = reader.path if copy is None and not isinstance(target, bytes) else target
                options = replay_options(
                    again or "-", places, rules=rules, now_ms=now_ms, rename_commands=rename_commands
                )
                begin_pass(progress, "replaying", reader.name, reader.size, left=None)
                replayed = ReplayedDataset(replay_log(reader, options, progress), reader.name, reader.size).settled()
                replayed.refuse_doubt()
                if copy is not None:
                    copy.close()
                return replayed
        return FileDataset(kept, name)
    except BaseException:
        if copy is not None:
            copy.close()
        raise


def _is_read_once(target: str | os.PathLike[str]) -> bool:
    if target == "-":
        # Opening it refuses a terminal.
        return not os.isatty(_STANDARD_INPUT)
    try:
        mode = Path(target).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) and os.fspath(target).startswith(("/dev/", "/proc/"))


def _copy(target: str | os.PathLike[str]) -> BinaryIO:
    """Return a temporary file with everything that can be read. Raises InputError."""
    name = STANDARD_INPUT if target == "-" else os.fspath(target)
    with contextlib.ExitStack() as opened:
        try:
            copy = opened.enter_context(tempfile.TemporaryFile())
            with open(_STANDARD_INPUT if target == "-" else target, "rb", closefd=target != "-") as stream:
                shutil.copyfileobj(stream, copy, 1 << 20)
            copy.flush()
            copy.seek(0)
        except OSError as error:
            raise InputError(f"cannot keep {name} in a temporary file: {error.strerror}") from None
        opened.pop_all()
        return copy
