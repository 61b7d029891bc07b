"""Conversion between all formats.

An output has the magic and version of its input unless a target is given. An input without a version (an AOF of
commands) is written as RDB 11, or as the first newer version that holds all of its data. What the target cannot hold is
refused or reported. Every output is read back before it is renamed into place.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from rdbtool.core.errors import FormatError, InputError, Loss, json_name
from rdbtool.core.light_typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple
from rdbtool.core.progress import Progress, begin_pass
from rdbtool.core.servers import Target, default_target
from rdbtool.dataset.forms import BY_NAME, CONVERTED, Encoding, Form, form_of
from rdbtool.dataset.loading import load_keys
from rdbtool.operations.convert.omissions import FilterChain, FilteredFeeder, Leaving, Left
from rdbtool.operations.convert.transfer import SourceFile, Transfer, check_log, remark_names, target_for
from rdbtool.operations.json_shapes import written_json
from rdbtool.operations.long_arguments import LongArguments
from rdbtool.reader.open.dispatch import open_any
from rdbtool.writer.atomic.disk import real_path
from rdbtool.writer.atomic.output import open_output

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool.core.manifest import Manifest
    from rdbtool.core.progress import Progress
    from rdbtool.dataset.dataset import Dataset
    from rdbtool.dataset.replayed import ReplayedDataset
    from rdbtool.engine.replay.places import Places
    from rdbtool.engine.replay.stops import Extent
    from rdbtool.operations.convert.reshaping import Reshaping
    from rdbtool.reader.jsonl.reader import JsonlReader
    from rdbtool.reader.rdb import RdbReader


class ConvertOptions(NamedTuple):
    """Options of a conversion.

    ``form`` is one of ``CONVERTED``, None: by the name of the destination; ``target`` None: the format of the input.
    ``preamble``: an AOF begins with an RDB; None: a directory does unless the input is an AOF of commands, and a single
    file does not. ``rules`` names the server whose behaviour a replay follows, ``now_ms`` (Unix ms) is the time for
    expiry, ``rename_commands`` maps renamed commands to their original names. ``force`` replaces existing files, and
    ``server_stopped`` asserts that no server has them open, where that cannot be detected. ``places`` says where a
    replay stops and what it skips. ``leaving`` is what to drop, besides keys that ``selection`` does not match;
    ``reshaping`` changes the rest, None: no changes.
    """

    form: str | None = None
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
    reshaping: Reshaping | None = None


class Converted(NamedTuple):
    """The result of a conversion. ``losses`` were allowed, or are notes only. ``bytes`` is the size of the data.

    ``is_raised`` is set if the data needed a newer version than the default. ``is_verified`` is False if nothing can be
    read back: standard output, pipes, devices; a large RDB file is not even checked then (``is_tested``).
    ``error_replies`` counts AOF commands to which a server replies with an error, and which change nothing. ``extent``
    says where the replay stopped and what it skipped; None unless the input is an AOF.
    """

    source: str
    destination: str
    form: str
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
        """Return the object of ``convert --json``."""
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
    """Convert ``source`` to ``destination`` (``-``: standard output), and read the output back.

    Raises ValueError if the form does not follow from the destination, LossError if the target cannot hold the data,
    UncertainError if the effect of an AOF is unknown, PlaceError if it does not have one of the places, and what
    reading and writing raise; nothing is written then.
    """
    options = options or ConvertOptions()
    name = options.form or form_of(destination, CONVERTED)
    if name not in CONVERTED:
        said = repr(destination) if name is None else f"the form {name!r}"
        raise ValueError(f"{said} is not a form that can be written: expected one of {', '.join(CONVERTED)}")
    form = BY_NAME[name]
    with open_any(source, jsonl=True) as reader:
        _refuse_part(destination, getattr(reader, "manifest", None))
        if reader.kind == "aof":
            begin_pass(progress, "replaying", reader.name, reader.size, left=2)
        keys = load_keys(
            reader,
            options.rules,
            now_ms=options.now_ms,
            places=options.places,
            source=source,
            rename_commands=options.rename_commands,
            refuses_twice=False,
            progress=progress,
        )
        dataset: Dataset
        replayed = None
        is_raised = False
        if keys.kind == "aof":
            dataset = replayed = keys.settled()
            from rdbtool.operations.convert.transfer import check_loaded  # noqa: PLC0415 - the rules of validation

            check_loaded(keys.loaded, keys.name)
        else:
            dataset = keys
        encoding = _encoding(form, options.preamble, replayed)
        if encoding != "jsonl":
            # JSON lines may come from anywhere.
            dataset.read_preamble()
        if options.target is not None:
            target = options.target
        elif replayed is not None:
            target, is_raised = target_for(
                replayed, encoding, form, is_asked_for=options.rules is not None, selection=options.selection
            )
        else:
            target = default_target(dataset.header, dataset.aux)
        check_log(form, encoding, target)
        leaving = options.leaving
        reshaping = options.reshaping
        chain = FilterChain(leaving.without("aux", "slot-imports") if encoding == "commands" else leaving, reshaping)
        # Servers load files with longer arguments than they take from clients, and commands are for clients.
        long = LongArguments() if name == "resp" else None
        transfer = Transfer(
            FilteredFeeder(dataset, chain),
            encoding,
            target,
            role=form.role,
            allow_loss=options.allow_loss,
            selection=options.selection,
            # Sizes are announced before it is known which keys are a module's, or what the others become.
            sizes={} if leaving.modules or (reshaping is not None and reshaping.changes_sizes) else dataset.sizes,
            size=None if keys.kind == "aof" else keys.size,
            progress=progress,
            origin=None if keys.kind == "aof" else _source_file(keys),
            on_long=long,
        )
        # An output can only replace an input that is a path.
        path = source if isinstance(source, str) else "-"
        # The approximate size of the output: anything but an RDB file may become smaller.
        needs = keys.size if encoding == "rdb" and replayed is None else None
        is_verified = _write(transfer, path, destination, options._replace(form=name), needs)
    return Converted(
        keys.name,
        destination,
        name,
        encoding,
        target,
        transfer.keys,
        transfer.bytes,
        transfer.losses if long is None else [*transfer.losses, *long.notes],
        transfer.fingerprint,
        is_raised,
        is_verified,
        transfer.is_tested,
        0 if replayed is None else replayed.loaded.replay.counts["CMD203"],
        keys.remarks if replayed is None else [*replayed.remarks, *remark_names(options.rename_commands, encoding)],
        chain.left,
        keys.extent,
    )


def _encoding(form: Form, preamble: bool | None, replayed: ReplayedDataset | None) -> Encoding:  # noqa: FBT001 - an option
    if len(form.encodings) == 1:
        return form.encodings[0]
    if preamble is not None:
        return "rdb" if preamble else "commands"
    # An AOF of commands stays one.
    return "commands" if replayed is not None and not replayed.names_version else form.encodings[0]


def _source_file(reader: RdbReader | JsonlReader) -> SourceFile:
    return SourceFile(reader.name, reader.size, reader.line_of if reader.kind == "jsonl" else None)


def _refuse_part(destination: str, manifest: Manifest | None) -> None:
    """Raise InputError if the output would replace a file of the input AOF, or of any other."""
    path = Path(destination)
    if destination == "-" or not path.is_file():
        return
    from rdbtool.core.manifest import read_manifest  # noqa: PLC0415 - only where something is to be replaced
    from rdbtool.writer.aofdir.directory import find_manifest  # noqa: PLC0415 - likewise

    home = real_path(path).parent
    there = find_manifest(home)
    if there is not None and manifest is None:
        with contextlib.suppress(FormatError, OSError):
            manifest = read_manifest(there.read_bytes(), there)
    if manifest is None:
        return
    log = Path(manifest.path)
    files = [log, *(log.parent / entry.name for entry in manifest.entries)]
    if any(file.exists() and file.samefile(destination) for file in files):
        raise InputError(f"cannot write to {destination}: it belongs to the AOF of {log}")


def _write(transfer: Transfer, source: str, destination: str, options: ConvertOptions, needs: int | None) -> bool:
    """Write to the destination; return whether it was read back."""
    form = options.form
    replaces = form == "aof-dir" or (form == "aof" and options.force and os.path.lexists(destination))
    if replaces:
        from rdbtool.operations.convert.aof_output import write_directory, write_log  # noqa: PLC0415 - for AOFs only

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
