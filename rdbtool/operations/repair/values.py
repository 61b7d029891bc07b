"""Make records that servers refuse loadable, by dropping parts of their values.

Of a duplicate field or member the last one counts, as it would if servers accepted it; a score that is not a number is
dropped with its member. Values that are only out of order, or miscounted, are rebuilt from what is there.
"""

from __future__ import annotations

import math

from rdbtool.core.light_typing import Final
from rdbtool.core.rdb_types import code_of
from rdbtool.model import HashValue, KeyRecord, ListValue, SetValue, StreamValue, Value, ZSetValue

#: Sets of integers, stored as such in ascending order.
_INTSET: Final = code_of("SET_INTSET")


def drop_refused(record: KeyRecord) -> tuple[KeyRecord | None, str]:
    """Return a record without what servers refuse, None if nothing is left, and what was dropped ("": nothing)."""
    value = record.value
    kept: SetValue | HashValue | ZSetValue
    if isinstance(value, SetValue):
        before, kept = len(value.members), SetValue(dict.fromkeys(value.members))
    elif isinstance(value, HashValue):
        before, kept = len(value.fields), HashValue({row[0]: row for row in value.fields}.values())
    elif isinstance(value, ZSetValue):
        before = len(value.members)
        kept = ZSetValue({row[0]: row for row in value.members if not math.isnan(row[1])}.values())
    else:
        return (None, "an empty list") if isinstance(value, ListValue) and not len(value) else (record, "")
    lost = before - len(kept)
    if not lost and before:
        return record, ""
    if not len(kept):
        return None, f"an empty {record.kind}" if not lost else f"a {record.kind} of scores that are not numbers"
    what = f"{lost} duplicate element{'' if lost == 1 else 's'}"
    if isinstance(value, ZSetValue):
        what += " or whose score is not a number"
    return _with_value(record, kept), what


def rebuild(record: KeyRecord) -> KeyRecord | None:
    """Return a record with its value sorted and recounted, None if its type has no order and no count."""
    value = record.value
    if isinstance(value, ZSetValue):
        return _with_value(record, ZSetValue(sorted(value.members, key=lambda row: (row[1], row[0]))))
    if isinstance(value, SetValue) and record.type_code == _INTSET:
        return _with_value(record, SetValue(sorted(value.members, key=int)))
    if isinstance(value, HashValue):
        return _with_value(record, HashValue(sorted(value.fields, key=_expiry)))
    if isinstance(value, StreamValue):
        stream = StreamValue(
            value.entries,
            last_id=value.last_id,
            first_id=value.first_id,
            max_deleted_id=value.max_deleted_id,
            entries_added=value.entries_added,
            groups=value.groups,
            producers=value.producers,
        )
        return _with_value(record, stream)
    return None


def _expiry(field: tuple[bytes, bytes] | tuple[bytes, bytes, int | None]) -> float:
    """Return when a field expires; fields without expiry sort last."""
    return math.inf if len(field) < 3 or field[2] is None else field[2]


def _with_value(record: KeyRecord, value: Value) -> KeyRecord:
    return KeyRecord(
        db=record.db,
        key=record.key,
        value=value,
        expire_at_ms=record.expire_at_ms,
        idle_s=record.idle_s,
        freq=record.freq,
        meta=record.meta,
        member_expiries=record.member_expiries,
        type_code=record.type_code,
        encoding=record.encoding,
        start=record.start,
        stop=record.stop,
    )
