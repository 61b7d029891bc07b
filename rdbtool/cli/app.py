"""The application: dispatches a command line to its command.

A command's module is imported when the command runs, so that ``rdbtool dump`` does not pay for the others. typer builds
options from type hints; its error screens and the rich markup of its help are off, because they would cost half of the
start-up time.

Also prints, on standard error, what commands say about an uncertain dataset, and sets the exit code for it.
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
    from rdbtool.report.screen import Line

#: The commands in the order of the help; each is the module of its name.
COMMANDS: Final = tuple(SUMMARIES)

#: The exception that click raises for a wrong command line. typer exports only one of its subclasses.
UsageError: Final[Any] = typer.BadParameter.__mro__[1]

#: Options of other tools, and the equivalents here.
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
    """Run one command line and return its exit code; usage errors are explained on standard error and return 2.

    A file in the place of a command is passed to ``info``. Every other error propagates as an exception.
    """
    if "RDBTOOL_BACKEND" in os.environ:
        from rdbtool.reader import backends

        backends.default_backend = os.environ["RDBTOOL_BACKEND"]
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
    """Report an unknown command or missing file; return the exit code of a usage error."""
    kind = "option" if word.startswith("-") else "command or file"
    guess = guess_command(word)
    hint = "" if guess is None else f". Did you mean {guess}?"
    usage = f"Usage: {PROGRAM} COMMAND [OPTIONS] SRC\nTry '{PROGRAM} --help' for help.\n"
    typer.echo(f"{usage}\nError: no such {kind}: {clean(word)}{hint}", file=sys.stderr)
    return 2


def _suggest(error: Any) -> None:
    """Suggest the equivalent of another tool's option, else the nearest of the options that click offers."""
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
    """Print where the replay of an AOF stopped, if a place was given, and what it skipped."""
    if extent is not None:
        print_remarks(extent.lines())


def print_remarks(remarks: Iterable[str]) -> None:
    """Print remarks on the dataset."""
    print_lines((remark,) for remark in remarks)


def print_lines(lines: Iterable[Line]) -> None:
    """Print lines of a report on standard error, with the name of the program."""
    from rdbtool.report.screen import Styled, error_screen

    screen = None
    for line in lines:
        if sys.stderr is None:
            return
        screen = screen or error_screen()
        sys.stderr.write(f"{screen.render((Styled(f'{PROGRAM}:', 'aside'), ' ', *line))}\n")


def end_uncertain(doubt: UncertainError | None) -> None:
    """Exit with code 1 if the printed answer is uncertain. Raises UncertainError."""
    if doubt is not None:
        raise doubt
