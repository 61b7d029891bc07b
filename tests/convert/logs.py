"""Logs written by hand, and what is in them: for tests of the commands that rewrite and convert them."""

from __future__ import annotations

from pathlib import Path

from rdbtool.dataset.loading import open_keys
from rdbtool.model import HashValue

LATER = 4_102_444_800_000


def command(*words: str | int) -> bytes:
    """One command as a log has it."""
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


SELECT = command("SELECT", 0)
GOOD = SELECT + command("SET", "a", 1) + command("SET", "a", 2) + command("SET", "b", 1)
CUT = GOOD + command("SET", "c", 3)[:-5]
OPEN = GOOD + command("MULTI") + command("SET", "c", 3)
UNKNOWN = GOOD + command("NOSUCH", "x")
ANSWERED = GOOD + command("LPUSH", "a", "x")
TIMED = (
    b"#TS:1000\r\n"
    + SELECT
    + command("SET", "first", 1)
    + b"#TS:2000\r\n"
    + command("FLUSHALL")
    + command("SET", "second", 1)
    + b"#TS:3000\r\n"
    + command("FLUSHALL")
    + command("SET", "third", 1)
)
FIELD_EXPIRY = (
    SELECT
    + command("HSET", "h", "f", "v", "g", "w")
    + command("HPEXPIREAT", "h", LATER, "FIELDS", 1, "f")
    + command("SET", "a", 1)
)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def keys_of(path: Path, **options: int) -> dict[str, str | None]:
    """The keys of a file or directory by name, and strings with what they hold."""
    with open_keys(str(path), **options) as keys:
        return {
            record.key.decode(): str(bytes(record.value.data), "latin-1") if record.kind == "string" else None
            for record in keys
        }


def field_expiries(path: Path) -> dict[str, int | None]:
    """The fields of ``h``, and when they expire."""
    with open_keys(str(path), rules="redis-8.0") as keys:
        value = next(record.value for record in keys if record.key == b"h")
        assert isinstance(value, HashValue)
        return {field.decode(): expiry for field, _, expiry in value.fields}


def names_in(path: Path) -> list[str]:
    return sorted(inner.name for inner in path.iterdir())
