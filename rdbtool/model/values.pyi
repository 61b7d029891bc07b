"""The typed values of a keyspace (read-only, compiled)."""

from collections.abc import Iterable, Iterator
from typing import ClassVar, TypeAlias, overload

class StringValue:
    """A string, bitmap, counter or HyperLogLog: ``data`` is its bytes (integers as decimal text)."""

    kind: ClassVar[str]
    data: bytes
    def __init__(self, data: bytes) -> None: ...
    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...
    def __iter__(self) -> Iterator[int]: ...
    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> bytes: ...
    def __contains__(self, part: bytes | int) -> bool: ...

class ListValue:
    """A list: ``elements`` from head to tail."""

    kind: ClassVar[str]
    elements: tuple[bytes, ...]
    def __init__(self, elements: Iterable[bytes]) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...
    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[bytes, ...]: ...
    def __contains__(self, element: object) -> bool: ...

class SetValue:
    """A set: ``members`` in file order; equality ignores the order."""

    kind: ClassVar[str]
    members: tuple[bytes, ...]
    def __init__(self, members: Iterable[bytes]) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __contains__(self, member: object) -> bool: ...

class ZSetValue:
    """A sorted set: ``members`` as (member, score) in file order; equality ignores the order.

    Iterating yields these pairs, so ``dict`` of it maps members to scores; ``value[member]`` and ``in`` search
    linearly.
    """

    kind: ClassVar[str]
    members: tuple[tuple[bytes, float], ...]
    def __init__(self, members: Iterable[tuple[bytes, float]]) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[tuple[bytes, float]]: ...
    def __getitem__(self, member: bytes) -> float: ...
    def __contains__(self, member: object) -> bool: ...

class HashValue:
    """A hash: ``fields`` as (field, value, field expiry in Unix ms or None); equality ignores the order.

    Iterating yields (field, value), so ``dict`` of it maps fields to values; ``value[field]`` and ``in`` search
    linearly.
    """

    kind: ClassVar[str]
    fields: tuple[tuple[bytes, bytes, int | None], ...]
    def __init__(self, fields: Iterable[tuple[bytes, bytes] | tuple[bytes, bytes, int | None]]) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[tuple[bytes, bytes]]: ...
    def __getitem__(self, field: bytes) -> bytes: ...
    def __contains__(self, field: object) -> bool: ...

class ArrayValue:
    """A sparse array (Redis 8.8): ``items`` as (index, value), value bytes, int or float.

    Iterating yields these pairs, and ``dict`` of it maps indexes to values.
    """

    kind: ClassVar[str]
    items: tuple[tuple[int, bytes | int | float], ...]
    insert_index: int | None
    def __init__(self, items: Iterable[tuple[int, bytes | int | float]], insert_index: int | None = None) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[tuple[int, bytes | int | float]]: ...
    def __getitem__(self, index: int) -> bytes | int | float: ...
    def __contains__(self, index: object) -> bool: ...

class OpaqueValue:
    """A module value: the module's name and the bytes after the key, exactly as stored."""

    kind: ClassVar[str]
    module: str
    raw: bytes
    def __init__(self, module: str, raw: bytes) -> None: ...
    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...

class StreamID:
    """A stream entry ID: two unsigned 64-bit numbers, ordered, shown as ``ms-seq``."""

    ms: int
    seq: int
    def __init__(self, ms: int, seq: int) -> None: ...
    def __lt__(self, other: StreamID) -> bool: ...

class StreamEntry:
    """A live stream entry: ``fields`` as (field, value) in the order they were added."""

    id: StreamID
    fields: tuple[tuple[bytes, bytes], ...]
    def __init__(self, id: StreamID, fields: Iterable[tuple[bytes, bytes]]) -> None: ...

class StreamConsumer:
    """A consumer of a group. Times are Unix ms; ``active_at_ms`` is None if the file has none."""

    name: bytes
    seen_at_ms: int | None
    active_at_ms: int | None
    def __init__(self, name: bytes, seen_at_ms: int | None = None, active_at_ms: int | None = None) -> None: ...

