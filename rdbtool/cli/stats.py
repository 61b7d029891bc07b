"""``rdbtool stats``: memory usage by prefix, type and key, growth, and totals on other servers."""

from __future__ import annotations

import os
import sys

from rdbtool.cli.app import end_uncertain, json_line, print_remarks
from rdbtool.cli.options import (
    Filters,
    Force,
    NoProgress,
    RenamedCommands,
    Stop,
    check_choice,
    check_rules,
    expands,
    key_bytes,
    renames_of,
)
from rdbtool.cli.parameters import Argument, Exit, Option, UsageError
from rdbtool.core.light_typing import TYPE_CHECKING, Annotated, Final
from rdbtool.core.limits import parse_size
from rdbtool.core.memory_models import ALLOCATORS
from rdbtool.core.patterns import pattern

if TYPE_CHECKING:
    from rdbtool.operations.memory.stats import Stats

_PERCENT: Final = pattern(r"(\d{1,6}(?:\.\d{1,6})?)%")

#: The tables that --by prints instead of the overview.
BY = ("prefix", "type", "encoding", "db", "slot", "ttl")
FORMATS = ("text", "json", "github", "junit")


@expands
def stats(
    src: Annotated[
        list[str],
        Argument(
            metavar="SRC...",
            help="RDBs, AOFs, manifests or directories with one, or - for standard input: one dataset.",
        ),
    ],
    *,
    filters: Filters,
    stop: Stop,
    by: Annotated[
        str | None,
        Option("--by", metavar="WHAT", help=f"Print one table instead of the overview: {', '.join(BY)}."),
    ] = None,
    top: Annotated[
        int,
        Option(
            "--top",
            metavar="N",
            minimum=1,
            maximum=10000,
            help="Number of rows per table and of largest keys. Default: 10.",
        ),
    ] = 10,
    sep: Annotated[
        str | None,
        Option(
            "--sep",
            metavar="CHARS",
            help="Characters that separate the parts of keys. Default: guessed at each level from : / . _ | -",
        ),
    ] = None,
    depth: Annotated[
        int | None,
        Option(
            "--depth",
            metavar="N",
            minimum=1,
            maximum=16,
            help="Group by at most the first N parts of keys. Default: 16.",
        ),
    ] = None,
    prefix: Annotated[
        str | None,
        Option("--prefix", metavar="PREFIX", help="Count only keys that begin with PREFIX."),
    ] = None,
    since: Annotated[
        list[str] | None,
        Option("--since", metavar="OLD", help="Show growth since the older file OLD."),
    ] = None,
    least: Annotated[
        str | None,
        Option(
            "--bytes",
            metavar="SIZE",
            help="With --since: list changed keys of at least SIZE, now or before. Default: 64KiB.",
        ),
    ] = None,
    rules: Annotated[
        str | None,
        Option(
            "--rules",
            metavar="SERVER",
            help="Server whose memory to calculate, such as redis-8.2 or valkey-9.1. Default: the writer of the file.",
        ),
    ] = None,
    compare: Annotated[
        list[str] | None,
        Option("--compare", metavar="SERVER,…", help="Also show the memory usage on these servers."),
    ] = None,
    allocator: Annotated[
        str | None,
        Option("--allocator", metavar="NAME", help=f"One of {', '.join(ALLOCATORS)}. Default: {ALLOCATORS[0]}."),
    ] = None,
    cluster: Annotated[bool, Option("--cluster", help="Calculate for a server in cluster mode.")] = False,
    max_key: Annotated[
        str | None, Option("--max-key", metavar="SIZE", help="Fail if a key takes more than SIZE, such as 10MiB.")
    ] = None,
    max_elements: Annotated[
        int | None, Option("--max-elements", metavar="N", minimum=1, help="Fail if a key has more than N elements.")
    ] = None,
    max_no_ttl: Annotated[
        str | None,
        Option("--max-no-ttl", metavar="SHARE", help="Fail if more than SHARE of the keys never expire, such as 20%."),
    ] = None,
    max_memory: Annotated[
        str | None,
        Option("--max-memory", metavar="SIZE", help="Fail if used_memory of the dataset exceeds SIZE."),
    ] = None,
    max_growth: Annotated[
        str | None,
        Option(
            "--max-growth",
            metavar="SHARE",
            help="With --since: fail if used_memory grew by more than SHARE, such as 10%.",
        ),
    ] = None,
    html: Annotated[
        str | None,
        Option("--html", metavar="FILE", help="Write a self-contained page with charts and tables to FILE."),
    ] = None,
    force: Force = False,
    form: Annotated[
        str | None, Option("--format", "-f", metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.")
    ] = None,
    as_json: Annotated[bool, Option("--json", help="The same as --format json.")] = False,
    rename_command: RenamedCommands = None,
    no_progress: NoProgress = False,
) -> None:
    """Show memory usage by prefix and type, the largest keys, expiry, growth, and possible savings.

    Reads the file once, in bounded memory for any number of keys. Sizes are those on a server started from the file.
    An AOF is replayed; if it is the only input, its commands are counted as well. Several files count as one dataset.
    """
    from rdbtool.report.progress_bar import ProgressBar
    from rdbtool.writer.atomic.output import open_output

    check_choice("--by", by, BY)
    check_choice("--format", form, FORMATS)
    check_choice("--allocator", allocator, ALLOCATORS)
    check_rules(rules)
    servers = tuple(name for text in compare or () for name in text.split(",") if name)
    for name in servers:
        check_rules(name)
    if [*src, *(since or ())].count("-") > 1:
        raise UsageError("standard input can be given only once", parameter="SRC")
    if as_json and form not in {None, "json"}:
        raise UsageError("cannot be combined with --format", parameter="--json")
    if max_growth is not None and not since:
        raise UsageError("it compares with an older file: add --since OLD", parameter="--max-growth")
    if sep is not None and not (1 <= len(os.fsencode(sep)) <= 8 and sep.isascii()):
        raise UsageError(f"{sep!r} is not one to eight ASCII characters", parameter="--sep")
    from rdbtool.operations.memory.gather import gather_stats
    from rdbtool.operations.memory.stats import StatsOptions
    from rdbtool.operations.memory.stats_limits import StatsLimits

    options = StatsOptions(
        rules=rules,
        allocator=allocator,
        is_cluster=cluster,
        now_ms=filters.milliseconds(),
        separators=None if sep is None else os.fsencode(sep),
        depth=depth or 0,
        prefix=b"" if prefix is None else key_bytes(prefix),
        top=top,
        least=_size("--bytes", least) or 64 << 10,
        with_slots=by == "slot" or (cluster and html is not None),
        compare=servers,
    )
    limits = StatsLimits(
        max_key=_size("--max-key", max_key),
        max_elements=max_elements,
        max_no_ttl=_share("--max-no-ttl", max_no_ttl),
        max_memory=_size("--max-memory", max_memory),
        max_growth=_share("--max-growth", max_growth),
    )
    filters.selection()
    places = stop.places(*src)
    with ProgressBar(None, "reading", enabled=not no_progress) as progress:
        result = gather_stats(
            src,
            options,
            since=since or (),
            limits=limits,
            select=filters.selection,
            places=places,
            rename_commands=renames_of(rename_command),
            progress=progress,
        )
    if html is not None:
        from rdbtool.report.stats_html import stats_html

        with open_output(html, force=force, sources=[*src, *(since or ())]) as page:
            page.write(stats_html(result).encode())
    text = _render("json" if as_json else form or "text", result, by, top)
    with open_output(None) as output:
        output.write(text.encode())
    if result.damage is not None:
        raise result.damage
    print_remarks(result.remarks)
    end_uncertain(result.doubt)
    raise Exit(1 if result.findings else 0)


def _render(form: str, result: Stats, by: str | None, top: int) -> str:
    if form == "json":
        return json_line(result.to_dict())
    if form == "text":
        from rdbtool.report.screen import Screen
        from rdbtool.report.stats import stats_text

        screen = Screen(is_terminal=sys.stdout is not None and sys.stdout.isatty())
        return stats_text(result, screen=screen, by=by, top=top)
    from rdbtool.operations.memory.stats_limits import verdict_of
    from rdbtool.operations.validate.batch import Validated

    validated = [Validated(verdict_of(result), 0.0)]
    if form == "github":
        from rdbtool.report.verdict_github import verdicts_github

        return verdicts_github(validated, strict=False)
    from rdbtool.report.verdict_junit import verdicts_junit

    return verdicts_junit(validated, strict=False, command="stats")


def _size(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(str(error), parameter=option) from error


def _share(option: str, text: str | None) -> float | None:
    """Parse a percentage into a share, such as 0.2 for ``20%``. Raises UsageError."""
    if text is None:
        return None
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is not a percentage such as 20%", parameter=option)
    return float(match[1]) / 100
