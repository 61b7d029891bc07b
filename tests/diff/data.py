"""Data sets made at random, and RDBs of them: small alphabets, so that two of them have much in common."""

from __future__ import annotations

import math
from random import Random

from rdbtool.core.location import Span
from rdbtool.core.servers import Target
from rdbtool.model import (
    FunctionLibrary,
    HashValue,
    KeyRecord,
    ListValue,
    PendingEntry,
    SetValue,
    StreamConsumer,
    StreamEntry,
    StreamGroup,
    StreamID,
    StreamValue,
    StringValue,
    Value,
    ZSetValue,
)
from rdbtool.writer.rdb import write_rdb

NAMES = [b"a", b"b", b"c\x00\r\n", b"\xff\xfe", b"k\xc3\xa9y", b"7", b"", b"long" * 40]
WORDS = [b"", b"x", b"y", b"zz", b"1", b"-5", b"9223372036854775807", b"\x00\xff\r\n", b"w" * 70]
SCORES = [0.0, 1.0, -1.5, 3.25, math.inf, -math.inf, 1e300, 0.1, -0.0]
LATER = 4102444800000
EARLIER = 1700000000000


KINDS = ["string", "list", "set", "zset", "hash", "stream"]


def make_records(random: Random, target: Target, like: list[KeyRecord] | None = None) -> list[KeyRecord]:
    """Return the keys of a data set that servers of ``target`` hold; most are not far from those they are ``like``."""
    records = []
    others = {(record.db, record.key): record.value for record in like or ()}
    for db in (0, 1, 9):
        for name in NAMES:
            if random.random() < 0.6:
                expiry = LATER + random.randrange(3) if random.random() < 0.3 else None
                value = make_value(random, target, random.choice(KINDS))
                other = others.get((db, name))
                if other is not None and random.random() < 0.8:
                    value = vary(random, target, other)
                records.append(KeyRecord(db=db, key=name, value=value, expire_at_ms=expiry))
    random.shuffle(records)
    return records


def make_functions(random: Random) -> list[FunctionLibrary]:
    """Return libraries, whose functions may move from one to the other."""
    codes = []
    free = ["f", "g", "h"]
    for name in ("one", "two"):
        mine = [free.pop(random.randrange(len(free))) for _ in range(random.randrange(2)) if free]
        lines = [f"redis.register_function('{function}', function() return 1 end)" for function in mine]
        if lines:
            codes.append("\n".join([f"#!lua name={name}", *lines]).encode())
    return [FunctionLibrary(code, released=True, span=Span(-1, -1)) for code in codes]


def make_value(random: Random, target: Target, kind: str) -> Value:
    def some(choices: list, most: int) -> list:
        return random.sample(choices, random.randint(1, min(most, len(choices))))

    match kind:
        case "string":
            return StringValue(random.choice(WORDS))
        case "list":
            return ListValue(make_list(random))
        case "set":
            return SetValue(some(WORDS, 6))
        case "zset":
            return ZSetValue([(name, random.choice(SCORES)) for name in some(WORDS, 6)])
        case "hash":
            expires = target.version >= 12
            return HashValue(
                [
                    (name, random.choice(WORDS), random.choice([None, LATER, LATER + 5]) if expires else None)
                    for name in some(WORDS, 6)
                ]
            )
    return make_stream(random)


def vary(random: Random, target: Target, value: Value) -> Value:
    """Return a value of the same kind."""
    if isinstance(value, StreamValue):
        return vary_stream(random, value)
    if isinstance(value, ListValue) and random.random() < 0.7:
        start = random.choice([0, 0, 1, len(value.elements) // 2])
        return ListValue([*random.sample(WORDS, random.randrange(2)), *value.elements[start:], *WORDS[: start % 3]])
    return make_value(random, target, value.kind)


def make_list(random: Random) -> list[bytes]:
    elements = [b"%d" % number for number in range(random.randint(1, 12))]
    for _ in range(random.randrange(4)):
        place = random.randrange(len(elements))
        match random.randrange(4):
            case 0 if len(elements) > 1:
                del elements[place]
            case 1:
                elements.insert(place, random.choice(WORDS))
            case 2:
                elements[place] = random.choice(WORDS)
            case _:
                elements.append(random.choice(WORDS))
    return elements


def make_stream(random: Random) -> StreamValue:
    ids = [StreamID(5, number) for number in range(1, 7) if random.random() < 0.6]
    last = max([*ids, StreamID(5, random.randint(3, 8))])
    entries = [StreamEntry(id_, [(b"f", random.choice(WORDS[:4]))]) for id_ in ids]
    groups = [make_group(random, name, ids) for name in (b"g", b"h\x00") if random.random() < 0.5]
    return StreamValue(
        entries,
        last_id=last,
        first_id=ids[0] if ids else StreamID(0, 0),
        max_deleted_id=StreamID(5, random.randrange(3)) if random.random() < 0.5 else StreamID(0, 0),
        entries_added=len(ids) + random.randrange(3),
        groups=groups,
    )


def vary_stream(random: Random, value: StreamValue) -> StreamValue:
    """Return what becomes of a stream: entries are added at its end, others deleted, groups read on or come and go."""
    gone = [entry.id for entry in value.entries if random.random() < 0.2]
    entries = [entry for entry in value.entries if entry.id not in gone]
    last = value.last_id
    for _ in range(random.randrange(3)):
        last = StreamID(last.ms, last.seq + random.randint(1, 2))
        entries.append(StreamEntry(last, [(b"f", b"new")]))
    ids = [entry.id for entry in entries]
    groups = [group for group in value.groups if random.random() < 0.8]
    named = {group.name for group in groups}
    groups += [make_group(random, name, ids) for name in (b"g", b"i") if name not in named and random.random() < 0.3]
    return StreamValue(
        entries,
        last_id=last,
        first_id=ids[0] if ids else StreamID(0, 0),
        max_deleted_id=max([*gone, value.max_deleted_id or StreamID(0, 0)]),
        entries_added=(value.entries_added or 0) + len(entries) + len(gone) - len(value.entries),
        groups=groups,
    )


def make_group(random: Random, name: bytes, ids: list[StreamID]) -> StreamGroup:
    consumers = [b"c", b"d"][: random.randint(0, 2)]
    # One may be pending that is gone.
    waiting = [id_ for id_ in [StreamID(4, 1), *ids] if random.random() < 0.3] if consumers else []
    return StreamGroup(
        name,
        random.choice([StreamID(0, 0), *ids]),
        random.choice([None, 0, 2]),
        [StreamConsumer(consumer, EARLIER, EARLIER) for consumer in consumers],
        [PendingEntry(id_, random.choice(consumers), EARLIER, random.randint(1, 3)) for id_ in waiting],
    )


def to_rdb(records: list[KeyRecord], target: Target, functions: list[FunctionLibrary] | None = None) -> bytes:
    """Return an RDB with these keys."""
    pieces: list[bytes] = []
    ordered = sorted(records, key=lambda record: record.db)
    write_rdb([*(functions or ()), *ordered], pieces.append, target)
    return b"".join(pieces)
