"""Every truncation of every small file, and a day's choice of its single-bit flips, through both backends.

The promise: a result or one of our errors, in bounded time and memory; nothing damaged passes where there is a
checksum; and an error says where, down to the record if the damage is inside of one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from corruption.damage import (
    BACKENDS,
    SMALL,
    Batch,
    Case,
    check_batch,
    flips,
    mutations,
    run_batch,
    truncations,
    with_checksum,
)
from sampling import sample

from rdbtool.core.codes import BY_CODE
from rdbtool.reader.rdb import open_rdb

#: The only small file of a version that has no checksum.
WITHOUT_CHECKSUM = "redis-2.4-without-checksum.rdb"

every_file = pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
both_backends = pytest.mark.parametrize("backend", BACKENDS)


class Value(NamedTuple):
    """Where the value of a record lies in its file, and whose it is."""

    start: int
    stop: int
    record_start: int
    number: int
    db: int
    key: bytes


def values_of(data: bytes) -> list[Value]:
    found = []
    with open_rdb(data) as reader:
        for number, record in enumerate(reader, 1):
            # All keys of the small files are short and stored as they are.
            start = data.index(bytes([len(record.key)]) + record.key, record.start) + 1 + len(record.key)
            found.append(Value(start, record.stop, record.start, number, record.db, record.key))
    return found


def check_places(batch: Batch, cases: list[Case], values: list[Value]) -> int:
    """An error in a record whose value is damaged names the record; give the number of such errors.

    A value whose length shrank can end early without an error of its own: then the next record, wherever it is
    taken to begin, is the one in error.
    """
    named = 0
    for case, row in zip(cases, batch.outcomes, strict=True):
        value = next((value for value in values if value.start <= case.at < value.stop), None)
        if value is None or row.error != "FormatError":
            continue
        assert row.start >= value.record_start, (case.label, row)
        if row.start >= value.start:
            continue
        named += 1
        assert (row.key, row.db, row.record) == (value.key.hex(), value.db, value.number), (case.label, row)
        assert (row.keys_read, row.readable_up_to) == (value.number - 1, value.record_start), (case.label, row)
    return named


@every_file
@both_backends
def test_every_truncation(path, backend):
    data = path.read_bytes()
    cases = list(truncations(data))
    batch = run_batch(cases, backend)
    check_batch(batch, errors_only=True)
    values = values_of(data)
    assert values
    # A file that is cut right before the expiry of a member, or behind its opcode, has a whole record at its end.
    begins = [match.start() for match in re.finditer(b"\xfa\x13keydb-subexpire-key", data)]
    whole = {at + more for at in begins for more in (0, 1)}
    assert check_places(batch, cases, values) == sum(value.stop - value.start for value in values) - len(whole)
    for case, row in zip(cases, batch.outcomes, strict=True):
        if case.at >= 9:
            assert row.error == "FormatError"
            assert row.code in BY_CODE
            # The data ends here: nothing behind it can be at fault.
            assert row.at <= case.at
            # What was whole before the damage is given before the error is.
            stops = [case.at if case.at in whole and value.start < case.at else value.stop for value in values]
            assert row.keys == row.keys_read == sum(stop <= case.at for stop in stops)


@every_file
@both_backends
def test_every_flip(path, backend):
    """Of a day's choice."""
    data = path.read_bytes()
    cases = sample(flips(data), 600)
    batch = run_batch(cases, backend)
    check_batch(batch, errors_only=path.name != WITHOUT_CHECKSUM)
    assert {row.code for row in batch.outcomes if row.code} <= BY_CODE.keys()
    assert check_places(batch, cases, values_of(data)) > 0


@pytest.mark.parametrize("path", [path for path in SMALL if path.name != WITHOUT_CHECKSUM], ids=lambda path: path.stem)
def test_mutations_with_a_right_checksum(path):
    """Only the structure can speak here; both backends have to say the same of it."""
    body = path.read_bytes()[:-8]
    cases = [case._replace(data=with_checksum(case.data)) for case in mutations(body, seed=7, count=400)]
    by_codec, by_grammar = (run_batch(cases, backend) for backend in BACKENDS)
    check_batch(by_codec)
    check_batch(by_grammar)
    pairs = zip(by_codec.outcomes, by_grammar.outcomes, strict=True)
    differing = [
        f"{one.label}:\n  codec:   {one}\n  grammar: {other}"
        for one, other in pairs
        if one._replace(seconds=0.0) != other._replace(seconds=0.0)
    ]
    assert not differing, "\n".join([f"{len(differing)} of {len(cases)}", *differing[:5]])
    assert "error" in {row.kind for row in by_codec.outcomes}
