"""``rdbtool aof-rewrite``: the shortest AOF that gives the same dataset."""

from __future__ import annotations

import sys

from rdbtool.cli.app import json_line, print_lines
from rdbtool.cli.options import (
    AllowLoss,
    Clock,
    Force,
    Json,
    NoProgress,
    Preamble,
    RenamedCommands,
    Server,
    ServerStopped,
    Source,
    Stop,
    TargetName,
    check_rules,
    expands,
    refuse_terminal,
    renames_of,
    target_of,
)
from rdbtool.cli.parameters import Option, UsageError
from rdbtool.core.light_typing import Annotated


@expands
def aof_rewrite(
    src: Source,
    *,
    stop: Stop,
    clock: Clock,
    output: Annotated[
        str | None,
        Option(
            "--output",
            "-o",
            metavar="DST",
            help="Write the new AOF to DST: a file, or a directory if SRC has several files or DST ends in /.",
        ),
    ] = None,
    in_place: Annotated[
        bool, Option("--in-place", help="Put the new AOF in the place of SRC. No server may be using it.")
    ] = False,
    target: TargetName = None,
    preamble: Preamble = None,
    backup: Annotated[
        str | None,
        Option("--backup", metavar="DIR", help="With --in-place: keep the old files in DIR, which is made."),
    ] = None,
    allow_loss: AllowLoss = False,
    force: Force = False,
    server_stopped: ServerStopped = False,
    retry: Annotated[
        int, Option("--retry", metavar="N", minimum=0, help="Try N times more while SRC changes or is in use.")
    ] = 0,
    rules: Server = None,
    rename_command: RenamedCommands = None,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print nothing on success.")] = False,
    as_json: Json = False,
    no_progress: NoProgress = False,
) -> None:
    """Replay an AOF and write the shortest one that gives the same dataset, without a server.

    The new AOF is read back and compared before it gets its name; the old one stays complete until then. An AOF that
    is damaged, truncated or uncertain is not rewritten (exit code 1): --until says up to where. With --in-place a
    server that holds the files, or begins to read them meanwhile, stops the rewrite (exit code 3).
    """
    from rdbtool.operations.convert.rewrite import RewriteOptions, rewrite_again
    from rdbtool.report.convert import remark_lines, rewritten_line
    from rdbtool.report.progress_bar import ProgressBar
    from rdbtool.report.screen import Screen
    from rdbtool.writer.atomic.output import open_output

    check_rules(rules)
    places = stop.places(src)
    if in_place == (output is not None):
        raise UsageError("exactly one of them is required", parameter="--output, --in-place")
    if backup is not None and not in_place:
        raise UsageError("without --in-place the old files stay where they are", parameter="--backup")
    if output == "-":
        refuse_terminal(sys.stdout is not None and sys.stdout.isatty(), "--output")
    if as_json and output == "-":
        raise UsageError("the AOF already goes to standard output", parameter="--json")
    options = RewriteOptions(
        destination=output,
        preamble=preamble,
        target=target_of(target),
        allow_loss=allow_loss,
        backup=backup,
        force=force,
        server_stopped=server_stopped,
        rules=rules,
        now_ms=clock.milliseconds(),
        places=places,
        rename_commands=renames_of(rename_command),
    )
    with ProgressBar(enabled=not (no_progress or quiet)) as progress:
        done = rewrite_again(src, options, progress, retries=retry)
    print_lines(remark_lines(done, notes=not quiet))
    if output == "-":
        if not quiet:
            print_lines([rewritten_line(done)])
    elif as_json or not quiet:
        with open_output(None) as out:
            screen = Screen(is_terminal=out.is_terminal)
            text = json_line(done.to_dict()) if as_json else screen.text([rewritten_line(done)])
            out.write(text.encode())
