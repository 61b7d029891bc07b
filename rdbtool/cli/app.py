"""The application: dispatches a command line to its command.

A command's module is imported when the command runs, so that ``rdbtool dump`` does not pay for the others. typer is
imported for help, for wrong usage, and for command lines that are not plain.

Also prints, on standard error, what commands say about an uncertain dataset, and sets the exit code for it.
"""

from __future__ import annotations

import os
import sys

from rdbtool.cli.overview import PROGRAM, SUMMARIES, guess_command, is_file
from rdbtool.cli.parameters import Exit, UsageError, command_function, parameters_of, plain_values
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdbtool.core.errors import UncertainError
    from rdbtool.engine.replay.stops import Extent
    from rdbtool.report.screen import Line

#: The commands in the order of the help; each is the module of its name.
COMMANDS: Final = tuple(SUMMARIES)


def run_command(arguments: list[str]) -> int:
    """Run one command line and return its exit code; usage errors are explained on standard error and return 2.

    A file in the place of a command is passed to ``info``. Every other error propagates as an exception.
    """
    if "RDBTOOL_BACKEND" in os.environ:
        from rdbtool.reader import backends

        backends.default_backend = os.environ["RDBTOOL_BACKEND"]
    name, *words = arguments
    if name not in SUMMARIES:
        if not is_file(name):
            return _refuse(name)
        name, words = "info", arguments
    try:
        return _run(name, words)
    except UsageError as error:
        from rdbtool.cli.typer_commands import explain

        explain(error, name, words)
        return 2
    except Exit as exit_:
        return exit_.code


def _run(name: str, words: list[str]) -> int:
    """Run a command and return its exit code. Raises UsageError and Exit."""
    function = command_function(name)
    values = plain_values(parameters_of(function), words)
    if values is None:
        from rdbtool.cli.typer_commands import run_by_typer

        return run_by_typer(name, words)
    function(**values)
    return 0


def _refuse(word: str) -> int:
    """Report an unknown command or missing file; return the exit code of a usage error."""
    from rdbtool.core.errors import clean

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


def json_line(result: dict[str, Any]) -> str:
    """Return a result as ``--json`` prints it."""
    import json

    return json.dumps(result) + "\n"


def end_uncertain(doubt: UncertainError | None) -> None:
    """Exit with code 1 if the printed answer is uncertain. Raises UncertainError."""
    if doubt is not None:
        raise doubt
