"""Strings of the keyspace: reading them, and changing them without a copy for every bit.

A string is ``bytes`` until a command changes a part of it while it is long; from then on it is ``StringData``,
so that a log of a million SETBITs to one bitmap does not copy the bitmap a million times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdbtool.engine.command_errors import CommandError, UnknownEffectError, WrongTypeError
from rdbtool.engine.keyspace import Db
from rdbtool.engine.values import StringData

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

#: The longest string that is kept here: it protects from ``SETBIT key 2^60 1``. Redis before 7.0 has the same bound.
MAX_STRING: Final = 512 << 20

#: Strings up to this size are ``bytes`` always: a copy costs nothing, and they take less room.
SHORT: Final = 1024


def find_string(db: Db, key: bytes) -> bytes | StringData | None:
    """Return a string as it is stored, None if there is none. Do not change it. Raises WrongTypeError."""
    value = db.keys.get(key)
    if value is None or type(value) is bytes or type(value) is StringData:
        return value
    raise WrongTypeError


def read_string(db: Db, key: bytes) -> bytes | None:
    """Return a string as bytes, None if there is none. Raises WrongTypeError."""
    value = find_string(db, key)
    return bytes(value) if isinstance(value, StringData) else value


def open_string(value: bytes | StringData | None, size: int = 0) -> StringData:
    """Return a string for changing, padded with zeros to ``size`` bytes. ``store_string`` is to follow."""
    data = value if type(value) is StringData else StringData(value or b"")
    if len(data) < size:
        data.extend(bytes(size - len(data)))
    return data


def store_string(db: Db, key: bytes, data: StringData) -> None:
    """Make a changed string the value of a key, whose expiry stays."""
    db.keys[key] = bytes(data) if len(data) <= SHORT else data


def check_size(engine: Engine, size: int) -> None:
    """Raise CommandError if a string would become too long."""
    if size > MAX_STRING:
        refuse_size(engine, "ERR string exceeds maximum allowed size (proto-max-bulk-len)")


def refuse_size(engine: Engine, error: str) -> None:
    """Raise what comes of a command that makes a string longer than ``MAX_STRING``.

    Redis before 7.0 answers with an error. Later servers bound what clients send, and not what an AOF holds.
    """
    if engine.rules.has((7, 0)):
        raise UnknownEffectError("the string becomes longer than the 512 MB that rdbtool keeps")
    raise CommandError(error)
