"""How things are shown to people."""

import pytest
from table_reference import preview, show_size

from rdbtool.model import (
    HashValue,
    KeyRecord,
    ListValue,
    SetValue,
    StreamEntry,
    StreamID,
    StreamValue,
    StringValue,
    ZSetValue,
)
from rdbtool.report.formatting import (
    show_bytes,
    show_count,
    show_duration,
    show_score,
    show_time,
    show_ttl,
)
from rdbtool.report.screen import fit


@pytest.mark.parametrize(
    ("data", "quoted", "bare"),
    [
        (b"key", '"key"', "key"),
        (b"", '""', '""'),
        (b" key", '" key"', '" key"'),
        (b'a"b', '"a\\"b"', '"a\\"b"'),
        (b"\x1b[31m", '"\\x1b[31m"', '"\\x1b[31m"'),
        (b"\xff\xfe", '"\\xff\\xfe"', '"\\xff\\xfe"'),
        ("é".encode(), '"é"', "é"),
        # A right-to-left override can make a terminal show another name than the one that is there.
        ("a\u202eb".encode(), '"a\\xe2\\x80\\xaeb"', '"a\\xe2\\x80\\xaeb"'),
    ],
)
def test_bytes(data, quoted, bare):
    assert show_bytes(data) == quoted
    assert show_bytes(data, bare=True) == bare


def test_long_bytes_are_cut_and_counted():
    assert show_bytes(b"x" * 100, 3) == '"xxx"… (100 bytes)'


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (1.0, "1"),
        (-0.0, "-0"),
        (1.5, "1.5"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (0.1, "0.1"),
        (1e17, "1e+17"),
    ],
)
def test_scores(score, text):
    assert show_score(score) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (1, "1ms"),
        (999, "999ms"),
        (1000, "1s"),
        (61_000, "1m 1s"),
        (3_600_000, "1h"),
        (90_061_000, "1d 1h"),
        (40 * 86_400_000, "40d"),
    ],
)
def test_durations(milliseconds, text):
    assert show_duration(milliseconds) == text


def test_time_to_live():
    assert show_ttl(None, 5) == "-"
    assert show_ttl(5, 5) == "expired"
    assert show_ttl(-5, 5) == "expired"
    assert show_ttl(1005, 5) == "1s"


def test_times():
    assert show_time(0) == "1970-01-01T00:00:00Z"
    assert show_time(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
    assert show_time(1 << 62) == "4611686018427387904 ms"


def test_counts():
    assert show_count(1, "key") == "1 key"
    assert show_count(1234567, "key") == "1,234,567 keys"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (StringValue(b"v"), '"v"'),
        (ListValue([b"a", b"b c"]), "a, b c"),
        (SetValue([b""]), '""'),
        (ZSetValue([(b"m", 1.0), (b"n", float("inf"))]), "m=1, n=inf"),
        (HashValue([(b"f", b"v"), (b"g", b"\x00")]), 'f=v, g="\\x00"'),
        (
            StreamValue([StreamEntry(StreamID(5, 1), [(b"f", b"v"), (b"g", b"w")])], last_id=StreamID(5, 1)),
            "5-1 f=v g=w",
        ),
        (ListValue([]), ""),
    ],
)
def test_previews(value, text):
    assert preview(value, 40) == text


@pytest.mark.parametrize(
    ("text", "width", "fitted"),
    [
        ("abc", 5, "abc  "),
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日 …"),
    ],
)
def test_fitting_counts_columns(text, width, fitted):
    assert fit(text, width) == fitted


def test_record_sizes():
    assert show_size(KeyRecord(db=0, key=b"k", value=StringValue(b"abc"))) == "3 B"
    assert show_size(KeyRecord(db=0, key=b"k", value=ListValue([b"abc"]))) == "1"
