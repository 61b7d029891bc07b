"""DUMP payloads: the record that comes out, and where damage is said to be."""

import struct

import pytest

from rdbtool.core.errors import FormatError, LimitError
from rdbtool.core.servers import Rules
from rdbtool.io.source import crc64
from rdbtool.model import ListValue, StringValue
from rdbtool.reader.payload import FooterError, check_footer, newest_version, read_payload


def payload(body: bytes, version: int) -> bytes:
    data = body + struct.pack("<H", version)
    return data + struct.pack("<Q", crc64(data))


@pytest.mark.parametrize("size", [0, 1, 63, 64, 16383, 16384, 100_000])
def test_a_record_has_the_key_it_is_given_and_offsets_of_the_payload(size):
    body = b"\1\2\1a\1b"
    record = read_payload(payload(body, 9), db=3, key=b"k" * size)
    assert (record.db, record.key, record.value) == (3, b"k" * size, ListValue([b"a", b"b"]))
    assert (record.start, record.stop, record.type_code, record.encoding) == (0, len(body), 1, "linkedlist")


def test_a_payload_that_redis_7_0_made():
    """DUMP of a key that was set to ``10`` (a string stored as an integer)."""
    made = payload(b"\0\xc0\x0a", 10)
    assert made == b"\0\xc0\n\n\0n\x9fWE\x0e\xaec\xbb"
    assert read_payload(made).value == StringValue(b"10")


@pytest.mark.parametrize("version", [0, 1, 4, 15, 80])
def test_without_rules_every_known_version_will_do(version):
    assert check_footer(payload(b"\0\1v", version)) == version
    assert read_payload(payload(b"\0\1v", version)).value == StringValue(b"v")


@pytest.mark.parametrize("version", [16, 79, 81])
def test_an_unknown_version_is_refused(version):
    with pytest.raises(FooterError) as caught:
        check_footer(payload(b"\0\1v", version))
    assert (caught.value.code, caught.value.at) == ("RDB002", 3)


def test_a_wrong_checksum_is_refused():
    with pytest.raises(FooterError) as caught:
        read_payload(payload(b"\0\1v", 9)[:-1] + b"x")
    assert (caught.value.code, caught.value.at) == ("RDB004", 5)


def test_damage_is_located_in_the_payload():
    with pytest.raises(FormatError) as caught:
        read_payload(payload(b"\1\2\1a\xff", 9), key=b"some key")
    assert not isinstance(caught.value, FooterError)
    assert (caught.value.code, caught.value.at) == ("RDB103", 4)
    assert caught.value.where.key == b"some key"


def test_inflating_has_a_limit():
    packed = b"\0a" + b"\xe0\xff\0"
    body = b"\0\xc3" + bytes([len(packed)]) + struct.pack(">BI", 0x80, 1 + 264) + packed
    assert len(read_payload(payload(body, 9)).value) == 265
    with pytest.raises(LimitError):
        read_payload(payload(body, 9), max_inflate=264)


def test_newest_versions():
    names = ("redis-2.6", "redis-3.2", "redis-5.0", "redis-7.2", "redis-8.2", "redis-8.10", "valkey-8.1")
    assert [newest_version(Rules.parse(name)) for name in names] == [6, 7, 9, 11, 12, 15, 11]
    assert newest_version(Rules.parse("valkey-9.0")) == 80
