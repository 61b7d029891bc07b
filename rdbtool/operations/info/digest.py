"""The digest of a dataset, by the rules of the server that wrote it or of another.

A file names its writer in front of its first key. So the first key is read before it is known whose digest to
compute, and then told to the sink by hand; all the others go the fast way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.replay_record import feed_record
from rdbtool._codec.sinks.digest import Digest
from rdbtool.core.errors import UnsupportedError
from rdbtool.core.servers import Rules, RulesChoice

if TYPE_CHECKING:
    from rdbtool.dataset.keys import KeySource


class DataDigest(NamedTuple):
    """``digest`` is 40 hex digits, computed over ``keys`` keys by the rules of ``choice``."""

    digest: str
    choice: RulesChoice
    keys: int

    @property
    def rules(self) -> Rules:
        """Whose digest it is."""
        return self.choice.rules


def compute_digest(
    reader: KeySource,
    rules: str | None = None,
    *,
    now_ms: int,
    selection: Selection | None = None,
    progress: Callable[[int], object] | None = None,
) -> DataDigest:
    """Read a file to its end and return the digest of its data; ``now_ms`` is when (Unix ms).

    A log was replayed, by the same rules, before it gets here.

    ``rules`` is a server's name, None for the writer's. Raises ValueError for another name,
    UnsupportedError where the data holds values whose digest is not known, and what reading raises.
    """
    first = list(reader.records(selection=Selection(limit=1)))
    choice = reader.choice if rules is None else RulesChoice(Rules.parse(rules), "named")
    sink = Digest(choice.rules, now_ms)
    taken = [record for record in first if selection is None or selection.take(record)]
    for record in taken:
        feed_record(record, sink)
    totals = reader.feed(sink, selection=selection, progress=progress)
    sink.close()
    return DataDigest(read_digest(sink, reader.source.name), choice, totals.selected - len(first) + len(taken))


def read_digest(sink: Digest, name: str) -> str:
    """Return the digest of a source that ``sink`` has heard. Raises UnsupportedError where it is not known."""
    if sink.opaque_keys:
        raise UnsupportedError(
            f"{name}: no digest: {sink.opaque_keys} of the keys hold modules' values or arrays, "
            "which only their server can sum up"
        )
    return sink.hexdigest()
