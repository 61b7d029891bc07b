"""The result of an inspection: the trees of a file's items, and why reading stopped.

In JSON a node is ``{"start", "stop", "name", "value", "children"}``; ``value`` is a string, a number, a base64 object
(bytes that are not UTF-8) or null, and ``"inner": true`` marks offsets within a decompressed string.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rdbtool.core.errors import FormatError, RdbToolError, clean, json_bytes, json_name
from rdbtool.core.light_typing import Any, Final
from rdbtool.grammar import Node
from rdbtool.model import KeyRecord
from rdbtool.operations.json_shapes import finding_json
from rdbtool.reader.inspect.rdb import Traced

#: Parts of an entry without meaning beyond their bytes.
_PLAIN_PARTS: Final = ("encoding", "prevlen", "backlen", "free")


@dataclass(frozen=True)
class Inspection:
    """The items of a file as trees, in file order; iterating yields them.

    ``error`` is why reading stopped, None if it reached the end: a FormatError is damage.
    """

    source: str
    items: Sequence[Traced]

    def __iter__(self) -> Iterator[Traced]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Traced:
        return self.items[index]

    @property
    def error(self) -> RdbToolError | None:
        """The error that ended reading."""
        return self.items[-1].trace.error if self.items else None

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``inspect --json``."""
        damage = error = None
        if self.items:
            damage, error = error_json(self.items[-1], self.source)
        return {
            "schema": 1,
            "source": json_name(self.source),
            "items": [item_json(item) for item in self.items],
            "damage": damage,
            "error": error,
        }


def item_json(item: Traced) -> dict[str, Any]:
    """Return an item as JSON: its tree, and the number of its record or command."""
    described = _node_json(item.trace.node)
    if isinstance(item.trace.item, KeyRecord):
        described |= {"record": item.record, "db": item.db, "key": json_bytes(item.trace.item.key)}
    if item.part:
        described["part"] = json_name(item.part)
    if item.command is not None:
        described |= {"command": item.command, "db": item.db}
    return described


def error_json(last: Traced, source: str) -> tuple[dict[str, Any] | None, str | None]:
    """Return the damage at the last item as a finding, and what this release cannot read there as a sentence."""
    error = last.trace.error
    if isinstance(error, FormatError):
        return finding_json(error, last.part or source), None
    return None, None if error is None else clean(str(error))


def is_plain_part(node: Node) -> bool:
    """Return whether a node is a part of an entry without meaning beyond its bytes."""
    return isinstance(node.value, bytes) and node.name in _PLAIN_PARTS


def _node_json(node: Node) -> dict[str, Any]:
    described: dict[str, Any] = {
        "start": node.start,
        "stop": node.stop,
        "name": node.name,
        "value": None if is_plain_part(node) else _value_json(node.value),
    }
    if node.note:
        described["note"] = node.note
    if node.inner:
        described["inner"] = True
    if node.children:
        described["children"] = [_node_json(child) for child in node.children]
    return described


def _value_json(value: bytes | float | str | None) -> object:
    """JSON has no infinities and no NaN: their names are used."""
    if isinstance(value, bytes):
        return json_bytes(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
