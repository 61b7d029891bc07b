"""What users read is in the words of docs/glossary.md: none of those that stand in its right column."""

import re

from command import ROOT

from rdbtool.cli.app import COMMANDS, build_command
from rdbtool.cli.examples import EXAMPLES
from rdbtool.cli.notes import NOTES
from rdbtool.cli.overview import EXIT_CODES, SUMMARIES
from rdbtool.core.codes import CODES

#: Words, and what is said instead. A server's log is one, and what a server logs.
NOT_SAID = {
    r"sound(?! )|sound (?:data|file|command|record|byte|key|part)s?": "valid, intact",
    r"behind|in front of": "after, before",
    r"stands?|stood": "is, occurs",
    r"(?:left|leaves?|leaving|taken?) out": "skipped, lost, dropped",
    r"anew": "again",
    r"cut tails?": "truncated",
    r"(?:an?|the|no|of|multi-part|whole) logs?": "AOF",
    r"judge[ds]?|judging": "check",
    r"doubt(?:ful)?": "unknown effect, uncertain",
    r"none such|there is none": "no, empty",
    r"pass(?:es|ed)? over": "ignore",
    r"whose rules": "server rules",
}
PATTERN = re.compile("|".join(rf"\b(?:{words})\b" for words in NOT_SAID), re.IGNORECASE)


def texts():
    for row in CODES:
        yield from ((f"{row.code} {name}", text) for name, text in row._asdict().items())
    for name in COMMANDS:
        command = build_command(name)
        yield name, command.help
        yield from ((f"{name} {parameter.opts[0]}", parameter.help or "") for parameter in command.params)
    yield from ((f"notes of {name}", text) for name, text in NOTES.items())
    yield from ((f"example of {name}", row.text) for name, rows in EXAMPLES.items() for row in rows)
    yield from SUMMARIES.items()
    yield from EXIT_CODES


def test_words():
    found = [(where, match[0]) for where, text in texts() if (match := PATTERN.search(" ".join(text.split())))]
    assert found == []


def test_the_readme():
    prose = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    found = PATTERN.search(" ".join(prose.split()))
    assert found is None, found[0]
