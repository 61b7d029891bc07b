"""Rewriting a log: replayed, and written anew as the shortest that leads to the same state.

The new log goes to a place of its own, or takes the place of the old one. Then a server must not hold the old one, nor
begin to read it meanwhile: the files are guarded from before they are read until the new ones have their names.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rdbtool.analysis.convert import raise_target
from rdbtool.analysis.logs import new_base, write_directory
from rdbtool.analysis.origin import Progress, names_version, origin_of_log
from rdbtool.analysis.replay import replay_options
from rdbtool.analysis.transfer import Encoding, Transfer
from rdbtool.engine.log import Loaded, Options, replay_log
from rdbtool.errors import InputError, LimitError, Loss, UnsupportedError
from rdbtool.manifest import read_manifest
from rdbtool.reader.aof import AofReader
from rdbtool.reader.detect import find_log
from rdbtool.reader.open import open_any
from rdbtool.reader.parts import list_parts
from rdbtool.writer.guard import Guard
from rdbtool.writer.logdir import replace_file, replace_log
from rdbtool.writer.output import open_output
from rdbtool.writer.targets import Target, default_target

if TYPE_CHECKING:
    from rdbtool.reader.jsonl import JsonlReader
    from rdbtool.reader.rdb import RdbReader
    from rdbtool.rules import Rules


class Order(NamedTuple):
    """What to do with a log.

    ``destination`` None: in place. ``until``, ``before`` and ``before_last`` are places to stop, as for ``replay``.
    ``preamble``: the new log begins with an RDB; None: if the old one does. ``target`` None: the form of the old one.
    ``backup`` is a directory that the old files of a rewrite in place go to. ``server_stopped`` says that no server
    holds the files, for where that cannot be found out. ``rules`` and ``now_ms``: see ``replay``.
    """

    destination: str | None = None
    until: str | None = None
    before: str | None = None
    before_last: str | None = None
    preamble: bool | None = None
    target: Target | None = None
    allow_loss: bool = False
    backup: str | None = None
    force: bool = False
    server_stopped: bool = False
    rules: str | None = None
    now_ms: int = 0


class Rewritten(NamedTuple):
    """What was rewritten: from ``commands`` and ``bytes_before`` to ``keys`` and ``bytes``. See ``Converted``."""

    source: str
    destination: str
    encoding: Encoding
    target: Target
    rules: Rules
    parts: int
    commands: int
    bytes_before: int | None
    keys: int
    bytes: int
    losses: list[Loss]
    fingerprint: str | None
    is_raised: bool
    error_replies: int
    stopped_at: tuple[str, int, int] | None
    backup: str | None
    seconds: float


def rewrite_again(
    source: str, order: Order, progress: Progress | None = None, *, retries: int, pause: float = 1.0
) -> Rewritten:
    """Rewrite a log; where it changed while it was read or a server held it, try up to ``retries`` times more.

    ``pause`` is the time between two tries, in seconds. Raises what the last try raises (see ``rewrite``).
    """
    for _ in range(retries):
        try:
            return rewrite(source, order, progress)
        except LimitError:
            raise
        except InputError:
            time.sleep(pause)
    return rewrite(source, order, progress)


def rewrite(source: str, order: Order, progress: Progress | None = None) -> Rewritten:
    """Rewrite the log that ``source`` names, and read the new one back before it gets its name.

    Raises UnsupportedError for what is no log, FormatError for a damaged or cut one, ReplayError where what it leads to
    is in doubt, LossError, HeldError where a server holds the files, InputError. Nothing has changed then.
    """
    began = time.monotonic()
    options, _ = replay_options(
        source,
        until=order.until,
        before=order.before,
        before_last=order.before_last,
        rules=order.rules,
        now_ms=order.now_ms,
    )
    rewriting = (
        _in_place(source, order, options, progress)
        if order.destination is None
        else _elsewhere(source, order.destination, order, options, progress)
    )
    return rewriting.report(began)


def _elsewhere(source: str, destination: str, order: Order, options: Options, progress: Progress | None) -> _Rewriting:
    with open_any(source) as reader:
        if not isinstance(reader, AofReader):
            raise _no_log(reader)
        run = _Rewriting(source, destination, order, reader, options, progress)
        transfer = run.transfer
        if _wants_directory(destination, reader):
            _write_directory(Path(destination), reader, transfer, order)
        else:
            sources = [source, *(part.path for part in reader.parts if part.path is not None)]
            with open_output(destination, force=order.force, sources=sources, needs=run.needs) as output:
                transfer.write_to(output)
    return run


def _write_directory(directory: Path, reader: AofReader, transfer: Transfer, order: Order) -> None:
    manifest = reader.manifest
    source = Path(manifest.path if manifest is not None else reader.parts[0].path or "").resolve().parent
    if source == directory.resolve():
        raise InputError(f"cannot write to {directory}: it holds the source (use --in-place)")
    write_directory(
        transfer,
        str(directory),
        source=str(source),
        force=order.force,
        needs=None,
        server_stopped=order.server_stopped,
    )


def _in_place(source: str, order: Order, options: Options, progress: Progress | None) -> _Rewriting:
    backup = None if order.backup is None else Path(order.backup)
    with _guarded(source, order) as (guard, reader, commit):
        run = _Rewriting(source, str(commit), order, reader, options, _polling(guard, progress))
        base = new_base(run.transfer)
        hooks = {"commit_guard": guard.check_unchanged, "after_commit": guard.after_commit}
        if reader.manifest is None:
            replace_file(commit, base, keep_old=backup, needs=run.needs, open_old=guard.open_commit, **hooks)
        else:
            replace_log(reader.manifest, base, keep_old=backup, needs=run.needs, **hooks)
    return run


@contextlib.contextmanager
def _guarded(source: str, order: Order) -> Iterator[tuple[Guard, AofReader, Path]]:
    """Take hold of a log, and open it through the guard: any other open of the guarded file would break the hold."""
    if source == "-":
        raise InputError("standard input cannot be rewritten in place: give a file")
    path = (find_log(source) if Path(source).is_dir() else Path(source)).resolve()
    with Guard(path.parent, None, path, server_stopped=order.server_stopped) as guard:
        if not guard.is_single:
            manifest = read_manifest(guard.read_commit(), path)
            with AofReader(list_parts(manifest), manifest=manifest) as reader:
                yield guard, reader, path
            return
        with guard.open_commit() as stream, open_any(stream, name=source) as reader:
            if not isinstance(reader, AofReader):
                raise _no_log(reader)
            if reader.compression is not None:
                raise UnsupportedError(f"{source} is compressed: rewrite it into another file")
            yield guard, reader, path


def _no_log(reader: RdbReader | JsonlReader) -> UnsupportedError:
    return UnsupportedError(f"{reader.source.name} is no log, there is nothing to rewrite: use convert")


class _Rewriting:
    """A log that was replayed, and how what it leads to is written."""

    def __init__(  # noqa: PLR0917 - what the two ways have in common
        self,
        source: str,
        destination: str,
        order: Order,
        reader: AofReader,
        options: Options,
        progress: Progress | None,
    ) -> None:
        self.source = source
        self.destination = destination
        self.order = order
        self.bytes_before = _size_of(reader, source)
        self.loaded: Loaded = replay_log(reader, options, progress)
        origin = origin_of_log(self.loaded)
        is_named = names_version(self.loaded)
        preamble = is_named if order.preamble is None else order.preamble
        encoding: Encoding = "rdb" if preamble else "commands"
        target = order.target or default_target(origin.header if is_named else None, origin.aux)
        self.is_raised = False
        if order.target is None and not is_named:
            raised = raise_target(target, origin, encoding)
            self.is_raised, target = raised != target, raised
        self.transfer = Transfer(
            origin, encoding, target, allow_loss=order.allow_loss, sizes=origin.sizes, progress=progress
        )
        self.needs: int | None = None

    def report(self, began: float) -> Rewritten:
        """Return what came of it."""
        loaded, transfer = self.loaded, self.transfer
        return Rewritten(
            self.source,
            self.destination,
            transfer.encoding,
            transfer.target,
            loaded.rules,
            len(loaded.parts),
            loaded.replay.commands,
            self.bytes_before,
            transfer.keys,
            transfer.bytes,
            transfer.losses,
            transfer.fingerprint,
            self.is_raised,
            loaded.replay.severities["warning"],
            loaded.replay.stopped_at,
            self.order.backup if self.order.destination is None else None,
            time.monotonic() - began,
        )


def _size_of(reader: AofReader, source: str) -> int | None:
    """Return the size of a log, in bytes as they are stored; None for a pipe."""
    if reader.size is None and source != "-" and Path(source).is_file():
        return Path(source).stat().st_size
    return reader.size


def _polling(guard: Guard, progress: Progress | None) -> Progress:
    """Return a progress report that looks whether a server has come up: compiled loops do not hear signals."""

    def report(done: int) -> None:
        guard.check()
        if progress is not None:
            progress(done)

    return report


def _wants_directory(destination: str, reader: AofReader) -> bool:
    """Return whether the new log is a directory: if the name says so, or the old one is and the name has no suffix."""
    path = Path(destination)
    if destination.endswith("/") or path.is_dir():
        return True
    return reader.manifest is not None and not path.suffix and not path.is_file()
