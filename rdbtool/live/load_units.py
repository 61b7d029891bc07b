"""Encoded commands as units: the commands that create one key, a function library or a script.

A unit can be sent twice without an effect of its own: it begins by replacing what is there.
"""

from __future__ import annotations

from collections.abc import Callable

from rdbtool.core.light_typing import Final, NamedTuple

#: Commands that belong to no key.
_BESIDE: Final = frozenset({b"FUNCTION", b"SCRIPT"})

#: The position of the key in commands where it is not the first argument.
_KEY_AT: Final = {b"XGROUP": 2}

#: The position of the first option of RESTORE.
_RESTORE_OPTIONS: Final = 4


class LoadUnit(NamedTuple):
    """The commands that create one key, a library or a script (``key`` None)."""

    db: int
    key: bytes | None
    commands: tuple[tuple[bytes, ...], ...]

    def words(self, *, replace: bool) -> tuple[tuple[bytes, ...], ...]:
        """Return the commands, a RESTORE with REPLACE only if existing keys are to be replaced."""
        first = self.commands[0]
        if replace or len(self.commands) > 1 or first[0] != b"RESTORE":
            return self.commands
        return (tuple(word for at, word in enumerate(first) if at < _RESTORE_OPTIONS or word != b"REPLACE"),)


class UnitSplitter:
    """Splits encoded commands, which arrive in pieces of any size, into units and passes each to ``put``."""

    def __init__(self, put: Callable[[LoadUnit, int], None]) -> None:
        self._put = put
        self._rest = b""
        self._db = 0
        self._open: list[tuple[bytes, ...]] = []
        self._key: bytes | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        """Take the next piece."""
        data = self._rest + bytes(data)
        at = 0
        while (found := _read_command(data, at)) is not None:
            words, at = found
            self._add(words)
        self._rest = data[at:]

    def end(self) -> None:
        """Pass on the last unit."""
        if self._open:
            self._put(LoadUnit(self._db, self._key, tuple(self._open)), self._size)
            self._open = []
            self._key = None
            self._size = 0

    def _add(self, words: tuple[bytes, ...]) -> None:
        name = words[0]
        if name == b"SELECT":
            self.end()
            self._db = int(words[1])
            return
        key = None if name in _BESIDE else words[_KEY_AT.get(name, 1)]
        if key is None or key != self._key or name in {b"RESTORE", b"DEL"}:
            self.end()
        self._key = key
        self._open.append(words)
        self._size += sum(map(len, words))
        if key is None:
            self.end()


def _read_command(data: bytes, at: int) -> tuple[tuple[bytes, ...], int] | None:
    """Return the arguments of the command at an offset, and where it ends; None if it is incomplete."""
    end = data.find(b"\r\n", at)
    if end < 0:
        return None
    words = []
    count = int(data[at + 1 : end])
    at = end + 2
    for _ in range(count):
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        size = int(data[at + 1 : end])
        at = end + 2 + size + 2
        if at > len(data):
            return None
        words.append(data[end + 2 : at - 2])
    return tuple(words), at
