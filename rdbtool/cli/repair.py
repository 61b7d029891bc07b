"""``rdbtool repair``: write what is intact of a damaged file to a new place."""

from __future__ import annotations

from rdbtool.cli.app import json_line
from rdbtool.cli.options import (
    Clock,
    Force,
    Json,
    NoProgress,
    RenamedCommands,
    Server,
    Source,
    check_rules,
    expands,
    renames_of,
)
from rdbtool.cli.parameters import Exit, Option, UsageError
from rdbtool.core.light_typing import Annotated


@expands
def repair(
    src: Source,
    *,
    clock: Clock,
    output: Annotated[
        str | None,
        Option(
            "--output", "-o", metavar="DST", help="Write to DST: a file, or a new directory if SRC has several files."
        ),
    ] = None,
    keep_damaged: Annotated[
        str | None,
        Option("--keep-damaged", metavar="FILE", help="Write the lost bytes to FILE and an index to FILE.json."),
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would be done, and write nothing.")] = False,
    force: Force = False,
    databases: Annotated[
        int | None,
        Option("--databases", metavar="N", minimum=1, help="Skip the keys of other databases than 0 to N-1."),
    ] = None,
    rules: Server = None,
    rename_command: RenamedCommands = None,
    drop_unknown: Annotated[bool, Option("--drop-unknown", help="Drop commands of an AOF that no server has.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print only errors.")] = False,
    as_json: Json = False,
    no_progress: NoProgress = False,
) -> None:
    """Write what is intact of a damaged RDB or AOF to a new place, read it back, and name what is lost.

    SRC is never written. Damage in the middle costs the damaged record only: everything after it is kept. Of an AOF the
    intact bytes are copied as they are, and commands that no server has stay: they may be renamed, or a module's. Exit
    code 0 says that DST was written and verified, 1 that nothing could be saved, or that what was written is not
    certain.
    """
    from rdbtool.operations.repair.report import RepairOptions
    from rdbtool.operations.repair.run import repair as run
    from rdbtool.report.progress_bar import ProgressBar
    from rdbtool.report.repair import repair_lines
    from rdbtool.report.screen import Screen
    from rdbtool.writer.atomic.output import open_output

    check_rules(rules)
    if output is None and not dry_run:
        raise UsageError("one of them is required", parameter="--output, --dry-run")
    if output == "-":
        raise UsageError("what is repaired is read back, which needs a file", parameter="--output")
    if keep_damaged is not None and (dry_run or keep_damaged in {output, "-"}):
        raise UsageError("needs a file of its own, and --output", parameter="--keep-damaged")
    options = RepairOptions(
        keep_damaged=keep_damaged,
        force=force,
        databases=databases,
        rules=rules,
        now_ms=clock.milliseconds(),
        rename_commands=renames_of(rename_command),
        drop_unknown=drop_unknown,
    )
    with ProgressBar(enabled=not (no_progress or quiet)) as progress:
        done = run(src, None if dry_run else output, options, progress)
    if as_json or not quiet:
        with open_output(None) as out:
            lines = repair_lines(done, is_dry=dry_run, target=output)
            screen = Screen(is_terminal=out.is_terminal)
            text = json_line(done.to_dict()) if as_json else screen.text(lines)
            out.write(text.encode(errors="backslashreplace"))
    if not done.is_saved or not done.is_certain:
        raise Exit(1)
