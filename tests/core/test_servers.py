"""Releases by name, and which server a file names: versions as servers, forks and builds write them."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from rdbtool.core.servers import DEFAULT, RELEASES, Rules, choose_rules, first_writer, writer_of


class Field(NamedTuple):
    """An aux field."""

    key: bytes
    value: bytes


class Header(NamedTuple):
    """The first bytes of an RDB."""

    magic: str
    version: int


class Source(NamedTuple):
    """What was read of a file."""

    header: Header
    aux: list[Field]


def file(version: int, *, magic: str = "REDIS", **fields: bytes) -> Source:
    """Return a file with aux fields, whose names have ``_`` for ``-``."""
    aux = [Field(name.replace("_", "-").encode(), value) for name, value in fields.items()]
    return Source(Header(magic, version), aux)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("redis-7.0", "redis-7.0"), ("Redis-7.0.15", "redis-7.0"), ("redis-7", "redis-7.0"), ("redis-2", "redis-2.0"),
        ("valkey-9", "valkey-9.0"), ("valkey-8.1.2", "valkey-8.1"), ("valkey-7", "valkey-7.2"),
        ("redis-8.10", "redis-8.10"), ("redis-5.0.14.1", "redis-5.0"), ("redis-6.2.6-v9", "redis-6.2"),
        ("redis-7.4.2-rc1", "redis-7.4"),
    ],
)  # fmt: skip
def test_names(text: str, server: str) -> None:
    assert str(Rules.parse(text)) == server


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("redis-9.3", "known are redis-2.0 to redis-8.10"),
        ("redis-7.9", "known are redis-7.0, redis-7.2 and redis-7.4"),
        ("redis-7.1", "known are redis-7.0, redis-7.2 and redis-7.4"),
        ("valkey-10", "to valkey-9.1"),
        ("valkey-6.2", "known are valkey-7.2"),
        ("redis-99", "to redis-8.10"),
        ("redis", "not a server such as redis-7.0"),
        ("redis-7.", "not a server"),
        ("keydb-6.3", "not a server"),
        ("", "not a server"),
    ],
)
def test_names_of_no_release(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Rules.parse(text)


@pytest.mark.parametrize(
    ("version", "fields", "said"),
    [
        (10, {"redis_ver": b"7.0.15"}, "rules of the writer: redis-7.0 (redis-ver 7.0.15)"),
        (9, {"redis_ver": b"5.0.14.1"}, "rules of the writer: redis-5.0 (redis-ver 5.0.14.1 of Redis on Windows)"),
        (7, {"redis_ver": b"3.2.100"}, "rules of the writer: redis-3.2 (redis-ver 3.2.100 of Redis on Windows)"),
        (9, {"redis_ver": b"6.2.6-v9"}, "rules of the writer: redis-6.2 (redis-ver 6.2.6-v9)"),
        (11, {"redis_ver": b"7.2"}, "rules of the writer: redis-7.2 (redis-ver 7.2)"),
        (12, {"redis_ver": b"7.4.2-rc1"}, "rules of the writer: redis-7.4 (redis-ver 7.4.2-rc1)"),
        # Release candidates have the numbers between two releases.
        (12, {"redis_ver": b"7.9.240"}, "rules of the writer: redis-8.0 (redis-ver 7.9.240)"),
        (9, {"redis_ver": b"5.9.101"}, "rules of the writer: redis-6.0 (redis-ver 5.9.101)"),
        (9, {"redis_ver": b"6.3.4"}, "rules of the writer: redis-6.2 (redis-ver 6.3.4 of KeyDB)"),
        (9, {"redis_ver": b"6.2.11", "df_ver": b"1"}, "rules of the writer: redis-6.2 (redis-ver 6.2.11 of Dragonfly)"),
        (11, {"valkey_ver": b"8.1.0"}, "rules of the writer: valkey-8.1 (valkey-ver 8.1.0)"),
        # Numbers of builds between releases tell nothing.
        (
            12,
            {"redis_ver": b"255.255.255"},
            "rules inferred from RDB version 12, as redis-ver 255.255.255 is not a known release: redis-7.4",
        ),
        (
            11,
            {"valkey_ver": b"unstable"},
            "rules inferred from RDB version 11, as valkey-ver unstable is not a known release: redis-7.2",
        ),
        (
            15,
            {"redis_ver": b"9.3.0"},
            "rules inferred from redis-ver 9.3.0, newer than any release that is known: redis-8.10",
        ),
        (
            9,
            {"redis_ver": b"4.0.11-alibaba"},
            "rules inferred from RDB version 9, which Redis 4.0.11-alibaba does not write: redis-5.0",
        ),
        (8, {"mvcc_tstamp": b"1"}, "rules inferred from a file of KeyDB: redis-6.2"),
        (6, {}, "rules inferred from RDB version 6: redis-2.6"),
        (9, {}, "rules inferred from RDB version 9: redis-5.0"),
        (12, {}, "rules inferred from RDB version 12: redis-7.4"),
    ],
)
def test_what_a_file_names(version: int, fields: dict[str, bytes], said: str) -> None:
    assert str(choose_rules(file(version, **fields))) == said


def test_an_rdb_of_valkey_names_its_family_by_its_magic() -> None:
    choice = choose_rules(file(80, magic="VALKEY"))
    assert (str(choice), choice.is_known) == ("rules inferred from RDB version 80: valkey-9.0", False)


@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"x" * 500, b"7", b".7.0", b"-1.2.3", b"99999999.1"])
def test_any_value_is_some_writer(value: bytes) -> None:
    writer = writer_of([Field(b"redis-ver", value)])
    assert writer is not None
    assert writer.release is None
    assert writer.text.isascii()
    assert choose_rules(file(11, redis_ver=value)).rules == DEFAULT


def test_the_first_field_counts_and_case_does_not() -> None:
    assert writer_of([]) is None
    writer = writer_of([Field(b"ctime", b"1"), Field(b"Valkey-Ver", b"9.0.1"), Field(b"redis-ver", b"7.0.0")])
    assert writer is not None
    assert (writer.name, writer.release) == ("Valkey 9.0.1", Rules("valkey", 9, 0))


def test_releases_and_rdb_versions_go_up_together() -> None:
    for family, releases in RELEASES.items():
        assert list(releases) == sorted(releases)
        assert list(releases.values()) == sorted(releases.values())
        for release, version in releases.items():
            rules = Rules(family, *release)
            assert Rules.parse(str(rules)) == rules
            assert rules.reads(rules.magic, version)
            assert first_writer(rules.magic, version).rdb_version == version


def test_who_reads_what() -> None:
    assert Rules.parse("valkey-9.0").reads("REDIS", 11)
    assert not Rules.parse("valkey-9.0").reads("REDIS", 12)
    assert not Rules.parse("redis-8.10").reads("VALKEY", 80)
    assert not Rules.parse("redis-7.2").reads("REDIS", 12)
    with pytest.raises(ValueError, match=r"redis-9\.9 is not a known release"):
        _ = Rules("redis", 9, 9).rdb_version
