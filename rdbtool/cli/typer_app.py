"""Commands of typer, from the declarations of our own: for help, and for command lines that are not ordinary.

Its error screens and the rich markup of its help are off, because they would cost half of the start-up time.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import typer
from typer.main import get_command

from rdbtool.cli.declare import REQUIRED, BadParameter, Option, Parameter
from rdbtool.cli.help import HelpfulCommand
from rdbtool.cli.overview import PROGRAM

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


def command_of(name: str, function: Callable[..., None], parameters: Sequence[Parameter]) -> Any:
    """Return the click command that calls ``function``."""
    given = [_parameter(parameter) for parameter in parameters]

    def command(**values: Any) -> None:
        function(**values)

    command.__doc__ = function.__doc__
    command.__signature__ = inspect.Signature(given)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in given}
    single = typer.Typer(**_SETTINGS)
    single.command(name, cls=HelpfulCommand)(command)
    return get_command(single)


def _parameter(parameter: Parameter) -> inspect.Parameter:
    declared = parameter.declared
    made: Any
    if isinstance(declared, Option):
        made = typer.Option(
            *declared.names, metavar=declared.metavar, help=declared.help, min=declared.min, max=declared.max
        )
    else:
        made = typer.Argument(metavar=declared.metavar, help=declared.help)
    return inspect.Parameter(
        parameter.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if parameter.default is REQUIRED else parameter.default,
        annotation=Annotated[parameter.type, made],
    )


def run(command: Any, words: list[str]) -> int:
    """Run a command and return the exit code; usage errors are explained on standard error and return 2.

    Raises what the command raises.
    """
    try:
        with command.make_context(f"{PROGRAM} {command.name}", words) as context:
            command.invoke(context)
    except UsageError as error:
        _suggest(error)
        error.show()
        return 2
    except typer.Exit as exit_:
        return int(exit_.exit_code)
    return 0


def explain(command: Any, error: BadParameter) -> None:
    """Print a wrong value that the command found, with its usage."""
    context = command.make_context(f"{PROGRAM} {command.name}", [], resilient_parsing=True)
    typer.BadParameter(error.reason, ctx=context, param_hint=error.param_hint).show(file=sys.stderr)


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
