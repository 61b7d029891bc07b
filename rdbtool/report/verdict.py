"""Text report of validate: a line per input, its facts, findings, totals.

Lines are as wide as the terminal, 80 columns in a pipe. They are broken here, at blanks only, so that codes, offsets
and names stay whole. Bytes of a file are always escaped.
"""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rdbtool.core.codes import BY_CODE
from rdbtool.core.errors import Finding, clean, show_name
from rdbtool.core.light_typing import Final
from rdbtool.operations.validate.batch import Validated, code_of
from rdbtool.operations.validate.verdict import SEVERITIES, Verdict
from rdbtool.report.formatting import show_bytes, show_count, show_time
from rdbtool.report.screen import WORD_STYLES, Line, Screen, Styled, emphasize, name

#: Width of output that is not a terminal, and the limits for a terminal, in columns.
PLAIN_WIDTH: Final = 80
_NARROWEST: Final = 60
_WIDEST: Final = 200

#: Indentation in columns of an input's texts, of a finding's texts, and of a finding's title.
_INDENT: Final = 10
_TITLE: Final = 24

#: Findings shown per input, and those of one code and severity; JSON has all that were kept.
_SHOWN: Final = 20
_SHOWN_ALIKE: Final = 5

#: Codes of findings about a whole input, which have no offset.
POLICIES: Final = frozenset(
    {f"CHK0{number}" for number in range(11, 17)} | {f"CHK0{number}" for number in range(21, 26)},
)

#: By exit code.
_WORDS: Final = {0: "OK", 1: "BAD", 3: "UNREAD", 4: "UNKNOWN"}

_CHECKSUMS: Final = {
    "correct": "checksum correct",
    "wrong": "checksum wrong",
    "disabled": "saved without a checksum",
    "none": "",
    "unread": "checksum not reached",
}

_KINDS: Final = {"rdb": "RDB", "aof": "AOF", "jsonl": "JSON lines", "unknown": ""}


def verdicts_text(validated: Sequence[Validated], *, strict: bool, screen: Screen) -> str:
    """Return the report on all inputs."""
    lines = [line for row in validated for line in _source_lines(row, strict=strict, screen=screen)]
    if len(validated) > 1:
        codes = Counter(code_of(row, strict=strict) for row in validated)
        counted = [
            f"{codes[code]} {screen.paint(word, WORD_STYLES[word])}" for code, word in _WORDS.items() if codes[code]
        ]
        lines.append(f"{show_count(len(validated), 'file')}: {', '.join(counted)}")
    return "\n".join(lines) + "\n"


def verdict_line(validated: Validated, *, strict: bool) -> Line:
    """Return one line that says what is wrong with an input, without the program's name in front."""
    verdict = validated.verdict
    word = _WORDS[code_of(validated, strict=strict)]
    source = show_name(verdict.source)
    head = (name(source), ": ", Styled(word, WORD_STYLES[word]))
    if verdict.error is not None:
        # Most errors name the file, too.
        error = clean(verdict.error).removeprefix(f"{source}: ").replace(f" {source}: ", ": ", 1)
        return *head, f": {error}"
    wanted = ("error", "warning") if strict else ("error",)
    serious = sum(verdict.counts[severity] for severity in wanted)
    worst = worst_finding(verdict)
    if worst is None:
        return head
    more = f" (and {serious - 1:,} more)" if serious > 1 else ""
    return *head, ": ", *emphasize(headline(verdict, worst), Styled(worst.code, "code")), more


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
    """Return what an input is and holds, in one line."""
    words = []
    if verdict.header is not None:
        from rdbtool.report.summary import describe_rdb  # noqa: PLC0415 - what has no header need not wait for it

        # The RDB preamble of an AOF is described with it.
        described = describe_rdb(verdict.header, verdict.aux, verdict.product)
        words.append(("AOF with " if verdict.kind == "aof" else "") + described)
    elif _KINDS[verdict.kind]:
        words.append(_KINDS[verdict.kind] + ("" if verdict.product is None else f" of {verdict.product.name}"))
    if len(verdict.parts) > 1 or Path(verdict.source).is_dir():
        words.append(show_count(len(verdict.parts), "file"))
    ctime = next((row.value for row in verdict.aux if row.key == b"ctime"), b"")
    if ctime.isdigit() and len(ctime) <= 12:
        words.append(f"saved {show_time(int(ctime) * 1000)}")
    kind = "key" if verdict.is_whole else "readable key"
    words.append(show_count(verdict.keys, kind) if verdict.is_counted else "keys not counted")
    if verdict.bytes is not None:
        words.append(show_count(verdict.bytes, "byte"))
    # Inferred rules are explained, so that a user who knows better can set them.
    rules = f"rules {verdict.rules}" if verdict.choice.is_known else str(verdict.choice)
    words += [_CHECKSUMS[verdict.checksum], rules]
    if verdict.level != "deep":
        words.append(f"level {verdict.level}")
    return ", ".join(word for word in words if word)


