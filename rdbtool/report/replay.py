"""Text report of a replay, and what reports on AOFs share."""

from __future__ import annotations

from collections.abc import Iterator

from rdbtool.core.light_typing import Final
from rdbtool.operations.replay.report import ReplayReport
from rdbtool.report.formatting import show_count, show_time
from rdbtool.report.screen import WORD_STYLES, Line, Screen, Styled, name
from rdbtool.report.summary import (
    aux_lines,
    describe_rdb,
    fact,
    function_lines,
    needs_lines,
    product_lines,
    rules_line,
    totals_lines,
)

#: Findings shown in text; JSON has all that were kept.
_SHOWN_FINDINGS: Final = 20

#: The state of an open transaction: Redis before 4.0 executes its commands one by one while loading.
_OPEN: Final = {True: ", none of which was executed", False: ", whose complete commands were executed"}

_SEVERITIES: Final = ("error", "warning", "note")

_TAILS: Final = {
    "clean": "clean",
    "truncated": "truncated inside a command",
    "truncated-in-multi": "truncated inside a transaction",
    "nul-padding": "damaged: NUL bytes up to the end",
    "damaged": "damaged",
}


def replay_text(report: ReplayReport, screen: Screen) -> str:
    """Return the report, one fact per line."""
    lines = [*_log_lines(report), *_state_lines(report), *_finding_lines(report)]
    lines += [*_tail_lines(report), fact("digest", _describe_digest(report))]
    return screen.text(lines)


def log_summary_text(report: ReplayReport, screen: Screen) -> str:
    """Return the text that ``info`` prints for an AOF."""
    lines = [*_log_lines(report), *_state_lines(report), *_tail_lines(report)]
    if report.snapshot is not None:
        lines += aux_lines(report.snapshot.aux)
    return screen.text(lines)


def _log_lines(report: ReplayReport) -> Iterator[Line]:
    yield fact("file", name(report.source))
    yield from product_lines(report.engine.product)
    yield rules_line(report.loaded.choice)
    yield fact("files", f"{len(report.parts)}")
    sizes = ["size unknown" if part.size is None else show_count(part.size, "byte") for part in report.parts]
    width, size_width = max(len(part.name) for part in report.parts), max(map(len, sizes))
    for part, size, commands in zip(report.parts, sizes, report.part_commands, strict=True):
        counted = "" if part.format == "rdb" else f"  {show_count(commands, 'command')}"
        blanks = " " * (width - len(part.name))
        yield fact(f"  {part.kind}", name(part.name), f"{blanks}  {part.format:<4}  {size:>{size_width}}{counted}")
    for row in report.loaded.around:
        yield fact("note", row.message)
    snapshot = report.snapshot
    if snapshot is not None:
        described = describe_rdb(snapshot.header, snapshot.aux, report.engine.product)
        yield fact("snapshot", f"{described}, {show_count(snapshot.keys, 'key')}")
    transactions = f", {show_count(report.transactions, 'transaction')}" if report.transactions else ""
    yield fact("commands", f"{report.commands:,}{transactions}")
    if report.first_time is not None and report.last_time is not None:
        yield fact("written", f"{show_time(report.first_time * 1000)} to {show_time(report.last_time * 1000)}")
    for index, line in enumerate(report.extent.lines()):
        yield fact("" if index else "replayed", line)


def _state_lines(report: ReplayReport) -> Iterator[Line]:
    yield from totals_lines(report.totals)
    yield from function_lines(report.functions)
    yield from needs_lines(report.needs)


def _finding_lines(report: ReplayReport) -> Iterator[Line]:
    replayed = report.loaded.replay
    count = sum(replayed.counts.values())
    counted = ((replayed.severities[severity], severity) for severity in _SEVERITIES)
    kinds = [show_count(times, severity) for times, severity in counted if times]
    yield fact("findings", f"{count:,}: {', '.join(kinds)}" if count else Styled("none", "good"))
    worst_first = sorted(report.findings, key=lambda finding: _SEVERITIES.index(finding.severity))
    for finding in worst_first[:_SHOWN_FINDINGS]:
        yield (
            "  ",
            Styled(finding.code, "code"),
            " ",
            Styled(finding.severity, WORD_STYLES[finding.severity]),
            f": {finding.part} at {finding.offset:#x}, command {finding.number}",
        )
        yield (f"    {finding.message}",)
        yield (Styled(f"    {finding.server}", "aside"),)
    if count > _SHOWN_FINDINGS:
        counts = ", ".join(f"{code} {number:,}" for code, number in sorted(replayed.counts.items()))
        yield (f"  and {count - _SHOWN_FINDINGS:,} more; in all: {counts}",)


def _tail_lines(report: ReplayReport) -> Iterator[Line]:
    tail = report.loaded.tail
    if tail is None:
        # An RDB file has its own end mark, and nothing was read after the place to stop.
        return
    was_queued = report.loaded.replay.in_transaction
    state = _TAILS[tail.state] + (_OPEN[was_queued] if tail.state == "truncated-in-multi" else "")
    yield fact("end", Styled(state, "good" if tail.state == "clean" else "bad"))
    if tail.state == "clean":
        return
    rest = "an unknown number of bytes" if tail.size is None else show_count(tail.size, "byte")
    lost = Styled(f"{show_count(tail.lost, 'complete command')} among them", "lost")
    intact = f"intact up to {tail.at:#x} of {report.parts[tail.part].name}, then {rest}"
    yield fact("", intact, *((", ", lost) if tail.lost else ()))
    if tail.next_good is not None:
        yield fact("", f"valid commands resume at {tail.next_good:#x}: they were not executed")


def _describe_digest(report: ReplayReport) -> str:
    if report.digest is not None:
        return report.digest
    count = report.opaque_keys
    values = "has a value" if count == 1 else "have values"
    return f"none: {show_count(count, 'key')} {values} that only their server can digest"
