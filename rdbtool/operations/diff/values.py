"""Differences inside a key: by field, member or entry.

Sets, hashes and sorted sets have no order. Scores are compared like servers that distinguish 0 from -0 and have one
NaN. Eviction data (idle time, access frequency) depends on clients and is not part of the data.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from operator import eq

from rdbtool.model import (
    ArrayValue,
    HashValue,
    KeyRecord,
    ListValue,
    OpaqueValue,
    SetValue,
    StreamValue,
    StringValue,
    Value,
    ZSetValue,
)
from rdbtool.operations.diff.change import Change, are_near, find_repeats, match_names
from rdbtool.operations.diff.lists import find_hunks
from rdbtool.operations.diff.streams import compare_streams


def compare_records(
    first: KeyRecord, second: KeyRecord, *, tolerance_ms: int = 0, encodings: bool = False
) -> Iterator[Change]:
    """Yield the differences between two records of one key; nothing if they are equal.

    ``tolerance_ms`` is the tolerance for expiries, -1: ignore them. ``encodings`` are compared if both are known.
    """
    if first.kind != second.kind:
        yield Change("~", "type", None, first.kind, second.kind)
    else:
        yield from compare_values(first.value, second.value, tolerance_ms=tolerance_ms)
    if first.member_expiries or second.member_expiries:
        expiries = dict(first.member_expiries or ()), dict(second.member_expiries or ())
        for sign, member, before, after in match_names(*expiries, lambda a, b: are_near(a, b, tolerance_ms)):
            if not are_near(before, after, tolerance_ms):
                yield Change(sign, "member_expires", member, before, after)
    if not are_near(first.expire_at_ms, second.expire_at_ms, tolerance_ms):
        yield Change("~", "expires", None, first.expire_at_ms, second.expire_at_ms)
    if first.meta != second.meta:
        yield Change("~", "metadata", None, first.meta, second.meta)
    known = first.encoding, second.encoding
    if encodings and first.kind == second.kind and all(known) and known[0] != known[1]:
        yield Change("~", "encoding", None, *known)


def compare_values(first: Value, second: Value, *, tolerance_ms: int = 0) -> Iterator[Change]:
    """Return the differences between two values of one type, bit by bit."""
    found: Iterator[Change]
    match (first, second):
        case (ListValue(), ListValue()):
            found = _compare_lists(first, second)
        case (SetValue(), SetValue()):
            found = _compare_sets(first, second)
        case (ZSetValue(), ZSetValue()):
            found = _compare_zsets(first, second)
        case (HashValue(), HashValue()):
            found = _compare_hashes(first, second, tolerance_ms)
        case (StreamValue(), StreamValue()):
            found = compare_streams(first, second)
        case (ArrayValue(), ArrayValue()):
            found = _compare_arrays(first, second)
        case _:
            found = _compare_bytes(first, second)
    return found


def score_bits(score: float) -> bytes:
    """Return a score's comparison key: -0 is not 0, and all NaNs are equal."""
    return b"nan" if score != score else struct.pack("<d", score)  # noqa: PLR0124 - that is what NaN is


def _compare_bytes(first: Value, second: Value) -> Iterator[Change]:
    if isinstance(first, OpaqueValue) and isinstance(second, OpaqueValue):
        if first.module != second.module:
            yield Change("~", "module", None, first.module, second.module)
        if first.raw != second.raw:
            yield Change("~", "value", None, first.raw, second.raw)
    elif isinstance(first, StringValue) and isinstance(second, StringValue) and first.data != second.data:
        yield Change("~", "value", None, first.data, second.data)


def _compare_lists(first: ListValue, second: ListValue) -> Iterator[Change]:
    ours, theirs = first.elements, second.elements
    for start, stop, at, end in find_hunks(ours, theirs):
        both = min(stop - start, end - at) if start == at else 0
        for place in range(start, start + both):
            yield Change("~", "element", place, ours[place], theirs[place])
        for place in range(start + both, stop):
            yield Change("-", "element", place, ours[place], None)
        for place in range(at + both, end):
            yield Change("+", "element", place, None, theirs[place])


def _compare_sets(first: SetValue, second: SetValue) -> Iterator[Change]:
    sets = dict.fromkeys(first.members), dict.fromkeys(second.members)
    for sign, member, _, _ in match_names(*sets, eq):
        yield Change(sign, "member", member)
    yield from find_repeats(first.members, second.members)


def _compare_zsets(first: ZSetValue, second: ZSetValue) -> Iterator[Change]:
    for sign, member, before, after in match_names(
        dict(first.members), dict(second.members), lambda a, b: score_bits(a) == score_bits(b)
    ):
        yield Change(sign, "member", member, before, after)
    yield from find_repeats([name for name, _ in first.members], [name for name, _ in second.members])


def _compare_hashes(first: HashValue, second: HashValue, tolerance_ms: int) -> Iterator[Change]:
    fields = [{name: (data, expiry) for name, data, expiry in value.fields} for value in (first, second)]
    nothing = (None, None)
    for sign, name, before, after in match_names(fields[0], fields[1], lambda _a, _b: False):
        data, expiry = before or nothing
        new_data, new_expiry = after or nothing
        if data != new_data:
            yield Change(sign, "field", name, data, new_data)
        if not are_near(expiry, new_expiry, tolerance_ms):
            yield Change(sign, "field_expires", name, expiry, new_expiry)
    yield from find_repeats([row[0] for row in first.fields], [row[0] for row in second.fields])


def _compare_arrays(first: ArrayValue, second: ArrayValue) -> Iterator[Change]:
    for sign, index, before, after in match_names(
        dict(first.items), dict(second.items), lambda a, b: type(a) is type(b) and _bits(a) == _bits(b)
    ):
        yield Change(sign, "item", index, before, after)
    if first.insert_index != second.insert_index:
        yield Change("~", "insert_index", None, first.insert_index, second.insert_index)


def _bits(item: bytes | float) -> bytes | float:
    return score_bits(item) if isinstance(item, float) else item
