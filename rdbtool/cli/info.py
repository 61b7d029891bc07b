"""``rdbtool info``: version, writer and key counts of a file."""

from __future__ import annotations

from rdbtool.cli.app import end_uncertain, json_line, print_remarks
from rdbtool.cli.options import (
    Json,
    NoProgress,
    RenamedCommands,
    Server,
    Source,
    Stop,
    check_rules,
    expands,
    renames_of,
)


@expands
def info(
    src: Source,
    *,
    stop: Stop,
    rules: Server = None,
    rename_command: RenamedCommands = None,
    as_json: Json = False,
    no_progress: NoProgress = False,
) -> None:
    """Print what a file is and holds: version, writer, checksum, counts, aux fields, functions.

    The counts come from reading the whole file, values included, so what is printed without an
    error is valid in structure. Of a damaged file, all up to the damage is counted. Of an AOF, the
    files, commands, transactions and annotated times are shown too, and the keys are those of its dataset.
    """
    from rdbtool.operations.info.summary import summarize_any
    from rdbtool.reader.open.dispatch import open_any
    from rdbtool.report.progress_bar import ProgressBar
    from rdbtool.report.screen import Screen
    from rdbtool.report.summaries import any_summary_text
    from rdbtool.writer.atomic.output import open_output

    check_rules(rules)
    places = stop.places(src)
    renames = renames_of(rename_command)
    with (
        open_any(src) as reader,
        ProgressBar(reader.size, "reading", reader.name, enabled=not no_progress) as progress,
    ):
        summary = summarize_any(reader, rules, progress, places=places, rename_commands=renames)
    with open_output(None) as output:
        screen = Screen(is_terminal=output.is_terminal)
        text = json_line(summary.to_dict()) if as_json else any_summary_text(summary, screen)
        output.write(text.encode())
    if summary.damage is not None:
        raise summary.damage
    print_remarks(summary.remarks)
    end_uncertain(summary.obstacle)
