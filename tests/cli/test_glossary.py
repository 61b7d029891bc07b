"""What users and contributors read uses the words of docs/glossary.md: none of its right column."""

import ast
import re
import tokenize

import pytest
from command import ROOT

from rdbtool.cli.app import COMMANDS
from rdbtool.cli.examples import EXAMPLES
from rdbtool.cli.notes import NOTES
from rdbtool.cli.overview import EXIT_CODES, SUMMARIES
from rdbtool.cli.typer_commands import build_command
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


#: Idioms that the source had, and what is said instead. Text between backticks is code.
NOT_WRITTEN = {
    r"(?:an?|the|no|of|multi-part|whole) logs?": "AOF",
    r"anew": "again, rebuild",
    r"at hand": "current",
    r"behind|in front of": "after, before",
    r"data sets?": "dataset",
    r"hears?|heard|listens": "receive",
    r"judge[ds]?": "check",
    r"nobody|somebody|whoever": "name the caller, process or server; unknown",
    r"pass(?:es|ed) over": "skip",
    r"put up with": "accept",
    r"stands? (?:at|before|beside|in|there)|stood": "is, occurs",
    r"taken out|leaves? out": "dropped, omitted",
    r"tell of|tells|told": "feed, emit, report",
    r"whose rules": "server rules",
}
WRITTEN = re.compile("|".join(rf"\b(?:{words})\b" for words in NOT_WRITTEN), re.IGNORECASE)

#: Cython, which Python cannot parse.
CYTHON = {".pyx", ".pxd", ".pxi"}

#: Headers whose names begin with an underscore are written by the build.
SOURCES = {
    path.relative_to(ROOT).as_posix(): path
    for path in sorted((ROOT / "rdbtool").rglob("*.*"))
    if path.suffix in {".py", ".pyi", ".h"} | CYTHON and not (path.suffix == ".h" and path.name.startswith("_"))
}


def prose(path):
    """Yield (line, text) of each docstring and comment of a file."""
    if path.suffix == ".h":
        text = path.read_text()
        for found in re.finditer(r"/\*.*?\*/", text, re.DOTALL):
            yield text.count("\n", 0, found.start()) + 1, re.sub(r"``?[^`]*``?", "", found[0])
        return
    if path.suffix in CYTHON:
        text = path.read_text()
        for found in re.finditer(r'"""(.*?)"""|(?<!["\'])#[^\n]*', text, re.DOTALL):
            yield text.count("\n", 0, found.start()) + 1, re.sub(r"``?[^`]*``?", "", found[0])
        return
    before = tokenize.NEWLINE
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            is_docstring = token.type == tokenize.STRING and before in {tokenize.NEWLINE, tokenize.INDENT}
            if token.type == tokenize.COMMENT or is_docstring:
                yield token.start[0], re.sub(r"``?[^`]*``?|noqa: \S+", "", token.string)
            if token.type not in {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.DEDENT}:
                before = token.type


def messages(path):
    """Yield (line, text) of each string of a module that is not a docstring and has words."""
    tree = ast.parse(path.read_bytes())
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, owners) and is_documented(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value if " " in node.value else ""


def is_documented(node):
    return bool(node.body) and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)


@pytest.mark.parametrize("package", sorted({name.rsplit("/", 1)[0] for name in SOURCES}))
def test_the_source(package):
    found = []
    for name, path in SOURCES.items():
        if name.rsplit("/", 1)[0] == package:
            rows = [(WRITTEN, row) for row in prose(path)]
            if path.suffix == ".py":
                rows += [(PATTERN, row) for row in messages(path)]
            found += [
                f"{name}:{line}: {hit[0]}"
                for words, (line, text) in rows
                for hit in words.finditer(" ".join(text.split()))
            ]
    assert not found
