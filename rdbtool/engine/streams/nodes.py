"""Where a server's stream begins a new node, which is what an approximate trimming goes by (format A12).

A node takes entries until it holds 100, deleted ones included, or until its listpack and the texts of the next entry
reach 4096 bytes; both are the servers' defaults. So the limits follow from the entries alone, as long as
all of them are still there, from the first of some node on. Servers never write an approximate trimming
into a log, so nothing is counted before a command asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rdbtool.engine.arguments import is_int
from rdbtool.engine.streams.data import U64, Fields

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
