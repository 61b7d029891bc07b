"""Numbers: doubles to text and back, judged by Python's own ``repr`` and ``float``, and by Grisu2 in plain Python.

They are reached the way files reach them: as the scores of one large sorted set.
"""

from __future__ import annotations

import json
import math
import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from codec import f6
from codec.commands import read_commands
from codec.driving import make, rdb, read_into, records_of, written
from codec.grisu import layout, server_text
from required import skip_without

from rdbtool import FormatError
from rdbtool._codec.encode.json import Json
from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.sinks.digest import Digest
from rdbtool.model import ArrayValue, ZSetValue

COUNT = 220_000


def double(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def bits(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def doubles(count: int, seed: int) -> list[float]:
    """Return finite doubles: of all magnitudes, with few digits, integers, subnormals, powers and their neighbours."""
    dice = random.Random(seed)
    found = [0.0, -0.0, 5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308, 2.0**63]
    for power in range(-1074, 1024):
        found += [
            math.ldexp(1, power),
            math.nextafter(math.ldexp(1, power), 0),
            math.nextafter(math.ldexp(1, power), 1e309),
        ]
    for power in range(-323, 309):
        near = float(f"1e{power}")
        found += [near, math.nextafter(near, 0), math.nextafter(near, math.inf)]
    makers = (
        lambda: double(dice.getrandbits(64)),
        lambda: double(dice.getrandbits(52)),
        lambda: dice.randrange(-(10**6), 10**6) / 10 ** dice.randrange(8),
        lambda: float(dice.randrange(1 << dice.randrange(1, 80))),
        lambda: dice.uniform(-1e6, 1e6),
        lambda: dice.uniform(-1, 1) * 10.0 ** dice.randrange(-6, 12),
        lambda: float(f"{dice.randrange(10**17)}e{dice.randrange(-330, 292)}"),
    )
    while len(found) < count:
        found.append(dice.choice(makers)())
    return [value for value in found if math.isfinite(value)]


def zset(scores: Iterable[float]) -> bytes:
    members = [make.string(b"%d" % at) + struct.pack("<d", score) for at, score in enumerate(scores)]
    return rdb(make.key(5, b"z", make.counted(*members)))


def zset_of_texts(texts: Iterable[bytes]) -> bytes:
    members = [make.string(b"%d" % at) + bytes([len(text)]) + text for at, text in enumerate(texts)]
    return rdb(make.key(3, b"z", make.counted(*members)), magic=b"REDIS0006")


def scores_of(data: bytes) -> list[float]:
    (record,) = records_of(data)
    assert isinstance(record.value, ZSetValue)
    assert [member for member, _ in record.value.members] == [b"%d" % at for at in range(len(record.value))]
    return [score for _, score in record.value.members]


def shortest(value: float) -> str:
    """Return Python's digits, which are the shortest and of those the nearest, in the layout of format F5."""
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    assert isinstance(exponent, int)
    stripped = text.rstrip("0")
    return "-" * sign + (layout(stripped, exponent + len(text) - len(stripped)) if stripped else "0")


def test_doubles_come_out_as_the_shortest_text() -> None:
    values = doubles(COUNT, 1)
    assert len(values) > 200_000
    texts = json.loads(written(zset(values), Json))[0]["z"]
    assert [texts[str(at)] for at in range(len(values))] == [shortest(value) for value in values]


def test_jsonl_gives_the_same_doubles_back() -> None:
    values = [*doubles(COUNT // 2, 2), math.inf, -math.inf]
    line = json.loads(written(zset(values), Jsonl).splitlines()[1])
    found = [float(score) for _, score in line["value"]]
    assert list(map(bits, found)) == list(map(bits, values))


def test_resp_gives_the_same_doubles_back() -> None:
    values = doubles(20_000, 3)
    select, *adds = read_commands(written(zset(values), Resp))
    assert select == [b"SELECT", b"0"]
    assert {tuple(words[:2]) for words in adds} == {(b"ZADD", b"z")}
    texts = [text for words in adds for text in words[2::2]]
    assert [bits(float(text)) for text in texts] == list(map(bits, values))
    assert [int(member) for words in adds for member in words[3::2]] == list(range(len(values)))


def test_nan_and_infinities_have_names() -> None:
    data = zset([math.nan, math.inf, -math.inf, -0.0])
    assert b'{"0":"nan","1":"inf","2":"-inf","3":"-0"}' in written(data, Json)
    assert b'[["0","nan"],["1","inf"],["2","-inf"],["3",-0.0]]' in written(data, Jsonl)


def test_the_texts_of_servers() -> None:
    """Grisu2's digits, seen through the digest: 500 sets of 60 scores, some of which are not the shortest text."""
    values = doubles(36_000, 4)[-30_000:]
    sets = [values[at : at + 60] for at in range(0, len(values), 60)]
    longer = sum(server_text(value) != shortest(value) for value in values)
    assert 5 < longer < 500
    for scores in sets:
        data = zset(scores)
        records = records_of(data)
        assert read_into(data, Digest("redis-7.2")).hexdigest() == f6.digest(records, shortest=True, marks=False)
        assert read_into(data, Digest("redis-7.0")).hexdigest() == f6.digest(records, shortest=False, marks=False)


def decimal_texts(count: int, seed: int) -> list[bytes]:
    """Return decimal texts: 17 digits as servers wrote them, short, long, exact and halfway ones."""
    dice = random.Random(seed)
    texts = [b"0", b"-0", b"+0", b"0e999999", b".5", b"5.", b"1e400", b"-1e400", b"1e-400", b"1E5", b"1e+05", b"00012",
             b"9007199254740993", b"9007199254740992.5", b"4.9e-324", b"2.4703282292062327e-324",
             b"2.4703282292062328e-324", b"2.2250738585072011e-308", b"2.2250738585072012e-308",
             b"1.7976931348623158e308", b"1.7976931348623159e308", b"179769313486231580793e289",
             b"0." + b"0" * 100 + b"123456789e90", b"1" + b"0" * 120, b"1" * 128, b"0" * 127 + b"7",
             b"12345678901234567890", b"9999999999999999999", b"18446744073709551615", b"18446744073709551616",
             b"0.000000000000000000000000000000000000012345678901234567890123", b"1e99999999999999999999",
             b"1e-99999999999999999999", b"0." + b"0" * 60 + b"1" + b"0" * 60 + b"1"]  # fmt: skip

    def halfway() -> bytes:
        """The exact middle of two doubles, or a digit beside it."""
        low = abs(double(dice.getrandbits(52) | dice.randrange(900, 1150) << 52))
        middle = (Fraction(low) + Fraction(math.nextafter(low, math.inf))) / 2
        exact = Decimal(middle.numerator) / Decimal(middle.denominator)
        digits = f"{exact:.{dice.choice((17, 20, 25, 40))}e}"
        return digits.encode()

    def subnormal_halfway() -> bytes:
        count = dice.randrange(1 << dice.randrange(1, 52))
        return b"%de-324" % (count * 4940656458412465 // 1000 // 10**12 + dice.randrange(3))

    makers = (
        lambda: b"%.17g" % double(dice.getrandbits(64)),
        lambda: b"%.17g" % double(dice.getrandbits(52)),
        lambda: b"%de%d" % (dice.getrandbits(dice.randrange(1, 70)), dice.randrange(-345, 310)),
        lambda: b"%d.%de%d" % (dice.randrange(10**9), dice.randrange(10**18), dice.randrange(-330, 300)),
        lambda: b"%d.%019d" % (dice.randrange(1 << 64), dice.randrange(10**19)),
        lambda: repr(dice.uniform(-1e6, 1e6)).encode(),
        lambda: b"%d" % dice.randrange(-(1 << 80), 1 << 80),
        lambda: (
            (b"%d" % dice.randrange(10**19, 10 ** dice.randrange(20, 60))) + dice.choice((b"", b"e-30", b".5", b"e280"))
        ),
        lambda: b"0." + b"0" * dice.randrange(30) + b"%d" % dice.randrange(10**25),
        halfway,
        subnormal_halfway,
    )
    while len(texts) < count:
        text = dice.choice(makers)()
        if b"nan" not in text:
            texts.append(dice.choice((b"", b"", b"-", b"+")) + text if text[:1].isdigit() else text)
    return texts


def test_texts_give_the_nearest_double() -> None:
    texts = decimal_texts(COUNT, 5)
    assert max(map(len, texts)) <= 128
    found = scores_of(zset_of_texts(texts))
    wrong = [(text, value) for text, value in zip(texts, found, strict=True) if bits(value) != bits(float(text))]
    assert wrong == []


@pytest.mark.parametrize("text", ["inf", "INF", "-inf", "+Inf", "infinity", "-Infinity", "nan", "NaN", "-nan"])
def test_names_of_numbers(text: str) -> None:
    (found,) = scores_of(zset_of_texts([text.encode()]))
    expected = float(text)
    assert found == expected or (math.isnan(found) and math.isnan(expected))


@pytest.mark.parametrize(
    "text",
    [b"", b" 1", b"1 ", b"+", b"-", b".", b"e5", b"1e", b"1e+", b"1_0", b"0x10", b"1.5.5", b"--1", b"in", b"infinit",
     b"nan(1)", b"nano", b"1e5e5", b"1\x00", b"\xb21", b"1" * 129, b"@", b"1,5", b"i\xaef"],
)  # fmt: skip
def test_what_is_no_number(text: bytes) -> None:
    with pytest.raises(FormatError):
        records_of(zset_of_texts([text]))


def test_integers_of_every_size() -> None:
    """Integers come out in decimal wherever they are stored."""
    dice = random.Random(6)
    edges = [sign * (1 << power) + step for power in range(31) for step in (-1, 0, 1) for sign in (1, -1)]
    numbers = [*edges, *(dice.randrange(-(1 << 31), 1 << 31) for _ in range(2000)), (1 << 31) - 1, -(1 << 31)]
    wide = [*numbers, *(sign * (1 << power) + step for power in range(64) for step in (-1, 0) for sign in (1, -1))]
    wide = [number for number in wide if -(1 << 63) <= number < 1 << 63]
    data = rdb(
        make.key(1, b"strings", make.counted(*map(make.integer, numbers))),
        make.key(10, b"ziplist", make.string(make.ziplist(wide))),
        make.key(18, b"listpack", make.counted(make.length(2) + make.string(make.listpack(wide)))),
        make.key(11, b"intset", make.string(make.intset(8, wide))),
    )
    found = json.loads(written(data, Json))[0]
    assert found["strings"] == list(map(str, numbers))
    assert found["ziplist"] == found["listpack"] == found["intset"] == list(map(str, wide))


def test_numbers_of_arrays_keep_their_type() -> None:
    values: list[int | float] = [0, -1, (1 << 63) - 1, -(1 << 63), 0.0, -0.0, 1.0, 1e20, 1e22, 0.1, 1e-7, 5e-324]
    items = [
        make.length(at)
        + (b"\x01" + struct.pack("<q", value) if isinstance(value, int) else b"\x02" + struct.pack("<d", value))
        for at, value in enumerate(values)
    ]
    data = rdb(make.key(28, b"a", make.length(len(items)) + b"\x00" + b"".join(items)), magic=b"REDIS0014")
    (record,) = records_of(data)
    assert isinstance(record.value, ArrayValue)
    assert [repr(value) for _, value in record.value.items] == [repr(value) for value in values]
    line = json.loads(written(data, Jsonl).splitlines()[1])
    assert [repr(value) for _, value in line["value"]["items"]] == [repr(value) for value in values]


LOCALE_PROGRAM = """
import locale, sys
from rdbtool._codec.sinks.digest import Digest
from rdbtool.reader.rdb import open_rdb
locale.setlocale(locale.LC_ALL, sys.argv[1])
assert locale.str(1.5) == "1,5"
path, text = sys.argv[2:]
sink = Digest("redis-7.0")
with open_rdb(path) as reader:
    reader.feed(sink)
assert sink.hexdigest() == text, sink.hexdigest()
with open_rdb(path) as reader:
    print([score for record in reader for _, score in record.value.members])
"""


def test_decimal_commas_of_a_locale_do_no_harm(tmp_path: Path) -> None:
    """A program that uses rdbtool may have chosen a locale where C's own functions read and write 1,5."""
    made = tmp_path / "de_DE.UTF-8"
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(made)], capture_output=True, check=False)
    environment = os.environ | ({"LOCPATH": str(tmp_path)} if made.exists() else {})
    texts = [b"1.55e-310", b"1.2345678901234567890123", b"0.1", b"9007199254740993.00000000001", b"4.9e-324"]
    path = tmp_path / "z.rdb"
    path.write_bytes(zset_of_texts(texts))
    digest = f6.digest(records_of(path), shortest=False, marks=False)
    done = subprocess.run(
        [sys.executable, "-c", LOCALE_PROGRAM, "de_DE.UTF-8", str(path), digest],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    if "unsupported locale" in done.stderr:
        skip_without("neither is the locale de_DE.UTF-8 installed, nor can it be made")
    assert done.stdout == f"{[float(text) for text in texts]}\n", done.stderr
