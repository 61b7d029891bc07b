"""Help: as wide as the terminal, with examples that run, and hints for what was misspelt."""

import re
import shlex

import pytest
from command import FIXTURES, run

from rdbtool.cli.app import COMMANDS
from rdbtool.cli.examples import EXAMPLES
from rdbtool.cli.help import GROUPS
from rdbtool.cli.overview import PROGRAM, SUMMARIES
from rdbtool.cli.typer_commands import build_command

SMALL = FIXTURES / "small" / "redis-7.0-listpacks-stream-function.rdb"


def shown(monkeypatch, width, *words):
    monkeypatch.setattr("command.IGNORED", set())
    monkeypatch.setenv("COLUMNS", str(width))
    ran = run(*words)
    assert (ran.code, ran.err) == (0, "")
    return ran.out.decode()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_nothing_is_wider_than_the_terminal(command, width, monkeypatch):
    text = shown(monkeypatch, width, *([] if command is None else [command]), "--help")
    assert max(map(len, text.splitlines())) <= width
    assert "Usage: rdbtool" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_three_ways_to_the_same_help(command, monkeypatch):
    text = shown(monkeypatch, 80, command, "--help")
    assert shown(monkeypatch, 80, command, "-h") == text
    assert shown(monkeypatch, 80, "help", command) == text
    assert "\nExamples:\n" in text


def test_the_help_of_the_program_names_every_command(monkeypatch):
    text = shown(monkeypatch, 80, "--help")
    assert shown(monkeypatch, 80, "help") == shown(monkeypatch, 80, "-h") == text
    for name, summary in SUMMARIES.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", text, re.MULTILINE)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_examples_are_command_lines(command):
    assert len(EXAMPLES[command]) >= 3
    for example in EXAMPLES[command]:
        lines = re.findall(r"rdbtool [^|;>)]*", example.line)
        assert lines, example
        for line in lines:
            name, *words = shlex.split(line)[1:]
            built = build_command(name)
            with built.make_context(f"{PROGRAM} {name}", words, resilient_parsing=False) as context:
                assert context.args == [], example


def test_every_option_of_a_group_is_one_of_a_command():
    names = {option.opts[0] for command in COMMANDS for option in build_command(command).params}
    assert {name for options in GROUPS.values() for name in options} <= names


def test_version():
    answers = {run(*words).out for words in (["version"], ["-V"], ["--version"])}
    assert len(answers) == 1
    assert re.fullmatch(rb"rdbtool \d\S+\n", answers.pop())


def test_a_file_in_the_place_of_a_command_is_shown():
    assert run(SMALL).out == run("info", SMALL).out
    assert run(SMALL, "--json").out == run("info", SMALL, "--json").out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("dmup", "x"), "no such command or file: dmup. Did you mean dump?"),
        (("aof_rewrite",), "Did you mean aof-rewrite?"),
        (("xyzzy",), "no such command or file: xyzzy\n"),
        (("dump", "--formt", "json", "x"), "Did you mean --format?"),
        (("help", "dmup"), "Did you mean dump?"),
    ],
)
def test_a_typo_gets_a_suggestion(words, hint):
    ran = run(*words)
    assert ran.code == 2
    assert hint in ran.err
