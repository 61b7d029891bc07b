"""``rdbtool history``: every record of an AOF that touched a key, or one of several keys."""

from __future__ import annotations

from shutil import copyfileobj
from tempfile import SpooledTemporaryFile

from rdbtool.cli.app import end_uncertain, print_extent, print_remarks
from rdbtool.cli.options import (
    KEY_SPELLING,
    Clock,
    ExactKey,
    Glob,
    Json,
    KeyRegex,
    NoProgress,
    RenamedCommands,
    Server,
    Source,
    Stop,
    check_rules,
    expands,
    key_bytes,
    renames_of,
    usage_errors,
)
from rdbtool.cli.parameters import Argument, Exit, Option, UsageError
from rdbtool.core.exiting import keep_until_exit
from rdbtool.core.light_typing import TYPE_CHECKING, Annotated, Final

if TYPE_CHECKING:
    from rdbtool.operations.history.history import KeyChoice

#: Bytes of output kept in memory; more goes to a temporary file.
_HELD: Final = 1 << 24

#: Bytes that are written at once to what is not a terminal.
_GATHERED: Final = 1 << 16


@expands
def history(
    src: Source,
    key: Annotated[
        str | None, Argument(metavar="KEY", help=f"The key, {KEY_SPELLING}. Or give keys with the options below.")
    ] = None,
    *,
    regex: KeyRegex = None,
    glob: Glob = None,
    exact_key: ExactKey = None,
    stop: Stop,
    clock: Clock,
    db: Annotated[
        int | None, Option("--db", "--dbnum", "-n", metavar="N", minimum=0, help="Only keys in database N.")
    ] = None,
    rules: Server = None,
    rename_command: RenamedCommands = None,
    as_json: Json = False,
    no_progress: NoProgress = False,
) -> None:
    """Print every record of an AOF that touched a key: time, offset, command number, database, effect, command.

    The AOF is replayed, so commands that did not name the key are found too: FLUSHALL, SWAPDB and others. The last
    lines say in which databases the key exists; if it was deleted, by which command, and how to get it back; and which
    commands have unknown effects. Exit code 1: no record touched the key, the AOF is damaged, or effects are unknown.

    Several keys, and all keys that match a pattern, take one replay: each line names its key, and the last lines are
    about each of up to 20 keys, or count if there are more.
    """
    from rdbtool.engine.replay.replay_options import replay_options
    from rdbtool.operations.history.history import read_history
    from rdbtool.reader.open.dispatch import open_any
    from rdbtool.report.history import CommandLine, LargePieces, history_sink
    from rdbtool.report.progress_bar import ProgressBar
    from rdbtool.report.screen import Screen
    from rdbtool.writer.atomic.output import open_output

    check_rules(rules)
    places = stop.places(src)
    renames = renames_of(rename_command)
    options = replay_options(src, places, rules=rules, now_ms=clock.milliseconds(), rename_commands=renames)
    chosen = _chosen([*(() if key is None else (key,)), *(exact_key or ())], glob, regex)
    again = (
        *(() if rules is None else ("--rules", rules)),
        *(word for text in rename_command or () for word in ("--rename-command", text)),
        *(word for text in stop.skip_command or () for word in ("--skip-command", text)),
    )
    with (
        open_any(src) as reader,
        open_output(None) as output,
        SpooledTemporaryFile(_HELD) as held,
        ProgressBar(reader.size, "replaying", reader.name, enabled=not (no_progress or output.is_terminal)) as progress,
    ):
        # Whether the place exists is only known at the end; nothing is printed before.
        write = output.write if places is None else held.write
        screen = Screen(is_terminal=output.is_terminal)
        with LargePieces(write, size=0 if output.is_terminal else _GATHERED) as gathered:
            sink = history_sink(gathered.write, chosen, as_json=as_json, screen=screen, given=CommandLine(src, again))
            found = read_history(reader, chosen, sink.on_touch, db=db, options=options, progress=progress)
            keep_until_exit(found)
            sink.close(found)
        held.seek(0)
        copyfileobj(held, output)
    if found.loaded.fault is not None:
        raise found.loaded.fault
    print_extent(found.loaded.extent)
    print_remarks(found.loaded.remarks)
    end_uncertain(found.loaded.doubt)
    if not found.touches:
        raise Exit(1)


def _chosen(keys: list[str], glob: list[str] | None, regex: list[str] | None) -> KeyChoice:
    """Return the keys that were asked for. Raises UsageError."""
    if not (keys or glob or regex):
        raise UsageError("give a key, as KEY or with --exact-key, --glob or --key", parameter="KEY")
    from rdbtool.api.arguments import key_choice_of

    with usage_errors():
        return key_choice_of([key_bytes(text) for text in keys], glob, regex)
