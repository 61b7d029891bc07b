"""The codec reads lines with a key as the reader in Python does: the same events, or the same error at the same place.

The judge is the other half of the reader: ``items`` goes line by line through ``json``, and never through the codec.
"""

from __future__ import annotations

import base64
import io
import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from codec.driving import FILES, name_of, written
from sampling import sample

from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.replay_record import feed_header, feed_item, feed_record
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool._codec.sinks.records import Records
from rdbtool.core.errors import RdbToolError, describe_error
from rdbtool.model import Header, KeyRecord, ZSetValue
from rdbtool.reader.jsonl.reader import JsonlReader, open_jsonl

#: What is left to the reader in Python.
RARE = (b'"type":"module"', b'"meta":', b'"member_expiries":', b'"idmp":')

HEADER = b'{"rdb":{"magic":"REDIS","version":14}}\n'


class Pipe(io.RawIOBase):
    """Bytes that can be read once, a few at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int:
        return self._data.readinto(view)


def by_codec(reader: JsonlReader, sink: Jsonl) -> None:
    reader.feed(sink)


def by_json(reader: JsonlReader, sink: Jsonl) -> None:
    for item in reader.items():
        if isinstance(item, KeyRecord):
            feed_record(item, sink)
        elif isinstance(item, Header):
            feed_header(*item, sink)
        else:
            feed_item(item, sink)


def outcome(
    source: Any, way: Callable[[JsonlReader, Jsonl], None], *, long_line: int = 0, piece: int = 0
) -> tuple[Any, ...]:
    """Return what a sink heard, what was counted, and what was wrong; the sink is rolled back as an error asks for."""
    pieces: list[bytes] = []
    sink = Jsonl(pieces.append)
    error = ""
    totals = None
    try:
        with open_jsonl(source, name="lines") as reader:
            if long_line:
                reader._decoder.long_line, reader._decoder.piece = long_line, piece
            reader.refuse_twice()
            try:
                way(reader, sink)
            finally:
                totals = reader.totals
    except RdbToolError as raised:
        error = describe_error(raised)
    sink.flush()
    return b"".join(pieces), totals, error


def assert_same(data: bytes) -> None:
    wanted = outcome(data, by_json)
    assert outcome(data, by_codec) == wanted, data
    # Every line is read ahead, a few bytes at a time, and then told.
    assert outcome(data, by_codec, long_line=1, piece=random.choice((1, 7, 64, 1000))) == wanted, data


def texts(rng: random.Random) -> str:
    """Return a JSON string, or base64."""
    kind = rng.randrange(8)
    if kind == 0:
        return json.dumps({"base64": base64.b64encode(rng.randbytes(rng.randrange(9))).decode()})
    text = "".join(
        rng.choice(("a", "ß", "€", "😀", '"', "\\", "\n", "\x00", "/", "12", " ")) for _ in range(rng.randrange(9))
    )
    return json.dumps(text, ensure_ascii=rng.random() < 0.5)


def rows(rng: random.Random, make: Callable[[], str]) -> str:
    return "[" + rng.choice((",", " , ", ",\t")).join(make() for _ in range(rng.randrange(5))) + "]"


def an_id(rng: random.Random) -> str:
    return f'"{rng.choice((0, 5, 1 << 40, (1 << 64) - 1))}-{rng.randrange(9)}"'


def number(rng: random.Random) -> str:
    return rng.choice(
        ("0", "-0", "-0.0", "1.5", "-17", "1e300", "1E-7", "123456789012345678901", '"inf"', '"nan"', "3.0")
    )


def a_stream(rng: random.Random) -> str:
    entries = rows(rng, lambda: f"[{an_id(rng)},{rows(rng, lambda: f'[{texts(rng)},{texts(rng)}]')}]")
    more = ""
    if rng.random() < 0.7:
        more += f',"entries_added":{rng.choice(("null", "7"))},"max_deleted_id":{rng.choice(("null", an_id(rng)))}'
    if rng.random() < 0.2:
        more += f',"first_id":{an_id(rng)},"length":9'
    if rng.random() < 0.7:
        owners = [texts(rng) for _ in range(3)]

        def a_group() -> str:
            consumers = ",".join(
                f'{{"name":{owner},"seen_at_ms":{rng.choice(("null", "-5"))},"active_at_ms":7}}' for owner in owners[:2]
            )
            count = rng.randrange(4)
            ids = sorted(rng.sample(range(9), count))
            waiting = ",".join(f'["{at}-0",{rng.choice([*owners, "null"])},{at - 1},3]' for at in ids)
            return (
                f'{{"name":{texts(rng)},"last_id":{an_id(rng)},"entries_read":{rng.choice(("null", "4"))},'
                f'"consumers":[{consumers}],"pending":[{waiting}]}}'
            )

        more += f',"groups":{rows(rng, a_group)}'
    return f'{{"entries":{entries},"last_id":{an_id(rng)}{more}}}'


def a_value(rng: random.Random, kind: str) -> str:
    if kind == "string":
        return texts(rng)
    if kind in {"list", "set"}:
        return rows(rng, lambda: texts(rng))
    if kind == "zset":
        return rows(rng, lambda: f"[{texts(rng)}, {number(rng)}]")
    if kind == "hash":
        return rows(rng, lambda: f"[{texts(rng)},{texts(rng)}{rng.choice(('', ',77', ', null'))}]")
    if kind == "array":
        item = rows(rng, lambda: f"[{rng.randrange(99)},{rng.choice((texts(rng), number(rng), '-5', '1.25'))}]")
        return f'{{"items":{item},"insert_index":{rng.choice(("null", "3"))}}}'
    return a_stream(rng)


def a_line(rng: random.Random, at: int) -> str:
    kind = rng.choice(("string", "list", "set", "zset", "hash", "stream", "array"))
    members = [f'"key":"{at}:{rng.randrange(1 << 30)}"', f'"type":"{kind}"']
    optional = (
        '"db":3',
        '"expire_at_ms":null',
        '"expire_at_ms":-7',
        '"idle_s":9',
        '"freq":255',
        '"encoding":null',
        '"db":null',
    )
    for text in optional:
        if rng.random() < 0.3 and not any(member.startswith(text[:5]) for member in members):
            members.insert(rng.randrange(len(members) + 1), text)
    if rng.random() < 0.95:
        members.append(f'"value":{a_value(rng, kind)}')
    else:
        members.insert(0, f'"value":{a_value(rng, kind)}')
    return rng.choice(("", " ", "\t")) + "{" + rng.choice((",", ", ")).join(members) + "}" + rng.choice(("", " ", "\r"))


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Return lines with one thing changed."""
    at = rng.randrange(len(HEADER), len(data))
    kind = rng.randrange(5)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[at + 1 :]
    if kind == 2:
        return data[:at] + bytes([rng.choice(b'"\\{}[],:0-9.eEnu \n\x00\x80\xff')]) + data[at:]
    if kind == 3:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    other = min(len(data), at + rng.randrange(1, 30))
    return data[:at] + data[at:other] + data[at:]


