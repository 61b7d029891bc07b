"""Selections: who is taken, by whichever backend, and when reading stops."""

from __future__ import annotations

import binascii
import random
import re
import socket
from collections.abc import Callable
from typing import Any

import pytest
from codec.driving import FILES, Trickle, make, rdb, read_into, records_of, written
from hypothesis import given
from hypothesis import strategies as st

from rdbtool import FormatError, KeyRecord
from rdbtool._codec.encode.keys import Keys
from rdbtool._codec.filters.selection import Selection, slot_of
from rdbtool._codec.sink import Null
from rdbtool._codec.sinks.sizes import Sizes
from rdbtool.reader.rdb import open_rdb

KINDS = ("string", "list", "set", "zset", "hash", "stream", "array", "module")


def sample() -> bytes:
    """Keys of all kinds in three dbs, some of which expire."""
    text = make.string(b"x")
    node = make.stream_node((1, 1), 0, [b"f"], [[2, 0, 0, b"v"]])
    values = {
        b"string": (0, text),
        b"list": (1, make.counted(text)),
        b"set": (2, make.counted(text)),
        b"zset": (3, make.counted(text + b"\x011")),
        b"hash": (4, make.counted(text + text)),
        b"stream": (15, make.length(1) + node + make.length(1) + make.ids((1, 1)) + make.counted()),
        b"array": (28, make.length(1) + b"\x00" + make.length(0) + b"\x00" + text),
        b"module": (7, make.module_id("Module-_9", 1) + b"\x00"),
    }
    parts = []
    for db in (0, 3, 9):
        parts.append(make.select(db))
        for name, (code, payload) in values.items():
            parts.append(make.key(code, b"%s:%d" % (name, db), payload))
            parts.append(make.expire(1000 + db) + make.key(code, b"%s:%d:expires" % (name, db), payload))
    return rdb(*parts, magic=b"REDIS0014")


SAMPLE = sample()
ALL = records_of(SAMPLE)


def patterns(*texts: bytes) -> list[re.Pattern[bytes]]:
    return [re.compile(text) for text in texts]


Wanted = Callable[[KeyRecord], bool]

CASES: dict[str, tuple[dict[str, Any], Wanted]] = {
    "all": ({}, lambda record: True),
    "a pattern": ({"patterns": patterns(b"^s")}, lambda record: record.key[:1] == b"s"),
    "one of two patterns": (
        {"patterns": patterns(b"^list", b":9")},
        lambda record: record.key.startswith(b"list") or b":9" in record.key,
    ),
    "not a pattern": ({"no_patterns": patterns(b"expires")}, lambda record: b"expires" not in record.key),
    "a pattern, but not another": (
        {"patterns": patterns(b"hash|set"), "no_patterns": patterns(b"^z", b":3$")},
        lambda record: record.kind in ("hash", "set") and not record.key.endswith(b":3"),
    ),
    "a pattern that nothing has": ({"patterns": patterns(b"nothing")}, lambda record: False),
    "one kind": ({"kinds": ["zset"]}, lambda record: record.kind == "zset"),
    "two kinds": ({"kinds": {"hash", "module"}}, lambda record: record.kind in ("hash", "module")),
    "not these kinds": ({"no_kinds": ("string", "array")}, lambda record: record.kind not in ("string", "array")),
    "a kind that is excluded": ({"kinds": ["set", "list"], "no_kinds": ["set"]}, lambda record: record.kind == "list"),
    "no kind left": ({"kinds": ["set"], "no_kinds": ["set"]}, lambda record: False),
    "dbs": ({"dbs": [3, 9, 77]}, lambda record: record.db in (3, 9)),
    "not a db": ({"no_dbs": [0]}, lambda record: record.db != 0),
    "a db that is excluded": ({"dbs": [0, 3], "no_dbs": [3]}, lambda record: record.db == 0),
    "expired": ({"expired": True, "now_ms": 1004}, lambda record: (record.expire_at_ms or 9999) < 1004),
    "not expired": ({"expired": False, "now_ms": 1004}, lambda record: (record.expire_at_ms or 9999) >= 1004),
    "expired this very moment": ({"expired": True, "now_ms": 1003}, lambda record: record.expire_at_ms == 1000),
    "slots": ({"slots": (0, 8191)}, lambda record: slot_of(record.key) <= 8191),
    "one slot": (
        {"slots": (slot_of(b"set:9"), slot_of(b"set:9"))},
        lambda record: slot_of(record.key) == slot_of(b"set:9"),
    ),
    "everything together": (
        {"patterns": patterns(b"s"), "kinds": ["set", "string"], "no_dbs": [9], "expired": False, "now_ms": 1001},
        lambda record: record.kind in ("set", "string") and record.db != 9 and record.expire_at_ms != 1000,
    ),
}  # fmt: skip


@pytest.mark.parametrize("backend", ["codec", "grammar"])
@pytest.mark.parametrize("case", CASES)
def test_who_is_taken(case: str, backend: str) -> None:
    options, wanted = CASES[case]
    selection = Selection(**options)
    with open_rdb(SAMPLE, backend=backend) as reader:
        found = list(reader.records(selection=selection))
        totals = reader.totals
    assert found == [record for record in ALL if wanted(record)]
    assert selection.taken == totals.selected == len(found)
    # What was not selected was read and counted all the same.
    assert totals.keys == len(ALL) == 48
    assert totals.by_db == {0: (16, 8), 3: (16, 8), 9: (16, 8)}
    assert totals.by_kind == dict.fromkeys(KINDS, 6)


