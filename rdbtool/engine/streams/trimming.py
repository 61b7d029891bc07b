"""Trimming streams: exactly, or by whole nodes of the server's (XADD and XTRIM)."""

from __future__ import annotations

from itertools import chain, islice
from typing import Final, NamedTuple

from rdbtool.engine.command_errors import UnknownEffectError
from rdbtool.engine.streams.arguments import ACKED, DELREF, KEEPREF
from rdbtool.engine.streams.data import Fields, StreamData
from rdbtool.engine.streams.nodes import scan_nodes

_APPROXIMATE: Final = "trimming with ~ removes whole nodes, whose limits are not in the AOF"

Entry = tuple[int, Fields]


class Trimming(NamedTuple):
    """``bound``: the length to keep (``by_length``), or the smallest id to keep."""

    by_length: bool
    is_exact: bool
    bound: int
    strategy: bytes = KEEPREF


def trim(stream: StreamData, trimming: Trimming, nodes: list[int] | None) -> int:
    """Trim, and return how many entries went. ``nodes`` are the sizes of the nodes that go, None to count exactly."""
    if nodes is not None:
        count = sum(nodes)
    elif trimming.by_length:
        count = stream.length - trimming.bound
    else:
        count = stream.count_before(trimming.bound)
    if count <= 0:
        return 0
    if trimming.strategy == ACKED:
        candidates = stream.entries() if trimming.by_length else islice(stream.entries(), count)
        acknowledged = (entry_id for entry_id, _ in candidates if not stream.is_referenced(entry_id))
        gone = list(islice(acknowledged, count))
        for entry_id in gone:
            stream.trim_entry(entry_id)
        return len(gone)
    if trimming.strategy == DELREF:
        for entry_id, _ in islice(stream.entries(), count):
            stream.forget_references(entry_id)
    if nodes is None:
        stream.trim(count)
    else:
        for node in nodes:
            stream.trim_node(node)
    return count


def plan_approximate(stream: StreamData, trimming: Trimming, new: Entry | None = None) -> list[int]:
    """Return the sizes of the nodes that an approximate trimming removes, once ``new`` is appended.

    Raises UnknownEffectError where the limits between nodes are not known and matter.
    """
    length = stream.length + (new is not None)
    top = stream.last_id if new is None else new[0]
    bound = trimming.bound
    first = stream.first_id if stream.length or new is None else new[0]
    if length == 0 or (length <= bound if trimming.by_length else bound <= first):
        return []
    if bound == 0 if trimming.by_length else bound > top:
        return [length]
    if not stream.is_whole or trimming.strategy == ACKED:
        raise UnknownEffectError(_APPROXIMATE)
    return _whole_nodes(stream, trimming, new)


def _whole_nodes(stream: StreamData, trimming: Trimming, new: Entry | None) -> list[int]:
    left = stream.length + (new is not None)
    if trimming.by_length and stream.first_node and left - stream.first_node < trimming.bound:
        return []
    nodes: list[int] = []
    for count, last, is_full in scan_nodes(chain(stream.entries(), () if new is None else (new,))):
        if left - count < trimming.bound if trimming.by_length else last >= trimming.bound:
            if is_full and not nodes:
                stream.first_node = count
            break
        nodes.append(count)
        left -= count
    return nodes
