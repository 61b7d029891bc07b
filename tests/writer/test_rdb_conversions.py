"""Made records in every form there is: what comes back is what went in, but for what was declared.

What a form lacks is a table here, by feature; the parts that a loss or a note names are left out of the comparison,
and nothing may be named that the form has.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import sample
from writer.made import records, values
from writer.saving import TARGETS, read_back, rebuilt_values, saved_records

from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.filters.target import TargetFilter
from rdbtool._codec.replay_record import feed_record
from rdbtool.core.errors import LossError
from rdbtool.core.rdb_types import MAX_FIELD_EXPIRE_MS
from rdbtool.core.servers import Target
from rdbtool.model import HashValue, KeyRecord, StreamConsumer, StreamGroup, StreamValue, StringValue

STREAM_PARTS = (
    "pending entries without a consumer",
    "ids of idempotent producers",
    "limits of idempotent producers",
    "stream counters",
    "entries read by groups",
    "active times of consumers",
)


def level_of(target: Target) -> int:
    """Valkey's own numbering has the forms of RDB 11, and field expiries."""
    return 11 if target.magic == "VALKEY" else target.version


def expiries_of(record: KeyRecord) -> list[int]:
    fields = record.value.fields if isinstance(record.value, HashValue) else ()
    return [expiry for _, _, expiry in fields if expiry is not None]


def lost_fields(record: KeyRecord, target: Target) -> int:
    if target.magic == "VALKEY":
        return 0
    return sum(target.version < 12 or expiry > MAX_FIELD_EXPIRE_MS for expiry in expiries_of(record))


def lost_seconds(record: KeyRecord, target: Target) -> bool:
    return target.version < 3 and record.expire_at_ms is not None and record.expire_at_ms % 1000 != 0


