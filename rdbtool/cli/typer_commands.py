"""Commands as typer sees them: their help, command lines that are not plain, and the words of wrong usage.

typer's error screens and the rich markup of its help are off, because they would cost half of the start-up time.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from typer.main import get_command

from rdbtool.cli.help import HelpfulCommand
from rdbtool.cli.overview import PROGRAM
from rdbtool.cli.parameters import (
    REQUIRED,
    Argument,
    Option,
    Parameter,
    UsageError,
    command_function,
    parameters_of,
)

#: The exception that click raises for a wrong command line. typer exports only one of its subclasses.
ClickUsageError: Final[Any] = typer.BadParameter.__mro__[1]

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
    function = command_function(name)
    parameters = [_signature_parameter(parameter) for parameter in parameters_of(function)]

    def command(**values: Any) -> None:
        function(**values)

    command.__doc__ = function.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    single = typer.Typer(**_SETTINGS)
    single.command(name, cls=HelpfulCommand)(command)
    return get_command(single)


def _signature_parameter(parameter: Parameter) -> inspect.Parameter:
    """Return a parameter as a function that typer accepts has it."""
    declared = parameter.declaration
    info = None
    if isinstance(declared, Argument):
        info = typer.Argument(metavar=declared.metavar, help=declared.help)
    elif isinstance(declared, Option):
        info = typer.Option(
            *declared.names, metavar=declared.metavar, help=declared.help, min=declared.minimum, max=declared.maximum
        )
    return inspect.Parameter(
        parameter.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if parameter.default is REQUIRED else parameter.default,
        annotation=Annotated[parameter.type, info],
    )


def run_by_typer(name: str, words: Sequence[str]) -> int:
    """Run a command line that typer reads, and return its exit code: 2 after an explanation of wrong usage."""
    command = build_command(name)
    try:
        with _context(command, name, words) as context:
            command.invoke(context)
    except ClickUsageError as error:
        _suggest(error)
        error.show()
        return 2
    except typer.Exit as exit_:
        return int(exit_.exit_code)
    return 0


def explain(error: UsageError, name: str, words: Sequence[str]) -> None:
    """Print on standard error how a command that refused its command line is used, and why it refused."""
    context = _context(build_command(name), name, words)
    typer.BadParameter(str(error), ctx=context, param_hint=error.parameter).show()


def _context(command: Any, name: str, words: Sequence[str]) -> Any:
    return command.make_context(f"{PROGRAM} {name}", list(words))


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
