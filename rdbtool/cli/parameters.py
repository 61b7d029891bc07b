"""Options and arguments of commands: how they are declared, and how a plain command line is read.

A command is a function whose annotations declare its parameters, such as ``Annotated[str, Option("--output", ...)]``.
typer builds its commands from the same declarations (:mod:`rdbtool.cli.typer_commands`): it prints help, explains wrong
usage, and reads every command line that is not plain. Its import takes longer than a dump of a small file, so plain
command lines are read here.
"""

from __future__ import annotations

import sys

from rdbtool.core.light_tools import cache
from rdbtool.core.light_typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    NamedTuple,
    Self,
    dataclass_transform,
    get_args,
    get_origin,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: The default of a required parameter.
REQUIRED: Final = object()

#: The types of ``int | None`` and of ``None``, which are ``types.UnionType`` and ``types.NoneType``.
_Union: Final = type(int | None)
_Nothing: Final = type(None)


class Option:
    """An option: its names, placeholder and help; ``minimum`` and ``maximum`` of a number.

    A name with a slash, such as ``--expired/--no-expired``, has one name for true and one for false.
    """

    __slots__ = ("help", "maximum", "metavar", "minimum", "names")

    def __init__(
        self,
        *names: str,
        help: str,  # noqa: A002 - what typer calls it
        metavar: str | None = None,
        minimum: int | None = None,
        maximum: int | None = None,
    ) -> None:
        self.names = names
        self.help = help
        self.metavar = metavar
        self.minimum = minimum
        self.maximum = maximum


class Argument:
    """A positional argument: its placeholder and help."""

    __slots__ = ("help", "metavar")

    def __init__(self, *, metavar: str, help: str) -> None:  # noqa: A002 - what typer calls it
        self.metavar = metavar
        self.help = help


class Parameter(NamedTuple):
    """A parameter of a command, or of a group of options: ``type`` is its type hint without the declaration.

    A parameter that is a group of options has no declaration.
    """

    name: str
    type: Any
    declaration: Option | Argument | None
    default: Any


@dataclass_transform(kw_only_default=True)
class OptionGroup:
    """Options that several commands take as one parameter: a subclass declares each as a field with a default.

    It is like a dataclass; their module takes too long to import.
    """

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values."""
        return type(self)(**{**vars(self), **changes})


class UsageError(Exception):
    """A command line that cannot be executed; ``parameter`` names the options or arguments at fault."""

    def __init__(self, message: str, *, parameter: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class Exit(Exception):  # noqa: N818 - not an error: the answer has been printed
    """Ends a command with an exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def command_function(name: str) -> Callable[..., None]:
    """Import the module of a command and return the function of its name."""
    attribute = name.replace("-", "_")
    # Not by importlib, which takes half a millisecond to import.
    module = __import__(f"rdbtool.cli.{attribute}", fromlist=[attribute])
    function: Callable[..., None] = getattr(module, attribute)
    return function


@cache
def parameters_of(declaring: Callable[..., Any]) -> list[Parameter]:
    """Return the parameters of a command, or of a class of ``OptionGroup``."""
    known: list[Parameter] | None = getattr(declaring, "parameters", None)
    if known is not None:
        return known
    hints = _hints(declaring)
    defaults = _defaults(declaring)
    return [Parameter(name, *_split(hint), defaults.get(name, REQUIRED)) for name, hint in hints.items()]


def _hints(declaring: Any) -> dict[str, Any]:
    """Return the type hints of a function's parameters, or of a class's fields, by name."""
    hints = {}
    for part in reversed(declaring.__mro__[:-1]) if isinstance(declaring, type) else (declaring,):
        scope = vars(sys.modules[part.__module__])
        for name, hint in part.__annotations__.items():
            if name != "return":
                hints[name] = eval(hint, scope) if isinstance(hint, str) else hint  # noqa: S307 - our own source
    return hints


def _defaults(declaring: Any) -> dict[str, Any]:
    """Return the defaults of a function's parameters, or of a class's fields, by name."""
    if isinstance(declaring, type):
        return {name: value for base in reversed(declaring.__mro__) for name, value in vars(base).items()}
    positional = declaring.__code__.co_varnames[: declaring.__code__.co_argcount]
    return {
        **dict(zip(reversed(positional), reversed(declaring.__defaults__ or ()), strict=False)),
        **(declaring.__kwdefaults__ or {}),
    }


def _split(hint: Any) -> tuple[Any, Option | Argument | None]:
    """Split a type hint from the declaration in it."""
    return (hint.__origin__, hint.__metadata__[0]) if get_origin(hint) is Annotated else (hint, None)


def plain_values(parameters: Sequence[Parameter], words: Sequence[str]) -> dict[str, Any] | None:
    """Return the values that a plain command line gives by parameter name, None if it is not plain.

    Plain is: options by their full names, once unless they are repeatable, followed by a value that does not look like
    an option; numbers in digits and in range; and as many arguments as the command takes.
    """
    values = {parameter.name: parameter.default for parameter in parameters}
    arguments = [parameter for parameter in parameters if isinstance(parameter.declaration, Argument)]
    options = _by_name(parameters)
    given: set[str] = set()
    positional: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if not _is_option(word):
            positional.append(word)
            continue
        name, has_value, text = word.partition("=") if word.startswith("--") else (word, "", "")
        if name not in options:
            return None
        parameter, is_on = options[name]
        kind, is_multiple = _kind(parameter.type)
        value: str | int | None = is_on
        if kind is not bool:
            value = _value(text if has_value else next(waiting, "--"), kind, parameter.declaration)
        elif has_value:
            return None
        if value is None or (parameter.name in given and not is_multiple):
            return None
        values[parameter.name] = [*(values[parameter.name] or ()), value] if is_multiple else value
        given.add(parameter.name)
    if len(arguments) == 1 and _kind(arguments[0].type)[1]:
        values[arguments[0].name] = positional or REQUIRED
    elif len(positional) > len(arguments):
        return None
    else:
        values.update(zip((argument.name for argument in arguments), positional, strict=False))
    return None if REQUIRED in values.values() else values


def _by_name(parameters: Sequence[Parameter]) -> dict[str, tuple[Parameter, bool]]:
    """Return options by their names, with what they mean if they are flags."""
    found = {}
    for parameter in parameters:
        if isinstance(parameter.declaration, Option):
            for name in parameter.declaration.names:
                on, _, off = name.partition("/")
                found[on] = (parameter, True)
                if off:
                    found[off] = (parameter, False)
    return found


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _kind(hint: Any) -> tuple[type, bool]:
    """Return the type of a value, and whether the parameter is repeatable."""
    if isinstance(hint, _Union):
        hint = next(kind for kind in get_args(hint) if kind is not _Nothing)
    return (get_args(hint)[0], True) if get_origin(hint) is list else (hint, False)


def _value(text: str, kind: type, option: Any) -> str | int | None:
    """Return the value of an option that is written as ``text``, None if it is not plain."""
    if _is_option(text):
        return None
    if kind is str:
        return text
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    number = int(text)
    is_below = option.minimum is not None and number < option.minimum
    return None if is_below or (option.maximum is not None and number > option.maximum) else number
