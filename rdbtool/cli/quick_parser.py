"""Read an ordinary command line without typer, whose import takes as long as the rest of a short command.

It declines and never explains: for anything but plain options and arguments with valid values it returns None, and
typer reads the same words. ``tests/cli/test_quick_parser.py`` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rdbtool.cli.declare import REQUIRED, Argument, Option, Parameter

#: Types whose values are numbers, and those that collect all values.
_NUMBERS: Final = (int, int | None, list[int] | None)
_LISTS: Final = (list[str], list[str] | None, list[int] | None)
_FLAGS: Final = (bool, bool | None)


def parse(parameters: Sequence[Parameter], words: Sequence[str]) -> dict[str, Any] | None:
    """Return the values of all parameters by name, None if the words are not ordinary."""
    options = _options_by_name(parameters)
    values: dict[str, Any] = {}
    plain: list[str] = []
    rest = iter(words)
    for word in rest:
        if word[:1] != "-" or word == "-":
            plain.append(word)
        elif not _take_option(options, word, rest, values):
            return None
    if not _take_arguments(parameters, plain, values):
        return None
    for parameter in parameters:
        if values.setdefault(parameter.name, parameter.default) is REQUIRED:
            return None
    return values


def _options_by_name(parameters: Sequence[Parameter]) -> dict[str, tuple[Parameter, bool]]:
    """Return the options by each of their names, and what a flag of this name means."""
    found: dict[str, tuple[Parameter, bool]] = {}
    for parameter in parameters:
        if isinstance(parameter.declared, Option):
            for names in parameter.declared.names or (f"--{parameter.name.replace('_', '-')}",):
                yes, _, no = names.partition("/")
                found[yes] = parameter, True
                if no:
                    found[no] = parameter, False
    return found


def _take_option(
    options: dict[str, tuple[Parameter, bool]], word: str, rest: Iterator[str], values: dict[str, Any]
) -> bool:
    """Give an option its value, which may be the next of the ``rest``; return whether it is an ordinary one."""
    name, equals, text = word.partition("=")
    if name not in options or (equals and name[:2] != "--"):
        return False
    parameter, meaning = options[name]
    if parameter.type in _FLAGS:
        values[parameter.name] = meaning
        return not equals
    if not equals:
        text = next(rest, "--")
        if text[:1] == "-" and text != "-":
            return False
    value = _value(parameter, text)
    if parameter.type in _LISTS:
        values.setdefault(parameter.name, []).append(value)
    else:
        values[parameter.name] = value
    return value is not None


def _value(parameter: Parameter, text: str) -> str | int | None:
    """Return the value that a text stands for, None if it is no ordinary one."""
    if parameter.type not in _NUMBERS:
        return text
    declared = parameter.declared
    if not text.isdecimal() or not text.isascii() or not isinstance(declared, Option):
        return None
    number = int(text)
    if number < (declared.min or 0) or (declared.max is not None and number > declared.max):
        return None
    return number


def _take_arguments(parameters: Sequence[Parameter], plain: list[str], values: dict[str, Any]) -> bool:
    """Give arguments their values; return whether each has one, and nothing is left."""
    arguments = [parameter for parameter in parameters if isinstance(parameter.declared, Argument)]
    if not all(plain):
        return False
    for parameter in arguments:
        if parameter.type in _LISTS:
            values[parameter.name], plain = plain, []
            if not values[parameter.name]:
                return False
        elif plain:
            values[parameter.name], *plain = plain
    return not plain
