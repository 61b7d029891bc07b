"""Sums of INCRBYFLOAT: known answers, and a real server on x86, where ``long double`` has 80 bits."""

from __future__ import annotations

import platform
import random

import pytest
import server

from rdbtool.engine import CommandError
from rdbtool.engine.algorithms.longdouble import add, read, show

KNOWN = [
    ("0.1", "0.2", "0.3"),
    ("10", "0x10", "26"),
    ("0x1p3", "1", "9"),
    ("00012", "+3", "15"),
    ("-0", "-0", "0"),
    ("0", "-1e-20", "0"),
    ("1e20", "-1e-20", "100000000000000000000"),
    ("0e-5000", "1", "1"),
    ("3", "5.0e3", "5003"),
    ("10.5", "0.1", "10.6"),
    ("9223372036854775807", "1", "9223372036854775808"),
    ("18446744073709551615", "1", "18446744073709551616"),
    # 65 bits: a tie goes to the even mantissa.
    ("36893488147419103232", "1", "36893488147419103232"),
    ("36893488147419103236", "2", "36893488147419103240"),
    # 2^-18 lies between two numbers of 17 places.
    ("0x1p-18", "0", "0.00000381469726562"),
    ("0x3p-18", "0", "0.00001144409179688"),
]

NOT_NUMBERS = [
    "", " 1", "1 ", "1\0", "abc", "1_0", "0x", "0x.", ".", "-", "e5", "1e", "1e+", "nan", "-nan", "nan(1)", "--1",
    "1e-5000", "1e5000", "0x1p16384", "0x1p-16500", "1e99999999999999999999", "1e-99999999999999999999",
    "0" * 5119 + "1", "١",
]  # fmt: skip

INFINITE = [("inf", "1"), ("1", "-inf"), ("Infinity", "-INF"), ("0x1.fffffffffffffffep16383", "1e4932")]


@pytest.mark.parametrize(("first", "second", "total"), KNOWN)
def test_known_sums(first: str, second: str, total: str) -> None:
    assert add(first.encode(), second.encode()) == total.encode()


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_not_a_number(text: str) -> None:
    for pair in ((text.encode(), b"1"), (b"1", text.encode())):
        with pytest.raises(CommandError, match=r"^ERR value is not a valid float$"):
            add(*pair)


@pytest.mark.parametrize(("first", "second"), INFINITE)
def test_not_finite(first: str, second: str) -> None:
    with pytest.raises(CommandError, match=r"^ERR increment would produce NaN or Infinity$"):
        add(first.encode(), second.encode())


def test_read_takes_the_words_of_its_error() -> None:
    with pytest.raises(CommandError, match=r"^ERR hash value is not a float$"):
        read(b"x", "ERR hash value is not a float")
    assert read(b"-inf").is_infinite
    assert read(b"-inf").mantissa < 0
    assert show(read(b"-2.50")) == b"-2.5"


def test_thousands_of_digits() -> None:
    assert add(b"1" + b"0" * 4900, b"0").startswith(b"1")
    assert len(add(b"0x1p16383", b"0")) == 4932
    assert add(b"0." + b"0" * 4900 + b"1", b"1") == b"1"


def _number(random_: random.Random) -> str:
    kind = random_.randrange(9)
    if kind == 0:
        return str(random_.randrange(-(10**18), 10**18))
    if kind == 1:
        return repr(random_.uniform(-1, 1) * 10 ** random_.randrange(-20, 20))
    if kind == 2:
        digits = "".join(random_.choices("0123456789", k=random_.randrange(30)))
        return f"{random_.randrange(-1000, 1000)}.{digits}"
    if kind == 3:
        return f"{random_.randrange(-(10**18), 10**18)}e{random_.randrange(-5000, 4960)}"
    if kind == 4:
        digits = f"{random_.getrandbits(80):x}.{random_.getrandbits(40):x}"
        return f"{random_.choice(['', '-'])}0x{digits}p{random_.randrange(-90, 80)}"
    if kind == 5:
        return str(random_.choice([-1, 1]) * (2 ** random_.randrange(60, 70) + random_.randrange(-3, 4)))
    if kind == 6:
        return f"0x{random_.getrandbits(20):x}.8p-{random_.randrange(10, 25)}"
    if kind == 7:
        return "".join(random_.choices("0123456789.eE+-xXpPinfa ", k=random_.randrange(1, 6)))
    return f"0x{random_.getrandbits(70):x}p{random_.randrange(-16520, 16384)}"


@pytest.mark.server
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="long double is another type here")
def test_random_sums_as_the_server_computes_them(redis_server: server.Server) -> None:
    random_ = random.Random(2026)
    for _ in range(1500):
        first, second = _number(random_), _number(random_)
        redis_server.client("SET", "k", first)
        expected: object
        found: object
        try:
            expected = redis_server.client("INCRBYFLOAT", "k", second)
        except server.ServerError as error:
            expected = str(error)
        try:
            found = add(first.encode(), second.encode())
        except CommandError as error:
            found = str(error)
        assert found == expected, (first, second)
