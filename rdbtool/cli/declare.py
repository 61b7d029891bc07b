"""What a command accepts: its options and arguments, declared as annotations of its parameters.

Nothing heavy is imported here. ``quick_parser`` reads an ordinary command line by these declarations; help, completions
and everything about a wrong command line come from typer (``typer_app``), which is built from the same ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, NamedTuple, Self, get_type_hints


class Argument:
    """A positional argument, shown as ``metavar``."""

    def __init__(self, *, metavar: str, help: str) -> None:  # noqa: A002 - as typer calls it
        self.metavar = metavar
        self.help = help


class Option:
    """An option by its names, ``--yes/--no`` for the two values of a flag; without any, by that of its parameter.

    Numbers are at least ``min`` and at most ``max``.
    """

    def __init__(
        self,
        *names: str,
        help: str,  # noqa: A002 - as typer calls it
        metavar: str | None = None,
        min: int | None = None,  # noqa: A002 - as typer calls it
        max: int | None = None,  # noqa: A002 - as typer calls it
    ) -> None:
        self.names = names
        self.help = help
        self.metavar = metavar
        self.min = min
        self.max = max


class Group:
    """Options that several commands have: annotated class attributes with defaults, as in a dataclass.

    It is none because ``dataclasses`` imports ``inspect``: 5 ms of every command.
    """

    fields: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        cls.fields = (*cls.fields, *cls.__annotations__)

    def __init__(self, *values: Any, **named: Any) -> None:
        for name, value in (dict(zip(self.fields, values, strict=False)) | named).items():
            setattr(self, name, value)

    def replaced(self, **values: Any) -> Self:
        """Return a copy with other values."""
        return type(self)(**{name: getattr(self, name) for name in self.fields} | values)


class BadParameter(Exception):  # noqa: N818 - a usage error, explained with the usage of the command
    """A wrong value of an option or argument, named by ``param_hint``."""

    def __init__(self, reason: str, *, param_hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.param_hint = param_hint


class Exit(Exception):  # noqa: N818 - not an error
    """The command ends with an exit code."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


#: The default of a parameter that has to be given.
REQUIRED: Final = object()


class Parameter(NamedTuple):
    """A parameter of a command: its type, such as ``list[str] | None``, its default, and its declaration."""

    name: str
    type: Any
    default: Any
    declared: Option | Argument


def declared(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what it accepts as ``parameters``."""
    command.parameters = parameters_of(command)[0]  # type: ignore[attr-defined]
    return command


def parameters_of(command: Callable[..., None]) -> tuple[list[Parameter], dict[str, Any]]:
    """Return what a command accepts, and its groups of options by parameter name.

    A ``Group`` is as many options as it has fields.
    """
    hints = get_type_hints(command, include_extras=True)
    code = command.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    plain = names[: code.co_argcount]
    defaults = dict(zip(reversed(plain), reversed(command.__defaults__ or ()), strict=False))
    defaults |= command.__kwdefaults__ or {}
    groups: dict[str, Any] = {}
    found: list[Parameter] = []
    for name in names:
        hint = hints[name]
        if isinstance(hint, type) and issubclass(hint, Group):
            groups[name] = hint
            inner = get_type_hints(hint, include_extras=True)
            found += [parameter_of(field, inner[field], getattr(hint, field)) for field in hint.fields]
        else:
            found.append(parameter_of(name, hint, defaults.get(name, REQUIRED)))
    return found, groups


def parameter_of(name: str, hint: Any, default: Any) -> Parameter:
    """Return a parameter; its hint is ``Annotated[type, declaration]``."""
    return Parameter(name, hint.__origin__, default, hint.__metadata__[0])
