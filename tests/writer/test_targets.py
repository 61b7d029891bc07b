"""Targets as users name them, and what is written where nothing was asked for."""

from __future__ import annotations

import pytest
from codec.driving import BY_SERVER

from rdbtool._codec.sink import Null
from rdbtool.core.errors import Loss
from rdbtool.core.location import Span
from rdbtool.core.servers import Rules, Target, default_target
from rdbtool.model import Aux, Header
from rdbtool.reader.rdb import open_rdb


@pytest.mark.parametrize(
    ("text", "magic", "version"),
    [
        ("redis-2.0", "REDIS", 1), ("redis-2.2", "REDIS", 1), ("redis-2.4", "REDIS", 2), ("redis-2.6", "REDIS", 6),
        ("redis-2.8", "REDIS", 6), ("redis-3.0", "REDIS", 6), ("redis-3.2", "REDIS", 7), ("redis-4.0", "REDIS", 8),
        ("redis-5", "REDIS", 9), ("redis-6.0", "REDIS", 9), ("redis-6.2", "REDIS", 9), ("redis-7.0", "REDIS", 10),
        ("redis-7.0.15", "REDIS", 10), ("redis-7", "REDIS", 10), ("redis-7.2", "REDIS", 11), ("redis-7.4", "REDIS", 12),
        ("redis-8", "REDIS", 12), ("redis-8.2", "REDIS", 12), ("redis-8.4", "REDIS", 12), ("redis-8.6", "REDIS", 13),
        ("redis-8.8", "REDIS", 14), ("redis-8.10", "REDIS", 15), ("Valkey-7.2", "REDIS", 11), ("valkey-8", "REDIS", 11),
        ("valkey-8.1", "REDIS", 11), ("valkey-9", "VALKEY", 80), ("valkey-9.1.2", "VALKEY", 80),
    ],
)  # fmt: skip
def test_releases(text: str, magic: str, version: int) -> None:
    target = Target.parse(text)
    assert (target.magic, target.version) == (magic, version)
    assert target.release == Rules.parse(text)


@pytest.mark.parametrize("version", [*range(1, 16), 80])
def test_formats(version: int) -> None:
    assert Target.parse(f"rdb-{version}") == Target("VALKEY" if version == 80 else "REDIS", version)


@pytest.mark.parametrize(
    "text",
    ["rdb-0", "rdb-16", "rdb-79", "rdb-81", "rdb-", "rdb", "redis", "redis-8.12", "redis-9", "valkey-9.2", "valkey-10",
     "keydb-6", "", "11"],
)  # fmt: skip
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(ValueError, match=r"known|not a server"):
        Target.parse(text)


@pytest.mark.parametrize("path", BY_SERVER, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_file_stays_what_it_is(path: object) -> None:
    with open_rdb(path) as reader:  # type: ignore[arg-type]
        reader.feed(Null())
        target = default_target(reader.header, reader.aux)
        assert (target.magic, target.version) == reader.header
        server = path.parent.name  # type: ignore[attr-defined]
        assert target.release == (None if server.startswith("redis-2") else Rules.parse(server))


def test_without_an_rdb() -> None:
    assert default_target(None) == Target("REDIS", 11)


@pytest.mark.parametrize("value", [b"8.0.6", b"255.255.255", b"\xff", b"99.0"])
def test_a_writer_that_does_not_write_this(value: bytes) -> None:
    """A file that was converted keeps the aux fields of its first writer."""
    assert default_target(Header("REDIS", 9), [Aux(b"redis-ver", value, Span(0, 0))]) == Target("REDIS", 9)


def test_raising() -> None:
    def loss(severity: str, needs: int | None) -> Loss:
        return Loss(0, b"k", "w", severity, 1, needs)  # type: ignore[arg-type]

    target = Target.parse("valkey-8")
    assert target.raised_for([]) == target
    assert target.raised_for([loss("note", 14), loss("loss", 10), loss("loss", None)]) == target
    assert target.raised_for([loss("loss", 12), loss("loss", 14), loss("loss", 13)]) == Target("REDIS", 14)
    assert Target("VALKEY", 80).raised_for([loss("loss", 13)]) == Target("VALKEY", 80)


def test_as_text() -> None:
    assert str(Target.parse("redis-6.2")) == "RDB 9 for redis-6.2"
    assert str(Target.parse("rdb-80")) == "RDB 80 of Valkey"
