"""The digest of a dataset, as computed by the server that wrote it or by another."""

from __future__ import annotations

from rdbtool._codec.sinks.digest import Digest
from rdbtool.core.errors import UncertainError, UnsupportedError, json_name
from rdbtool.core.light_typing import TYPE_CHECKING, Any, NamedTuple
from rdbtool.core.progress import Progress
from rdbtool.core.servers import Rules, RulesChoice
from rdbtool.operations.json_shapes import rules_json, skipped_json, stop_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdbtool._codec.filters.selection import Selection
    from rdbtool.dataset.dataset import Dataset
    from rdbtool.engine.replay.stops import Extent


class DataDigest(NamedTuple):
    """``digest`` is 40 hex digits, over ``keys`` keys by the rules of ``choice``; ``str`` returns it.

    ``doubt`` is what makes it uncertain, and ``remarks`` are notes on the dataset. ``extent`` says where the replay of
    an AOF stopped, and what it skipped.
    """

    digest: str
    choice: RulesChoice
    keys: int
    source: str = ""
    extent: Extent | None = None
    doubt: UncertainError | None = None
    remarks: Sequence[str] = ()

    @property
    def rules(self) -> Rules:
        """The server whose digest it is."""
        return self.choice.rules

    def __str__(self) -> str:
        return self.digest

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``digest --json``."""
        return {
            "schema": 1,
            "source": json_name(self.source),
            "digest": self.digest,
            **rules_json(self.choice),
            "keys": self.keys,
            "stopped_at": stop_json(self.extent),
            "skipped": skipped_json(self.extent),
        }


def compute_digest(
    dataset: Dataset,
    rules: str | None = None,
    *,
    now_ms: int,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> DataDigest:
    """Read a dataset to its end and return its digest; ``now_ms`` (Unix ms) is the time for expiry.

    An AOF was replayed before, by the same rules. ``rules`` is a server's name, None for the writer's. Raises
    ValueError for an unknown name, UnsupportedError for values whose digest is not known, and what reading raises.
    """
    dataset.read_preamble()
    choice = dataset.choice if rules is None else RulesChoice(Rules.parse(rules), "named")
    sink = Digest(choice.rules, now_ms)
    totals = dataset.feed(sink, selection=selection, progress=progress)
    sink.close()
    return DataDigest(
        read_digest(sink, dataset.name),
        choice,
        totals.selected,
        dataset.name,
        dataset.extent,
        dataset.doubt,
        dataset.remarks,
    )


def read_digest(sink: Digest, name: str) -> str:
    """Return the digest of the source that ``sink`` received. Raises UnsupportedError if it is not known."""
    if sink.opaque_keys:
        raise UnsupportedError(
            f"{name}: no digest: {sink.opaque_keys} of the keys hold module values or arrays, "
            "of which only a server can calculate the digest: compare with rdbtool diff"
        )
    return sink.hexdigest()
