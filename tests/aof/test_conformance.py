"""Scanner and line parser agree on any bytes: the same records, and a fault in front of the same record or none.

The scanner never explains, the parser never hurries; whatever one takes the other has to take. More than 50,000
damaged logs go through both: cut at every byte, every bit of some turned, bytes exchanged at random.
"""

from __future__ import annotations

import io
import random

import pytest
from aof.logs import command

from rdbtool._codec.decode.aof_scanner import DECLINED, ENDED, PAUSED, Scanner
from rdbtool._codec.decode.window import Window
from rdbtool.core.errors import FormatError
from rdbtool.reader.aof.text_parser import Annotation, LineParser
from rdbtool.reader.open.windows import WindowStream

MULTI = command("SELECT", "2") + command("MULTI") + command("SET", "a", "1") + command("INCR", "a") + command("EXEC")
TIMES = b"#TS:1700000000\r\n" + command("SET", "k", "v") + b"#TS:1700000001\r\n" + command("DEL", "k")
BINARY = command("SET", b"\r\n*3\r\n$3\r\n", bytes(range(32))) + command("rpush", "l", "", "x" * 40)
EMBEDDED = command("SET", "k", command("SET", "inner", "v")) + command("HSET", "h", "f", "v")
SEEDS = {"multi": MULTI, "times": TIMES, "binary": BINARY, "embedded": EMBEDDED}

#: What is likely to hurt when it stands in the wrong place.
PIECES = [
    b"\r\n",
    b"\n",
    b"\r",
    b"*",
    b"$",
    b"#",
    b"0",
    b"9",
    b"-1",
    b"+",
    b" ",
    b"\0",
    b"*0\r\n",
    b"$0\r\n",
    b"999999",
]
PIECES += [b"9" * 17, b"9" * 18, b"9" * 19, b"0" * 18, b"*1000000000\r\n", b"#\r\n", b"#" * 1023, b"multi", b"EXEC"]

BATCHES = 8
MUTATIONS = 50_000


def window_of(data: bytes, *, sized: bool) -> Window:
    return Window(io.BytesIO(data).readinto, lambda *_: 0, lambda: 1 << 30, len(data) if sized else -1)


def by_scanner(data: bytes, *, sized: bool):
    window = window_of(data, sized=sized)
    scanner = Scanner(window, batch=3)
    records = []
    while True:
        status = scanner.run()
        argvs, offsets, annotations, _ = scanner.take()
        texts = {}
        for index, text in annotations:
            texts.setdefault(index, []).append(text)
        for index, (argv, at) in enumerate(zip(argvs, offsets, strict=True)):
            records += [*texts.get(index, []), (at, argv)]
        records += texts.get(len(argvs), [])
        if status != PAUSED:
            assert status in {ENDED, DECLINED}
            return records, window.at, status == ENDED


def by_check(data: bytes):
    window = window_of(data, sized=True)
    scanner = Scanner(window)
    status = scanner.check()
    return scanner.count, window.at, status == ENDED, scanner.good, scanner.multi_at


def by_lines(data: bytes, *, sized: bool):
    window = window_of(data, sized=sized)
    records = []
    while True:
        try:
            record = LineParser(WindowStream(window)).read(1)
        except FormatError as fault:
            assert fault.start == window.at <= fault.at <= len(data)
            assert fault.found == "end of file" or fault.code != "AOF101"
            return records, window.at, False
        if record is None:
            return records, window.at, True
        assert record.start == window.at
        records.append(record.text if isinstance(record, Annotation) else (record.start, record.argv))
        window.skip_to(record.stop)


def good_of(records, stop):
    """Return (good, multi_at) from records, the simple way."""
    good, multi_at = 0, -1
    starts = [None if isinstance(row, bytes) else row[0] for row in records]
    at = 0
    for row, start in zip(records, starts, strict=True):
        if isinstance(row, bytes):
            at += len(row) + 2
        else:
            name = row[1][0].upper()
            if name == b"MULTI" and multi_at < 0:
                multi_at = start
            elif name == b"EXEC":
                multi_at = -1
            at = start + len(command(*row[1]))
        if multi_at < 0:
            good = at
    return good, multi_at


def compare(data: bytes) -> bool:
    """Compare all ways of reading; return whether the log was whole."""
    wanted = by_lines(data, sized=True)
    assert by_scanner(data, sized=True) == wanted, data
    records, stop, whole = wanted
    count = sum(not isinstance(row, bytes) for row in records)
    found = by_check(data)
    assert found[:3] == (count, stop, whole), data
    # Numbers may have leading zeros: where they have, the sizes are not those of ``command``.
    if data[:stop] == b"".join(row + b"\r\n" if isinstance(row, bytes) else command(*row[1]) for row in records):
        assert found[3:] == good_of(records, stop), data
    return whole


@pytest.mark.parametrize("name", SEEDS)
def test_cut_at_every_byte(name):
    data = SEEDS[name]
    whole = [at for at in range(len(data) + 1) if compare(data[:at])]
    assert len(data) in whole
    assert len(whole) < 12
    for at in range(len(data) + 1):
        assert by_scanner(data[:at], sized=False) == by_lines(data[:at], sized=False)


@pytest.mark.parametrize("name", SEEDS)
def test_every_bit_turned(name):
    data = SEEDS[name]
    places = [(at, bit) for at in range(len(data)) for bit in range(8)]
    outcomes = {compare(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]) for at, bit in places}
    assert outcomes == {True, False}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_mutations(batch):
    chance = random.Random(f"aof {batch}")
    seeds = list(SEEDS.values())
    whole = 0
    for _ in range(MUTATIONS // BATCHES + 1):
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    data[at : at + chance.randint(1, 4)] = b""
                case 2:
                    data[at:at] = chance.choice(PIECES)
                case 3:
                    piece = chance.choice(PIECES)
                    data[at : at + len(piece)] = piece
            if not data:
                data += b"*"
        whole += compare(bytes(data))
    assert 0 < whole < MUTATIONS // BATCHES


@pytest.mark.parametrize("sized", [True, False])
def test_records_across_the_edge_of_the_window(sized):
    """The edge of the first window falls on every byte of some records."""
    edge = 1 << 19
    after = MULTI + TIMES
    for shift in range(len(after)):
        data = command("SET", "a", "x" * (edge - shift - 33)) + after
        assert len(data) - len(after) in range(edge - shift - 3, edge - shift + 3)
        found, stop, whole = by_scanner(data, sized=sized)
        assert (found, stop, whole) == by_lines(data, sized=sized)
        assert whole
        assert len(found) == 10
        cut = data[: edge + len(after) - shift - 5]
        assert by_scanner(cut, sized=sized) == by_lines(cut, sized=sized)


def test_a_record_larger_than_the_window():
    data = MULTI + command("SET", "b", "y" * (3 << 20)) + command("RPUSH", "l", *(["z"] * 300_000)) + TIMES
    for sized in (True, False):
        found, stop, whole = by_scanner(data, sized=sized)
        assert whole
        assert stop == len(data)
        assert [row for row in found if not isinstance(row, bytes)][-3][1][2:] == (b"z",) * 300_000
        assert (found, stop, whole) == by_lines(data, sized=sized)
