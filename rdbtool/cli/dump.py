"""``rdbtool dump``: the keys of a file in a chosen format."""

from __future__ import annotations

import os

from rdbtool.cli.app import end_uncertain, print_extent, print_lines, print_remarks
from rdbtool.cli.options import (
    AllowLoss,
    DropParts,
    Filters,
    Force,
    Functions,
    NoProgress,
    OutputFile,
    RenamedCommands,
    Reshape,
    Server,
    Source,
    Stop,
    check_choice,
    check_rules,
    expands,
    key_bytes,
    refuse_terminal,
    renames_of,
    target_of,
)
from rdbtool.cli.parameters import Option, UsageError
from rdbtool.core.light_typing import TYPE_CHECKING, Annotated
from rdbtool.dataset.forms import BINARIES, ESCAPES, PRINTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdbtool.dataset.forms import Form
    from rdbtool.operations.dump.report import DumpOptions


@expands
def dump(
    src: Source,
    *,
    filters: Filters,
    stop: Stop,
    reshape: Reshape,
    format_: Annotated[
        str | None,
        Option(
            "--format",
            "-f",
            "--command",
            "-c",
            metavar="FORMAT",
            help=f"One of {', '.join(PRINTED)}. Default: what the suffix of FILE says, such as .csv, else table on a "
            "terminal and jsonl elsewhere.",
        ),
    ] = None,
    output: OutputFile = None,
    force: Force = False,
    escape: Annotated[
        str | None,
        Option(
            "--escape",
            "-e",
            metavar="HOW",
            help=f"How json and keys write bytes: {', '.join(ESCAPES)}. Default: utf8 for json, and for keys on a "
            "terminal, else raw.",
        ),
    ] = None,
    keys_only: Annotated[
        bool,
        Option("--keys-only", help="With jsonl: write lines of keys only, no header, aux fields or functions."),
    ] = False,
    binary: Annotated[
        str | None,
        Option(
            "--binary",
            metavar="HOW",
            help=f"With jsonl: write all strings in one way, so that a column has one type: {', '.join(BINARIES)} "
            "(\\xHH for bytes that are not UTF-8, \\\\ for a backslash). Each line says which; they are not read back.",
        ),
    ] = None,
    fields: Annotated[
        list[str] | None,
        Option(
            "--fields",
            metavar="NAME,NAME",
            help="With csv: make columns of these fields of hashes, in place of the column value. In a name \\xHH is a "
            "byte, \\x2c a comma.",
        ),
    ] = None,
    raw: Annotated[
        bool,
        Option(
            "--raw",
            help="With csv: do not escape formulas and terminal control characters.",
        ),
    ] = False,
    restore: Annotated[
        bool,
        Option(
            "--restore",
            help="With resp: RESTORE commands instead of plain ones. A server executes payloads of its own RDB version "
            "and of older ones: name it with --target unless it is as new as the one that wrote SRC.",
        ),
    ] = False,
    replace: Annotated[
        bool,
        Option(
            "--replace",
            help="With resp: keys and libraries that the server has give way. Without it, commands add to the keys "
            "that are there, and RESTORE and FUNCTION LOAD fail.",
        ),
    ] = False,
    target: Annotated[
        str | None,
        Option(
            "--target",
            metavar="TARGET",
            help="With resp: the server that executes the commands, such as redis-6.2 or valkey-9, or a version such "
            "as rdb-9. Default: the one that wrote SRC.",
        ),
    ] = None,
    allow_loss: AllowLoss = False,
    functions: Functions = None,
    drop: DropParts = None,
    rules: Server = None,
    rename_command: RenamedCommands = None,
    no_progress: NoProgress = False,
) -> None:
    """Print the keys of a file as a table, JSON, CSV, a list of keys or commands that rebuild them.

    An AOF is replayed, and the keys are those of its dataset. JSON lines are read as well as written. With a filter
    by key, type, database, slot or number, only keys are written.

    Output that goes to a file appears whole or not at all. When a file turns out to be damaged,
    what precedes the damage is printed, up to the last valid key.
    """
    from rdbtool.dataset.forms import form_of
    from rdbtool.dataset.loading import load_keys
    from rdbtool.operations.dump.report import DumpOptions
    from rdbtool.reader.open.dispatch import open_any
    from rdbtool.report.dump import write_keys
    from rdbtool.report.progress_bar import ProgressBar
    from rdbtool.writer.atomic.output import open_output

    form = _named_form(format_)
    check_choice("--escape", escape, ESCAPES)
    check_choice("--binary", binary, BINARIES)
    check_rules(rules)
    selection, now_ms = filters.selection(), filters.milliseconds()
    places = stop.places(src)
    renames = renames_of(rename_command)
    chosen = form or (None if output is None else form_of(output, PRINTED))
    with open_output(output, force=force, sources=[src]) as out:
        if chosen == "resp":
            refuse_terminal(out.is_terminal, "--format")
        options = DumpOptions(
            chosen or ("table" if out.is_terminal else "jsonl"),
            escape,
            restore,
            replace,
            now_ms,
            raw=raw,
            target=target_of(target),
            allow_loss=allow_loss,
            leaving=filters.leaving(drop, functions=functions),
            reshaping=reshape.reshaping(now_ms),
            keys_only=keys_only,
            binary=binary,
            fields=_fields_of(fields),
        )
        _check_use("--escape", options, used=escape is not None, users=_names(lambda row: row.escape is not None))
        _check_use("--raw", options, used=raw, users=("csv",))
        _check_use("--fields", options, used=bool(fields), users=("csv",))
        _check_use("--keys-only", options, used=keys_only, users=("jsonl",))
        _check_use("--binary", options, used=binary is not None, users=("jsonl",))
        _check_use("--restore", options, used=restore, users=("resp",))
        _check_use("--replace", options, used=replace, users=("resp",))
        _check_use("--target", options, used=target is not None, users=_names(lambda row: row.has_target))
        _check_use("--allow-loss", options, used=allow_loss, users=_names(lambda row: row.has_target))
        for option, used in (("--functions", functions is not None), ("--drop", bool(drop))):
            _check_use(option, options, used=used, users=_names(lambda row: row.is_verifiable))
        if keys_only and functions:
            raise UsageError("--keys-only leaves functions out", parameter="--functions")
        for option, used in reshape.given().items():
            _check_use(option, options, used=used, users=_names(lambda row: row.is_verifiable))
        _check_target(options)
        show = not (no_progress or out.is_terminal)
        with (
            open_any(src, jsonl=True) as reader,
            ProgressBar(reader.size, "dumping", reader.name, enabled=show) as progress,
        ):
            keys = load_keys(reader, rules, now_ms=now_ms, places=places, rename_commands=renames, progress=progress)
            dumped = write_keys(keys, out, options, selection=selection, progress=progress)
    if dumped.losses or dumped.large or any(dumped.left):
        from rdbtool.report.convert import dumped_lines

        print_lines(dumped_lines(dumped))
    print_extent(keys.extent)
    print_remarks(keys.remarks)
    end_uncertain(keys.obstacle)
    filters.require_found(keys.name, selection)


