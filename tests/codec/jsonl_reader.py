"""Reads the jsonl format back into records with ``json`` and ``base64`` alone: the judge of its reversibility."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from rdbtool.model import (
    ArrayValue,
    HashValue,
    KeyRecord,
    ListValue,
    OpaqueValue,
    PendingEntry,
    SetValue,
    StreamConsumer,
    StreamEntry,
    StreamGroup,
    StreamID,
    StreamProducers,
    StreamValue,
    StringValue,
    Value,
    ZSetValue,
)


def read_lines(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file, which has to be UTF-8 and to end with a whole line."""
    assert data.endswith(b"\n")
    for line in data.decode("utf-8").split("\n")[:-1]:
        row = json.loads(line, parse_constant=_refuse)
        assert isinstance(row, dict)
        yield row


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def read_record(row: dict[str, Any]) -> KeyRecord:
    """Return the record of a line that has a key. What the line has too little or too much fails."""
    row = dict(row)
    record = KeyRecord(
        db=row.pop("db"),
        key=octets(row.pop("key")),
        value=read_value(row.pop("type"), row.pop("value")),
        expire_at_ms=row.pop("expire_at_ms"),
        idle_s=row.pop("idle_s", None),
        freq=row.pop("freq", None),
        meta=octets(row.pop("meta")) if "meta" in row else None,
        member_expiries=[(octets(member), when) for member, when in row.pop("member_expiries", ())],
        encoding=row.pop("encoding"),
    )
    assert row == {}
    return record


def octets(text: str | dict[str, str]) -> bytes:
    """Return bytes: text is UTF-8, what is not UTF-8 stands as base64."""
    if isinstance(text, str):
        return text.encode("utf-8")
    assert list(text) == ["base64"]
    return base64.b64decode(text["base64"], validate=True)


def read_value(kind: str, value: Any) -> Value:
    """Return the value of a line."""
    match kind:
        case "string":
            return StringValue(octets(value))
        case "list":
            return ListValue(map(octets, value))
        case "set":
            return SetValue(map(octets, value))
        case "zset":
            return ZSetValue((octets(member), float(score)) for member, score in value)
        case "hash":
            return HashValue((octets(row[0]), octets(row[1]), row[2] if len(row) == 3 else None) for row in value)
        case "stream":
            return _stream(value)
        case "array":
            assert list(value) == ["items", "insert_index"]
            return ArrayValue(((index, _item(item)) for index, item in value["items"]), value["insert_index"])
        case "module":
            assert list(value) == ["module", "raw"]
            return OpaqueValue(value["module"], octets(value["raw"]))
    raise AssertionError(kind)


def _item(item: Any) -> bytes | int | float:
    if isinstance(item, int | float):
        return item
    return float(item["float"]) if isinstance(item, dict) and "float" in item else octets(item)


def _id(text: str | None) -> StreamID | None:
    return None if text is None else StreamID(*map(int, text.split("-")))


def _sure_id(text: str) -> StreamID:
    return StreamID(*map(int, text.split("-")))


def _stream(value: dict[str, Any]) -> StreamValue:
    """Length and first id follow from the entries, unless they are given."""
    value = dict(value)
    entries = [
        StreamEntry(_sure_id(at), [(octets(field), octets(text)) for field, text in fields])
        for at, fields in value.pop("entries")
    ]
    entries_added = value.pop("entries_added")
    first_id = None
    if entries_added is not None:
        first_id = entries[0].id if entries else StreamID(0, 0)
        if "first_id" in value:
            first_id = _sure_id(value.pop("first_id"))
    stream = StreamValue(
        entries,
        length=value.pop("length", len(entries)),
        last_id=_sure_id(value.pop("last_id")),
        first_id=first_id,
        max_deleted_id=_id(value.pop("max_deleted_id")),
        entries_added=entries_added,
        groups=[_group(group) for group in value.pop("groups")],
        producers=_producers(value.pop("idmp")) if "idmp" in value else None,
    )
    assert value == {}
    return stream


def _group(group: dict[str, Any]) -> StreamGroup:
    assert list(group) == ["name", "last_id", "entries_read", "consumers", "pending"]
    return StreamGroup(
        octets(group["name"]),
        _sure_id(group["last_id"]),
        group["entries_read"],
        [StreamConsumer(octets(row["name"]), row["seen_at_ms"], row["active_at_ms"]) for row in group["consumers"]],
        [
            PendingEntry(_sure_id(at), None if owner is None else octets(owner), delivered, count)
            for at, owner, delivered, count in group["pending"]
        ],
    )


def _producers(value: dict[str, Any]) -> StreamProducers:
    assert set(value) == {"duration_s", "max_entries", "ids_added", "ids_duplicate", "producers"}
    return StreamProducers(
        value["duration_s"],
        value["max_entries"],
        tuple(
            (octets(name), tuple((octets(one), _sure_id(at)) for one, at in ids)) for name, ids in value["producers"]
        ),
        value["ids_added"],
        value["ids_duplicate"],
    )
