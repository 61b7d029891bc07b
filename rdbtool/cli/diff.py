"""``rdbtool diff``: what two data sets do not have in common."""

from __future__ import annotations

import dataclasses
import re
from typing import Annotated, Final

import typer

from rdbtool.analysis.diff import DiffOptions, open_diff
from rdbtool.cli.options import (
    Filters,
    Json,
    NoProgress,
    RenamedCommands,
    Server,
    check_rules,
    expands,
    renames_of,
)
from rdbtool.sinks.progress import ProgressBar
from rdbtool.writer.output import open_output

_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_WHAT: Final = "An RDB, a log (AOF), a directory with one, or jsonl; - for standard input."


@expands
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=_WHAT)],
    b: Annotated[str, typer.Argument(metavar="B", help="The same, of what A is compared with.")],
    *,
    filters: Filters,
    brief: Annotated[bool, typer.Option("--brief", help="One line a key, without details or summary.")] = False,
    as_json: Json = False,
    as_commands: Annotated[
        bool,
        typer.Option("--as-commands", help="Print commands that make B out of A, for redis-cli --pipe."),
    ] = False,
    ignore_ttl: Annotated[bool, typer.Option("--ignore-ttl", help="Do not compare expiry times.")] = False,
    ttl_tolerance: Annotated[
        str | None,
        typer.Option("--ttl-tolerance", metavar="TIME", help="Expiry times may lie so far apart, such as 500ms or 1s."),
    ] = None,
    encodings: Annotated[bool, typer.Option("--encodings", help="Compare encodings, too.")] = False,
    functions: Annotated[
        bool | None,
        typer.Option(
            "--functions/--no-functions",
            help="Compare function libraries and what modules keep beside the keys. Default: unless keys are selected.",
        ),
    ] = None,
    aux: Annotated[bool, typer.Option("--aux", help="Compare aux fields, too.")] = False,
    rules: Server = None,
    rename_command: RenamedCommands = None,
    no_progress: NoProgress = False,
) -> None:
    """Compare the data of two files: keys, types, values, expiry times, functions. Not bytes, order or encodings.

    Logs are replayed first. A line begins with - for what only A has, + for what only B has, and ~ for what differs.
    Exit code 0: no difference, 1: some, 3: no answer, because one of the files is missing or damaged. --limit counts
    the keys that differ; --type and --expired take a key if either file's value is such.
    """
    check_rules(rules)
    if a == "-" and b == "-":
        raise typer.BadParameter("standard input can be one of the two, not both", param_hint="A, B")
    if sum((brief, as_json, as_commands)) > 1:
        raise typer.BadParameter("only one of them can be given", param_hint="--brief, --json, --as-commands")
    if as_commands and (encodings or aux):
        raise typer.BadParameter("no command changes encodings or aux fields", param_hint="--as-commands")
    options = DiffOptions(
        tolerance_ms=_tolerance(ttl_tolerance, ignore=ignore_ttl),
        encodings=encodings,
        functions=functions,
        aux=aux,
        names=dataclasses.replace(filters, type=None, no_type=None, expired=None, limit=None).selection(),
        judge=Filters(filters.now, type=filters.type, no_type=filters.no_type, expired=filters.expired).selection(),
        limit=filters.limit,
        rules=rules,
        now_ms=filters.milliseconds(),
        rename_commands=renames_of(rename_command),
    )
    with ProgressBar(None, enabled=not no_progress) as progress:
        comparison = open_diff(a, b, options, progress)
    with comparison, open_output(None) as output:
        if as_commands:
            from rdbtool.sinks.diff_commands import write_commands  # noqa: PLC0415 - shared libraries of the encoders

            write_commands(comparison, output.write)
        else:
            from rdbtool.sinks.diff import write_json, write_text  # noqa: PLC0415 - rich is not for commands

            if as_json:
                write_json(comparison, output.write)
            else:
                write_text(comparison, output.write, brief=brief, is_terminal=output.is_terminal)
    if comparison.counts.differs:
        raise typer.Exit(1)


def _tolerance(text: str | None, *, ignore: bool) -> int:
    """Return how far expiry times may lie apart in ms, -1 where they do not count. Raises BadParameter."""
    if ignore and text is not None:
        raise typer.BadParameter("only one of them can be given", param_hint="--ignore-ttl, --ttl-tolerance")
    if text is None:
        return -1 if ignore else 0
    match = re.fullmatch(r"(\d{1,12})(ms|s|m|h|d)", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no time such as 500ms, 1s, 2m, 1h or 1d", param_hint="--ttl-tolerance")
    return int(match[1]) * _UNITS[match[2]]
