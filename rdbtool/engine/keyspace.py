"""The keyspace: numbered databases of keys, and what every command needs of one.

Expiry is stored and never applied here: while a server loads a log no key expires. ``now_ms`` of the
engine serves the few commands with relative times and the few rules that depend on the clock.
"""

from __future__ import annotations

from typing import TypeVar

from rdbtool._codec.collector import untrack
from rdbtool.engine.errors import WrongTypeError

_V = TypeVar("_V")


class Db:
    """One database: ``keys`` maps key to value, ``expires`` key to Unix ms for the keys that expire."""

    __slots__ = ("expires", "keys")

    def __init__(self) -> None:
        self.keys: dict[bytes, object] = {}
        self.expires: dict[bytes, int] = {}

    def find(self, key: bytes, kind: type[_V]) -> _V | None:
        """Return the value of a key, None if there is none. Raises WrongTypeError if it is of another type."""
        value = self.keys.get(key)
        if value is None:
            return None
        if type(value) is not kind:
            raise WrongTypeError
        return value

    def find_or_make(self, key: bytes, kind: type[_V]) -> _V:
        """Return the value of a key; where there is none, add an empty one. Raises WrongTypeError."""
        value = self.keys.get(key)
        if value is None:
            self.keys[key] = made = untrack(kind())
            return made
        if type(value) is not kind:
            raise WrongTypeError
        return value

    def replace(self, key: bytes, value: object) -> None:
        """Set a key to a new value; an expiry is gone."""
        self.keys[key] = value
        if self.expires:
            self.expires.pop(key, None)

    def delete(self, key: bytes) -> bool:
        """Remove a key and its expiry; return whether it was there."""
        if self.expires:
            self.expires.pop(key, None)
        return self.keys.pop(key, None) is not None

    def drop_if_empty(self, key: bytes, value: object) -> None:
        """Remove a key whose collection ran empty (streams stay, and never come here)."""
        if not value:
            self.delete(key)

    def clear(self) -> None:
        """Remove all keys."""
        self.keys.clear()
        self.expires.clear()
