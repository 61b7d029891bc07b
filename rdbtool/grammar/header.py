"""The nine bytes at the beginning (format A1): ``REDIS`` and four digits, or ``VALKEY`` and three."""

from __future__ import annotations

from construct import Container

from rdbtool.core.errors import FormatError, UnsupportedError
from rdbtool.core.rdb_types import REDIS, VALKEY, VERSIONS
from rdbtool.grammar.fields import Fields, Octets
from rdbtool.grammar.reading import Reading
from rdbtool.model import Header

#: Size in bytes, for both magics.
HEADER_SIZE = 9

HEADERS = {
    REDIS: Fields("magic" / Octets(5), "version" / Octets(4)),
    VALKEY: Fields("magic" / Octets(6), "version" / Octets(3)),  # since Valkey 9
}

_CODE = "RDB002"


def detect_magic(data: bytes) -> str:
    """Return the magic in ``data``, the first nine bytes of a file. Raises UnsupportedError."""
    for magic in (REDIS, VALKEY):
        if data.startswith(magic.encode()):
            return magic
    found = f"begins with {data!r}"[:60] if data else "is empty"
    raise UnsupportedError(f"not an RDB: the file begins with neither REDIS nor VALKEY, it {found}")


def check_header(parsed: Container, at: int) -> Header:
    """Return a header after checking that this release reads its version. ``at`` is its offset."""
    magic = parsed.magic.decode("ascii")
    digits: bytes = parsed.version
    version_at = at + len(magic)
    if not all(0x30 <= digit <= 0x39 for digit in digits):
        expected = f"{len(digits)} digits, the RDB version"
        raise FormatError(_CODE, "number", version_at, expected, repr(digits)[1:], file_kind="rdb", start=at)
    version = int(digits)
    oldest, newest = VERSIONS[magic]
    if version > newest:
        family = "" if magic == REDIS else " of Valkey"
        words = f"RDB version {version}{family} is newer than this release reads (up to {newest})"
        raise UnsupportedError(f"at {version_at:#x}: {words}")
    if version < oldest:
        expected = f"an RDB version from {oldest} to {newest}"
        raise FormatError(_CODE, "version", version_at, expected, str(version), file_kind="rdb", start=at)
    return Header(magic, version)


def parse_header(stream: Reading, magic: str) -> Container:
    """Return the fields of a header."""
    parsed: Container = HEADERS[magic].parse_stream(stream)
    return parsed
