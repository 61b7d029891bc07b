"""Verdicts as workflow commands of GitHub Actions, shown there as annotations.

A command is a line ``::error file=…,title=…::message``. Percent signs and line ends are escaped in a message, colons
and commas in a property too, so that no byte of a file can end or start a command. Every other line is plain text that
starts with a fixed word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from rdbtool.core.errors import Finding, clean, show_name
from rdbtool.core.light_typing import Final
from rdbtool.operations.validate.batch import Validated, code_of
from rdbtool.operations.validate.verdict import SEVERITIES, Verdict
from rdbtool.report.screen import plain
from rdbtool.report.verdict import facts, place, subject, verdict_line

_COMMANDS: Final = {"error": "error", "warning": "warning", "note": "notice"}

#: Annotations per input: GitHub shows ten of a kind in a step.
_SHOWN: Final = 30


def verdicts_github(validated: Sequence[Validated], *, strict: bool) -> str:
    """Return the lines for all inputs."""
    return "".join(f"{line}\n" for row in validated for line in _lines(row, strict=strict))


def _lines(validated: Validated, *, strict: bool) -> Iterator[str]:
    verdict = validated.verdict
    code = code_of(validated, strict=strict)
    if verdict.error is not None:
        title = "unknown format or version" if code == 4 else "not read"
        yield _command("error", verdict.source, title, clean(verdict.error))
        return
    worst_first = sorted(verdict.findings, key=lambda finding: SEVERITIES.index(finding.severity))
    for finding in worst_first[:_SHOWN]:
        is_error = finding.severity == "error" or (strict and finding.severity == "warning")
        command = "error" if is_error else _COMMANDS[finding.severity]
        yield _command(command, _file(verdict, finding), finding.code, _message(verdict, finding))
    left = sum(verdict.counts.values()) - min(len(verdict.findings), _SHOWN)
    if left:
        yield f"rdbtool: {show_name(verdict.source)}: {left:,} more findings"
    good = f"{show_name(verdict.source)}: OK: {facts(verdict)}"
    yield f"rdbtool: {plain(verdict_line(validated, strict=strict)) if code else good}"


def _file(verdict: Verdict, finding: Finding) -> str:
    """Return the path of the file that a finding is about: the files of an AOF are beside its manifest."""
    if finding.part in verdict.parts and finding.part != verdict.source:
        return str(PurePath(verdict.source).parent / finding.part)
    return finding.part


def _message(verdict: Verdict, finding: Finding) -> str:
    where = place(verdict, finding)
    lines = [f"{where + ': ' if where else ''}{clean(finding.message)}", clean(subject(finding)), finding.server]
    return "\n".join(line for line in lines if line)


def _command(command: str, file: str, title: str, message: str) -> str:
    return f"::{command} file={_property(show_name(file))},title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
