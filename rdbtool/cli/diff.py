"""``rdbtool diff``: compare two datasets."""

from __future__ import annotations

from rdbtool.cli.app import print_remarks
from rdbtool.cli.options import (
    Filters,
    Json,
    NoProgress,
    RenamedCommands,
    Server,
    Stop,
    check_rules,
    expands,
    renames_of,
    usage_errors,
)
from rdbtool.cli.parameters import Argument, Exit, Option, OptionGroup, UsageError, parameters_of
from rdbtool.core.light_typing import TYPE_CHECKING, Annotated, Any, Final

if TYPE_CHECKING:
    from rdbtool.engine.replay.places import Places

_WHAT: Final = "An RDB, an AOF, a directory with one, or jsonl; - for standard input."


def _of_one(name: str, metavar: str) -> Any:
    """Return a variant of a common option that applies to one of the two files."""
    return Option(name, metavar=metavar, help=f"The same as {name[:-2]}, for {name[-1].upper()} only.")


class StopEach(OptionGroup):
    """Where the replay of each of two AOFs stops, and what it skips."""

    until_a: Annotated[str | None, _of_one("--until-a", "PLACE")] = None
    until_b: Annotated[str | None, _of_one("--until-b", "PLACE")] = None
    before_a: Annotated[str | None, _of_one("--before-a", "COMMAND")] = None
    before_b: Annotated[str | None, _of_one("--before-b", "COMMAND")] = None
    before_last_a: Annotated[str | None, _of_one("--before-last-a", "COMMAND")] = None
    before_last_b: Annotated[str | None, _of_one("--before-last-b", "COMMAND")] = None
    skip_command_a: Annotated[list[str] | None, _of_one("--skip-command-a", "N|COMMAND")] = None
    skip_command_b: Annotated[list[str] | None, _of_one("--skip-command-b", "N|COMMAND")] = None

    def places(self, both: Stop, a: str, b: str) -> tuple[Places | None, Places | None]:
        """Return the places of A and B; ``both`` applies to either. Raises UsageError."""
        shared = both.places(a, b)
        one = self._of_one("a").places(a, suffix="-a")
        other = self._of_one("b").places(b, suffix="-b")
        if shared is not None and (one is not None or other is not None):
            words = "use --until for both files, or --until-a and --until-b"
            raise UsageError(words, parameter="--until, --before, --before-last, --skip-command")
        return (one, other) if shared is None else (shared, shared)

    def _of_one(self, side: str) -> Stop:
        return Stop(**{name: getattr(self, f"{name}_{side}") for name, *_ in parameters_of(Stop)})


@expands
def diff(
    a: Annotated[str, Argument(metavar="A", help=_WHAT)],
    b: Annotated[str, Argument(metavar="B", help="The same, of what A is compared with.")],
    *,
    filters: Filters,
    stop: Stop,
    each: StopEach,
    brief: Annotated[bool, Option("--brief", help="One line a key, without details or summary.")] = False,
    as_json: Json = False,
    as_commands: Annotated[
        bool,
        Option("--as-commands", help="Print commands that make B out of A, for redis-cli --pipe."),
    ] = False,
    ignore_ttl: Annotated[bool, Option("--ignore-ttl", help="Do not compare expiry times.")] = False,
    ttl_tolerance: Annotated[
        str | None,
        Option("--ttl-tolerance", metavar="TIME", help="Expiry times may lie so far apart, such as 500ms or 1s."),
    ] = None,
    encodings: Annotated[bool, Option("--encodings", help="Compare encodings, too.")] = False,
    functions: Annotated[
        bool | None,
        Option(
            "--functions/--no-functions",
            help="Compare function libraries and module data outside the keys. Default: unless keys are selected.",
        ),
    ] = None,
    aux: Annotated[bool, Option("--aux", help="Compare aux fields, too.")] = False,
    rules: Server = None,
    rename_command: RenamedCommands = None,
    no_progress: NoProgress = False,
) -> None:
    """Compare the data of two files: keys, types, values, expiry times, functions. Not bytes, order or encodings.

    AOFs are replayed first. A line begins with - for what only A has, + for what only B has, and ~ for what differs.
    Exit code 0: no difference, 1: some, 3: no answer, because one of the files is missing or damaged. --limit counts
    the keys that differ; --type and --expired take a key if either file's value is such.
    """
    from rdbtool.operations.diff.compare import DiffOptions, open_diff
    from rdbtool.report.progress_bar import ProgressBar
    from rdbtool.writer.atomic.output import open_output

    check_rules(rules)
    if a == "-" and b == "-":
        raise UsageError("standard input can be one of the two, not both", parameter="A, B")
    if sum((brief, as_json, as_commands)) > 1:
        raise UsageError("only one of them can be given", parameter="--brief, --json, --as-commands")
    if as_commands and (encodings or aux):
        raise UsageError("no command changes encodings or aux fields", parameter="--as-commands")
    options = DiffOptions(
        tolerance_ms=_tolerance(ttl_tolerance, ignore=ignore_ttl),
        encodings=encodings,
        functions=functions,
        aux=aux,
        names=filters.replace(type=None, no_type=None, expired=None, limit=None).selection(),
        matching=Filters(
            now=filters.now, type=filters.type, no_type=filters.no_type, expired=filters.expired
        ).selection(),
        limit=filters.limit,
        rules=rules,
        now_ms=filters.milliseconds(),
        places=each.places(stop, a, b),
        rename_commands=renames_of(rename_command),
    )
    with ProgressBar(enabled=not no_progress) as progress:
        comparison = open_diff(a, b, options, progress)
    with comparison, open_output(None) as output:
        for name, side in (("A", comparison.first), ("B", comparison.second)):
            if side.extent is not None:
                print_remarks(f"{name}: {line}" for line in side.extent.lines())
        if as_commands:
            from rdbtool.report.diff_commands import write_commands

            write_commands(comparison, output.write)
        else:
            from rdbtool.report.diff import write_json, write_text

            if as_json:
                write_json(comparison, output.write)
            else:
                write_text(comparison, output.write, brief=brief, is_terminal=output.is_terminal)
        for side in (comparison.first, comparison.second):
            print_remarks(side.remarks)
    if comparison.counts.differs:
        raise Exit(1)


def _tolerance(text: str | None, *, ignore: bool) -> int:
    """Return the tolerance for expiry times in ms, -1 to ignore them. Raises UsageError."""
    if ignore and text is not None:
        raise UsageError("only one of them can be given", parameter="--ignore-ttl, --ttl-tolerance")
    if text is None:
        return -1 if ignore else 0
    from rdbtool.api.arguments import milliseconds_of

    with usage_errors():
        return milliseconds_of("ttl_tolerance", text)
