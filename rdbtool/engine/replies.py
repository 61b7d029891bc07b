"""What commands answer, in the shapes of RESP2.

A status and a bulk string are ``bytes``, an integer is ``int``, nil (of an array, too) is None, an array is a list; an
error is raised. RESP2 has no doubles: a score is a bulk string. A replay has no use for replies, so a handler returns
only what costs next to nothing; an answer that has to be built is a function, which ``Engine.execute`` calls at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from rdbtool.core.servers import Rules
from rdbtool.engine.streams.data import U64, StreamData
from rdbtool.engine.values import shortest_text

Reply: TypeAlias = "bytes | int | list[Reply] | None"

#: Builds a reply out of the keyspace as the command left it: it is called before anything else changes, or never.
Later: TypeAlias = Callable[[], Reply]

OK: Final = b"OK"


def show_score(score: float, rules: Rules) -> bytes:
    """Return a score as a server of these rules answers it."""
    return shortest_text(score) if rules.has_shortest_doubles else b"%.17g" % score


def show_id(entry_id: int) -> bytes:
    """Return the text of a stream ID."""
    return b"%d-%d" % (entry_id >> 64, entry_id & U64)


def show_entry(stream: StreamData, entry_id: int) -> list[Reply]:
    """Return the ID of an entry with its fields and values, None instead of these where it was deleted."""
    fields = stream.find(entry_id)
    return [show_id(entry_id), None if fields is None else list(fields)]
