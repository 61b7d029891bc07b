"""Verdicts as JUnit XML: one test suite, a test case per input, a failure or error for each that is not OK.

Written by hand: XML libraries leave the removal of characters that XML 1.0 forbids to their callers, and that is half
of the work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rdbtool.core.errors import clean, show_name
from rdbtool.core.light_typing import Final
from rdbtool.operations.validate.batch import Validated, code_of
from rdbtool.report.screen import plain
from rdbtool.report.verdict import facts, place, subject, verdict_line, worst_finding

#: Characters that XML 1.0 forbids, and those that need escaping.
_FOREIGN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_MEANT: Final = re.compile('[&<>"\n\r\t]')

#: Findings per input in the text of its failure.
_SHOWN: Final = 100


def verdicts_junit(validated: Sequence[Validated], *, strict: bool, command: str = "validate") -> str:
    """Return the document for all inputs, whose suite is named after ``command``."""
    codes = [code_of(row, strict=strict) for row in validated]
    failures, errors = codes.count(1), codes.count(3) + codes.count(4)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    counts = f'tests="{len(codes)}" failures="{failures}" errors="{errors}"'
    lines += [f"<testsuites {counts}>", f'  <testsuite name="rdbtool {command}" {counts} skipped="0">']
    for row, code in zip(validated, codes, strict=True):
        lines += _case(row, code, strict=strict, command=command)
    lines += ["  </testsuite>", "</testsuites>"]
    return "\n".join(lines) + "\n"


def _case(validated: Validated, code: int, *, strict: bool, command: str) -> Iterator[str]:
    verdict = validated.verdict
    yield f'    <testcase classname="rdbtool.{command}" name="{_escape(show_name(verdict.source))}">'
    if code:
        element = "failure" if code == 1 else "error"
        worst = worst_finding(verdict)
        kind = worst.code if worst is not None and code == 1 else verdict.answer
        message = _escape(plain(verdict_line(validated, strict=strict)))
        yield f'      <{element} type="{_escape(kind)}" message="{message}">{_details(validated)}</{element}>'
    else:
        yield f"      <system-out>{_details(validated)}</system-out>"
    yield "    </testcase>"


def _details(validated: Validated) -> str:
    verdict = validated.verdict
    lines = [facts(verdict)] if verdict.error is None else [clean(verdict.error)]
    for finding in verdict.findings[:_SHOWN]:
        about = subject(finding)
        words = [
            f"{finding.code} {finding.severity} {place(verdict, finding)}".rstrip(),
            clean(finding.message),
            clean(about),
        ]
        lines.append(": ".join(word for word in words if word))
    left = sum(verdict.counts.values()) - min(len(verdict.findings), _SHOWN)
    return "\n".join(_escape(line) for line in lines + ([f"and {left:,} more findings"] if left else []))


def _escape(text: str) -> str:
    """Escape text for an element or for an attribute in double quotes."""
    foreign = _FOREIGN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return _MEANT.sub(lambda match: _ENTITIES[match[0]], foreign)