def lost_expiry(record: KeyRecord, target: Target) -> bool:
    """Whether whole seconds, rounded up, do not fit 32 bits."""
    if target.version >= 3 or record.expire_at_ms is None:
        return False
    return not -(1 << 31) <= -(-record.expire_at_ms // 1000) < 1 << 31


def losses_of_stream(stream: StreamValue, level: int) -> dict[str, int]:
    unowned = sum(entry.consumer is None for group in stream.groups for entry in group.pending)
    consumers = [consumer for group in stream.groups for consumer in group.consumers]
    has_producers = stream.producers is not None
    ids = len(stream.producers.producers) if stream.producers is not None else 0
    return {
        "pending entries without a consumer": unowned if level < 14 else 0,
        "ids of idempotent producers": ids if level < 13 else 0,
        "limits of idempotent producers": int(
            (has_producers and not ids and level < 13) or (not has_producers and unowned > 0 and level >= 14)
        ),
        "stream counters": int((level >= 10) != (stream.entries_added is not None)),
        "entries read by groups": sum(group.entries_read is not None for group in stream.groups) if level < 10 else 0,
        "active times of consumers": sum(
            (level >= 11) != (consumer.active_at_ms is not None) for consumer in consumers
        ),
    }


#: The RDB version that brought a kind of values, where not all have it.
KIND_SINCE = {"module": ("a module's value", 8), "stream": ("a stream", 9), "array": ("an array", 14)}


def expected_losses(record: KeyRecord, target: Target) -> dict[str, int]:
    """Return what a target cannot hold of a record, and how often."""
    level = level_of(target)
    found = {
        "key metadata": int(record.meta is not None and level < 13),
        "idle times": int(record.idle_s is not None and level < 9),
        "access frequencies": int(record.freq is not None and level < 9),
        "milliseconds of expiry times": int(lost_seconds(record, target)),
        "an expiry time after January 2038 or before 1902": int(lost_expiry(record, target)),
        "field expiries": lost_fields(record, target),
    }
    what, since = KIND_SINCE.get(record.kind, ("", 0))
    if level < since:
        found[what] = 1
    elif isinstance(record.value, StreamValue):
        found |= losses_of_stream(record.value, level)
    return {what: times for what, times in found.items() if times}


SEVERE = {
    "key metadata", "field expiries", "an expiry time after January 2038 or before 1902", "a module's value",
    "a stream", "an array", "pending entries without a consumer", "ids of idempotent producers",
}  # fmt: skip


def without(record: KeyRecord, named: set[str]) -> KeyRecord:
    """Return a record without the parts that losses and notes name."""
    value: Any = record.value
    if "field expiries" in named:
        fields = [(field, text, None if (e or 0) > MAX_FIELD_EXPIRE_MS else e) for field, text, e in value.fields]
        value = HashValue(fields)
    if named.intersection(STREAM_PARTS):
        value = stream_without(value, named)
    expiry = "milliseconds of expiry times" in named or "an expiry time after January 2038 or before 1902" in named
    return KeyRecord(
        db=record.db,
        key=record.key,
        value=value,
        expire_at_ms=None if expiry else record.expire_at_ms,
        idle_s=None if "idle times" in named else record.idle_s,
        freq=None if "access frequencies" in named else record.freq,
        meta=None if "key metadata" in named else record.meta,
    )


def stream_without(stream: StreamValue, named: set[str]) -> StreamValue:
    counted = "stream counters" not in named
    idempotent = "ids of idempotent producers" not in named and "limits of idempotent producers" not in named
    return StreamValue(
        stream.entries,
        last_id=stream.last_id,
        length=stream.length,
        first_id=stream.first_id if counted else None,
        max_deleted_id=stream.max_deleted_id if counted else None,
        entries_added=stream.entries_added if counted else None,
        groups=[group_without(group, named) for group in stream.groups],
        producers=stream.producers if idempotent else None,
    )


def group_without(group: StreamGroup, named: set[str]) -> StreamGroup:
    active = "active times of consumers" not in named
    return StreamGroup(
        group.name,
        group.last_id,
        group.entries_read if "entries read by groups" not in named else None,
        [StreamConsumer(c.name, c.seen_at_ms, c.active_at_ms if active else None) for c in group.consumers],
        [
            entry
            for entry in group.pending
            if "pending entries without a consumer" not in named or entry.consumer is not None
        ],
    )


def drop_old_expiries(record: KeyRecord, target: Target) -> KeyRecord:
    """Return a record whose lost field expiries are gone: before RDB 12 all of them, from it on those too large."""
    if not lost_fields(record, target) or not isinstance(record.value, HashValue):
        return record
    fields = [
        (field, text, None if target.version < 12 or (e or 0) > MAX_FIELD_EXPIRE_MS else e)
        for field, text, e in record.value.fields
    ]
    return KeyRecord(
        db=record.db, key=record.key, value=HashValue(fields), expire_at_ms=record.expire_at_ms,
        idle_s=record.idle_s, freq=record.freq, meta=record.meta,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("target", "kind"), sample(product(TARGETS, sorted(values)), 24, each=lambda row: row[0]), ids=str
)
def test_every_form_holds_what_it_can(target: Target, kind: str) -> None:
    @settings(max_examples=settings.default.max_examples // 5)
    @given(records(kind), st.booleans())
    def check(record: KeyRecord, compress: bool) -> None:
        data, written = saved_records([record], target, allow_loss=True, compress=compress)
        # What a server has to be configured for, or needs a module for, is no part of the form.
        losses = [
            loss for loss in written.losses if not loss.what.startswith(("keys in databases", "a value that needs"))
        ]
        named = {loss.what: loss.times for loss in losses}
        assert named == expected_losses(record, target)
        assert {loss.what for loss in losses if loss.severity == "loss"} == SEVERE & named.keys()
        assert all((loss.db, loss.key) == (record.db, record.key) for loss in losses)
        found = read_back(data)
        if KIND_SINCE.get(kind, ("", 0))[0] in named:
            assert found == []
            assert written.keys == 0
        else:
            parts = set(named)
            original = drop_old_expiries(record, target)
            assert [without(back, parts) for back in found] == [without(original, parts)]
            if level_of(target) >= 6:
                assert [(value, rebuilt) for _, value, rebuilt in rebuilt_values(data) if value != rebuilt] == []
        check_refusal(record, target, SEVERE & named.keys())

    check()


def check_refusal(record: KeyRecord, target: Target, severe: set[str]) -> None:
    """Without leave to lose anything the record is refused and taken back; others around it are written."""
    before = KeyRecord(db=3, key=b"before", value=StringValue(b"v"))
    after = KeyRecord(db=record.db, key=b"after", value=StringValue(b"v"))
    pieces: list[bytes] = []
    encoder = Rdb(pieces.append, magic=target.magic, version=target.version)
    sink = TargetFilter(encoder, magic=target.magic, version=target.version)
    feed_record(before, sink)
    if severe:
        with pytest.raises(LossError, match="cannot hold") as caught:
            feed_record(record, sink)
        assert caught.value.loss.key == record.key
        assert caught.value.loss.what in severe
        assert caught.value.exit_code == 1
        expected = [before, after]
    else:
        feed_record(record, sink)
        expected = [before, None, after]
    feed_record(after, sink)
    sink.close()
    found = read_back(b"".join(pieces))
    assert [back if wanted else None for back, wanted in zip(found, expected, strict=True)] == expected
    assert not severe or [loss for loss in sink.losses if loss.severity == "loss"] == []


@settings(max_examples=settings.default.max_examples)
@given(st.lists(records(), min_size=2, max_size=6), st.sampled_from(TARGETS))
def test_many_records_are_what_each_of_them_is(drawn: list[KeyRecord], target: Target) -> None:
    """Buffers are used again: nothing of a record reaches the next one."""
    data, written = saved_records(drawn, target, allow_loss=True)
    together = [repr(record)[: repr(record).rindex(", start=")] for record in read_back(data)]
    alone = []
    times: dict[str, int] = {}
    for record in drawn:
        single, report = saved_records([record], target, allow_loss=True)
        alone += [repr(back)[: repr(back).rindex(", start=")] for back in read_back(single)]
        for loss in report.losses:
            times[loss.what] = times.get(loss.what, 0) + loss.times
    assert together == alone
    counted: dict[str, int] = {}
    for loss in written.losses:
        counted[loss.what] = counted.get(loss.what, 0) + loss.times
    assert counted == times
