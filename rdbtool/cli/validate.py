"""``rdbtool validate``: check whether files are intact, whether a server loads them, and whether policies are met."""

from __future__ import annotations

import sys

from rdbtool.cli.app import print_lines
from rdbtool.cli.options import (
    Clock,
    NoProgress,
    RenamedCommands,
    Stop,
    check_choice,
    check_rules,
    expands,
    renames_of,
    usage_errors,
)
from rdbtool.cli.parameters import Argument, Exit, Option, UsageError
from rdbtool.core.errors import InputError
from rdbtool.core.light_tools import nullcontext
from rdbtool.core.light_typing import TYPE_CHECKING, Annotated
from rdbtool.core.servers import Rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from rdbtool.core.progress import Progress
    from rdbtool.operations.validate.batch import Validated
    from rdbtool.operations.validate.expectations import Policies


FORMATS = ("text", "json", "github", "junit")
LEVELS = ("server", "deep")


@expands
def validate(
    src: Annotated[
        list[str],
        Argument(metavar="SRC...", help="RDBs, AOFs, manifests or directories with one, or - for standard input."),
    ],
    *,
    clock: Clock,
    stop: Stop,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print only problems, one line per file.")] = False,
    strict: Annotated[bool, Option("--strict", help="A warning is as bad as an error.")] = False,
    form: Annotated[
        str | None, Option("--format", "-f", metavar="FORMAT", help="One of text, json, github and junit.")
    ] = None,
    as_json: Annotated[bool, Option("--json", help="The same as --format json.")] = False,
    level: Annotated[
        str,
        Option(
            "--level",
            metavar="LEVEL",
            help="deep: report everything. server: would the server of --rules load it? What it does not refuse is a "
            "note.",
        ),
    ] = "deep",
    no_replay: Annotated[
        bool, Option("--no-replay", help="Check the commands of an AOF without executing them.")
    ] = False,
    rules: Annotated[
        str | None,
        Option(
            "--rules",
            metavar="SERVER",
            help="Server rules to check by, such as redis-7.0 or valkey-9.1. Default: those of the writer that the "
            "file names, else redis-7.2, or the oldest server that has all that the file uses.",
        ),
    ] = None,
    rename_command: RenamedCommands = None,
    databases: Annotated[
        int, Option("--databases", metavar="N", minimum=1, help="How many databases the server has. Default: 16.")
    ] = 16,
    retry: Annotated[
        int,
        Option("--retry", metavar="N", minimum=0, help="Retry up to N times, a second apart, if there is no answer."),
    ] = 0,
    min_keys: Annotated[
        int | None, Option("--min-keys", metavar="N", minimum=0, help="It has to hold at least N keys.")
    ] = None,
    max_age: Annotated[
        str | None,
        Option(
            "--max-age",
            metavar="AGE",
            help="It has to be no older than AGE, such as 90m, 26h or 7d: by the ctime in an RDB, else by the time of "
            "the file's last change.",
        ),
    ] = None,
    min_version: Annotated[
        str | None,
        Option(
            "--min-version",
            metavar="VERSION",
            help="It has to be of this RDB version or a later one (11), or written by this server or a later one of "
            "its family (redis-7.0).",
        ),
    ] = None,
    expect_digest: Annotated[
        str | None,
        Option("--expect-digest", metavar="HEX", help="Its data has to have this digest: see rdbtool digest."),
    ] = None,
    expect_keys: Annotated[
        list[str] | None,
        Option(
            "--expect-keys",
            metavar="RANGE",
            help="How many keys a database has to hold: db0=1000.. or db1=10..20. Several with commas.",
        ),
    ] = None,
    no_progress: NoProgress = False,
) -> None:
    """Check whether backups are intact, by reading every byte and changing none, and say what servers would do.

    Structure, checksum, meaning (duplicates, order, streams, databases), and of AOFs framing, transactions, commands
    and the dataset. Of several files, exit code 1 (bad) beats 4 (an unknown version), 4 beats 3 (not read,
    missing, changed while it was read), and 3 beats 0.
    """
    from rdbtool.operations.validate.batch import exit_code, validate_all
    from rdbtool.operations.validate.verdict import Checks

    if src.count("-") > 1:
        raise UsageError("standard input can be given only once", parameter="SRC")
    check_choice("--format", form, FORMATS)
    check_choice("--level", level, LEVELS)
    check_rules(rules)
    if as_json and form not in {None, "json"}:
        raise UsageError("cannot be combined with --format", parameter="--json")
    policies = _policies(min_keys, max_age, min_version, expect_digest, expect_keys or None)
    if no_replay and policies is not None and policies.counts_keys:
        words = "counting keys needs the replay: remove --no-replay"
        raise UsageError(words, parameter="--no-replay")
    places = stop.places(*src)
    if no_replay and places is not None:
        raise UsageError(
            "--until, --before and --skip-command need the replay: remove --no-replay", parameter="--no-replay"
        )
    checks = Checks(
        level="server" if level == "server" else "deep",
        rules=None if rules is None else Rules.parse(rules),
        replay=not no_replay,
        now_ms=clock.milliseconds(),
        databases=databases,
        places=places,
        rename_commands=renames_of(rename_command),
    )
    validated = validate_all(
        src, checks, policies, progress=nullcontext if no_progress or quiet else _make_bar, retries=retry
    )
    if sys.stdout is None:
        raise InputError("cannot write to standard output: it is closed")
    if form in {None, "text"} and not as_json and quiet:
        _complain(validated, strict=strict)
    else:
        _print(_render("json" if as_json else form or "text", validated, strict=strict))
    raise Exit(exit_code(validated, strict=strict))


def _make_bar() -> AbstractContextManager[Progress]:
    from rdbtool.report.progress_bar import ProgressBar

    return ProgressBar(enabled=True)


def _complain(validated: Sequence[Validated], *, strict: bool) -> None:
    """Write a line about each input that is not OK."""
    from rdbtool.operations.validate.batch import code_of

    rows = [row for row in validated if code_of(row, strict=strict)]
    if rows:
        from rdbtool.report.verdict import verdict_line

        print_lines(verdict_line(row, strict=strict) for row in rows)


def _print(text: str) -> None:
    """Write to standard output, without importing the atomic writers: a check is mostly start-up time."""
    if sys.stdout is None:
        raise InputError("cannot write to standard output: it is closed")
    sys.stdout.buffer.write(text.encode())


def _render(form: str, validated: Sequence[Validated], *, strict: bool) -> str:
    # Imported only when requested, as above.
    if form == "json":
        from rdbtool.report.verdict_json import verdicts_json as render
    elif form == "github":
        from rdbtool.report.verdict_github import verdicts_github as render
    elif form == "junit":
        from rdbtool.report.verdict_junit import verdicts_junit as render
    else:
        from rdbtool.report.screen import Screen
        from rdbtool.report.verdict import PLAIN_WIDTH, verdicts_text

        screen = Screen(is_terminal=sys.stdout.isatty(), plain_width=PLAIN_WIDTH)
        return verdicts_text(validated, strict=strict, screen=screen)
    return render(validated, strict=strict)


def _policies(
    min_keys: int | None, max_age: str | None, min_version: str | None, digest: str | None, keys: list[str] | None
) -> Policies | None:
    """Return the policies, None if none are given. Raises UsageError."""
    if all(given is None for given in (min_keys, max_age, min_version, digest, keys)):
        return None
    from rdbtool.api.validate import policies_of

    with usage_errors():
        return policies_of(min_keys, max_age, min_version, digest, keys)
