"""What a server said of its data, compared with what was read from its file.

The ``*.expected.json.gz`` beside a fixture were asked of the server that wrote it, command by command. Byte strings
are text in latin-1 there. Every key has to be there with type, value and expiry, and nothing else may be.
Order counts wherever it is data (lists, stream entries and their fields, pending lists); members, fields,
groups and consumers are compared by name.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rdbtool.model import (
    HashValue,
    KeyRecord,
    ListValue,
    SetValue,
    StreamGroup,
    StreamID,
    StreamValue,
    StringValue,
    ZSetValue,
)

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"

#: The stream type of Redis 5 and 6, which stores no counters.
STREAM_WITHOUT_COUNTERS = 15

#: ``KeyRecord.type_code`` of a record that was not read from an RDB but came about by replaying commands.
REPLAYED = -1


def load_expected(path: Path) -> dict[str, Any]:
    """Return the state that stands beside a fixture."""
    with gzip.open(path) as file:
        expected: dict[str, Any] = json.load(file)
    return expected


def assert_state(records: Iterable[KeyRecord], expected: dict[str, Any]) -> None:
    """Fail unless ``records`` are exactly the keys of ``expected``."""
    found: dict[tuple[int, str], KeyRecord] = {}
    for record in records:
        place = record.db, _text(record.key)
        assert place not in found, f"key {place} twice"
        found[place] = record
    wanted = {(key["db"], key["key"]): key for key in expected["keys"]}
    assert len(wanted) == len(expected["keys"])
    assert found.keys() - wanted.keys() == set(), "keys that the server did not have"
    assert wanted.keys() - found.keys() == set(), "keys that the server had"
    for place, key in wanted.items():
        _assert_key(found[place], key, f"{expected['server']}, {place}")


def _assert_key(record: KeyRecord, expected: dict[str, Any], place: str) -> None:
    assert record.kind == expected["type"], place
    if expected["expire_at_ms"] == "set":  # the server could not say when
        assert isinstance(record.expire_at_ms, int), place
    else:
        assert record.expire_at_ms == expected["expire_at_ms"], place
    _CHECKS[expected["type"]](record, expected["value"], place)


def _assert_string(record: KeyRecord, expected: str, place: str) -> None:
    assert isinstance(record.value, StringValue), place
    assert _text(record.value.data) == expected, place


def _assert_list(record: KeyRecord, expected: list[str], place: str) -> None:
    assert isinstance(record.value, ListValue), place
    assert [_text(element) for element in record.value.elements] == expected, place


def _assert_set(record: KeyRecord, expected: list[str], place: str) -> None:
    assert isinstance(record.value, SetValue), place
    assert sorted(_text(member) for member in record.value.members) == sorted(expected), place


def _assert_zset(record: KeyRecord, expected: list[list[str]], place: str) -> None:
    assert isinstance(record.value, ZSetValue), place
    assert sorted([_text(member), repr(score)] for member, score in record.value.members) == sorted(expected), place


def _assert_hash(record: KeyRecord, expected: list[list[Any]], place: str) -> None:
    assert isinstance(record.value, HashValue), place
    fields = [[_text(field), _text(value), expire_at] for field, value, expire_at in record.value.fields]
    assert sorted(fields, key=_by_name) == sorted(expected, key=_by_name), place


def _assert_stream(record: KeyRecord, expected: dict[str, Any], place: str) -> None:
    stream = record.value
    assert isinstance(stream, StreamValue), place
    assert [_entry(entry.id, entry.fields) for entry in stream.entries] == expected["entries"], place
    assert stream.length == len(expected["entries"]), place
    assert _id(stream.last_id) == expected["last_id"], place
    assert expected.keys() == {"entries", "last_id", "entries_added", "max_deleted_id", "groups"}, place
    _assert_counters(record, stream, expected, place)
    groups = sorted((_group(group) for group in stream.groups), key=lambda group: str(group["name"]))
    assert groups == sorted(expected["groups"], key=lambda group: str(group["name"])), place


def _assert_counters(record: KeyRecord, stream: StreamValue, expected: dict[str, Any], place: str) -> None:
    """Servers before 7.0 have no counters to report, and their files none to read; a replay may know better."""
    has_none = expected["entries_added"] is None
    assert has_none == (expected["max_deleted_id"] is None), place
    if record.type_code == REPLAYED and has_none:
        return
    assert has_none == (record.type_code == STREAM_WITHOUT_COUNTERS), place
    if has_none:
        assert (stream.entries_added, stream.max_deleted_id, stream.first_id) == (None, None, None), place
    else:
        assert stream.entries_added == expected["entries_added"], place
        assert stream.max_deleted_id is not None, place
        assert _id(stream.max_deleted_id) == expected["max_deleted_id"], place
        if record.type_code != REPLAYED:
            assert stream.first_id is not None, place
            first = expected["entries"][0][0] if expected["entries"] else "0-0"
            assert _id(stream.first_id) == first, place


def _group(group: StreamGroup) -> dict[str, object]:
    owned = [pending.consumer for pending in group.pending]
    return {
        "name": _text(group.name),
        "last_id": _id(group.last_id),
        "entries_read": group.entries_read,
        "consumers": sorted([_text(consumer.name), owned.count(consumer.name)] for consumer in group.consumers),
        "pending": [
            [
                _id(pending.id),
                None if pending.consumer is None else _text(pending.consumer),
                pending.delivery_count,
            ]
            for pending in group.pending
        ],
    }


def _entry(entry_id: StreamID, fields: Iterable[tuple[bytes, bytes]]) -> list[object]:
    return [_id(entry_id), [_text(part) for pair in fields for part in pair]]


def _id(stream_id: StreamID) -> str:
    return f"{stream_id.ms}-{stream_id.seq}"


def _text(data: bytes) -> str:
    return data.decode("latin-1")


def _by_name(field: list[Any]) -> str:
    return str(field[0])


_CHECKS: dict[str, Callable[[KeyRecord, Any, str], None]] = {
    "string": _assert_string,
    "list": _assert_list,
    "set": _assert_set,
    "zset": _assert_zset,
    "hash": _assert_hash,
    "stream": _assert_stream,
}
