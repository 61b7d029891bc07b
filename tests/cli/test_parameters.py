"""A plain command line, which is read without typer, means what typer makes of it; every other one is left to typer."""

import random

import pytest
from sampling import SEED

from rdbtool.cli import typer_commands
from rdbtool.cli.overview import SUMMARIES
from rdbtool.cli.parameters import Argument, Option, command_function, parameters_of, plain_values

#: Values that options may have, and some that they may not.
TEXTS = [
    "x",
    "",
    "-",
    "0",
    "1",
    "7",
    "007",
    "+5",
    " 5",
    "1_0",
    "10001",
    "99999999999999999999",
    "-1",
    "-x",
    "a=b",
    "é",
    "٣",
]


@pytest.fixture(params=SUMMARIES)
def name(request):
    return request.param


@pytest.fixture
def by_typer(name, monkeypatch, capsys):
    """What typer passes to the command, and the exit code."""
    seen = []

    def recorder(**values):
        seen.append(values)

    recorder.parameters = parameters_of(command_function(name))
    monkeypatch.setattr(typer_commands, "command_function", lambda _: recorder)

    def read(words):
        seen.clear()
        code = typer_commands.run_by_typer(name, words)
        capsys.readouterr()
        return code, seen[0] if seen else None

    return read


def arguments(name):
    return ["a" for each in parameters_of(command_function(name)) if isinstance(each.declaration, Argument)]


def options(name):
    """Yield the options of a command with each of their names."""
    for parameter in parameters_of(command_function(name)):
        if isinstance(parameter.declaration, Option):
            for names in parameter.declaration.names:
                yield from ((parameter, each) for each in names.split("/"))


def value_words(parameter, option, text="5"):
    return [option] if parameter.type in (bool, bool | None) else [option, text]


def test_every_option_is_read_as_by_typer(name, by_typer):
    for parameter, option in [(None, None), *options(name)]:
        words = [] if parameter is None else value_words(parameter, option)
        plain = plain_values(parameters_of(command_function(name)), [*words, *arguments(name)])
        assert plain is not None
        assert by_typer([*words, *arguments(name)]) == (0, plain)


def test_whatever_is_read_is_read_as_by_typer(name, by_typer):
    chance = random.Random(f"{SEED} {name}")
    known = list(options(name))
    plain_lines = 0
    for _ in range(60):
        words = [[word] for word in arguments(name)[: chance.choice([1, 2, 3, 3, 3, 3])]]
        for parameter, option in chance.choices(known, k=chance.randrange(4)) if known else ():
            given = value_words(parameter, option, chance.choice(TEXTS))
            words.append(["=".join(given)] if chance.random() < 0.3 else given)
        if chance.random() < 0.2:
            words.append(chance.choice([["--"], ["-"], ["-x"], ["--none"], ["b"], [""], ["-nf"], ["--help"], ["-h"]]))
        chance.shuffle(words)
        line = [word for group in words for word in group]
        plain = plain_values(parameters_of(command_function(name)), line)
        if plain is not None:
            plain_lines += 1
            assert by_typer(line) == (0, plain), line
    assert plain_lines


def test_wrong_usage_is_left_to_typer(name, by_typer):
    parameters = parameters_of(command_function(name))
    for words in (["--none"], ["--help"], ["-h"], ["--"], ["--limit"], ["--limit", "x", "a"], []):
        if plain_values(parameters, words) is not None:
            assert by_typer(words)[0] == 0
    assert plain_values(parameters, ["--none", *arguments(name)]) is None
    assert plain_values(parameters, ["--help"]) is None
    assert plain_values(parameters, [*arguments(name), "-"]) is None or name in {"stats", "validate"}
