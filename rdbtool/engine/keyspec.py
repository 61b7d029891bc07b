"""Which arguments of a command are keys (format D1): what ``history`` looks for and findings name.

Where they stand is in the command table; here is how each of its forms is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from rdbtool.core.commands import COMMANDS, CONTAINERS
from rdbtool.core.light_typing import Final
from rdbtool.engine.wrapped import RREPLAY, unwrap

_Finder = Callable[[Sequence[bytes]], list[bytes]]


def _between(first: int, last: int, step: int) -> _Finder:
    """Keys from one argument to another, which is counted from the end where it is negative."""

    def find(argv: Sequence[bytes]) -> list[bytes]:
        return list(argv[first : last + 1 if last >= 0 else len(argv) + last + 1 : step])

    return find


def _counted(first: int, count_at: int, step: int) -> _Finder:
    """Keys, each with what follows it, that a count precedes, and ``first`` keys at the beginning."""

    def find(argv: Sequence[bytes]) -> list[bytes]:
        keys = list(argv[1 : 1 + first])
        if len(argv) > count_at and argv[count_at].isdigit():
            keys += argv[count_at + 1 : count_at + 1 + step * int(argv[count_at][:9]) : step]
        return keys

    return find


def _with_store(argv: Sequence[bytes]) -> list[bytes]:
    """Return the first key, and the destination after STORE or STOREDIST."""
    keys = list(argv[1:2])
    for index, word in enumerate(argv[:-1]):
        if index > 1 and word.upper() in (b"STORE", b"STOREDIST"):
            keys.append(argv[index + 1])
    return keys


def _streams(argv: Sequence[bytes]) -> list[bytes]:
    """Return the first half of what follows STREAMS."""
    for index, word in enumerate(argv):
        if word.upper() == b"STREAMS":
            rest = argv[index + 1 :]
            return list(rest[: len(rest) // 2])
    return []


def _migrated(argv: Sequence[bytes]) -> list[bytes]:
    """Return the third argument, or where it is empty what follows KEYS."""
    if len(argv) > 3 and argv[3]:
        return [argv[3]]
    for index, word in enumerate(argv):
        if word.upper() == b"KEYS":
            return list(argv[index + 1 :])
    return []


_FORMS: Final[dict[str, _Finder]] = {"1+store": _with_store, "streams": _streams, "migrate": _migrated}


@cache
def _finder(keys: str) -> _Finder:
    """Return what finds the keys at the positions that a row of the command table names."""
    if keys in _FORMS:
        return _FORMS[keys]
    form, _, number = keys.partition(":")
    if form == "numpairs":
        return _counted(0, int(number), 2)
    if form.endswith("numkeys"):
        return _counted(1 if form.startswith("1+") else 0, int(number), 1)
    return _between(*_positions(keys))


def _positions(keys: str) -> tuple[int, int, int]:
    """Return first, last and step of the keys in a row of the command table that has no other form."""
    first, last, step, *_ = (*map(int, keys.split(":")), 0, 0)
    return first, last or first, step or 1


@cache
def fixed_positions(keys: str) -> tuple[int, int, int]:
    """Return first, last and step of the keys in a row of the command table; a step of 0 where none are fixed."""
    return _positions(keys) if keys.replace(":", "").replace("-", "").isdigit() else (0, 0, 0)


def command_name(argv: Sequence[bytes]) -> bytes:
    """Return the upper-case name of a command, with its subcommand where it has one."""
    name = argv[0].upper()
    if name in CONTAINERS and len(argv) > 1:
        name += b" " + argv[1].upper()
    return name


def is_called(argv: Sequence[bytes], name: bytes) -> bool:
    """Whether a command is called ``name`` (upper case), which may be that of a container without a subcommand.

    An RREPLAY is called what the commands are that it holds, too.
    """
    written = argv[0].upper()
    if written == RREPLAY and name != RREPLAY:
        return any(inner[0].upper() == name or command_name(inner) == name for inner in unwrap(argv))
    return written == name or command_name(argv) == name


def keys_of(argv: Sequence[bytes]) -> list[bytes]:
    """Return the keys that a command names, in the order of its arguments; none for an unknown one."""
    name = command_name(argv)
    if name == RREPLAY:
        return [key for inner in unwrap(argv) for key in keys_of(inner)]
    row = COMMANDS.get(name)
    return [] if row is None or not row.keys else _finder(row.keys)(argv)
