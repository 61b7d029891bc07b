"""Conversions: anything that holds keys into anything that does.

An output has the magic and version of its source unless a target is asked for. A source that names no version
(a log of commands) is written as RDB 11, or as the first newer version that holds all of its data. What the target
cannot hold is refused, or named. Every output is read back before it gets its name.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, NamedTuple, get_args

from rdbtool.core.errors import FormatError, InputError, Loss, Remedy, UnsupportedError, json_name
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import REDIS
from rdbtool.core.servers import FIRST_WITH_PARTS, Rules
from rdbtool.dataset.keys import load_keys
from rdbtool.dataset.origin import (
    BegunFile,
    Origin,
    Role,
    SourceFile,
    WholeFile,
    names_version,
    origin_of_log,
    play,
    remark_names,
)
from rdbtool.operations.convert.omissions import Door, Leaving, Left, Through
from rdbtool.operations.convert.transfer import Encoding, Transfer
from rdbtool.operations.json_shapes import written_json
from rdbtool.reader.open.dispatch import open_any
from rdbtool.writer.atomic.output import open_output
from rdbtool.writer.rdb import raise_target
from rdbtool.writer.targets import Target, default_target

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool.core.manifest import Manifest
    from rdbtool.dataset.keys import KeySource
    from rdbtool.engine.export.engine_dataset import EngineState
    from rdbtool.engine.replay.loader import Loaded
    from rdbtool.engine.replay.places import Places
    from rdbtool.engine.replay.stops import Extent

Form = Literal["rdb", "aof", "aof-dir", "resp", "jsonl"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)

#: The RDB version of the first servers that start from a directory of parts: Redis 7.0.
_FIRST_WITH_PARTS: Final = 10

#: And of the first whose logs may begin with an RDB: Redis 4.0.
_FIRST_WITH_PREAMBLE: Final = 8

#: Whose words are used at least: those before told expiry times in whole seconds.
_OLDEST_WORDS: Final = Rules("redis", 2, 6)

_ROLES: Final[dict[Form, Role]] = {"aof": "log", "aof-dir": "base"}


_ONE_FILE: Final = Remedy(": use --to aof", ": use form='aof'")
_COMMANDS: Final = Remedy(": use --no-preamble", ": use preamble=False")


class ConvertOptions(NamedTuple):
    """What to make of a source.

    ``form`` None: as ``form_of`` the destination; ``target`` None: the form of the source. ``preamble``: a log begins
    with an RDB; None: a directory does, unless the source is a log of commands, and a single file does not. ``rules``
    names the server that replays a log, ``now_ms`` (Unix ms) is when, ``rename_commands`` maps names of commands in it
    to those that servers have. ``force``: what exists is replaced, and
    ``server_stopped`` says that no server holds it, for where that cannot be found out. ``places`` says where the
    replay of a log stops and what it skips. ``leaving`` is what stays behind, beside the keys that ``selection`` does
    not take.
    """

    form: Form | None = None
    target: Target | None = None
    preamble: bool | None = None
    allow_loss: bool = False
    force: bool = False
    server_stopped: bool = False
    rules: str | None = None
    now_ms: int = 0
    rename_commands: Mapping[str, str] | None = None
    selection: Selection | None = None
    places: Places | None = None
    leaving: Leaving = Leaving()


class Converted(NamedTuple):
    """What was written. ``losses`` were allowed, or are notes only. ``bytes`` are those of the data.

    ``is_raised`` tells that the data needed a newer version than an unnamed one is written as. ``is_verified`` is
    False where nothing can be read back: standard output, pipes, devices; then a large RDB is not even tested
    (``is_tested``). ``error_replies`` counts commands of a log that a server answers with an error, and that change
    nothing. ``extent`` tells where the replay stopped, and what it skipped; None for what is no log.
    """

    source: str
    destination: str
    form: Form
    encoding: Encoding
    target: Target
    keys: int
    bytes: int
    losses: list[Loss]
    fingerprint: str | None
    is_raised: bool
    is_verified: bool
    is_tested: bool
    error_replies: int
    remarks: Sequence[str]
    left: Left
    extent: Extent | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``convert --json`` prints."""
        return {
            "schema": 1,
            "source": json_name(self.source),
            "destination": json_name(self.destination),
            "form": self.form,
            **written_json(self),
            "verified": self.is_verified,
            "dropped": self.left.dropped,
            "left_behind": self.left.beside,
        }


