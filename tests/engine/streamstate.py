"""What a server says of a stream (XINFO STREAM … FULL), and the same of an engine's.

Times of delivery that a command did not name are the moment of the command, and an engine's moment is not a
server's: both count as NOW, which is whatever is not before ``since`` (Unix ms).
"""

from __future__ import annotations

from rdbtool._codec.replay_record import feed_record
from rdbtool._codec.sinks.digest import Digest
from rdbtool.engine import Engine
from rdbtool.engine.export.key_records import to_value
from rdbtool.engine.streams.data import StreamData
from rdbtool.model import StreamValue

NOW = "now"


def engine_stream(engine: Engine, key: bytes) -> dict[str, object] | None:
    """Return the state of a stream of the engine's, None if there is none."""
    data = engine.db.find(key, StreamData)
    if data is None:
        return None
    value = to_value(data)
    assert isinstance(value, StreamValue)
    groups = {}
    for group in value.groups:
        owned = {consumer.name: [] for consumer in group.consumers}
        for row in group.pending:
            assert row.consumer is not None
            owned[row.consumer].append(str(row.id))
        groups[group.name] = {
            "last_id": str(group.last_id),
            "entries_read": group.entries_read,
            "pending": [
                (str(row.id), row.consumer, _moment(row.delivered_at_ms, engine.now_ms), row.delivery_count)
                for row in group.pending
            ],
            "consumers": owned,
        }
    return {
        "entries": [(str(entry.id), [text for pair in entry.fields for text in pair]) for entry in value.entries],
        "first_id": str(value.first_id),
        "last_id": str(value.last_id),
        "max_deleted_id": str(value.max_deleted_id),
        "entries_added": value.entries_added,
        "groups": groups,
    }


def server_stream(client, key: bytes, since: int) -> dict[str, object] | None:
    """Return the same as a server tells it."""
    if client("EXISTS", key) == 0:
        return None
    full = _pairs(client("XINFO", "STREAM", key, "FULL", "COUNT", 0))
    groups = {}
    for row in map(_pairs, full[b"groups"]):
        groups[row[b"name"]] = {
            "last_id": row[b"last-delivered-id"].decode(),
            "entries_read": row[b"entries-read"],
            "pending": [
                (place.decode(), name, _moment(time, since), count) for place, name, time, count in row[b"pending"]
            ],
            "consumers": {
                consumer[b"name"]: [place.decode() for place, _, _ in consumer[b"pending"]]
                for consumer in map(_pairs, row[b"consumers"])
            },
        }
    return {
        "entries": [(place.decode(), fields) for place, fields in full[b"entries"]],
        "first_id": full[b"recorded-first-entry-id"].decode(),
        "last_id": full[b"last-generated-id"].decode(),
        "max_deleted_id": full[b"max-deleted-entry-id"].decode(),
        "entries_added": full[b"entries-added"],
        "groups": groups,
    }


def engine_digest(engine: Engine, rules: str = "redis-7.0") -> str:
    """Return what DEBUG DIGEST would say of the engine's data."""
    sink = Digest(rules)
    for record in engine.records():
        feed_record(record, sink)
    sink.close()
    return sink.hexdigest()


def _moment(time: int, since: int) -> int | str:
    return NOW if time >= since else time


def _pairs(flat):
    return dict(zip(flat[::2], flat[1::2], strict=True))
