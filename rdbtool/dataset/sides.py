"""The two sides of a comparison: whatever holds keys, told as often as it takes.

A file is opened anew each time, and has to be the same one. What can be read once only (standard input, a pipe) is
copied into a temporary file that has no name. A log is replayed once, and its state asked again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from rdbtool.core.errors import InputError
from rdbtool.core.progress import Progress
from rdbtool.dataset.keys import size_of
from rdbtool.dataset.origin import names_version, origin_of_log
from rdbtool.io.source import STANDARD_INPUT
from rdbtool.model import Aux, FunctionLibrary, Header, KeyRecord
from rdbtool.reader.aof.reader import AofReader
from rdbtool.reader.open.dispatch import open_any
from rdbtool.writer.rdb import raise_target
from rdbtool.writer.targets import Target, default_target

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.engine.replay.loader import Loaded
    from rdbtool.engine.replay.places import Places
    from rdbtool.engine.replay.stops import Extent
    from rdbtool.reader.jsonl.reader import JsonlReader
    from rdbtool.reader.rdb import RdbReader

Origin = str | os.PathLike[str] | bytes
_Identity = tuple[int, int, int, int]

_STANDARD_INPUT: Final = 0


class Side(Protocol):
    """One of two data sets. ``size`` is in bytes, None where nobody knows.

    ``header``, ``aux`` and ``functions`` are known when it was fed. ``is_log``: values have no encodings, and what
    modules keep beside the keys is not known. ``extent`` tells where the replay of a log stopped, and what it skipped.
    """

    name: str
    size: int | None
    header: Header
    aux: list[Aux]
    functions: list[FunctionLibrary]
    is_log: bool
    extent: Extent | None

    def feed(self, sink: Sink, selection: Selection | None, progress: Progress | None) -> None:
        """Tell ``sink`` of everything that ``selection`` takes."""

    def records(self, selection: Selection) -> Iterator[KeyRecord]:
        """Yield the keys that ``selection`` takes."""

    def target(self) -> Target:
        """Return what it was written for: version and server, as far as they are known."""

    def close(self) -> None:
        """Forget what was kept for reading again."""


class FileSide:
    """An RDB or JSON lines, at a path, in memory, or in a copy of what a pipe said."""

    is_log = False
    extent: Extent | None = None

    def __init__(self, target: Origin | BinaryIO, name: str | None) -> None:
        self._target = target
        self._name = name
        self._identity = self._identify()
        with self._open() as reader:
            self._learn(reader)
            self.name = reader.source.name
            self.size = size_of(reader)

    def feed(self, sink: Sink, selection: Selection | None, progress: Progress | None) -> None:
        """Tell ``sink`` of everything that ``selection`` takes."""
        with self._open() as reader:
            reader.feed(sink, selection=selection, progress=progress)
            self._learn(reader)

    def records(self, selection: Selection) -> Iterator[KeyRecord]:
        """Yield the keys that ``selection`` takes."""
        with self._open() as reader:
            yield from reader.records(selection=selection)

    def target(self) -> Target:
        """Return what it was written for."""
        return default_target(self.header, self.aux)

    def close(self) -> None:
        """Close the copy, which is gone then."""
        if not isinstance(self._target, str | os.PathLike | bytes):
            self._target.close()

    def _learn(self, reader: RdbReader | JsonlReader) -> None:
        self.header, self.aux, self.functions = reader.header, reader.aux, reader.functions

    def _open(self) -> RdbReader | JsonlReader:
        if not isinstance(self._target, str | os.PathLike | bytes):
            self._target.seek(0)
        reader = open_any(self._target, name=self._name, jsonl=True)
        if isinstance(reader, AofReader) or self._identify() != self._identity:
            name = reader.name if isinstance(reader, AofReader) else reader.source.name
            reader.close()
            raise InputError(f"{name} changed while it was read")
        return reader

    def _identify(self) -> _Identity | None:
        if not isinstance(self._target, str | os.PathLike):
            return None
        try:
            status = Path(self._target).stat()
        except OSError:
            # Opening it says why it cannot be opened.
            return None
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class LogSide:
    """The state that a log leads to. Raises FormatError and UncertainError where that is in doubt."""

    is_log = True

    def __init__(self, loaded: Loaded, name: str, size: int | None) -> None:
        self.state = origin_of_log(loaded)
        if loaded.doubt is not None:
            raise loaded.doubt
        self.name = name
        self.size = size
        self.header = self.state.header
        self.aux = self.state.aux
        self.functions = self.state.functions
        self._names_version = names_version(loaded)
        self.extent: Extent | None = loaded.extent

    def feed(self, sink: Sink, selection: Selection | None, progress: Progress | None) -> None:
        """Tell ``sink`` of everything that ``selection`` takes."""
        self.state.feed(sink, selection=selection, progress=progress)

    def records(self, selection: Selection) -> Iterator[KeyRecord]:
        """Yield the keys that ``selection`` takes."""
        return self.state.records(selection=selection)

    def target(self) -> Target:
        """Return what its snapshot was written for; without one the oldest server of ours that holds the data."""
        if self._names_version:
            return default_target(self.header, self.aux)
        return raise_target(default_target(None), self.state.doubtful(), commands=True)

    def close(self) -> None:
        """Nothing is open."""


def open_side(
    target: Origin,
    *,
    rules: str | None,
    now_ms: int,
    places: Places | None,
    rename_commands: Mapping[str, str] | None,
    progress: Progress | None,
) -> FileSide | LogSide:
    """Open one side; a log is replayed by ``rules`` at ``now_ms``, as ``places`` says.

    Raises what opening and replaying raise.
    """
    name = copy = None
    if not isinstance(target, bytes) and _is_read_once(target):
        copy, name = _copy(target), STANDARD_INPUT if target == "-" else os.fspath(target)
    kept = target if copy is None else copy
    try:
        reader = open_any(kept, name=name, jsonl=True)
        with reader:
            if isinstance(reader, AofReader):
                from rdbtool.engine.replay.loader import replay_log  # noqa: PLC0415 - likewise
                from rdbtool.engine.replay.options import replay_options  # noqa: PLC0415 - the engine is for logs only

                again = reader.path if copy is None and not isinstance(target, bytes) else target
                options = replay_options(
                    again or "-", places, rules=rules, now_ms=now_ms, rename_commands=rename_commands
                )
                side = LogSide(replay_log(reader, options, progress), reader.name, reader.size)
                if copy is not None:
                    copy.close()
                return side
        return FileSide(kept, name)
    except BaseException:
        if copy is not None:
            copy.close()
        raise


def _is_read_once(target: str | os.PathLike[str]) -> bool:
    if target == "-":
        # A terminal is refused by whoever opens it.
        return not os.isatty(_STANDARD_INPUT)
    try:
        mode = Path(target).stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) and os.fspath(target).startswith(("/dev/", "/proc/"))


def _copy(target: str | os.PathLike[str]) -> BinaryIO:
    """Return a temporary file with all that can be read. Raises InputError."""
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
