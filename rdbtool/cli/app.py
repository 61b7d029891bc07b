"""The application: how a command line reaches its command.

A command's module is imported when it is asked for, so that ``rdbtool dump`` does not pay for the
others. typer is used for what it does well, options from type hints; its own error screens and
the rich markup of its help are off, because they would cost half of the start-up time.

What commands say about a dataset that is uncertain, beside their answer, is here as well: on standard error, and by the
exit code.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.main import get_command

from rdbtool.cli.help import HelpfulCommand
from rdbtool.cli.overview import PROGRAM, SUMMARIES, guess_command, is_file
from rdbtool.core.errors import clean

if TYPE_CHECKING:
    from rdbtool.core.errors import UncertainError
    from rdbtool.engine.replay.stops import Extent

#: The commands in the order of the help; each lives in the module of its name.
COMMANDS: Final = tuple(SUMMARIES)

#: What click raises for a wrong command line. typer exports one of its subclasses only.
UsageError: Final[Any] = typer.BadParameter.__mro__[1]

#: Options of other tools, and what does the same here.
_ELSEWHERE: Final = {
    "--fix": f"{PROGRAM} repair SRC -o DST writes what is intact to a new file",
    "--file": "the output file is --output FILE",
    "--support-restore": "it is --restore here",
    "--del-before-write": "it is --replace here",
    "--target-redis-ver": "it is --target redis-VERSION here",
}

_SETTINGS: Final[dict[str, Any]] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def build_command(name: str) -> Any:
    """Import one command's module and return its click command."""
    attribute = name.replace("-", "_")
    module = importlib.import_module(f"rdbtool.cli.{attribute}")
    single = typer.Typer(**_SETTINGS)
    single.command(name, cls=HelpfulCommand)(getattr(module, attribute))
    return get_command(single)


def run_command(arguments: list[str]) -> int:
    """Run one command line and return its exit code. Wrong usage is explained on standard error: 2.

    A file in the place of a command is shown, as ``info`` does. Everything else that goes wrong passes through as an
    exception.
    """
    if "RDBTOOL_BACKEND" in os.environ:
        from rdbtool.reader import rdb

        rdb.default_backend = os.environ["RDBTOOL_BACKEND"]
    name, *rest = arguments
    if name not in SUMMARIES:
        if not is_file(name):
            return _refuse(name)
        name, rest = "info", arguments
    command = build_command(name)
    try:
        with command.make_context(f"{PROGRAM} {name}", rest) as context:
            command.invoke(context)
    except UsageError as error:
        _suggest(error)
        error.show()
        return 2
    except typer.Exit as exit_:
        return int(exit_.exit_code)
    return 0


def _refuse(word: str) -> int:
    """Explain that there is no such command or file; return the exit code of wrong usage."""
    kind = "option" if word.startswith("-") else "command or file"
    guess = guess_command(word)
    hint = "" if guess is None else f". Did you mean {guess}?"
    usage = f"Usage: {PROGRAM} COMMAND [OPTIONS] SRC\nTry '{PROGRAM} --help' for help.\n"
    typer.echo(f"{usage}\nError: no such {kind}: {clean(word)}{hint}", file=sys.stderr)
    return 2


def _suggest(error: Any) -> None:
    """Name what does the same as an option of another tool, else the nearest of the options that click offers."""
    possible = getattr(error, "possibilities", None)
    known = _ELSEWHERE.get(getattr(error, "option_name", ""))
    if known is not None:
        error.message += f": {known}"
        error.possibilities = None
    elif possible:
        import difflib

        error.message += f". Did you mean {difflib.get_close_matches(error.option_name, possible, n=1, cutoff=0)[0]}?"
        error.possibilities = None


def print_extent(extent: Extent | None) -> None:
    """Print where the replay of an AOF stopped, if it was asked to, and what it skipped."""
    if extent is not None:
        print_remarks(extent.lines())


def print_remarks(remarks: Iterable[str]) -> None:
    """Print what whoever reads the dataset should know."""
    for remark in remarks:
        typer.echo(f"{PROGRAM}: {clean(remark)}", file=sys.stderr)


def end_uncertain(doubt: UncertainError | None) -> None:
    """End with exit code 1 if the answer that was printed is uncertain. Raises UncertainError."""
    if doubt is not None:
        raise doubt
