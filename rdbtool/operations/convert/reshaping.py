"""Changes to keys on the way to an output: renames, database moves, expiry shifts.

Filters match keys as they are in the input; what is written, and verified, is the result of these changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rdbtool.core.light_typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from rdbtool._codec.filters.expiries import Expiry
    from rdbtool._codec.filters.relocate import Relocate
    from rdbtool._codec.sink import Sink

Plan = Literal["keep", "drop", "shift", "unexpired"]

#: Ways to treat expiry times, besides shifting them.
EXPIRIES: Final[tuple[Plan, ...]] = ("keep", "drop", "unexpired")

_ESCAPE: Final = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)


class Rename(NamedTuple):
    """A regular expression, and the replacement (a template of ``re``) for its matches in a key."""

    pattern: re.Pattern[bytes]
    text: bytes

    @classmethod
    def parse(cls, pattern: re.Pattern[bytes], text: bytes) -> Rename:
        r"""Parse ``text``: ``\1`` and ``\g<name>`` for groups, ``\xHH`` and ``\\`` for bytes. Raises ValueError."""
        template = _ESCAPE.sub(_byte, text)
        try:
            # A group that does not exist is an error even if nothing matches.
            pattern.sub(template, b"")
        except (re.error, IndexError) as error:
            raise ValueError(f"{text.decode(errors='backslashreplace')!r}: {error}") from None
        return cls(pattern, template)

    def of(self, key: bytes) -> bytes:
        """Return the new name of a key. An empty match directly after another does not count, as in sed."""
        matches = list(self.pattern.finditer(key))
        kept = [
            row for row, last in zip(matches, [None, *matches], strict=False) if last is None or row.end() > last.end()
        ]
        if len(kept) == len(matches):
            return self.pattern.sub(self.text, key)  # parses the replacement once, not per key
        pieces = []
        done = 0
        for match in kept:
            pieces += [key[done : match.start()], match.expand(self.text)]
            done = match.end()
        return b"".join([*pieces, key[done:]])


def _byte(match: re.Match[bytes]) -> bytes:
    if match[1] is None:
        return match[0]
    byte = bytes([int(match[1], 16)])
    return b"\\\\" if byte == b"\\" else byte


class Reshaping(NamedTuple):
    """Changes to keys. ``now_ms`` (Unix ms) is the time for expiry; ``shift_ms`` moves expiry times.

    ``renames`` are applied one after another, ``moves`` maps databases.
    """

    expiry: Plan = "keep"
    shift_ms: int = 0
    now_ms: int = 0
    renames: tuple[Rename, ...] = ()
    moves: Mapping[int, int] | None = None

    @property
    def changes_values(self) -> bool:
        """Whether a value may differ from the stored one: field expiry times are part of the value."""
        return self.expiry != "keep"

    @property
    def changes_sizes(self) -> bool:
        """Whether the numbers of keys, and of keys with an expiry, may change in a database."""
        return self.expiry in {"drop", "unexpired"} or bool(self.renames or self.moves)

    def wrap(self, sink: Sink) -> tuple[Sink, Relocate | None, Expiry | None]:
        """Return a sink that passes reshaped keys on to ``sink``, and its filters: moved keys, and expired ones."""
        relocate = expiry = None
        if self.renames or self.moves:
            from rdbtool._codec.filters.relocate import Relocate  # noqa: PLC0415 - a shared library, rarely needed

            sink = relocate = Relocate(sink, rename=self._rename if self.renames else None, moves=self.moves or {})
        if self.expiry != "keep":
            from rdbtool._codec.filters.expiries import Expiry  # noqa: PLC0415 - likewise

            sink = expiry = Expiry(sink, self.expiry, shift_ms=self.shift_ms, now_ms=self.now_ms)
        return sink, relocate, expiry

    def _rename(self, key: bytes) -> bytes:
        for rename in self.renames:
            key = rename.of(key)
        return key
