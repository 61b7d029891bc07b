"""Records of all kinds, made by hypothesis: sizes around the servers' thresholds, and numbers at every boundary."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from rdbtool.core.rdb_types import MAX_FIELD_EXPIRE_MS
from rdbtool.model import (
    ArrayValue,
    HashValue,
    KeyRecord,
    ListValue,
    OpaqueValue,
    PendingEntry,
    SetValue,
    StreamConsumer,
    StreamEntry,
    StreamGroup,
    StreamID,
    StreamProducers,
    StreamValue,
    StringValue,
    ZSetValue,
)

U64_MAX = (1 << 64) - 1

_EDGES = [0, 12, 13, 63, 64, *(1 << bits for bits in (7, 8, 12, 13, 15, 16, 23, 24, 31, 32, 52, 53, 62, 63, 64))]
NUMBERS = sorted({sign * edge + step for edge in _EDGES for sign in (1, -1) for step in (-1, 0, 1)})
_SIZES = [
    0, 1, 11, 12, 20, 21, 62, 63, 64, 65, 125, 126, 252, 253, 254, 255, 256, 4094, 4095, 4096, 8170, 8192, 8193, 16377,
    16378, 16383, 16384,
]  # fmt: skip

numbers = st.sampled_from(NUMBERS)
texts = st.one_of(
    st.binary(max_size=70),
    numbers.map(lambda number: b"%d" % number),
    st.sampled_from([b"-0", b"+1", b"007", b" 1", b"1 ", b"", b"0x10", b"1.5", b"\x00", b"\xff" * 3, b"nan"]),
    st.builds(lambda size, part: (part * size)[:size], st.sampled_from(_SIZES), st.binary(min_size=1, max_size=9)),
    st.sampled_from(_SIZES).map(lambda size: bytes(at * at * 167 >> 5 & 255 for at in range(size))),
)

scores = st.one_of(
    st.floats(allow_nan=False),
    st.sampled_from(
        [0.0, -0.0, float("inf"), float("-inf"), 0.1, 1e-7, 1e17, 1e20, 5e-324, 1.7976931348623157e308, 1e23]
    ),
    numbers.map(float),
    numbers.map(lambda number: number + 0.5),
)

u64 = st.one_of(st.integers(0, U64_MAX), st.sampled_from([0, 1, 63, 64, 16383, 16384, (1 << 32) - 1, 1 << 32, U64_MAX]))
times = st.one_of(st.integers(0, 1 << 44), st.sampled_from([0, -1, 1 << 62]))
field_expiries = st.one_of(
    st.none(), st.none(), st.sampled_from([0, 1, MAX_FIELD_EXPIRE_MS, MAX_FIELD_EXPIRE_MS + 1]), st.integers(1, 1 << 43)
)
stream_ids = st.builds(StreamID, u64, u64)


def _filled(drawn: list[bytes], size: int, filler: bytes) -> list[bytes]:
    """Return at least ``size`` different texts, the drawn ones among them."""
    members = dict.fromkeys(drawn)
    at = 0
    while len(members) < size:
        members[filler + b"%d" % at] = None
        at += 1
    return list(members)


members = st.builds(
    _filled,
    st.lists(texts, min_size=1, max_size=6),
    st.sampled_from([1, 1, 1, 2, 126, 127, 128, 129, 510, 511, 512, 513]),
    st.sampled_from([b"", b"", b"-", b"m", b"x" * 61, b"x" * 62]),
)

remembered = st.lists(st.tuples(texts, stream_ids), max_size=3).map(tuple)

integer_sets = st.lists(
    numbers.filter(lambda number: -(1 << 63) <= number < 1 << 63), min_size=1, max_size=40, unique=True
)

values: dict[str, st.SearchStrategy[Any]] = {
    "string": texts.map(StringValue),
    "list": st.builds(
        lambda drawn, times: ListValue(drawn * times),
        st.lists(texts, min_size=1, max_size=8),
        st.sampled_from([1, 2, 40]),
    ),
    "set": st.one_of(
        members.map(SetValue), integer_sets.map(lambda drawn: SetValue([b"%d" % number for number in drawn]))
    ),
    "zset": st.builds(
        lambda names, drawn: ZSetValue([(name, drawn[at % len(drawn)]) for at, name in enumerate(names)]),
        members,
        st.lists(scores, min_size=1, max_size=9),
    ),
    "hash": st.builds(
        lambda names, texts, expiries: HashValue(
            [(name, texts[at % len(texts)], expiries[at % len(expiries)]) for at, name in enumerate(names)]
        ),
        members,
        st.lists(texts, min_size=1, max_size=3),
        st.one_of(st.just([None]), st.lists(field_expiries, min_size=1, max_size=5)),
    ),
    "module": st.sampled_from(
        # LEN of the module's id, then opcodes: an integer, a double, a string, the end.
        [OpaqueValue("AAAAAAAAA", bytes.fromhex("81 0000000000000001 02 2a 04 000000000000f03f 05 02 6869 00"))]
    ),
    "array": st.builds(
        lambda items, insert: ArrayValue(sorted(items.items()), insert),
        st.dictionaries(
            st.one_of(st.integers(0, 300), st.integers(0, U64_MAX - 1)),
            st.one_of(texts, st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False)),
            min_size=1,
            max_size=9,
        ),
        st.one_of(st.none(), u64),
    ),
}  # fmt: skip


@st.composite
def groups(draw: st.DrawFn, unowned: bool) -> StreamGroup:
    """A group whose pending entries are in order, each with one owner, or with none."""
    names = draw(st.lists(texts, max_size=4, unique=True))
    consumers = [
        StreamConsumer(name, draw(times), draw(st.one_of(times, st.none()) if draw(st.booleans()) else times))
        for name in names
    ]
    ids = sorted(draw(st.sets(st.tuples(u64, u64), max_size=12)))
    owners = [*names, None] if unowned else names
    pending = [
        PendingEntry(StreamID(*entry_id), draw(st.sampled_from(owners)), draw(times), draw(u64))
        for entry_id in ids
        if owners
    ]
    return StreamGroup(
        draw(texts), draw(stream_ids), draw(st.one_of(st.none(), st.integers(0, U64_MAX - 1))), consumers, pending
    )


@st.composite
def streams(draw: st.DrawFn) -> StreamValue:
    """Entries with gaps between their ids, many or few, with like and unlike fields."""
    fields = st.lists(st.tuples(texts, texts), min_size=1, max_size=4)
    kinds = draw(st.lists(fields, min_size=1, max_size=4))
    count = draw(st.sampled_from([0, 1, 2, 5, 99, 100, 101, 250]))
    step = draw(st.sampled_from([1, 3, 1 << 20, 1 << 40]))
    wraps = draw(st.booleans())
    entries = [
        StreamEntry(StreamID(5 + at * step, (1 << 63) - at if wraps else at % 7), kinds[at * at % len(kinds)])
        for at in range(count)
    ]
    counted = draw(st.booleans())
    first = entries[0].id if entries else StreamID(0, 0)
    names = draw(st.lists(texts, max_size=2, unique=True))
    return StreamValue(
        entries,
        last_id=draw(stream_ids),
        first_id=first if counted else None,
        max_deleted_id=draw(stream_ids) if counted else None,
        entries_added=draw(u64) if counted else None,
        groups=[draw(groups(draw(st.booleans()))) for _ in names],
        producers=draw(
            st.one_of(
                st.none(),
                st.builds(
                    StreamProducers, u64, u64,
                    st.lists(st.tuples(texts, remembered), max_size=3),
                    u64, u64,
                ),
            )
        ),
    )  # fmt: skip


values["stream"] = streams()


@st.composite
def records(draw: st.DrawFn, kind: str | None = None) -> KeyRecord:
    """A key with a value of ``kind``, or of any."""
    kind = kind or draw(st.sampled_from(sorted(values)))
    return KeyRecord(
        db=draw(st.sampled_from([0, 1, 15, 63, 64, 20_000])),
        key=draw(texts),
        value=draw(values[kind]),
        expire_at_ms=draw(
            st.one_of(st.none(), st.integers(-(1 << 41), 1 << 41).filter(lambda ms: ms != -1), st.just(1 << 62))
        ),
        idle_s=draw(st.one_of(st.none(), st.integers(0, (1 << 63) - 1))),
        freq=draw(st.one_of(st.none(), st.integers(0, 255))),
        meta=draw(st.one_of(st.none(), st.just(b"\x01spec\x02\x2a\x00"))),
    )
