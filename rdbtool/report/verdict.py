"""Verdicts as text for people: a line a source, its facts, the findings, totals.

Everything fits a terminal of 80 columns, and is the same in a pipe: lines are broken here and not by the terminal, at
blanks only, so that a code, an offset or a name stays whole. No byte of a file reaches the terminal as it is.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from rdbtool.core.errors import Finding, clean, show_name
from rdbtool.operations.validate.batch import Judged, code_of
from rdbtool.operations.validate.verdict import SEVERITIES, Verdict
from rdbtool.report.formatting import show_bytes, show_count, show_time

#: Columns.
_WIDTH: Final = 80

#: Findings of one source that are shown, and those with one code and severity; JSON has all that were kept.
_SHOWN: Final = 20
_SHOWN_ALIKE: Final = 5

#: Codes of what is about a source as a whole, and has no place in it.
POLICIES: Final = frozenset({"CHK011", "CHK012", "CHK013", "CHK014", "CHK015", "CHK016"})

#: By exit code.
_WORDS: Final = {0: "OK", 1: "BAD", 3: "UNREAD", 4: "UNKNOWN"}

_CHECKSUMS: Final = {
    "correct": "checksum correct",
    "wrong": "checksum wrong",
    "disabled": "saved without a checksum",
    "none": "",
    "unread": "checksum not reached",
}

_KINDS: Final = {"rdb": "RDB", "aof": "log", "jsonl": "JSON lines", "unknown": ""}


def verdicts_text(judged: Sequence[Judged], *, strict: bool) -> str:
    """Return the report on all sources."""
    lines = [line for row in judged for line in _source_lines(row, strict=strict)]
    if len(judged) > 1:
        codes = Counter(code_of(row, strict=strict) for row in judged)
        counted = [f"{codes[code]} {word}" for code, word in _WORDS.items() if codes[code]]
        lines.append(f"{show_count(len(judged), 'source')}: {', '.join(counted)}")
    return "\n".join(lines) + "\n"


def verdict_line(judged: Judged, *, strict: bool) -> str:
    """Return one line that says what is wrong with a source, without what it begins with: the program's name."""
    verdict = judged.verdict
    word = _WORDS[code_of(judged, strict=strict)]
    name = show_name(verdict.source)
    if verdict.error is not None:
        return f"{name}: {word}: {clean(verdict.error)}"
    wanted = ("error", "warning") if strict else ("error",)
    serious = sum(verdict.counts[severity] for severity in wanted)
    worst = worst_finding(verdict)
    if worst is None:
        return f"{name}: {word}"
    more = f" (and {serious - 1:,} more)" if serious > 1 else ""
    return f"{name}: {word}: {headline(verdict, worst)}{more}"


def headline(verdict: Verdict, finding: Finding) -> str:
    """Return code, place and message of a finding."""
    where = place(verdict, finding)
    return f"{finding.code}{' ' + where if where else ''}: {clean(finding.message)}"


def worst_finding(verdict: Verdict) -> Finding | None:
    """Return the first error, else the first warning, else the first note."""
    for severity in SEVERITIES:
        for finding in verdict.findings:
            if finding.severity == severity:
                return finding
    return None


