"""Repair: write what is intact of a damaged file to a new place; the input is never written.

An RDB is rebuilt from its intact records. Of an AOF the intact bytes are copied unchanged, with annotations and order;
of a transaction that lost a command the rest is kept, and a MULTI without EXEC (or the reverse) is dropped. An open
transaction at the end of an AOF is truncated, as servers do. A directory becomes a directory with files of the same
names. The result is read back and validated before it is renamed into place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from rdbtool._codec.sinks.digest import Digest
from rdbtool.core.errors import (
    FormatError,
    InputError,
    RdbToolError,
    UnsupportedError,
    describe_error,
    describe_key,
    json_name,
)
from rdbtool.core.light_typing import TYPE_CHECKING, Final, Literal
from rdbtool.core.manifest import Entry, format_manifest, looks_like_manifest
from rdbtool.core.progress import Progress, begin_pass
from rdbtool.core.servers import Rules, RulesChoice
from rdbtool.operations.info.digest import read_digest
from rdbtool.operations.repair.corrections import examine_and_correct
from rdbtool.operations.repair.part import PartRepair
from rdbtool.operations.repair.report import Repaired, RepairOptions
from rdbtool.operations.salvage.input import Lost, Stock
from rdbtool.operations.validate.rdb import validate_rdb
from rdbtool.operations.validate.run import validate_reader
from rdbtool.operations.validate.verdict import Checks
from rdbtool.reader.aof.reader import open_aof
from rdbtool.reader.open.files import find_log, find_orphan, load_manifest, refuse_special
from rdbtool.reader.open.lost_manifest import SUFFIX, TEMPORARY, Rebuilt, rebuild
from rdbtool.reader.rdb import open_rdb
from rdbtool.writer.atomic.disk import Directory, real_path
from rdbtool.writer.atomic.output import open_output
from rdbtool.writer.atomic.temporary import TemporaryDirectory
from rdbtool.writer.atomic.whole_file import open_part

if TYPE_CHECKING:
    from rdbtool.operations.validate.verdict import Verdict

#: A digest and its rules, or why there is none.
_Digest = tuple[str | None, Rules | None, str | None]


_PART: Final = re.compile(r".+\.(\d+)\.(base|incr)\.(rdb|aof)")

#: More databases than any file can name.
_ANY: Final = 1 << 64

#: A command that no server has: a module's, or a renamed one.
_UNKNOWN_COMMAND: Final = "CMD201"

#: Bytes at the beginning of an RDB that hold its aux fields.
_FRONT: Final = 1 << 16

#: Bytes of a file searched for a manifest.
_HEAD: Final = 4096


def repair(
    source: str | bytes, destination: str | None, options: RepairOptions | None = None, progress: Progress | None = None
) -> Repaired:
    """Repair ``source`` into ``destination``; None: dry run.

    Raises UnsupportedError if it is neither an RDB nor an AOF, InputError.
    """
    options = options or RepairOptions()
    if isinstance(source, str) and (path := _manifest_of(source)) is not None:
        return _repair_directory(source, path, destination, options, progress)
    with Stock(source, unwraps=True) as stock:
        begin_pass(progress, "searching", stock.name, stock.size, left=0)
        part = examine_and_correct(stock, options, progress)
        stock.check_unchanged()
        name = source if isinstance(source, str) else stock.name
        done = _sum_up(name, [part], "rdb" if part.form == "rdb" else "aof")
        if destination is None or not done.is_saved:
            return done
        if destination == "-":
            raise InputError("cannot write to standard output: what is repaired is read back before it gets its name")
        with ExitStack() as stack:
            # Files are renamed into place only after everything is written.
            _keep_damaged(stack, [(part, stock)], name, options)
            output = stack.enter_context(open_output(destination, force=options.force, sources=[name]))
            digests: list[_Digest] = []

            def check(path: str) -> None:
                if part.form == "rdb":
                    digests.append(_check_rdb(path, part, options, destination))
                    return
                part.check(path)
                _validate_result(path, [part], options)
                digests.append(_digest(path, options, [part]))

            if not output.verify_with(check):
                raise InputError(f"cannot write to {destination}: it cannot be read back; give a file")
            part.write(output)
            stock.check_unchanged()
            written = output.written
        # The encoder's losses are known only now.
        return _sum_up(name, [part], done.kind)._replace(
            destination=destination,
            bytes=written,
            digest=digests[0][0],
            rules=digests[0][1],
            undigested=digests[0][2],
        )


def _manifest_of(source: str) -> Path | None:
    if source == "-":
        return None
    path = Path(source)
    if path.is_dir():
        if (orphan := find_orphan(path)) is not None:
            return orphan
        found = find_log(path)
        return found if found.suffix == ".manifest" else None
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except (OSError, ValueError):
        return None  # opening it reports why
    return path if path.suffix == ".manifest" or looks_like_manifest(head) else None


def _repair_directory(
    source: str, manifest: Path, destination: str | None, options: RepairOptions, progress: Progress | None
) -> Repaired:
    lost: list[Lost] = []
    doubts: list[str] = []
    entries = _entries(manifest, lost, doubts)
    spare = _Spare(manifest, entries)
    with ExitStack() as stack:
        parts: list[tuple[PartRepair, Stock]] = []
        kept: list[Entry] = []
        for index, entry in enumerate(entries):
            if entry.kind == "history":
                continue
            path = manifest.parent / entry.name
            if not path.exists():
                present = spare.find(entry)
                if present is not None:
                    why = f"the manifest names {entry.name}, which is missing: using {present}"
                    lost.append(Lost("REP012", manifest.name, entry.at, entry.at, why, is_kept=True))
                    entry, path = entry._replace(name=present), manifest.parent / present  # noqa: PLW2901
            if not path.exists():
                why = f"the {entry.kind} file {entry.name} is missing"
                lost.append(Lost("REP011", manifest.name, entry.at, entry.at, why))
                doubts.append(f"{why}: what it held is not in the result")
                continue
            refuse_special(path)
            stock = stack.enter_context(Stock(str(path), name=entry.name))
            begin_pass(progress, "searching", stock.name, stock.size, left=len(entries) - index - 1)
            parts.append((examine_and_correct(stock, options, progress, in_log=True), stock))
            stock.rest()
            kept.append(entry)
        done = _sum_up(source, [part for part, _ in parts], "aof-dir", lost, doubts)
        if destination is None or not done.is_saved or not parts:
            return done
        target = real_path(destination)
        if os.path.lexists(target):
            raise InputError(f"cannot write to {destination}: it exists; give the name of a directory that does not")
        _keep_damaged(stack, parts, source, options)
        with Directory(target.parent, destination) as parent, TemporaryDirectory(target, destination) as made:
            size = _write_parts(made, parts, manifest)
            data = format_manifest(kept)
            with open_part(made, manifest.name.removeprefix(TEMPORARY), sources=[source]) as output:
                output.write(data)
            with Directory(made.path, destination) as inner:
                inner.sync()
            examined = [part for part, _ in parts]
            _validate_result(str(made.path), examined, options)
            digest = _digest(str(made.path), options, examined)
            made.give_name()
            parent.sync()
    return _sum_up(source, examined, "aof-dir", lost, doubts)._replace(
        destination=destination, bytes=size + len(data), digest=digest[0], rules=digest[1], undigested=digest[2]
    )


def _write_parts(made: TemporaryDirectory, parts: list[tuple[PartRepair, Stock]], manifest: Path) -> int:
    """Write what is kept of each file of an AOF; return the bytes written."""
    size = 0
    for part, stock in parts:
        with open_part(made, part.name, sources=[str(manifest.parent / part.name)]) as output:
            output.verify_with(part.check)
            part.write(output)
            size += output.written
        stock.check_unchanged()
        stock.rest()
    return size


class _Spare:
    """Files of an AOF that its manifest does not name, by kind and number."""

    def __init__(self, manifest: Path, entries: list[Entry]) -> None:
        named = {entry.name for entry in entries}
        self._found: dict[tuple[int, str], list[str]] = {}
        for path in sorted(manifest.parent.iterdir()):
            match = _PART.fullmatch(path.name)
            if match is not None and path.name not in named:
                self._found.setdefault((int(match[1]), match[2]), []).append(path.name)

    def find(self, missing: Entry) -> str | None:
        """Return the only file with the kind and number of a missing one, None if there is none or several."""
        found = self._found.get((missing.seq, missing.kind), [])
        return found[0] if len(found) == 1 else None


def _entries(manifest: Path, lost: list[Lost], doubts: list[str]) -> list[Entry]:
    """Return the files of an AOF: those of its manifest, or, without a valid one, those with matching names."""
    if not manifest.exists():
        return _rebuilt(manifest, lost, doubts, "it is missing")
    try:
        return list(load_manifest(manifest).entries)
    except FormatError as fault:
        return _rebuilt(manifest, lost, doubts, describe_error(fault).splitlines()[0])


def _rebuilt(manifest: Path, lost: list[Lost], doubts: list[str], reason: str) -> list[Entry]:
    size = manifest.stat().st_size if manifest.exists() else 0
    temporary = manifest.with_name(TEMPORARY + manifest.name)
    found = _read_temporary(temporary)
    whence = f"from {temporary.name}, which a server had not renamed yet"
    if found is None:
        names = [path.name for path in manifest.parent.iterdir()]
        found = rebuild(manifest.name.removesuffix(SUFFIX), names)
        whence = "from the names of the files"
    why = f"the manifest is rebuilt {whence}: {reason}"
    if found.left_out:
        why += f"; not named in it, because their data is in the others: {', '.join(found.left_out)}"
    lost.append(Lost("REP012", manifest.name, 0, size, why, is_kept=True))
    lost += [Lost("REP011", manifest.name, 0, 0, message) for message in found.missing]
    doubts += (f"{manifest.name}: {message}" for message in (*found.missing, *found.doubts))
    return found.entries


def _read_temporary(path: Path) -> Rebuilt | None:
    """Return the entries of a manifest that a server had not renamed yet, None unless it and all its files exist."""
    if not path.is_file():
        return None
    try:
        manifest = load_manifest(path)
    except FormatError:
        return None
    if not manifest.loaded or not all((path.parent / entry.name).is_file() for entry in manifest.loaded):
        return None
    return Rebuilt(list(manifest.loaded), [], [], [])


def _sum_up(
    source: str,
    parts: list[PartRepair],
    kind: Literal["rdb", "aof", "aof-dir"],
    lost: list[Lost] | None = None,
    doubts: Sequence[str] = (),
) -> Repaired:
    return Repaired(
        source,
        None,
        kind,
        tuple(part.name for part in parts),
        sum(part.keys for part in parts),
        sum(part.functions for part in parts),
        sum(part.commands for part in parts),
        0,
        (*(lost or ()), *(row for part in parts for row in part.lost)),
        next((part.checksum for part in parts if part.checksum != "none"), "none"),
        None,
        None,
        None,
        tuple(sorted({name for part in parts for name in part.foreign})),
        (*doubts, *(doubt for part in parts for doubt in part.doubts)),
    )


def _digest(path: str, options: RepairOptions, parts: list[PartRepair]) -> _Digest:
    """Return the digest of a result and its rules, or why there is none. Raises InputError if it cannot be read."""
    if any(part.foreign for part in parts):
        return None, None, "it has commands that cannot be executed here"
    from rdbtool.dataset.loading import load_keys  # noqa: PLC0415 - as below
    from rdbtool.operations.info.digest import compute_digest  # noqa: PLC0415 - a dry run does without

    try:
        rename = options.rename_commands
        with (
            open_aof(path) as reader,
            load_keys(reader, options.rules, now_ms=options.now_ms, source=path, rename_commands=rename) as keys,
        ):
            found = compute_digest(keys, options.rules, now_ms=options.now_ms)
    except (FormatError, InputError) as error:
        raise InputError(f"what was written cannot be read back: {describe_error(error, with_remedy=False)}") from error
    except RdbToolError as error:
        return None, None, str(error)
    return found.digest, found.rules, None


def _keep_damaged(stack: ExitStack, parts: list[tuple[PartRepair, Stock]], source: str, options: RepairOptions) -> None:
    """Write the lost bytes one after another, with an index file beside them."""
    if options.keep_damaged is None:
        return
    rows = []
    at = 0
    output = stack.enter_context(open_output(options.keep_damaged, force=options.force, sources=[source]))
    for part, stock in parts:
        for lost in part.lost:
            if lost.is_kept:
                continue
            stock.copy(lost.start, lost.stop, output.write)
            row = {"at": at, "size": lost.size, "part": lost.part, "offset": lost.start, "code": lost.code}
            rows.append({**row, "message": lost.message})
            at += lost.size
    index = stack.enter_context(open_output(f"{options.keep_damaged}.json", force=options.force, sources=[source]))
    import json  # noqa: PLC0415 - rarely asked for

    index.write(json.dumps({"schema": 1, "source": json_name(source), "ranges": rows}).encode() + b"\n")


def _check_rdb(path: str, part: PartRepair, options: RepairOptions, destination: str) -> _Digest:
    """Read back the RDB that was written of ``part``, once; return its digest (see ``_digest``).

    Raises InvalidDataError and InputError.
    """
    choice = _choose_rules(path) if options.rules is None else RulesChoice(Rules.parse(options.rules), "named")
    digest = Digest(choice.rules, options.now_ms)
    if part.is_built:
        part.check(path, digest)
    else:
        with open_rdb(path) as reader:
            verdict = validate_rdb(reader, _checks(options), also=digest)
        _refuse(verdict, is_foreign=False)
    digest.close()
    try:
        return read_digest(digest, destination), choice.rules, None
    except UnsupportedError as error:
        return None, None, str(error)


def _choose_rules(path: str) -> RulesChoice:
    """Return the server rules of an RDB, from what precedes its first key."""
    # A reader of the whole file would fill its window.
    with Path(path).open("rb") as file:
        head = file.read(_FRONT)
    with open_rdb(head) as reader:
        # The beginning may end inside the first record.
        with suppress(FormatError):
            reader.read_preamble()
        return reader.choice


def _checks(options: RepairOptions) -> Checks:
    databases = _ANY if options.databases is None else options.databases
    return Checks(replay=False, databases=databases, rename_commands=options.rename_commands)


def _validate_result(path: str, parts: Sequence[PartRepair], options: RepairOptions) -> None:
    """Validate the AOF that was written of ``parts`` at ``path``. Raises InputError with the first error."""
    with open_aof(path) as reader:
        verdict = validate_reader(reader, _checks(options))
    _refuse(verdict, is_foreign=any(part.foreign for part in parts))
    commands = sum(part.commands for part in parts)
    if reader.count != commands:
        raise InputError(f"what was written is not what was read: {reader.count} commands instead of {commands}")


def _refuse(verdict: Verdict, *, is_foreign: bool) -> None:
    """Raise InputError for the first error in the output. ``is_foreign``: it may have unknown commands."""
    if verdict.error is not None:
        raise InputError(f"what was written cannot be validated: {verdict.error}")
    for finding in verdict.findings:
        if finding.severity != "error" or (is_foreign and finding.code == _UNKNOWN_COMMAND):
            continue
        key = "" if finding.key is None else f" in key {describe_key(finding.key)} of db {finding.db}"
        raise InputError(f"the output is not valid: {finding.message}{key} at {finding.offset:#x} ({finding.code})")
