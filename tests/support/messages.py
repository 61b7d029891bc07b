"""Collect every message that the tests provoke, and write them as a page to be read whole.

``COLLECT_MESSAGES=FILE pytest tests/…`` records the texts of findings, errors, wrong usage and standard error, with
placeholders for what changes from file to file; ``python tests/support/messages.py FILE... docs/messages.md`` makes
the page of one or several such runs.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import command
import pytest

from rdbtool.cli.typer_commands import ClickUsageError
from rdbtool.core.codes import BY_CODE
from rdbtool.core.errors import Finding, FormatError, InvalidDataError, RdbToolError, spell_controls

#: What a message has of the file, and what the page shows in its place. The order counts.
PLACEHOLDERS = [
    (re.compile(r'b?"(?:[^"\\]|\\.)*"(?:… \(\d+ bytes\))?'), '"TEXT"'),
    (re.compile(r"(?<!\w)b?'(?!--?[a-z]|(?:A|B|DST|KEY|SHELL|SRC)')(?:[^'\\]|\\.)*'(?!\w)"), "'TEXT'"),
    (re.compile(r"(?<!\w)b?'[^']*$"), "'TEXT'"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"(?<![\w./])(?:\.{0,2}/)[^\s:,;'\"()\[\]]+"), "PATH"),
    (re.compile(r"(?<![\w/])[\w.-]+(?:/[\w.-]+)*\.(?:rdb|aof|jsonl|manifest|dump|resp|json|csv|gz|zst|lz4)\b"), "PATH"),
    (re.compile(r"(?<![\w/])[\w.-]+(?:/[\w.-]+){2,}"), "PATH"),
    (re.compile(r"\b(?=\d*[a-f])[0-9a-f]{16,}\b"), "HEX"),
    (re.compile(r"\b0x[0-9a-f]+\b"), "0xN"),
    (re.compile(r"(?<![A-Za-z\d_.-])(?<!ISO )-?\d(?:[\d,]*\d)?(?!\d*x)(?:\.\d+)*(?:e[+-]?\d+)?"), "N"),
    (re.compile(r"(?<=-)\d+(?:\.\d+)*"), "N"),
    (re.compile(r"(?<=unknown command )(?!')[^\s,]+|(?<=command N \()[A-Z. ]+(?=\))"), "COMMAND"),
    (re.compile(r"(?<=^rdbtool: )[AB](?=: )"), "FILE"),
]

#: Of a command that a finding is about, only the reply is words of ours.
_COMMAND = re.compile(r"^.*?(?=: \S)", re.DOTALL)

#: In what is printed, faults and places inside values are those of the findings.
_FAULT = re.compile(r"expected .*, found (?:[^;(]|\((?!RDB|AOF|MAN|JSN))*[^;( ]")
_PLACE = re.compile(r'(?<=at 0xN: )(?!command |key ")[\w.\[\] ]+(?=: FAULT)|(?<=\): )[\w.\[\]]+(?=: FAULT)')
_BODY = re.compile(r"(?<=, command N: ).*?(?=: )|(?<=: command N: ).*?(?=: )|(?<=at 0xN: )(?!command)[A-Z]+ .*?(?=: )")
_KIND = re.compile(r'(?<="TEXT" )\((?:string|list|set|zset|hash|stream|module|array)\)')

#: What a test puts in the place of all words, to see that nothing is decided by them.
_NO_WORDS = re.compile(r"\bwords \d")

#: More of one code or class than this many would be values, not words.
MOST = 150

INTRODUCTION = """\
Every message that the tests provoke, to be read as a user would. Generated: see `tests/support/messages.py`. In
capitals: what comes from the file, the command line or the clock."""

SECTIONS = {
    "findings": "Findings",
    "errors": "Errors",
    "usage": "Wrong usage",
    "stderr": "Standard error",
}


def template(text: str) -> str:
    """Return a message with placeholders for what comes from a file, an argument or the clock."""
    for pattern, placeholder in PLACEHOLDERS:
        text = pattern.sub(placeholder, text)
    return spell_controls(text.encode("utf-8", "backslashreplace").decode(), "\n")


class Collector:
    """A plugin of pytest: records messages where they are made, and writes them to a file at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: defaultdict[str, defaultdict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
        self.patch = pytest.MonkeyPatch()

    def note(self, section: str, kind: str, text: str) -> None:
        """Keep a message, unless the same words were recorded before."""
        if text.strip():
            self.seen[section][kind].setdefault(template(text), text)

    def listen(self) -> None:
        """Patch the classes and functions that messages pass through."""
        self.patch.setattr(Finding, "__new__", self._finding(Finding.__new__))
        self.patch.setattr(RdbToolError, "__init__", self._error(RdbToolError.__init__))
        self.patch.setattr(ClickUsageError, "show", self._usage(ClickUsageError.show))
        self.patch.setattr(command, "run", self._run(command.run))

    def pytest_unconfigure(self) -> None:
        self.patch.undo()
        seen = {
            section: {kind: sorted(texts.values()) for kind, texts in kinds.items()}
            for section, kinds in self.seen.items()
        }
        self.path.write_text(json.dumps(seen, sort_keys=True, indent=1))

    def _finding(self, make: Callable[..., Finding]) -> Any:
        def new(cls: type[Finding], *args: Any, **kwargs: Any) -> Finding:
            finding = make(cls, *args, **kwargs)
            self.note("findings", str(finding.code), str(finding.message))
            return finding

        return new

    def _error(self, init: Callable[..., None]) -> Any:
        def recorded(error: RdbToolError, message: str = "", **kwargs: Any) -> None:
            init(error, message, **kwargs)
            if isinstance(error, FormatError):
                code, _, words = message.partition(": ")
                self.note("findings", code.partition(" ")[0], words)
            elif not isinstance(error, InvalidDataError):
                remedy = "" if error.remedy is None else error.remedy.command
                self.note("errors", type(error).__name__, message + remedy)

        return recorded

    def _usage(self, show: Callable[..., None]) -> Any:
        def shown(error: Any, *args: Any) -> None:
            path = None if error.ctx is None else error.ctx.command_path
            self.note("usage", path or "rdbtool", error.format_message())
            show(error, *args)

        return shown

    def _run(self, run: Callable[..., command.Ran]) -> Any:
        def ran(*args: Any, **kwargs: Any) -> command.Ran:
            done = run(*args, **kwargs)
            name = str(args[0]) if args else ""
            if not done.err.startswith(("Usage:", "Traceback")):
                for line in done.err.splitlines():
                    self.note("stderr", name if re.fullmatch(r"[a-z-]+", name) else "rdbtool", line)
            return done

        return ran


def words_of(section: str, kind: str, texts: list[str]) -> set[str]:
    """Return the messages of a section without what comes from files, each once."""
    words = set()
    for text in texts:
        if _NO_WORDS.search(text):
            continue
        known = _COMMAND.sub("COMMAND", text, count=1) if kind.startswith("CMD") else text
        line = template(known)
        if section in {"errors", "stderr"}:
            line = _BODY.sub("COMMAND", line)
            line = _KIND.sub("(TYPE)", _PLACE.sub("PLACE", _FAULT.sub("FAULT", line)))
        words.add(line.rstrip())
    return words


def merge(runs: Iterable[dict[str, dict[str, list[str]]]]) -> dict[str, dict[str, list[str]]]:
    """Return what several runs of the tests collected."""
    merged: dict[str, dict[str, list[str]]] = {section: {} for section in SECTIONS}
    for run in runs:
        for section, kinds in run.items():
            for kind, texts in kinds.items():
                merged[section].setdefault(kind, []).extend(texts)
    return merged


def page(collected: dict[str, dict[str, list[str]]]) -> str:
    """Return the page: what changes is in capitals; on standard error, what no error says already."""
    lines = ["# Messages", "", INTRODUCTION, ""]
    errors = {
        f"rdbtool: {line}" for kind, texts in collected["errors"].items() for line in words_of("errors", kind, texts)
    }
    for section, title in SECTIONS.items():
        kinds = {kind: words_of(section, kind, texts) for kind, texts in collected.get(section, {}).items()}
        if section == "stderr":
            kinds = {"": {line for texts in kinds.values() for line in texts} - errors}
        lines += [f"## {title}", ""]
        for kind, texts in sorted(kinds.items()):
            if kind:
                row = BY_CODE.get(kind)
                lines += [f"### {kind}" + ("" if row is None else f": {row.title}"), ""]
            shown = sorted(texts)
            if kind and len(shown) > MOST:
                shown = [*shown[:MOST], f"… and {len(shown) - MOST} more"]
            lines += ["```text", *shown, "```", ""]
    return "\n".join(lines[:-1]) + "\n"


if __name__ == "__main__":
    *collected, target = map(Path, sys.argv[1:])
    Path(target).write_text(page(merge(json.loads(path.read_text()) for path in collected)))
