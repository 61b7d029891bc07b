"""What commands answer, in the shapes of RESP2.

A status and a bulk string are ``bytes``, an integer is ``int``, nil (of an array, too) is None, an array is a list; an
error is raised. RESP2 has no doubles: a score is a bulk string. A replay has no use for replies, so a handler returns
only what costs next to nothing; an answer that has to be built is a function, which ``Engine.execute`` calls at once.
"""

from __future__ import annotations

from collections.abc import Callable

from rdbtool.core.light_typing import Final, TypeAlias
from rdbtool.core.servers import Rules
from rdbtool.engine.streams.data import StreamData
from rdbtool.engine.streams.ids import show_id
from rdbtool.engine.values import shortest_text

Reply: TypeAlias = "bytes | int | list[Reply] | None"

#: Builds a reply out of the keyspace as the command left it: it is called before anything else changes, or never.
Later: TypeAlias = Callable[[], Reply]

OK: Final = b"OK"

#: Up to here servers with shortest doubles print a whole number as an integer.
_LAST_LONG: Final = float(1 << 62)


def show_score(score: float, rules: Rules) -> bytes:
    """Return a score as a server of these rules answers it."""
    if not rules.has_shortest_doubles:
        return b"%.17g" % score
    is_long = score.is_integer() and 0 < abs(score) <= _LAST_LONG
    return b"%d" % int(score) if is_long else shortest_text(score)


def show_entry(stream: StreamData, entry_id: int) -> list[Reply]:
    """Return the ID of an entry with its fields and values, None instead of these where it was deleted."""
    fields = stream.find(entry_id)
    return [show_id(entry_id), None if fields is None else list(fields)]
