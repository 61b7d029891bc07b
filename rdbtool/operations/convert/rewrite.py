"""AOF rewrite: replay an AOF and write the shortest one that gives the same dataset.

The new AOF is written elsewhere, or replaces the old one. In place, no server may have the old files open or start
reading them: they are guarded from before they are read until the new ones are renamed into place.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rdbtool.core.errors import InputError, LimitError, Loss, Remedy, UnsupportedError, json_name
from rdbtool.core.exiting import keep_until_exit
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, NamedTuple
from rdbtool.core.manifest import read_manifest
from rdbtool.core.progress import Progress, begin_pass, polling
from rdbtool.core.servers import Target
from rdbtool.dataset.forms import BY_NAME, Encoding
from rdbtool.dataset.replayed import ReplayedDataset
from rdbtool.engine.replay.loader import Loaded, replay_log
from rdbtool.engine.replay.replay_options import Options, replay_options
from rdbtool.operations.convert.aof_output import new_base, write_directory
from rdbtool.operations.convert.transfer import Transfer, check_loaded, check_log, remark_names, target_for
from rdbtool.operations.json_shapes import written_json
from rdbtool.reader.aof.reader import AofReader
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.open.files import find_log, list_parts
from rdbtool.writer.aofdir.directory import replace_file, replace_log
from rdbtool.writer.atomic.disk import real_path
from rdbtool.writer.atomic.output import open_output
from rdbtool.writer.exclusive.guard import Guard

if TYPE_CHECKING:
    from rdbtool.core.progress import Progress
    from rdbtool.core.servers import Rules
    from rdbtool.engine.replay.places import Places
    from rdbtool.engine.replay.stops import Extent
    from rdbtool.reader.rdb import RdbReader


#: Suffixes of single-file AOFs.
_FILES: Final = frozenset({".aof", ".resp"})


_IN_PLACE: Final = Remedy(" (use --in-place)", " (use in_place=True)")
_OTHER_FILE: Final = Remedy(": use --output DST", ": use destination=...")


class RewriteOptions(NamedTuple):
    """Options of an AOF rewrite.

    ``destination`` None: in place. ``places`` says where to stop and what to skip. ``preamble``: the new AOF begins
    with an RDB; None: if the old one does. ``target`` None: the format of the old one. ``backup`` is a directory for
    the old files of a rewrite in place. ``server_stopped`` asserts that no server has the files open, where that cannot
    be detected. ``rules``, ``now_ms``, ``rename_commands``: see ``replay``.
    """

    destination: str | None = None
    preamble: bool | None = None
    target: Target | None = None
    allow_loss: bool = False
    backup: str | None = None
    force: bool = False
    server_stopped: bool = False
    rules: str | None = None
    now_ms: int = 0
    places: Places | None = None
    rename_commands: Mapping[str, str] | None = None


class Rewritten(NamedTuple):
    """The result of a rewrite: from ``commands`` and ``bytes_before`` to ``keys`` and ``bytes``. See ``Converted``."""

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
    remarks: Sequence[str]
    extent: Extent
    backup: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``aof-rewrite --json``."""
        return {
            "schema": 1,
            "source": json_name(self.source),
            "destination": json_name(self.destination),
            "rules": str(self.rules),
            "parts": self.parts,
            "commands": self.commands,
            "bytes_before": self.bytes_before,
            **written_json(self),
            "verified": True,
            "backup": None if self.backup is None else json_name(self.backup),
        }


def rewrite_again(
    source: str, options: RewriteOptions, progress: Progress | None = None, *, retries: int, pause: float = 1.0
) -> Rewritten:
    """Rewrite an AOF; if it changed during the read or a server had it open, retry up to ``retries`` times.

    ``pause`` is the time between attempts in seconds. Raises what the last attempt raises (see ``rewrite``).
    """
    for _ in range(retries):
        try:
            return rewrite(source, options, progress)
        except LimitError:
            raise
        except InputError:
            time.sleep(pause)
    return rewrite(source, options, progress)


def rewrite(source: str, options: RewriteOptions, progress: Progress | None = None) -> Rewritten:
    """Rewrite the AOF that ``source`` names, and read the new one back before it is renamed into place.

    Raises UnsupportedError for an input that is not an AOF, FormatError for a damaged or truncated one, UncertainError
    if its dataset is uncertain, PlaceError if it does not have one of the places, LossError, HeldError if a server has
    the files open, InputError. Nothing has changed then.
    """
    # Finding the last command of a name opens the files, so it happens before they are guarded.
    replaying = replay_options(
        source,
        options.places,
        rules=options.rules,
        now_ms=options.now_ms,
        rename_commands=options.rename_commands,
    )
    run = _Rewriting(source, options, replaying, progress)
    if options.destination is None:
        with _guarded(source, options) as (guard, reader, path):
            run.in_place(guard, reader, path)
    else:
        with open_any(source) as reader:
            if not isinstance(reader, AofReader):
                raise _no_log(reader)
            run.elsewhere(reader, options.destination)
    keep_until_exit(run)
    return run.report()


