"""Differences as commands that turn the first dataset into the second, for ``redis-cli --pipe``.

Uses the commands of the server that the second dataset is for. Values are edited in place where possible
(``diff_edits``) and rewritten otherwise. What no command can express (a score of -0 or NaN, a pending entry whose
stream entry was deleted, metadata) is sent as a RESTORE payload. All deleted libraries are deleted before any is
loaded, because two libraries may not share a function name.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.filters.capabilities import able_to_execute
from rdbtool._codec.filters.target import TargetFilter
from rdbtool._codec.replay_record import feed_record
from rdbtool.core.errors import InputError, LossError
from rdbtool.core.light_typing import Final
from rdbtool.core.servers import Rules, Target, server_of
from rdbtool.model import ArrayValue, KeyRecord, StreamGroup, StreamID, StreamValue, StringValue, ZSetValue
from rdbtool.operations.diff.change import are_near
from rdbtool.operations.diff.compare import Comparison, Difference
from rdbtool.operations.diff.items import ItemDifference
from rdbtool.reader.rdb import open_rdb
from rdbtool.report.diff_edits import Words, edit_value

Write = Callable[[bytes], object]

#: Parts that cannot be edited in place.
_ANEW: Final = frozenset({"type", "metadata", "repeats", "producers", "module", "member_expires"})


def write_commands(comparison: Comparison, write: Write) -> None:
    """Write commands that turn a server with the first dataset into one with the second.

    Raises InputError for what cannot be sent to the server of the second dataset.
    """
    target = comparison.second.target()
    commands = Commands(write, target, comparison.options.tolerance_ms)
    commands.put_libraries([item for item in comparison.items if item.what == "function"])
    for difference in comparison.differences():
        commands.put(difference)
    commands.close()


class Commands:
    """Write the commands for one difference after another."""

    def __init__(self, write: Write, target: Target, tolerance_ms: int = 0) -> None:
        self._write = write
        self._target = target
        self._server = server_of(*target)
        self._tolerance_ms = tolerance_ms
        self._pieces: list[bytes] = []
        self._size = 0
        # The database that the server has selected, and the one that the encoder assumes.
        self._db = -1
        self._encoder_db = -1
        self._encoder: TargetFilter | None = None

    def put_libraries(self, items: list[ItemDifference]) -> None:
        """Delete and load function libraries; write nothing if the second dataset is for a server without functions."""
        if not able_to_execute(self._server).functions:
            return
        if any(item.name in {item.before, item.after} for item in items):
            raise InputError(
                "no commands can be given for a function library of a release candidate, which has no name"
            )
        for item in items:
            if item.before is not None:
                self._put_words([b"FUNCTION", b"DELETE", item.name])
        for item in items:
            if item.after is not None:
                self._put_words([b"FUNCTION", b"LOAD", item.after])

    def put(self, difference: Difference) -> None:
        """Write the commands that turn the first record into the second."""
        first, second = difference.first, difference.second
        if second is None:
            record = difference.record
            self._put_in(record.db, [b"DEL", record.key])
        elif first is None:
            self._put_record(second)
        elif difference.parts and not self._edit(first, second, difference):
            self._put_record(second, replace=True)

    def close(self) -> None:
        """Flush the buffer."""
        if self._pieces:
            self._write(b"".join(self._pieces))
        self._pieces = []
        self._size = 0

    def _edit(self, first: KeyRecord, second: KeyRecord, difference: Difference) -> bool:
        """Edit a key in place; return False if it must be rewritten."""
        whats = {part.what for part in difference.parts} - {"encoding", "expires"}
        if whats & _ANEW or (whats and needs_payload(second, self._server)):
            return False
        if whats:
            edits = edit_value(first, second, self._server, self._tolerance_ms)
            if edits is None:
                return False
            for words in edits:
                self._put_in(second.db, words)
        if not are_near(first.expire_at_ms, second.expire_at_ms, self._tolerance_ms):
            self._put_in(second.db, self._expiry_of(second))
        return True

    def _expiry_of(self, record: KeyRecord) -> Words:
        if record.expire_at_ms is None:
            return [b"PERSIST", record.key]
        if able_to_execute(self._server).milliseconds:
            return [b"PEXPIREAT", record.key, b"%d" % record.expire_at_ms]
        return [b"EXPIREAT", record.key, b"%d" % -(-record.expire_at_ms // 1000)]

    def _put_record(self, record: KeyRecord, *, replace: bool = False) -> None:
        """Write a whole key; ``replace``: delete the existing key first."""
        if not needs_payload(record, self._server):
            if replace and not isinstance(record.value, StringValue):
                self._put_in(record.db, [b"DEL", record.key])
            try:
                self._feed(record)
            except LossError:
                self._encoder = None
            else:
                return
        self._put_payload(record)

    def _feed(self, record: KeyRecord) -> None:
        if self._encoder is None or self._encoder_db != self._db:
            magic, version, release = self._target
            encoder = Resp(self._put, magic=magic, version=version, release=release)
            self._encoder = TargetFilter(encoder, magic=magic, version=version, release=release, commands=True)
        feed_record(record, self._encoder)
        self._encoder.flush()
        self._db = self._encoder_db = record.db

    def _put_payload(self, record: KeyRecord) -> None:
        magic, version, release = self._target
        pieces: list[bytes] = []
        bare = KeyRecord(
            db=record.db,
            key=record.key,
            value=record.value,
            expire_at_ms=record.expire_at_ms,
            meta=record.meta,
            member_expiries=record.member_expiries,
        )
        encoder = TargetFilter(
            Rdb(pieces.append, magic=magic, version=version, release=release, compress=False),
            magic=magic,
            version=version,
            release=release,
        )
        try:
            feed_record(bare, encoder)
        except LossError as error:
            raise InputError(f"no commands can be given for {self._target}: {error}") from error
        encoder.close()
        with open_rdb(b"".join(pieces)) as reader:
            restore = Resp(self._put, restore=True, replace=True)
            reader.feed(restore)
            restore.close()
        self._db = record.db

    def _put_in(self, db: int, words: Words) -> None:
        if db != self._db:
            self._put_words([b"SELECT", b"%d" % db])
            self._db = db
        self._put_words(words)

    def _put_words(self, words: Words) -> None:
        self._put(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))

    def _put(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= 1 << 16:
            self.close()


def needs_payload(record: KeyRecord, server: Rules) -> bool:
    """Return whether some of a record can only be expressed by a RESTORE payload."""
    value = record.value
    if record.meta is not None or isinstance(value, ArrayValue):
        return True
    if isinstance(value, ZSetValue):
        return any(math.isnan(score) or (score == 0 and math.copysign(1, score) < 0) for _, score in value.members)
    if not isinstance(value, StreamValue):
        return False
    ids = {entry.id for entry in value.entries}
    last = max(ids, default=value.last_id)
    added, deleted = value.entries_added, value.max_deleted_id
    return (
        value.producers is not None
        or last > value.last_id
        or (added is not None and added < len(ids))
        or (deleted is not None and deleted > value.last_id)
        or any(_is_beyond_words(group, ids, server) for group in value.groups)
    )


def _is_beyond_words(group: StreamGroup, ids: set[StreamID], server: Rules) -> bool:
    owners = {entry.consumer for entry in group.pending}
    if None in owners or not ids.issuperset(entry.id for entry in group.pending):
        return True
    return not able_to_execute(server).bare_consumers and any(
        consumer.name not in owners for consumer in group.consumers
    )