def convert(
    source: str | bytes | BinaryIO,
    destination: str,
    options: ConvertOptions | None = None,
    progress: Progress | None = None,
) -> Converted:
    """Convert what ``source`` names into ``destination`` (``-``: standard output), and read it back.

    Raises ValueError where the form does not follow from the destination, LossError where the target cannot hold the
    data, UncertainError where a log's effect is in doubt, PlaceError where it does not have one of the places, and what
    reading and writing raise; nothing was written then.
    """
    options = options or ConvertOptions()
    form = options.form or form_of(destination)
    if form is None:
        raise ValueError(f"{destination!r} does not say what to write: {', '.join(FORMS)}?")
    with open_any(source, jsonl=True) as reader:
        _refuse_part(destination, getattr(reader, "manifest", None))
        keys = load_keys(
            reader,
            options.rules,
            now_ms=options.now_ms,
            places=options.places,
            source=source,
            rename_commands=options.rename_commands,
            progress=progress,
        )
        loaded = getattr(keys, "loaded", None)
        is_named = loaded is None or names_version(loaded)
        encoding = _encoding(form, preamble=options.preamble, is_named=is_named)
        origin: Origin
        is_raised = False
        if loaded is None:
            origin = WholeFile(keys) if encoding == "jsonl" else BegunFile(keys)
            target = options.target or default_target(origin.header, origin.aux)
        else:
            origin = state = origin_of_log(loaded)
            from rdbtool.operations.convert.soundness import check_loaded  # noqa: PLC0415 - the rules of validation

            check_loaded(loaded, keys.source.name)
            if options.target is None:
                target, is_raised = target_for(
                    loaded, state, encoding, form, is_asked_for=options.rules is not None, selection=options.selection
                )
            else:
                target = options.target
        if encoding == "rdb":
            role = _ROLES.get(form, "snapshot")
            if isinstance(origin, BegunFile):
                play(origin.begun, role)
            else:
                play(origin.aux, role)
        check_log(form, encoding, target)
        leaving = options.leaving
        door = Door(leaving.without("aux", "slot-imports") if encoding == "commands" else leaving)
        line_of = reader.line_of if reader.kind == "jsonl" else None
        transfer = Transfer(
            Through(origin, door),
            encoding,
            target,
            allow_loss=options.allow_loss,
            selection=options.selection,
            # Sizes are announced before it is known which keys are a module's.
            sizes={} if leaving.modules else origin.sizes,
            progress=progress,
            origin=None if loaded is not None else SourceFile(keys.source.name, keys.source.size, line_of),
        )
        # What is no path is no file that an output could replace, as standard input is none.
        path = source if isinstance(source, str) else "-"
        is_verified = _write(transfer, path, destination, options._replace(form=form), expected_size(keys, encoding))
    return Converted(
        keys.source.name,
        destination,
        form,
        encoding,
        target,
        transfer.keys,
        transfer.bytes,
        transfer.losses,
        transfer.fingerprint,
        is_raised,
        is_verified,
        transfer.is_tested,
        0 if loaded is None else loaded.replay.counts["CMD203"],
        () if loaded is None else [*loaded.remarks, *remark_names(options.rename_commands, encoding)],
        door.left,
        None if loaded is None else loaded.extent,
    )


def form_of(destination: str) -> Form | None:
    """Return the form that a name asks for: by its suffix, or a directory; None where it does not say."""
    if destination.endswith("/") or (destination != "-" and Path(destination).is_dir()):
        return "aof-dir"
    suffix = Path(destination).suffix.lower()
    return next((form for form in FORMS if suffix == f".{form}"), None)


