"""The application: dispatches a command line to its command.

A command's module is imported when the command runs, so that ``rdbtool dump`` does not pay for the others; and typer
only for help and for command lines that are not ordinary.

Also prints, on standard error, what commands say about an uncertain dataset, and sets the exit code for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from rdbtool.cli.declare import BadParameter, Exit
from rdbtool.cli.overview import PROGRAM, SUMMARIES, guess_command, is_file
from rdbtool.cli.quick_parser import parse
from rdbtool.core.errors import clean

if TYPE_CHECKING:
    from rdbtool.core.errors import UncertainError
    from rdbtool.engine.replay.stops import Extent
    from rdbtool.report.screen import Line

#: The commands in the order of the help; each is the module of its name.
COMMANDS: Final = tuple(SUMMARIES)


def load_command(name: str) -> Callable[..., None]:
    """Import a command's module and return its function, which has what it accepts as ``parameters``."""
    attribute = name.replace("-", "_")
    command: Callable[..., None] = getattr(import_module(f"rdbtool.cli.{attribute}"), attribute)
    return command


def build_command(name: str) -> Any:
    """Import one command's module and return its click command."""
    from rdbtool.cli.typer_app import command_of

    command: Any = load_command(name)
    return command_of(name, command, command.parameters)


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
    command: Any = load_command(name)
    values = parse(command.parameters, rest)
    try:
        if values is not None:
            command(**values)
        else:
            from rdbtool.cli import typer_app

            return typer_app.run(build_command(name), rest)
    except BadParameter as error:
        from rdbtool.cli import typer_app

        typer_app.explain(build_command(name), error)
        return 2
    except Exit as exit_:
        return exit_.exit_code
    return 0


def _refuse(word: str) -> int:
    """Report an unknown command or missing file; return the exit code of a usage error."""
    kind = "option" if word.startswith("-") else "command or file"
    guess = guess_command(word)
    hint = "" if guess is None else f". Did you mean {guess}?"
    usage = f"Usage: {PROGRAM} COMMAND [OPTIONS] SRC\nTry '{PROGRAM} --help' for help.\n"
    if sys.stderr is not None:
        sys.stderr.write(f"{usage}\nError: no such {kind}: {clean(word)}{hint}\n")
    return 2


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
