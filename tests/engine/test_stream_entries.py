"""A stream's entries are those of a list of (id, fields), whatever is added and removed; what is pending, of a dict."""

from __future__ import annotations

import random
import sys
import time
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdbtool.engine.streams.consumers import ConsumerData
from rdbtool.engine.streams.data import StreamData
from rdbtool.engine.streams.ids import MAX_ID, Fields
from rdbtool.engine.streams.pending import PendingData, PendingEntries

#: Another choice each day.
SEED = int(time.time()) // 86_400

#: Names that repeat, as those of most streams do, and one that takes three bytes of size.
NAMES: list[Fields] = [(b"a", b"b"), (b"a",), (b"b", b"a"), (), (b"", b"n" * 300)]
#: How far an ID is from the one before: the next sequence number, the next millisecond, and those of long ago.
STEPS = [1, 3, 1 << 64, (1 << 64) - 1, 200 << 64, (1 << 64) * (1 << 40)]
#: Values around the sizes at which sizes take more bytes; the last one fills a block.
SIZES = [0, 1, 5, 253, 254, 0xFFFF, 0x10000]
CHANGES = ["delete", "trim", "delete many", "trim entry"]

adding = st.tuples(
    st.just("add"),
    st.sampled_from([1, 1, 2, 40, 300]),
    st.sampled_from(STEPS),
    st.sampled_from(NAMES),
    st.sampled_from(SIZES[:5] * 4 + SIZES),
)
place = st.integers(0, 1000)
removing = st.tuples(st.sampled_from(CHANGES), place)
looking = st.tuples(st.sampled_from(["find", "count_before", "entries", "copy", "miss"]), place)


@given(st.lists(st.one_of(adding, removing, looking), max_size=40), st.sampled_from([1, 5 << 64, (1 << 127) + 77]))
def test_entries(steps: list[tuple], last: int) -> None:
    stream = StreamData()
    rows: list[tuple[int, Fields]] = []
    added = 0
    for step in steps:
        if step[0] == "add":
            _, count, distance, names, size = step
            for number in range(count if size < 1000 else 1):
                last = min(last + distance, MAX_ID - 1000) + 1
                fields = tuple(
                    text for name in names for text in (name, (b"%d" % (last + number) + b"v" * size)[:size])
                )
                if rows and last <= rows[-1][0]:
                    break
                stream.append(last, fields)
                rows.append((last, fields))
                added += 1
        elif step[0] in CHANGES:
            change(stream, rows, *step)
        else:
            look(stream, rows, *step)
        check(stream, rows)
        assert stream.entries_added == added
    assert list(stream.entries()) == rows


