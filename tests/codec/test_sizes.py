"""How much room keys take: counted again in Python, from the records and where they stand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from codec.driving import FILES, make, name_of, rdb, read_into, records_of

from rdbtool._codec.sinks.sizes import Sizes


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_rows(path: Path) -> None:
    keys: Counter[tuple[str, str]] = Counter()
    elements: Counter[tuple[str, str]] = Counter()
    octets: Counter[tuple[str, str]] = Counter()
    for record in records_of(path):
        place = record.kind, record.encoding
        keys[place] += 1
        octets[place] += record.stop - record.start
        elements[place] += {"string": 1, "module": 0}.get(record.kind, len(record.value))
    sizes = read_into(path, Sizes())
    found = {(kind, encoding): rest for kind, encoding, *rest in sizes.rows()}
    assert found == {place: [keys[place], elements[place], octets[place]] for place in keys}
    assert [row[4] for row in sizes.rows()] == sorted(octets.values(), reverse=True)


@pytest.mark.parametrize("keep", [0, 1, 3, 10, 1000])
@pytest.mark.parametrize("path", FILES[:4] + FILES[-4:], ids=name_of)
def test_the_largest(path: Path, keep: int) -> None:
    records = records_of(path)
    sizes = sorted((record.stop - record.start for record in records), reverse=True)
    found = read_into(path, Sizes(keep)).largest()
    assert [row[0] for row in found] == sizes[:keep]
    by_place = {(record.db, record.key): record for record in records}
    for size, db, key, kind, _ in found:
        record = by_place[db, key]
        assert (record.stop - record.start, record.kind) == (size, kind)


def test_the_first_of_equals_is_kept() -> None:
    data = rdb(*(make.key(0, name, make.string(b"v")) for name in (b"b", b"a", b"d", b"c")))
    assert [row[2] for row in read_into(data, Sizes(2)).largest()] == [b"a", b"b"]


def test_the_expiry_belongs_to_the_key() -> None:
    plain = make.key(0, b"k", make.string(b"v"))
    data = rdb(make.expire(make.FAR_MS) + b"\xf9\x01" + plain, plain)
    assert read_into(data, Sizes()).largest() == [
        (len(plain) + 11, 0, b"k", "string", 1),
        (len(plain), 0, b"k", "string", 1),
    ]
