"""Which keys of a database expire is found out without a lookup for each; the result is that of one."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.sinks.records import Records
from rdbtool.engine.export.events import emit_db

KEYS = [f"key:{number}".encode() for number in range(300)]


def expiries_of(keys: dict[bytes, object], expires: dict[bytes, int], selection: Selection | None = None):
    """Return the expiries that are emitted, by key, and how many keys are counted as expiring."""
    sink = Records()
    count, expiring, _ = emit_db(0, keys, expires, sink, selection)
    assert count == len(keys)
    return {record.key: record.expire_at_ms for record in sink.take()}, expiring


@given(st.integers(0, len(KEYS)), st.lists(st.tuples(st.sampled_from(KEYS), st.integers(1, 1 << 40))), st.booleans())
def test_any_keys_expire(size: int, given_expires: list[tuple[bytes, int]], is_same: bool) -> None:
    keys: dict[bytes, object] = dict.fromkeys(KEYS[:size], b"v")
    # The objects of both dictionaries may be the same or equal ones; and any order is possible.
    expires = {key if is_same else bytes(bytearray(key)): when for key, when in given_expires if key in keys}
    found, expiring = expiries_of(keys, expires)
    assert found == {key: expires.get(key) for key in keys}
    assert expiring == len(expires)


def test_few_of_many() -> None:
    keys: dict[bytes, object] = {b"%d" % number: b"v" for number in range(50_000)}
    for names in (list(keys)[::100], list(keys)[::-100]):
        expires = {name: number + 1 for number, name in enumerate(names)}
        found, expiring = expiries_of(keys, expires)
        assert {name: when for name, when in found.items() if when is not None} == expires
        assert expiring == len(names)


def test_keys_that_are_not_selected_count() -> None:
    keys: dict[bytes, object] = dict.fromkeys(KEYS, b"v")
    expires = dict.fromkeys(KEYS[10:200:20], 7)
    found, expiring = expiries_of(keys, expires, Selection(patterns=[re.compile(re.escape(KEYS[50]) + b"$")]))
    assert (found, expiring) == ({KEYS[50]: 7}, len(expires))