def target_for(
    loaded: Loaded,
    state: EngineState,
    encoding: Encoding,
    form: Form,
    *,
    is_asked_for: bool,
    selection: Selection | None = None,
) -> tuple[Target, bool]:
    """Return what the state of an AOF is written as where no target was given, and whether its data raised that.

    ``is_asked_for``: the rules were. Then an AOF is written for the server that they name, unless it keeps the RDB
    version of its base. Else commands have the words of the oldest server that may have written the AOF.
    """
    is_named = names_version(loaded)
    if is_asked_for and (encoding == "commands" or (form in _ROLES and not is_named)):
        return Target.of_release(loaded.rules), False
    if is_named:
        return default_target(state.header, state.aux), False
    unnamed = default_target(None)
    if encoding == "jsonl":
        return unnamed, False
    if encoding == "commands":
        unnamed = Target.of_release(oldest_server(loaded, form))
    target = raise_target(unnamed, state.doubtful(), commands=encoding == "commands", selection=selection)
    return target, target != unnamed


def oldest_server(loaded: Loaded, form: Form) -> Rules:
    """Return the oldest server that may have written an AOF that names none, and that starts from a form."""
    if "redis" not in loaded.least:
        return loaded.least["valkey"]
    return max(loaded.least["redis"], FIRST_WITH_PARTS if form == "aof-dir" else _OLDEST_WORDS)


def expected_size(keys: KeySource, encoding: Encoding) -> int | None:
    """Return how many bytes an output is going to have at least, roughly; None where nobody knows.

    It is the size of an RDB that becomes one: other encodings may be larger or smaller.
    """
    return keys.source.size if encoding == "rdb" and not hasattr(keys, "loaded") else None


def _encoding(form: Form, *, preamble: bool | None, is_named: bool) -> Encoding:
    match form:
        case "rdb" | "jsonl":
            return form
        case "resp":
            return "commands"
        case "aof":
            return "rdb" if preamble else "commands"
    return "rdb" if (is_named if preamble is None else preamble) else "commands"


def check_log(form: Form, encoding: Encoding, target: Target) -> None:
    """Raise UnsupportedError for a log that servers of the target cannot start from."""
    if target.magic != REDIS:
        return
    if form == "aof-dir" and target.version < _FIRST_WITH_PARTS:
        raise UnsupportedError(f"{target} starts from one file, not from a directory of parts", remedy=_ONE_FILE)
    if form == "aof" and encoding == "rdb" and target.version < _FIRST_WITH_PREAMBLE:
        raise UnsupportedError(f"{target} reads no log that begins with an RDB", remedy=_COMMANDS)


def _refuse_part(destination: str, manifest: Manifest | None) -> None:
    """Raise InputError where the output would replace a file of the log that is its source, or of any other."""
    path = Path(destination)
    if destination == "-" or not path.is_file():
        return
    from rdbtool.core.manifest import read_manifest  # noqa: PLC0415 - only where something is to be replaced
    from rdbtool.writer.aofdir.directory import find_manifest  # noqa: PLC0415 - likewise

    home = path.resolve().parent
    there = find_manifest(home)
    if there is not None and manifest is None:
        with contextlib.suppress(FormatError, OSError):
            manifest = read_manifest(there.read_bytes(), there)
    if manifest is None:
        return
    log = Path(manifest.path)
    files = [log, *(log.parent / entry.name for entry in manifest.entries)]
    if any(file.exists() and file.samefile(destination) for file in files):
        raise InputError(f"cannot write to {destination}: it belongs to the log of {log}")


def _write(transfer: Transfer, source: str, destination: str, options: ConvertOptions, needs: int | None) -> bool:
    """Write to the destination; return whether it was read back."""
    form = options.form
    replaces = form == "aof-dir" or (form == "aof" and options.force and os.path.lexists(destination))
    if replaces:
        from rdbtool.operations.convert.aof_output import write_directory, write_log  # noqa: PLC0415 - for logs only

        put = write_directory if form == "aof-dir" else write_log
        return put(
            transfer,
            destination,
            source=source,
            force=options.force,
            needs=needs,
            server_stopped=options.server_stopped,
        )
    with open_output(destination, force=options.force, sources=[source], needs=needs) as output:
        return transfer.write_to(output)
