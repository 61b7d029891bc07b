"""Read a server that does not allow replication with SCAN and DUMP: each key once, not point-in-time consistent.

Keys changed during the scan appear in their old or new state; deleted keys may be missing. The resulting RDB file has
no replication ID, since it belongs to no offset of the replication stream.
"""

from __future__ import annotations

import time
from functools import partial

from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.replay_record import feed_item
from rdbtool._codec.sinks.digest import Digest
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final
from rdbtool.core.location import NOWHERE
from rdbtool.core.rdb_types import VALKEY, WRITER_FIELDS
from rdbtool.core.servers import Target
from rdbtool.live.connection import Connection, ReplyError, describe_reply, encode_command
from rdbtool.live.loading_server import server_rules
from rdbtool.live.snapshots import Saved
from rdbtool.model import Aux, FunctionLibrary, Header
from rdbtool.operations.info.digest import read_digest
from rdbtool.reader.payload import feed_payload
from rdbtool.reader.rdb import Totals, open_rdb
from rdbtool.writer.atomic.output import open_output
from rdbtool.writer.dataset_writer import DatasetWriter

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.core.progress import Progress
    from rdbtool.core.servers import Rules
    from rdbtool.live.connection import Endpoint

#: COUNT of SCAN, and the number of keys dumped in one pipeline.
_COUNT: Final = 200

#: The reply of PTTL and PEXPIRETIME for a key that does not exist; and the first RDB version with functions.
_GONE: Final = -2
_FIRST_FUNCTIONS: Final = 10


class ScannedServer:
    """The keys of a server as a ``Feeder``, which can be read once."""

    def __init__(self, connection: Connection, rules: Rules) -> None:
        self.connection = connection
        self.rules = rules
        self.keys = self.expires = 0

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> Totals:  # noqa: ARG002 - a feeder's signature
        """Feed every key, database by database. Raises InputError, and FormatError for an unreadable payload."""
        target = Target.of_release(self.rules)
        feed_item(Header(target.magic, target.version), sink)
        writer = f"{self.rules.major}.{self.rules.minor}.0".encode()
        feed_item(Aux(WRITER_FIELDS[self.rules.family], writer, NOWHERE), sink)
        if target.magic == VALKEY or target.version >= _FIRST_FUNCTIONS:
            for code in self._functions():
                feed_item(FunctionLibrary(code, released=True, span=NOWHERE), sink)
        done = 0
        for db in self._databases():
            self._ask("SELECT", db)
            for names in self._names():
                done += self._feed_keys(names, db, sink)
                if progress is not None:
                    progress(done)
        return Totals(self.keys, self.expires, self.keys, {}, {})

    def _feed_keys(self, names: list[bytes], db: int, sink: Sink) -> int:
        payloads = self._ask_all([("DUMP", name) for name in names])
        # Older servers only report the time left, which shrinks by the milliseconds that the reply takes.
        is_exact = self.rules.has((7, 0), (7, 2))
        times = self._ask_all([("PEXPIRETIME" if is_exact else "PTTL", name) for name in names])
        base_ms = 0 if is_exact else time.time_ns() // 1_000_000
        for name, payload, found in zip(names, payloads, times, strict=True):
            # The key was deleted or expired since SCAN returned it.
            if payload is not None and found != _GONE:
                feed_payload(payload, sink, db=db, key=name, expire_at_ms=base_ms + found if found >= 0 else None)
                self.keys += 1
                self.expires += found >= 0
        return sum(len(payload or b"") for payload in payloads)

    def _names(self) -> Any:
        """Yield the keys of the selected database in batches, each once: SCAN may return a key several times."""
        seen: set[bytes] = set()
        cursor = b"0"
        while True:
            cursor, names = self._ask("SCAN", cursor, "COUNT", _COUNT)
            fresh = [name for name in dict.fromkeys(names) if name not in seen]
            seen.update(fresh)
            if fresh:
                yield fresh
            if int(cursor) == 0:
                return

    def _databases(self) -> list[int]:
        found = self.connection.info("keyspace")
        return sorted(int(name[2:]) for name in found if name.startswith("db") and name[2:].isdigit())

    def _functions(self) -> list[bytes]:
        try:
            rows = self.connection("FUNCTION", "LIST", "WITHCODE")
        except ReplyError:
            # The server has no functions, or the user may not list them.
            return []
        return [row[index + 1] for row in rows for index in range(0, len(row), 2) if row[index] == b"library_code"]

    def _ask(self, *words: str | bytes | int) -> Any:
        try:
            return self.connection(*words)
        except ReplyError as error:
            raise describe_reply(str(error), self.connection.name, asked=str(words[0])) from error

    def _ask_all(self, commands: list[tuple[str, bytes]]) -> list[Any]:
        self.connection.send_bytes(b"".join(encode_command(name.encode(), key) for name, key in commands))
        replies = self.connection.read_replies(len(commands))
        for reply in replies:
            if isinstance(reply, ReplyError):
                raise describe_reply(str(reply), self.connection.name, asked=commands[0][0])
        return replies


def scan_snapshot(
    endpoint: Endpoint, path: str, *, force: bool = False, digest: bool = False, progress: Progress | None = None
) -> Saved:
    """Write an RDB file from SCAN and DUMP, which is not point-in-time consistent; see ``take_snapshot``.

    A file is always read back before it gets its name, and has to hold the values that were received.
    """
    begun = time.monotonic()
    with endpoint.connect() as connection:
        rules, server = server_rules(connection)
        source = ScannedServer(connection, rules)
        target = Target.of_release(rules)
        make = partial(Rdb, magic=target.magic, version=target.version, release=target.release)

        def read_back(name: str, sink: Sink, progress: Progress | None) -> None:
            with open_rdb(name) as reader:
                reader.feed(sink, progress=progress)

        writer = DatasetWriter(source, make, target, announces=False, progress=progress, read_back=read_back)
        with open_output(path, force=force) as output:
            writer.write_to(output)
    text = None
    if digest and path != "-":
        sums = Digest(rules, time.time_ns() // 1_000_000)
        with open_rdb(path) as reader:
            reader.feed(sums)
        sums.close()
        text = None if sums.opaque_keys else read_digest(sums, path)
    return Saved(
        path=path, source=endpoint.name, digest=text, replid="", offset=-1, keys=writer.keys, bytes=writer.bytes,
        server=server, seconds=time.monotonic() - begun,
        warnings=("read with SCAN and DUMP: not a point-in-time snapshot",), verified=path != "-",
    )  # fmt: skip
