"""A difference inside a key, in one shape for all types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

from rdbtool.core.errors import json_bytes
from rdbtool.core.light_typing import Any, Final, Literal, NamedTuple, TypeVar
from rdbtool.model import PendingEntry, StreamGroup, StreamID

#: Only in the second dataset, only in the first one, or in both and different.
Sign = Literal["+", "-", "~"]

#: Their names in JSON.
CHANGES: Final = {"+": "added", "-": "removed", "~": "changed"}

#: One side of a difference: bytes of a value, a score, a number or time (Unix ms), the fields of an entry, and so on.
Datum = bytes | float | int | str | StreamID | tuple[tuple[bytes, bytes], ...] | PendingEntry | StreamGroup | None

#: The name of a part: a field, a member, a consumer; an index; the ID of an entry. None: there is only one.
Name = bytes | int | StreamID | None

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Change(NamedTuple):
    """One difference inside a key.

    ``what`` is a word such as ``field``, ``member`` or ``expires``; ``before`` is the first dataset's side, ``after``
    the second's, None if missing. ``group`` is the consumer group that the part belongs to.
    """

    sign: Sign
    what: str
    name: Name = None
    before: Datum = None
    after: Datum = None
    group: bytes | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the object for ``diff --json``."""
        shown: dict[str, Any] = {"change": CHANGES[self.sign], "what": self.what}
        if self.group is not None:
            shown["group"] = json_bytes(self.group)
        if self.name is not None:
            shown["name"] = _datum_json(self.name)
        # Members of a set have only a name.
        for side, datum in (("before", self.before), ("after", self.after)):
            if datum is not None or self.sign == "~":
                shown[side] = _datum_json(datum)
        return shown


def _datum_json(datum: Datum) -> Any:
    shown: Any = datum
    match datum:
        case bytes():
            shown = json_bytes(datum)
        case float():
            shown = datum if abs(datum) < float("inf") else str(datum)
        case StreamID():
            shown = f"{datum.ms}-{datum.seq}"
        case tuple():
            shown = [[json_bytes(name), json_bytes(data)] for name, data in datum]
        case PendingEntry():
            owner = None if datum.consumer is None else json_bytes(datum.consumer)
            shown = [_datum_json(datum.id), owner, datum.delivered_at_ms, datum.delivery_count]
        case StreamGroup():
            shown = {
                "last_id": _datum_json(datum.last_id),
                "entries_read": datum.entries_read,
                "consumers": [json_bytes(consumer.name) for consumer in datum.consumers],
                "pending": [_datum_json(entry) for entry in datum.pending],
            }
    return shown


def are_near(first: int | None, second: int | None, tolerance_ms: int) -> bool:
    """Return whether two times (Unix ms, None: never) count as equal; with a tolerance of -1 all do."""
    if first == second or tolerance_ms < 0:
        return True
    return first is not None and second is not None and abs(first - second) <= tolerance_ms


def match_names(
    first: Mapping[_K, _V], second: Mapping[_K, _V], are_same: Callable[[_V, _V], bool]
) -> Iterator[tuple[Sign, _K, _V | None, _V | None]]:
    """Yield the differences between two mappings: only in the first, in both, only in the second."""
    for name, before in first.items():
        if name not in second:
            yield "-", name, before, None
    for name, after in second.items():
        if name not in first:
            yield "+", name, None, after
        elif not are_same(first[name], after):
            yield "~", name, first[name], after


def find_repeats(first: Sequence[Hashable], second: Sequence[Hashable]) -> Iterator[Change]:
    """Yield differing numbers of duplicate names: servers write no duplicates, but damaged files may have them."""
    if len(set(first)) == len(first) and len(set(second)) == len(second):
        return
    again = [Counter(names) - Counter(set(names)) for names in (first, second)]
    if again[0] != again[1]:
        yield Change("~", "repeats", None, again[0].total(), again[1].total())
