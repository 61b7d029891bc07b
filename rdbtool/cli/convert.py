"""``rdbtool convert``: convert between RDB, AOF, commands and JSON lines."""

from __future__ import annotations

import sys

from rdbtool.cli.app import json_line, print_lines
from rdbtool.cli.options import (
    AllowLoss,
    DropParts,
    Filters,
    Force,
    Functions,
    Json,
    NoProgress,
    Preamble,
    RenamedCommands,
    Reshape,
    Server,
    ServerStopped,
    Source,
    Stop,
    TargetName,
    check_choice,
    check_rules,
    expands,
    refuse_terminal,
    renames_of,
    target_of,
)
from rdbtool.cli.parameters import Argument, Option, UsageError
from rdbtool.core.light_typing import Annotated
from rdbtool.dataset.forms import CONVERTED


@expands
def convert(
    src: Source,
    dst: Annotated[
        str,
        Argument(
            metavar="DST",
            help="The file to write, a directory for an AOF of several files, or - for standard output. The form "
            "follows from its name: .rdb, .aof, .resp, .jsonl, or a directory or a name that ends in /.",
        ),
    ],
    *,
    filters: Filters,
    stop: Stop,
    reshape: Reshape,
    to: Annotated[str | None, Option("--to", metavar="FORM", help=f"One of {', '.join(CONVERTED)}.")] = None,
    target: TargetName = None,
    preamble: Preamble = None,
    functions: Functions = None,
    drop: DropParts = None,
    allow_loss: AllowLoss = False,
    force: Force = False,
    server_stopped: ServerStopped = False,
    rules: Server = None,
    rename_command: RenamedCommands = None,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print only errors and losses.")] = False,
    as_json: Json = False,
    no_progress: NoProgress = False,
) -> None:
    """Convert a file into another form, or for another server version, and read the result back.

    RDB, AOF, directories with the files of an AOF, commands and jsonl: each into each. Keys of all databases,
    expiry times, field expiry times and functions are kept. What the target cannot hold is refused with exit code 1,
    unless --allow-loss is given. The output appears when it was verified, or not at all.
    """
    from rdbtool.dataset.forms import BY_NAME, form_of
    from rdbtool.operations.convert.convert import ConvertOptions
    from rdbtool.operations.convert.convert import convert as run
    from rdbtool.report.convert import converted_line, left_lines, remark_lines
    from rdbtool.report.progress_bar import ProgressBar
    from rdbtool.writer.atomic.output import open_output

    check_choice("--to", to, CONVERTED)
    check_rules(rules)
    form = to or form_of(dst, CONVERTED)
    if form is None:
        raise UsageError(f"it cannot be inferred from {dst!r}: give one of {', '.join(CONVERTED)}", parameter="--to")
    if dst == "-" and not BY_NAME[form].streams:
        raise UsageError("a directory cannot go to standard output", parameter="DST")
    if dst == "-" and form != "jsonl":
        refuse_terminal(sys.stdout is not None and sys.stdout.isatty(), "DST")
    if as_json and dst == "-":
        raise UsageError("the data already goes to standard output", parameter="--json")
    options = ConvertOptions(
        form=form,
        target=target_of(target),
        preamble=preamble,
        allow_loss=allow_loss,
        force=force,
        server_stopped=server_stopped,
        rules=rules,
        now_ms=filters.milliseconds(),
        rename_commands=renames_of(rename_command),
        selection=filters.selection(),
        places=stop.places(src),
        leaving=filters.leaving(drop, functions=functions),
        reshaping=reshape.reshaping(filters.milliseconds()),
    )
    with ProgressBar(enabled=not no_progress) as progress:
        done = run(src, dst, options, progress)
    if as_json:
        with open_output(None) as output:
            output.write(json_line(done.to_dict()).encode())
    lines = [*remark_lines(done, notes=not quiet), *left_lines(done.left, notes=not quiet)]
    if not (quiet or as_json):
        lines.append(converted_line(done))
    print_lines(lines)
