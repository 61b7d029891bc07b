"""Writing RDB files in tests, and looking at single values of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from codec.test_feed import stored_value

from rdbtool import KeyRecord
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.servers import Target
from rdbtool.grammar import build_value, parse_value
from rdbtool.model import HashTemplate, Item
from rdbtool.reader.rdb import open_rdb
from rdbtool.writer.rdb import Written, write_rdb

#: Every form there is.
TARGETS = [*(Target("REDIS", version) for version in range(1, 16)), Target("VALKEY", 80)]


def name_of_target(target: Target) -> str:
    return f"{target.magic}-{target.version}"


def saved(
    source: Any, target: Target | None = None, *, backend: str = "codec", **options: Any
) -> tuple[bytes, Written]:
    """Return a file rewritten, for its own magic and version by default, and the report."""
    pieces: list[bytes] = []
    with open_rdb(source, backend=backend) as reader:
        target = target or Target(*reader.header)
        written = write_rdb(reader, pieces.append, target, **options)
    data = b"".join(pieces)
    assert written.bytes == len(data)
    return data, written


def saved_records(records: Iterable[KeyRecord | Item], target: Target, **options: Any) -> tuple[bytes, Written]:
    """Return records as a file, and the report."""
    pieces: list[bytes] = []
    written = write_rdb(records, pieces.append, target, **options)
    return b"".join(pieces), written


def read_back(data: bytes) -> list[KeyRecord]:
    """Return the records of a file, which codec and grammar read alike and without one another's help."""
    both = []
    for backend in ("codec", "grammar"):
        with open_rdb(data, backend=backend) as reader:
            both.append(list(reader))
            assert backend == "grammar" or reader.fallbacks == 0
            assert reader.end is not None
            assert reader.end.trailing == 0
    assert list(map(repr, both[0])) == list(map(repr, both[1]))
    return both[0]


def fingerprint(source: Any) -> str:
    sink = Fingerprint()
    with open_rdb(source) as reader:
        reader.feed(sink)
    return sink.hexdigest()


class Stored(NamedTuple):
    """A record with its value as the file stores it."""

    record: KeyRecord
    value: bytes


def stored_values(data: bytes) -> dict[tuple[int, bytes], Stored]:
    """Return all values of a file by db and key."""
    with open_rdb(data) as reader:
        return {(record.db, record.key): Stored(record, stored_value(data, record)) for record in reader}


def rebuilt_values(data: bytes) -> Iterator[tuple[KeyRecord, bytes, bytes]]:
    """Yield every record with its value as stored, and as the grammar builds what it parsed."""
    templates: dict[int, tuple[bytes, ...]] = {}
    with open_rdb(data) as reader:
        magic = reader.header.magic
        for item in reader.items():
            if isinstance(item, HashTemplate):
                templates[item.id] = item.fields
            if isinstance(item, KeyRecord):
                value = stored_value(data, item)
                parsed = parse_value(item.type_code, magic, value, templates=templates)
                assert parsed.size == len(value)
                yield item, value, build_value(parsed)