class PendingEntry:
    """An entry of a group's pending list; ``consumer`` is None if it has no owner."""

    id: StreamID
    consumer: bytes | None
    delivered_at_ms: int
    delivery_count: int
    def __init__(self, id: StreamID, consumer: bytes | None, delivered_at_ms: int, delivery_count: int) -> None: ...

class StreamGroup:
    """A consumer group; ``entries_read`` is None if the server does not know it."""

    name: bytes
    last_id: StreamID
    entries_read: int | None
    consumers: tuple[StreamConsumer, ...]
    pending: tuple[PendingEntry, ...]
    def __init__(
        self,
        name: bytes,
        last_id: StreamID,
        entries_read: int | None = None,
        consumers: Iterable[StreamConsumer] = (),
        pending: Iterable[PendingEntry] = (),
    ) -> None: ...

class StreamProducers:
    """A stream's idempotent producers (Redis 8.6): (producer, ((id, entry), …))."""

    duration_s: int
    max_entries: int
    producers: tuple[tuple[bytes, tuple[tuple[bytes, StreamID], ...]], ...]
    ids_added: int
    ids_duplicate: int
    def __init__(
        self,
        duration_s: int,
        max_entries: int,
        producers: Iterable[tuple[bytes, tuple[tuple[bytes, StreamID], ...]]] = (),
        ids_added: int = 0,
        ids_duplicate: int = 0,
    ) -> None: ...

class StreamValue:
    """A stream: its live entries, counters and groups.

    ``length`` is the length that the file declares. ``first_id``, ``max_deleted_id`` and ``entries_added`` are None if
    the file's version does not store them (Redis 5 and 6).
    """

    kind: ClassVar[str]
    entries: tuple[StreamEntry, ...]
    length: int
    last_id: StreamID
    first_id: StreamID | None
    max_deleted_id: StreamID | None
    entries_added: int | None
    groups: tuple[StreamGroup, ...]
    producers: StreamProducers | None
    def __init__(
        self,
        entries: Iterable[StreamEntry],
        *,
        last_id: StreamID,
        first_id: StreamID | None = None,
        max_deleted_id: StreamID | None = None,
        entries_added: int | None = None,
        groups: Iterable[StreamGroup] = (),
        producers: StreamProducers | None = None,
        length: int | None = None,
    ) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[StreamEntry]: ...
    @overload
    def __getitem__(self, index: int) -> StreamEntry: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[StreamEntry, ...]: ...
    def __contains__(self, entry: object) -> bool: ...

Value: TypeAlias = StringValue | ListValue | SetValue | ZSetValue | HashValue | StreamValue | ArrayValue | OpaqueValue

class KeyRecord:
    """One key with everything that its file stores about it.

    ``expire_at_ms`` is Unix ms; ``idle_s`` (LRU) and ``freq`` (LFU) are None if the file has none; ``meta`` is the raw
    KEY_META payload. ``member_expiries`` are members of a set or sorted set that expire (KeyDB), with Unix ms; None
    without any. The rest is provenance and not part of equality: the number of the value type (-1: not from an RDB),
    the encoding on disk, and the byte range ``start <= at < stop`` of the record in its file, expiry and eviction
    opcodes included.
    """

    db: int
    key: bytes
    value: Value
    expire_at_ms: int | None
    idle_s: int | None
    freq: int | None
    meta: bytes | None
    member_expiries: tuple[tuple[bytes, int], ...] | None
    type_code: int
    encoding: str
    start: int
    stop: int
    def __init__(
        self,
        *,
        db: int,
        key: bytes,
        value: Value,
        expire_at_ms: int | None = None,
        idle_s: int | None = None,
        freq: int | None = None,
        meta: bytes | None = None,
        member_expiries: Iterable[tuple[bytes, int]] | None = None,
        type_code: int = -1,
        encoding: str = "",
        start: int = -1,
        stop: int = -1,
    ) -> None: ...
    @property
    def kind(self) -> str:
        """The logical type: string, list, set, zset, hash, stream, array or module."""