def place(verdict: Verdict, finding: Finding) -> str:
    """Return part and offset of a finding: the part only if it differs from the input, nothing for a policy."""
    if finding.code in POLICIES:
        return ""
    part = "" if finding.part == verdict.source else f"{show_name(finding.part)} "
    number = "" if finding.number is None else f", command {finding.number:,}"
    return f"{part}at {finding.offset:#x}{number}"


def subject(finding: Finding) -> str:
    """Return the key that a finding is about and the place inside its value, empty if none."""
    if finding.key is None:
        return finding.path
    kind = f" ({finding.kind})" if finding.kind else ""
    db = "" if finding.db is None else f" of db {finding.db}"
    return f"key {show_bytes(finding.key)}{kind}{db}" + (f", {finding.path}" if finding.path else "")


def next_step(verdict: Verdict) -> str | None:
    """Return the command line that helps with an invalid file, None if there is none."""
    if verdict.answer != "invalid" or verdict.source == "-":
        return None
    codes = {finding.code for finding in verdict.findings if finding.severity == "error"}
    source = shlex.quote(show_name(verdict.source))
    if codes == {"RDB363"}:
        return f"rdbtool convert {source} converted.rdb --target {verdict.rules}"
    if codes <= POLICIES:
        return None
    if len(verdict.parts) > 1:
        return f"rdbtool repair {source} -o repaired/"
    return {
        "rdb": f"rdbtool repair {source} -o repaired.rdb",
        "aof": f"rdbtool repair {source} -o repaired.aof",
    }.get(verdict.kind)


def _source_lines(validated: Validated, *, strict: bool, screen: Screen) -> Iterator[str]:
    verdict = validated.verdict
    width = min(max(screen.width, _NARROWEST), _WIDEST)
    word = _WORDS[code_of(validated, strict=strict)]
    yield (
        screen.paint(word, WORD_STYLES[word])
        + " " * (_INDENT - len(word))
        + screen.paint(show_name(verdict.source), "name")
    )
    if verdict.error is not None:
        yield from _wrap(verdict.error, width)
    if verdict.header is not None or verdict.answer in {"valid", "invalid"}:
        yield from _wrap(facts(verdict), width)
    total = sum(verdict.counts.values())
    shown = _choose(verdict)
    for finding in shown:
        yield from _finding_lines(verdict, finding, width, screen)
    if total > len(shown):
        codes = Counter(finding.code for finding in verdict.findings)
        codes.subtract(finding.code for finding in shown)
        left = ", ".join(code for code, count in sorted(codes.items()) if count)
        yield from _wrap(f"and {total - len(shown):,} more{f' ({left})' if left else ''}", width, 2)
    if total > 1:
        counted = ((verdict.counts[severity], severity) for severity in SEVERITIES)
        yield f"  {', '.join(show_count(count, severity) for count, severity in counted if count)}"
    step = next_step(verdict)
    if step is not None:
        yield f"  {screen.paint('next', 'next')}    {step}"


def _choose(verdict: Verdict) -> list[Finding]:
    """Return the findings to show, the worst first, and only some of those that are alike."""
    alike: Counter[tuple[str, str]] = Counter()
    chosen: list[Finding] = []
    for finding in sorted(verdict.findings, key=lambda finding: SEVERITIES.index(finding.severity)):
        alike[finding.code, finding.severity] += 1
        if alike[finding.code, finding.severity] <= _SHOWN_ALIKE and len(chosen) < _SHOWN:
            chosen.append(finding)
    return chosen


def _finding_lines(verdict: Verdict, finding: Finding, width: int, screen: Screen) -> Iterator[str]:
    title, where = BY_CODE[finding.code].title, place(verdict, finding)
    begin = f"  {finding.severity:<8}{finding.code}  {title:<{_TITLE}}"
    painted = (
        f"  {screen.paint(finding.severity, WORD_STYLES[finding.severity])}{' ' * (8 - len(finding.severity))}"
        f"{screen.paint(finding.code, 'code')}  {title:<{_TITLE}}"
    )
    if len(begin) + 2 + len(where) <= width:
        yield f"{painted}  {where}".rstrip()
    else:
        yield painted.rstrip()
        yield from _wrap(where, width)
    yield from _wrap(finding.message, width)
    yield from (screen.paint(line, "name") for line in _wrap(subject(finding), width))
    yield from (screen.paint(line, "aside") for line in _wrap(finding.server, width))


def _wrap(text: str, width: int, indent: int = _INDENT) -> list[str]:
    blank = " " * indent
    return textwrap.wrap(
        clean(text),
        width,
        initial_indent=blank,
        subsequent_indent=blank,
        break_long_words=False,
        break_on_hyphens=False,
    )