@contextlib.contextmanager
def _guarded(source: str, options: RewriteOptions) -> Iterator[tuple[Guard, AofReader, Path]]:
    """Guard an AOF, and open it through the guard: opening a guarded file otherwise would break its lease."""
    if source == "-":
        raise InputError("standard input cannot be rewritten in place: give a file")
    path = real_path(find_log(source) if Path(source).is_dir() else source)
    with Guard(path.parent, None, path, server_stopped=options.server_stopped) as guard:
        if not guard.is_single:
            manifest = read_manifest(guard.read_commit(), path)
            with AofReader(list_parts(manifest), manifest=manifest) as reader:
                yield guard, reader, path
            return
        with guard.open_commit() as stream, open_any(stream, name=source) as reader, contextlib.ExitStack() as more:
            if not isinstance(reader, AofReader):
                raise _no_log(reader)
            if reader.compression is not None:
                raise UnsupportedError(f"{source} is compressed and cannot be rewritten in place", remedy=_OTHER_FILE)
            reader.again_from = lambda: more.enter_context(guard.open_commit())
            yield guard, reader, path


def _no_log(reader: RdbReader) -> UnsupportedError:
    return UnsupportedError(f"{reader.source.name} is not an AOF, so there is nothing to rewrite: use rdbtool convert")


class _Rewriting:
    """One rewrite: replays the old AOF and writes its dataset."""

    def __init__(self, source: str, options: RewriteOptions, replaying: Options, progress: Progress | None) -> None:
        self.source = source
        self.options = options
        self.replaying = replaying
        self.progress = progress
        self.destination = ""
        self.bytes_before: int | None = None
        self.is_raised = False
        self.kept: Path | None = None
        self.loaded: Loaded | None = None
        self.transfer: Transfer | None = None

    def in_place(self, guard: Guard, reader: AofReader, path: Path) -> None:
        """Replace the AOF that ``guard`` holds; ``path`` is its manifest or its only file."""
        self.destination = str(path)
        self.progress = polling(guard.check, self.progress)
        base = new_base(self._prepare(reader, is_single=reader.manifest is None))
        backup = None if self.options.backup is None else Path(self.options.backup)
        ready, settled = guard.check_unchanged, guard.after_commit
        if reader.manifest is None:
            opening = guard.open_commit
            replaced = replace_file(
                path, base, keep_old=backup, commit_guard=ready, after_commit=settled, open_old=opening
            )
        else:
            replaced = replace_log(reader.manifest, base, keep_old=backup, commit_guard=ready, after_commit=settled)
        self.kept = replaced.kept

    def elsewhere(self, reader: AofReader, destination: str) -> None:
        """Write a new AOF to ``destination``, a file or a directory."""
        self.destination = destination
        options = self.options
        is_single = not _wants_directory(destination, reader)
        transfer = self._prepare(reader, is_single=is_single)
        if is_single:
            sources = [self.source, *(part.path for part in reader.parts if part.path is not None)]
            if reader.manifest is not None:
                sources.append(reader.manifest.path)
            with open_output(destination, force=options.force, sources=sources) as output:
                transfer.write_to(output)
            return
        manifest = reader.manifest
        home = real_path(reader.parts[0].path or "" if manifest is None else manifest.path).parent
        if home == real_path(destination):
            raise InputError(f"cannot write to {destination}: it contains the input", remedy=_IN_PLACE)
        write_directory(
            transfer,
            destination,
            source=str(home),
            force=options.force,
            needs=None,
            server_stopped=options.server_stopped,
        )

    def _prepare(self, reader: AofReader, *, is_single: bool) -> Transfer:
        """Replay the old AOF, and return how to write the new one."""
        options = self.options
        self.bytes_before = _size_of(reader, self.source)
        begin_pass(self.progress, "replaying", reader.name, self.bytes_before, left=2)
        self.loaded = replay_log(reader, self.replaying, self.progress)
        dataset = ReplayedDataset(self.loaded, reader.name, reader.size).settled()
        check_loaded(self.loaded, reader.name)
        preamble = dataset.names_version if options.preamble is None else options.preamble
        encoding: Encoding = "rdb" if preamble else "commands"
        form = BY_NAME["aof" if is_single else "aof-dir"]
        target = options.target
        if target is None:
            target, self.is_raised = target_for(dataset, encoding, form, is_asked_for=options.rules is not None)
        check_log(form, encoding, target)
        self.transfer = Transfer(
            dataset,
            encoding,
            target,
            role=form.role,
            allow_loss=options.allow_loss,
            sizes=dataset.sizes,
            progress=self.progress,
        )
        return self.transfer

    def report(self) -> Rewritten:
        """Return the result."""
        loaded, transfer = self.loaded, self.transfer
        assert loaded is not None
        assert transfer is not None
        return Rewritten(
            self.source,
            self.destination,
            transfer.encoding,
            transfer.written_for,
            loaded.rules,
            len(loaded.parts),
            loaded.replay.commands,
            self.bytes_before,
            transfer.keys,
            transfer.bytes,
            transfer.losses,
            transfer.fingerprint,
            self.is_raised,
            loaded.replay.counts["CMD203"],
            [*loaded.remarks, *remark_names(self.options.rename_commands, transfer.encoding)],
            loaded.extent,
            None if self.kept is None else str(self.kept),
        )


def _size_of(reader: AofReader, source: str) -> int | None:
    """Return the stored size of an AOF in bytes; None for a pipe."""
    if reader.size is None and source != "-" and Path(source).is_file():
        return Path(source).stat().st_size
    return reader.size


def _wants_directory(destination: str, reader: AofReader) -> bool:
    """Return whether the new AOF is a directory: by its name, or because the old one is."""
    path = Path(destination)
    if destination.endswith("/") or path.is_dir():
        return True
    return reader.manifest is not None and path.suffix not in _FILES and not path.is_file()