def _named_form(name: str | None) -> str | None:
    """Return the form that ``--format`` names, also by other tools' names; None for None. Raises UsageError."""
    from rdbtool.dataset.forms import FORM_ALIASES

    if name is None or name in FORM_ALIASES:
        return None if name is None else FORM_ALIASES[name]
    if name not in PRINTED and os.path.splitext(name)[1]:  # noqa: PTH122 - pathlib takes 3 ms of a short run
        words = f"must be one of {', '.join(PRINTED)}, not {name!r}; the -f FILE of redis-rdb-tools is -o FILE here"
        raise UsageError(words, parameter="--format")
    check_choice("--format", name, PRINTED)
    return name


def _fields_of(given: list[str] | None) -> list[bytes]:
    """Return the comma-separated names of hash fields. Raises UsageError."""
    names = [name for text in given or () for name in text.split(",")]
    if len(set(names)) < len(names):
        raise UsageError("a field can be given only once", parameter="--fields")
    return list(map(key_bytes, names))


def _names(has: Callable[[Form], bool]) -> tuple[str, ...]:
    """Return the names of the forms that can be printed and have a given property."""
    from rdbtool.dataset.forms import BY_NAME

    return tuple(name for name in PRINTED if has(BY_NAME[name]))


def _check_target(options: DumpOptions) -> None:
    if options.restore and options.target is not None:
        from rdbtool.operations.dump.command_output import has_restore

        if not has_restore(options.target):
            raise UsageError(
                f"{options.target.release or options.target} does not have RESTORE: remove --restore",
                parameter="--restore",
            )


def _check_use(option: str, options: DumpOptions, *, used: bool, users: tuple[str, ...]) -> None:
    if used and options.form not in users:
        raise UsageError(f"it is for {' and '.join(users)}, not for {options.form}", parameter=option)