@pytest.mark.parametrize("seed", range(4))
def test_random_lines(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(40):
        lines = [a_line(rng, at) for at in range(rng.randrange(1, 6))]
        data = HEADER + "\n".join(lines).encode() + rng.choice((b"", b"\n", b"\n \n"))
        assert_same(data)
        for _ in range(8):
            assert_same(damaged(rng, data))


def a_text(rng: random.Random) -> str:
    """Return a JSON string whose parts end anywhere in blocks of 16 bytes."""
    parts = ["a" * rng.choice((0, 1, 3, 14, 15, 16, 17, 31, 40)) for _ in range(rng.choice((1, 1, 1, 2, 5)))]
    return (
        '"'
        + rng.choice(('\\"', "\\n", "\\u20ac", "\\ud83d\\ude00", "ß", "\\/", "\\x", "\\ud83d", "\t")).join(parts)
        + '"'
    )


def a_decimal(rng: random.Random) -> str:
    """Return a number of up to 24 digits, with or without a point."""
    whole = "".join(rng.choices("0123456789", k=rng.choice((1, 1, 2, 5, 9, 17, 19, 20))))
    fraction = "".join(rng.choices("0123456789", k=rng.choice((0, 1, 7, 8, 9, 15, 16, 17, 18, 19, 20))))
    whole = whole.lstrip("0") or "0" if rng.random() < 0.95 else whole
    return rng.choice(("", "", "-")) + whole + (f".{fraction}" if fraction or rng.random() < 0.02 else "")


def a_plain_line(rng: random.Random, at: int) -> str:
    """Return a line as the format has it."""
    kind, encoding = rng.choice(
        (
            ("string", "raw"),
            ("string", "int"),
            ("list", "quicklist2"),
            ("set", "intset"),
            ("zset", "listpack"),
            ("zset", "skiplist"),
            ("hash", "listpack"),
            ("hash", "quicklist"),
        )
    )
    row = {
        "list": lambda: a_text(rng),
        "set": lambda: a_text(rng),
        "zset": lambda: f"[{a_text(rng)},{a_decimal(rng)}]",
        "hash": lambda: f"[{a_text(rng)},{a_text(rng)}]",
    }.get(kind)
    value = a_text(rng) if row is None else f"[{','.join(row() for _ in range(rng.randrange(5)))}]"
    expiry = rng.choice(("null", "1700000000000", "-7", "-1"))
    return (
        f'{{"db":{rng.choice((0, 5, 1 << 31))},"key":"{at}:{rng.randrange(1 << 30)}","type":"{kind}",'
        f'"encoding":"{encoding}","expire_at_ms":{expiry},"value":{value}}}'
    )


@pytest.mark.parametrize("seed", range(4))
def test_plain_lines(seed: int) -> None:
    """What is read in whole rows, and what looks like it."""
    rng = random.Random(seed)
    for _ in range(60):
        # A fault ends the reading: most lines have none.
        lines = [a_plain_line(rng, at) for at in range(rng.randrange(1, 4))]
        data = HEADER + "\n".join(lines).encode()
        assert_same(data)
        for _ in range(8):
            assert_same(damaged(rng, data))


def test_decimals_are_what_json_reads() -> None:
    rng = random.Random(5)
    numbers = [text for text in (a_decimal(rng) for _ in range(20_000)) if not text.endswith(".")]
    numbers = [text for text in numbers if text.lstrip("-")[:2].rstrip(".") == "0" or text.lstrip("-")[0] != "0"]
    rows = ",".join(f'["{at}",{text}]' for at, text in enumerate(numbers))
    data = (
        HEADER
        + f'{{"db":0,"key":"k","type":"zset","encoding":"skiplist","expire_at_ms":null,"value":[{rows}]}}'.encode()
    )
    with open_jsonl(data) as reader:
        sink = Records()
        reader.feed(sink)
        assert reader.fallbacks == 0
    (record,) = sink.take()
    assert isinstance(record, KeyRecord)
    assert isinstance(record.value, ZSetValue)
    read = [score for _, score in record.value.members]
    wanted = [float(json.loads(text)) for text in numbers]
    assert [struct.pack("d", score) for score in read] == [struct.pack("d", score) for score in wanted]


@pytest.mark.parametrize("path", random.Random(7).sample(FILES, 6), ids=name_of)
def test_lines_of_files_are_read_by_the_codec(path: Path) -> None:
    data = written(path, Jsonl)
    with open_jsonl(data) as reader:
        reader.feed(Fingerprint())
        rare = sum(any(member in line for member in RARE) for line in data.splitlines())
        assert reader.fallbacks <= rare


def test_damaged_lines_of_files() -> None:
    rng = random.Random(3)
    for path in rng.sample(FILES, 8):
        data = HEADER + b"".join(
            line for line in written(path, Jsonl)[:20_000].splitlines(keepends=True) if b'"rdb"' not in line
        )
        for _ in range(5):
            assert_same(damaged(rng, data))


def a_large_stream() -> dict[str, Any]:
    entries = [[f"{at}-0", [["field", f"value:{at}:{'.' * 40}"]]] for at in MANY]
    pending = [[f"{at}-0", "who", 5, 1] for at in MANY]
    group = {"name": "g", "last_id": "9-0", "entries_read": 7, "consumers": [{"name": "who"}], "pending": pending}
    counters = {"last_id": "50000-0", "entries_added": 50_000, "max_deleted_id": "0-0"}
    return {"entries": entries, **counters, "groups": [group]}


def binary(data: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(data).decode()}


MANY = range(50_000)

#: Values of more than the window holds, by name and kind.
LARGE: dict[tuple[str, str], Callable[[], Any]] = {
    ("set", "set"): lambda: [f"member:{at}:größer:{'.' * 80}" for at in MANY],
    ("hash", "hash"): lambda: [[f"field:{at}", "x\n" * 30] for at in MANY],
    ("zset", "zset"): lambda: [[f"member:{at}:{'.' * 80}", at / 8] for at in MANY],
    ("stream", "stream"): a_large_stream,
    ("text", "string"): lambda: "größer \\ 😀 \n" * 400_000,
    ("bytes", "string"): lambda: binary(random.Random(5).randbytes(4_000_001)),
    ("UTF-8 in base64", "string"): lambda: binary("größer".encode() * 500_000),
}


@pytest.mark.parametrize("name", sample(LARGE, 3), ids=" ".join)
def test_large_values(name: tuple[str, str]) -> None:
    kind, value = name[1], json.dumps(LARGE[name](), ensure_ascii=False)
    line = f'{{"key":"large","type":"{kind}","value":{value}}}\n'
    assert len(line) > 4 << 20
    data = HEADER + (line + '{"key":"next","type":"string","value":"v"}\n').encode()
    wanted = outcome(data, by_json)
    assert not wanted[2]
    assert outcome(data, by_codec) == wanted
    assert outcome(Pipe(data), by_codec) == wanted
    with open_jsonl(data) as reader:
        reader.feed(Fingerprint())
        assert reader.fallbacks == 0
    # What is wrong at its end is found before the sink hears of it.
    bad = data[: len(HEADER) + len(line.encode()) - 3] + data[len(HEADER) + len(line.encode()) - 2 :]
    assert outcome(bad, by_codec) == outcome(bad, by_json)