def facts(verdict: Verdict) -> str:
    """Return what a source is and holds, in one line."""
    words = []
    if verdict.header is not None:
        from rdbtool.report.summary import describe_rdb  # noqa: PLC0415 - what has no header need not wait for it

        # A log's snapshot is told with it.
        described = describe_rdb(verdict.header, verdict.aux, verdict.product)
        words.append(("log with " if verdict.kind == "aof" else "") + described)
    elif _KINDS[verdict.kind]:
        words.append(_KINDS[verdict.kind] + ("" if verdict.product is None else f" of {verdict.product.name}"))
    if len(verdict.parts) > 1:
        words.append(show_count(len(verdict.parts), "part"))
    ctime = next((row.value for row in verdict.aux if row.key == b"ctime"), b"")
    if ctime.isdigit() and len(ctime) <= 12:
        words.append(f"saved {show_time(int(ctime) * 1000)}")
    if verdict.bytes is not None:
        words.append(show_count(verdict.bytes, "byte"))
    kind = "key" if verdict.is_whole else "readable key"
    words.append(show_count(verdict.keys, kind) if verdict.is_counted else "keys not counted")
    # Inferred rules are told at length: whoever knows better can name them.
    rules = f"rules {verdict.rules}" if verdict.choice.is_known else str(verdict.choice)
    words += [_CHECKSUMS[verdict.checksum], rules]
    if verdict.level != "deep":
        words.append(f"level {verdict.level}")
    return ", ".join(word for word in words if word)


def place(verdict: Verdict, finding: Finding) -> str:
    """Return part and offset of a finding: the part only where it is not the source itself, nothing for a policy."""
    if finding.code in POLICIES:
        return ""
    part = "" if finding.part == verdict.source else f"{show_name(finding.part)} "
    number = "" if finding.number is None else f", command {finding.number:,}"
    return f"{part}at {finding.offset:#x}{number}"


def subject(finding: Finding) -> str:
    """Return the key that a finding is about, and the place inside its value; empty for none."""
    if finding.key is None:
        return finding.path
    kind = f" ({finding.kind})" if finding.kind else ""
    db = "" if finding.db is None else f" of db {finding.db}"
    return f"key {show_bytes(finding.key)}{kind}{db}" + (f", {finding.path}" if finding.path else "")


def _source_lines(judged: Judged, *, strict: bool) -> Iterator[str]:
    verdict = judged.verdict
    word = _WORDS[code_of(judged, strict=strict)]
    yield f"{word:<4} {show_name(verdict.source)}"
    if verdict.error is not None:
        yield from _wrap(verdict.error, 5)
    if verdict.header is not None or verdict.answer in {"valid", "invalid"}:
        yield from _wrap(facts(verdict), 5)
    total = sum(verdict.counts.values())
    shown = _choose(verdict)
    for finding in shown:
        yield from _finding_lines(verdict, finding)
    if total > len(shown):
        codes = Counter(finding.code for finding in verdict.findings)
        codes.subtract(finding.code for finding in shown)
        left = ", ".join(code for code, count in sorted(codes.items()) if count)
        yield from _wrap(f"and {total - len(shown):,} more{f' ({left})' if left else ''}", 2)
    if total > 1:
        counted = ((verdict.counts[severity], severity) for severity in SEVERITIES)
        yield f"  {', '.join(show_count(count, severity) for count, severity in counted if count)}"


def _choose(verdict: Verdict) -> list[Finding]:
    """Return the findings that are shown, the worst first: of many that are alike, a few will do."""
    alike: Counter[tuple[str, str]] = Counter()
    chosen: list[Finding] = []
    for finding in sorted(verdict.findings, key=lambda finding: SEVERITIES.index(finding.severity)):
        alike[finding.code, finding.severity] += 1
        if alike[finding.code, finding.severity] <= _SHOWN_ALIKE and len(chosen) < _SHOWN:
            chosen.append(finding)
    return chosen


def _finding_lines(verdict: Verdict, finding: Finding) -> Iterator[str]:
    yield f"  {finding.code} {finding.severity} {place(verdict, finding)}".rstrip()
    yield from _wrap(finding.message, 4)
    about = subject(finding)
    if about:
        yield from _wrap(about, 4)
    if finding.server:
        yield from _wrap(finding.server, 4)


def _wrap(text: str, indent: int) -> list[str]:
    blank = " " * indent
    return textwrap.wrap(
        clean(text),
        _WIDTH,
        initial_indent=blank,
        subsequent_indent=blank,
        break_long_words=False,
        break_on_hyphens=False,
    )
