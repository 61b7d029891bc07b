"""Trimming streams: exactly, or by whole nodes of the server's (XADD and XTRIM)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final, NamedTuple

from rdbtool.engine.arguments import is_int
from rdbtool.engine.command_errors import UnknownEffectError
from rdbtool.engine.streams.arguments import ACKED, DELREF, KEEPREF
from rdbtool.engine.streams.data import U64, Fields, StreamData

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


MAX_ENTRIES: Final = 100
MAX_BYTES: Final = 4096

#: A listpack's header and its end byte.
_FRAME: Final = 7

#: Integers of so many bytes as an entry (format A11.2): each limit is inclusive, from -limit-1 on.
_WIDTHS: Final = ((4095, 2), ((1 << 15) - 1, 3), ((1 << 23) - 1, 4), ((1 << 31) - 1, 5))


def scan_nodes(entries: Iterable[tuple[int, Fields]]) -> Iterator[tuple[int, int, bool]]:
    """Yield the nodes of a stream's entries: (entries, id of the last one, whether the next opens another node)."""
    count = size = base = last = 0
    names: Fields = ()
    for entry_id, fields in entries:
        if count >= MAX_ENTRIES or (count and size + sum(map(len, fields)) >= MAX_BYTES):
            yield count, last, True
            count = 0
        if count == 0:
            base = entry_id
            names = fields[::2]
            # Counts of live and deleted entries, number of fields, the fields, end mark.
            size = _FRAME + 6 + _int_size(len(names)) + sum(map(_text_size, names))
        size += 2 + _int_size(_delta(entry_id >> 64, base >> 64)) + _int_size(_delta(entry_id & U64, base & U64))
        if fields[::2] == names:
            size += sum(map(_text_size, fields[1::2])) + _int_size(len(names) + 3)
        else:
            pairs = len(fields) // 2
            size += _int_size(pairs) + sum(map(_text_size, fields)) + _int_size(2 * pairs + 4)
        count += 1
        last = entry_id
    if count:
        yield count, last, False


def _delta(number: int, base: int) -> int:
    """Return the difference of two unsigned 64-bit numbers as a signed one."""
    difference = (number - base) & U64
    return difference - (1 << 64) if difference >> 63 else difference


def _int_size(number: int) -> int:
    if 0 <= number <= 127:
        return 2
    for limit, size in _WIDTHS:
        if -limit - 1 <= number <= limit:
            return size + 1
    return 10


def _text_size(text: bytes) -> int:
    if len(text) <= 20 and is_int(text):
        return _int_size(int(text))
    size = len(text) + (1 if len(text) < 64 else 2 if len(text) < 4096 else 5)
    return size + (1 if size <= 127 else 2 if size < 16383 else 3 if size < 2097151 else 4 if size < 268435455 else 5)