@pytest.mark.parametrize("case", CASES)
def test_take_decides_on_finished_records(case: str) -> None:
    options, wanted = CASES[case]
    selection = Selection(**options)
    assert [selection.take(record) for record in ALL] == [wanted(record) for record in ALL]
    assert selection.taken == sum(map(wanted, ALL))


@pytest.mark.parametrize("backend", ["codec", "grammar"])
@pytest.mark.parametrize("limit", [0, 1, 5, 47, 48, 49])
def test_a_limit(limit: int, backend: str) -> None:
    selection = Selection(limit=limit)
    with open_rdb(SAMPLE, backend=backend) as reader:
        assert list(reader.records(selection=selection)) == ALL[:limit]
    assert selection.is_full == (limit <= 48)
    selection = Selection(limit=2, kinds=["hash"], dbs=[9])
    assert written(SAMPLE, Keys, selection=selection, backend=backend) == b"hash:9\nhash:9:expires\n"


def test_a_limit_stops_reading_early() -> None:
    """What follows is not even read: neither its damage nor its size matter."""
    record = make.key(0, b"k", make.string(b"v"))
    damaged = rdb(record, record, b"\xc8\xc8\xc8")
    with open_rdb(damaged) as reader:
        assert len(list(reader.records(selection=Selection(limit=2)))) == 2
    with open_rdb(damaged) as reader, pytest.raises(FormatError):
        list(reader.records(selection=Selection(limit=3)))

    large = rdb(*[make.key(0, b"k", make.string(bytes(1000)))] * 20_000)
    stream: Any = Trickle(large, lambda: 1 << 20)
    with open_rdb(stream) as reader:
        reader.feed(Null(), selection=Selection(limit=10))
        assert reader.source.position < 2 << 20
        assert reader.totals.keys == 10


def test_damage_in_what_is_not_selected_is_found() -> None:
    data = rdb(make.key(0, b"a", make.string(b"v")), make.key(13, b"b", make.string(b"no ziplist at all")))
    with open_rdb(data) as reader, pytest.raises(FormatError):
        reader.feed(Null(), selection=Selection(kinds=["string"]))


def test_other_sinks_hear_only_what_is_selected() -> None:
    sink = read_into(SAMPLE, Sizes(), selection=Selection(kinds=["hash"], dbs=[0]))
    assert [row[:4] for row in sink.rows()] == [("hash", "hashtable", 2, 2)]


def test_wrong_options() -> None:
    with pytest.raises(ValueError):
        Selection(kinds=["strange"])


# Slots


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        (b"foo", 12182), (b"{user1000}.following", 3443), (b"{user1000}.followers", 3443), (b"foo{}{bar}", 8363),
        (b"foo{{bar}}zap", 4015), (b"foo{bar}{zap}", 5061), (b"", 0), (b"123456789", 0x31C3), (b"bar", 5061),
    ],
)  # fmt: skip
def test_known_slots(key: bytes, slot: int) -> None:
    assert slot_of(key) == slot


def expected_slot(key: bytes) -> int:
    """The hash tag by a regular expression, CRC16/XMODEM by the standard library."""
    tag = re.fullmatch(rb"[^{]*\{([^}]+)\}.*", key, re.DOTALL)
    return binascii.crc_hqx(tag[1] if tag else key, 0) % 16384


@given(
    st.one_of(
        st.binary(max_size=40), st.lists(st.sampled_from([b"{", b"}", b"a", b"\x00", b"\xff", b"{}"])).map(b"".join)
    )
)
def test_slots(key: bytes) -> None:
    assert slot_of(key) == expected_slot(key)


def test_every_slot_is_reached() -> None:
    keys = [b"%d" % number for number in range(200_000)]
    assert {slot_of(key) for key in keys} == set(range(16384))
    dice = random.Random(1)
    assert all(slot_of(key) == expected_slot(key) for key in dice.sample(keys, 2000))


@pytest.mark.server
def test_slots_of_a_server(start_server: Callable[..., Any]) -> None:
    """A cluster node insists on two ports."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [str(free.getsockname()[1]) for free in (one, other)]
    config = {"cluster-enabled": "yes", "port": ports[0], "cluster-port": ports[1], "bind": "127.0.0.1"}
    with start_server(config=config) as running:
        for key in (b"foo", b"a{b}c", b"{}", b"{}{x}", b"x}{y", b"{", b"}", b"{{}", b"{}}", b"\x00{\xff}", b""):
            assert running.client("CLUSTER", "KEYSLOT", key) == slot_of(key)


def test_every_fixture_by_kind_adds_up() -> None:
    for path in FILES:
        parts = [set(written(path, Keys, selection=Selection(kinds=[kind])).split(b"\n")) for kind in KINDS]
        whole = set(written(path, Keys).split(b"\n"))
        assert set().union(*parts) == whole
