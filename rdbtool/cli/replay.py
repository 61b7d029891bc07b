"""``rdbtool replay``: execute an AOF and describe the resulting dataset."""

from __future__ import annotations

from rdbtool.cli.app import end_uncertain, json_line
from rdbtool.cli.options import (
    Clock,
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
from rdbtool.cli.parameters import Option
from rdbtool.core.exiting import keep_until_exit
from rdbtool.core.light_typing import Annotated


@expands
def replay(
    src: Source,
    *,
    stop: Stop,
    clock: Clock,
    rules: Server = None,
    rename_command: RenamedCommands = None,
    strict: Annotated[
        bool, Option("--strict", help="End with exit code 1 at the first finding that is more than a note.")
    ] = False,
    as_json: Json = False,
    no_progress: NoProgress = False,
) -> None:
    """Replay an AOF and print the dataset: counts of keys, findings, how it ends, digest.

    Nothing is written, no server is needed, and no script is executed. Commands run as a server runs them while it
    loads the AOF. Exit code 1 says that the AOF is damaged or truncated, or that a command of it cannot
    be replayed, so that a server refuses the AOF or has another dataset.
    """
    from rdbtool.engine.replay.replay_options import replay_options
    from rdbtool.operations.replay.report import replay_reader
    from rdbtool.reader.open.dispatch import open_any
    from rdbtool.report.progress_bar import ProgressBar
    from rdbtool.report.replay import replay_text
    from rdbtool.report.screen import Screen
    from rdbtool.writer.atomic.output import open_output

    check_rules(rules)
    options = replay_options(
        src,
        stop.places(src),
        rules=rules,
        strict=strict,
        now_ms=clock.milliseconds(),
        rename_commands=renames_of(rename_command),
    )
    with (
        open_any(src) as reader,
        ProgressBar(reader.size, "replaying", reader.name, enabled=not no_progress) as progress,
    ):
        report = replay_reader(reader, options, digest=True, progress=progress)
        keep_until_exit(report)
    with open_output(None) as output:
        screen = Screen(is_terminal=output.is_terminal)
        text = json_line(report.to_dict()) if as_json else replay_text(report, screen)
        output.write(text.encode())
    if report.damage is not None:
        raise report.damage
    end_uncertain(report.loaded.doubt)
