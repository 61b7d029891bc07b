"""An ordinary command line is read without typer, and means the same as it does to typer."""

import functools
import itertools

import pytest

from rdbtool.cli.app import COMMANDS, load_command
from rdbtool.cli.declare import REQUIRED, Argument, Group, Option, Parameter, parameters_of
from rdbtool.cli.quick_parser import parse
from rdbtool.cli.typer_app import command_of, run

ARGUMENTS = {name: [p for p in load_command(name).parameters if isinstance(p.declared, Argument)] for name in COMMANDS}


@functools.cache
def collecting(name):
    """Return a command of typer, and the list that gets what it is called with."""
    found = []
    return command_of(name, lambda **values: found.append(values), load_command(name).parameters), found


def read_by_typer(name, words):
    """Return the values that typer reads; None if it refuses them or prints help."""
    command, found = collecting(name)
    found.clear()
    return found[0] if run(command, list(words)) == 0 and found else None


def needed(name):
    return [f"{p.name}.rdb" for p in ARGUMENTS[name] if p.default is REQUIRED]


def ways(parameter):
    """Return how an option can be written."""
    names = [
        name
        for both in parameter.declared.names or (f"--{parameter.name.replace('_', '-')}",)
        for name in both.split("/")
    ]
    if parameter.type in {bool, bool | None}:
        return [[name] for name in names]
    values = ["7", "16", "0"] if "int" in str(parameter.type) else ["x", "a=b", "", "-"]
    found = [[name, value] for name in names for value in values]
    return found + [[f"{name}={value}"] for name in names if name[:2] == "--" for value in values]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_means_the_same(name, capsys):
    parameters = load_command(name).parameters
    plain = needed(name)
    read = 0
    for parameter in parameters:
        if isinstance(parameter.declared, Option):
            for words in ways(parameter):
                line = [*words, *plain]
                values = parse(parameters, line)
                if values is not None:
                    assert values == read_by_typer(name, line), line
                    read += 1
    assert read > sum(isinstance(p.declared, Option) for p in parameters) or not read
    capsys.readouterr()


LINES = [
    "a.rdb",
    "a.rdb b.rdb",
    "",
    "-",
    "a.rdb -n 1 --db 2 -t hash",
    "-n 1 a.rdb -K x -K y --key=z",
    "--expired a.rdb --no-expired",
    "--limit 3 --limit 4 a.rdb",
    "--limit -3 a.rdb",
    "--limit 1_0 a.rdb",
    "--limit ٣ a.rdb",
    "--limit=x a.rdb",
    "--limi 3 a.rdb",
    "-n1 a.rdb",
    "-n=1 a.rdb",
    "--db",
    "--key -x a.rdb",
    "-- -a.rdb",
    "a.rdb --help",
    "-h",
    "--expired=yes a.rdb",
    "a.rdb --now 5 --until ts:7",
    "--jobs 0 a.rdb",
    "--jobs 2 a.rdb",
]


@pytest.mark.parametrize(("name", "line"), [*itertools.product(["dump", "validate", "stats", "get", "diff"], LINES)])
def test_what_is_read_means_the_same(name, line, capsys):
    parameters = load_command(name).parameters
    words = line.split()
    values = parse(parameters, words)
    if values is not None:
        assert values == read_by_typer(name, words)
    capsys.readouterr()


def test_ordinary_lines_are_read():
    parameters = load_command("dump").parameters
    values = parse(parameters, ["a.rdb", "-f", "json", "--no-functions", "-n", "1", "--db=2", "--limit", "7"])
    assert values is not None
    assert (values["src"], values["format_"], values["functions"], values["db"], values["limit"]) == (
        *("a.rdb", "json", False),
        *([1, 2], 7),
    )
    assert values["key"] is None


def test_what_is_not_ordinary_is_left_to_typer():
    for words in (["--limit", "x", "a"], ["a", "b"], [], ["a", "--help"], ["--no-such", "a"], ["-fjson", "a"], [""]):
        assert parse(load_command("dump").parameters, words) is None


def test_the_fields_of_a_group_are_options():
    class Place(Group):
        at: "int | None" = None

    class Range(Place):
        to: "int | None" = None

    assert Range.fields == ("at", "to")
    whole = Range(1, to=2)
    assert (whole.at, whole.to, whole.replaced(to=3).to, Range().at) == (1, 2, 3, None)


def test_what_a_command_accepts():
    def command(src, *, number=3):
        pass

    from typing import Annotated  # noqa: PLC0415

    argument, option = Argument(metavar="SRC", help=""), Option(help="")
    command.__annotations__ = {"src": Annotated[str, argument], "number": Annotated[int, option]}
    assert parameters_of(command) == (
        [Parameter("src", str, REQUIRED, argument), Parameter("number", int, 3, option)],
        {},
    )