@pytest.mark.parametrize("seed", range(3))
def test_many_changes(seed: int) -> None:
    """Blocks of mixed names fill, lose most of what they have, and are written again."""
    chance = random.Random(SEED + seed)
    stream = StreamData()
    rows: list[tuple[int, Fields]] = []
    for number in range(1, 6000):
        roll = chance.random()
        # It grows, and shrinks again.
        if roll < (0.7 if number // 1500 % 2 == 0 else 0.3):
            entry_id = number // 7 << 64 | number
            names = chance.choice(NAMES[:4])
            fields = tuple(text for name in names for text in (name, b"%d" % chance.randrange(1000)))
            stream.append(entry_id, fields)
            rows.append((entry_id, fields))
        elif rows and roll < 0.99:
            change(stream, rows, "delete", chance.randrange(1001))
        else:
            change(stream, rows, "trim", chance.randrange(50))
        look(stream, rows, "find", chance.randrange(1001))
        if number % 250 == 0:
            assert list(stream.entries()) == rows
            look(stream, rows, "count_before", chance.randrange(1001))
        check(stream, rows)


def change(stream: StreamData, rows: list[tuple[int, Fields]], what: str, place: int) -> None:
    """Remove entries of both; ``place`` says where, in thousandths."""
    at = place * len(rows) // 1001
    entry_id = rows[at][0] if rows else place
    if what == "delete":
        assert stream.delete(entry_id) == bool(rows)
        del rows[at : at + 1]
    elif what == "delete many":
        # All but every seventh: what is left is written again.
        for gone, _ in [row for number, row in enumerate(rows[at:]) if number % 7]:
            assert stream.delete(gone)
            assert not stream.delete(gone)
        rows[at:] = rows[at::7]
    elif what == "trim entry":
        before = stream.max_deleted_id
        stream.trim_entry(entry_id)
        assert stream.max_deleted_id == before
        del rows[at : at + 1]
    else:
        stream.trim(at)
        del rows[:at]


def look(stream: StreamData, rows: list[tuple[int, Fields]], what: str, place: int) -> None:
    """Compare something of both; ``place`` as in ``change``."""
    at = place * len(rows) // 1001
    entry_id = rows[at][0] if rows else place
    if what == "find":
        assert stream.find(entry_id) == (rows[at][1] if rows else None)
    elif what == "miss":
        known = {known for known, _ in rows}
        for near in (0, entry_id - 1, entry_id + 1, entry_id + (1 << 64), MAX_ID):
            assert (near in stream) == (near in known)
            assert (stream.find(near) is not None) == (near in known)
            assert near in known or not stream.delete(near)
    elif what == "count_before":
        for near in (0, entry_id, entry_id + 1, MAX_ID):
            assert stream.count_before(near) == bisect_left(rows, near, key=lambda row: row[0])
    elif what == "entries":
        assert list(stream.entries(entry_id)) == rows[at:]
        assert list(stream.entries(entry_id + 1)) == rows[at + 1 :]
        assert list(stream.entries(MAX_ID + 1)) == []
    else:
        # A copy has the same entries, and goes its own way.
        twin = stream.copy()
        check(twin, rows)
        assert list(twin.entries()) == rows
        twin.trim(at)
        twin.append(MAX_ID, (b"a", b"1", b"b", b"2"))
        if rows:
            twin.delete(rows[-1][0])
        assert list(twin.entries()) == [*rows[at:-1], (MAX_ID, (b"a", b"1", b"b", b"2"))]
        assert list(stream.entries()) == rows


def check(stream: StreamData, rows: list[tuple[int, Fields]]) -> None:
    """Compare what is known of the entries without a look at all of them."""
    assert stream.length == len(rows)
    assert stream.top() == (rows[-1][0] if rows else 0)
    assert stream.first_id == (rows[0][0] if rows else 0)


def test_entries_of_a_file() -> None:
    """What is loaded is not counted as added; an unknown first entry is not looked for."""
    stream = StreamData()
    stream.load((number, 2, (b"f", b"%d" % number)) for number in range(1000))
    assert stream.entries_added == 0
    assert (stream.length, stream.top(), stream.is_whole) == (1000, 999 << 64 | 2, False)
    assert [fields[1] for _, fields in stream.entries(500 << 64)] == [b"%d" % number for number in range(500, 1000)]


def test_a_stream_that_changes_while_it_is_read() -> None:
    """Removals move entries: reading on says so, and reads nothing that is gone."""
    stream = StreamData()
    for number in range(1, 300):
        stream.append(number, (b"f", b"v"))
    entries = stream.entries()
    next(entries)
    stream.trim(200)
    with pytest.raises(RuntimeError, match="a stream changed while it was read"):
        next(entries)


def owned(ids: list[int], owner: dict[int, ConsumerData | None], consumer: ConsumerData | None) -> list[int]:
    return [entry_id for entry_id in ids if consumer is None or owner[entry_id] is consumer]


@given(st.lists(st.tuples(st.sampled_from(["put", "put", "discard", "run", "ack"]), st.integers(0, 3000)), max_size=60))
def test_pending_entries(steps: list[tuple[str, int]]) -> None:
    """What is pending is a sorted dict, however it comes and goes; an entry that is put again changes."""
    consumers = [ConsumerData(b"a"), ConsumerData(b"b"), None]
    pending = PendingEntries()
    plain: dict[int, tuple[ConsumerData | None, int, int]] = {}
    for number, (what, at) in enumerate(steps):
        entry_id = at // 3 << 64 | at % 3
        if what == "put":
            plain[entry_id] = consumers[number % 3], at - 5, (1 << 64) - 1 - number
            pending[entry_id] = PendingData(*plain[entry_id])
        elif what == "discard":
            assert pending.discard(entry_id) == (plain.pop(entry_id, None) is not None)
        elif what == "run":
            for seq in range(300):
                plain[entry_id + seq] = consumers[seq % 2], seq, 1
                pending[entry_id + seq] = PendingData(*plain[entry_id + seq])
        else:
            for gone in [known for known in plain if known >= entry_id and known % 50]:
                assert pending.discard(gone)
                del plain[gone]
        ids = sorted(plain)
        assert len(pending) == len(ids)
        assert (entry_id in pending) == (entry_id in plain)
        assert (pending.get(entry_id) is not None) == (entry_id in plain)
        owner = {known: row[0] for known, row in plain.items()}
        for consumer in consumers:
            found = pending.ids_from(entry_id, consumer)
            assert found == owned([known for known in ids if known >= entry_id], owner, consumer)
    rows = [(known, (row.consumer, row.delivered_at_ms, row.delivery_count)) for known, row in pending.items()]
    assert rows == sorted(plain.items())
    assert pending.ids_from(1 << 128) == []


@pytest.mark.parametrize("seed", range(3))
def test_many_pending_entries(seed: int) -> None:
    """Rows come anywhere between others, so that full blocks are cut in two; and go anywhere."""
    chance = random.Random(SEED + seed)
    pending = PendingEntries()
    plain: dict[int, int] = {}
    for number in range(6000):
        entry_id = chance.randrange(2000) << 63
        if chance.random() < (0.8 if number // 1500 % 2 == 0 else 0.2):
            plain[entry_id] = number
            pending[entry_id] = PendingData(None, 0, number)
        else:
            assert pending.discard(entry_id) == (plain.pop(entry_id, None) is not None)
        if number % 50 == 0:
            assert [(known, row.delivery_count) for known, row in pending.items()] == sorted(plain.items())
            assert pending.ids_from(entry_id) == [known for known in sorted(plain) if known >= entry_id]


def test_pending_entries_hold_their_consumers() -> None:
    """Each holds a reference, and gives it back when it goes, changes its consumer or is dropped with all of them."""
    consumer = ConsumerData(b"c")
    before = sys.getrefcount(consumer)
    pending = PendingEntries()
    for number in range(500):
        pending[number] = PendingData(consumer, 0, 1)
    assert sys.getrefcount(consumer) == before + 500
    for number in range(100):
        pending.discard(number)
    for number in range(100, 200):
        pending[number] = PendingData(None, 0, 1)
    assert sys.getrefcount(consumer) == before + 300
    del pending
    assert sys.getrefcount(consumer) == before
