"""``rdbtool dump``: the keys of a file in a format of the user's choice."""

from __future__ import annotations

from typing import Annotated

import typer

from rdbtool.analysis.keys import load_keys, size_of
from rdbtool.cli.certainty import end_uncertain, print_extent, print_remarks
from rdbtool.cli.options import (
    Filters,
    Force,
    NoProgress,
    OutputFile,
    Server,
    Source,
    Stop,
    check_choice,
    check_rules,
    expands,
)
from rdbtool.reader.open import open_any
from rdbtool.sinks.formats import DEFAULT_ESCAPES, ESCAPES, FORMATS, Format, write_keys
from rdbtool.sinks.progress import ProgressBar
from rdbtool.writer.output import open_output


@expands
def dump(
    src: Source,
    *,
    filters: Filters,
    stop: Stop,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help=f"One of {', '.join(FORMATS)}. Default: table on a terminal, else jsonl.",
        ),
    ] = None,
    output: OutputFile = None,
    force: Force = False,
    escape: Annotated[
        str | None,
        typer.Option(
            "--escape",
            "-e",
            metavar="HOW",
            help=f"How json and keys write bytes: {', '.join(ESCAPES)}. Default: utf8 for json, raw for keys.",
        ),
    ] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="With resp: RESTORE commands instead of plain ones.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="With resp: replace keys that the server has.")] = False,
    rules: Server = None,
    no_progress: NoProgress = False,
) -> None:
    """Print the keys of a file as a table, JSON, CSV, a list of keys or commands that rebuild them.

    A log is replayed, and the keys are those that it leads to. JSON lines are read as well as written.

    Output that goes to a file appears whole or not at all. When a file turns out to be damaged,
    what precedes the damage is printed, up to the last sound key.
    """
    check_choice("--format", format_, FORMATS)
    check_choice("--escape", escape, ESCAPES)
    check_rules(rules)
    selection, now_ms = filters.selection(), filters.milliseconds()
    places = stop.places(src)
    with open_output(output, force=force, sources=[src]) as out:
        form = Format(format_ or ("table" if out.is_terminal else "jsonl"), escape, restore, replace, now_ms)
        _check_use("--escape", form, used=escape is not None, users=tuple(DEFAULT_ESCAPES))
        _check_use("--restore", form, used=restore, users=("resp",))
        _check_use("--replace", form, used=replace, users=("resp",))
        show = not (no_progress or out.is_terminal)
        with open_any(src, jsonl=not restore) as reader, ProgressBar(size_of(reader), enabled=show) as progress:
            keys = load_keys(reader, rules, now_ms=now_ms, places=places, progress=progress)
            write_keys(keys, out, form, selection=selection, progress=progress)
    print_extent(keys.extent)
    print_remarks(keys.remarks)
    end_uncertain(keys.obstacle)


def _check_use(option: str, form: Format, *, used: bool, users: tuple[str, ...]) -> None:
    if used and form.name not in users:
        raise typer.BadParameter(f"it is for {' and '.join(users)}, not for {form.name}", param_hint=option)
