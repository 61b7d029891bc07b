"""The replication client: PSYNC as a replica, and the RDB transfer of a full resynchronization (format A17).

Only the capabilities implemented here are announced (REPLCONF capa): transfers delimited by an EOF mark, and changes
of the replication ID. There is no RDB channel and no second connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.live.connection import (
    RECEIVED,
    Endpoint,
    ReplicaSocket,
    ServerConnectionError,
    ServerRefusedError,
    describe_reply,
)

if TYPE_CHECKING:
    from rdbtool.core.progress import Progress

MARK_BYTES: Final = 40

_FULL: Final = re.compile(rb"\+FULLRESYNC ([0-9a-f]{40}) (\d{1,19})\Z")
_CONTINUE: Final = re.compile(rb"\+CONTINUE(?: ([0-9a-f]{40}))?\Z")
_HEADER: Final = re.compile(rb"\$(?:EOF:(.{40})|(\d{1,19}))\Z", re.DOTALL)


class StreamPosition(NamedTuple):
    """A position in the replication stream: ``offset`` bytes of the history ``replid`` were received."""

    replid: str
    offset: int


class Replica:
    """A connection on which the server has accepted PSYNC.

    ``position`` is where the stream starts, or the RDB was taken. ``is_full``: a full resynchronization; an RDB comes
    first, which ``transfer`` reads.
    """

    def __init__(self, link: ReplicaSocket, position: StreamPosition, *, is_full: bool) -> None:
        self.link = link
        self.position = position
        self.is_full = is_full

    def transfer(self, progress: Progress | None = None, meanwhile: Callable[[], object] | None = None) -> RdbTransfer:
        """Begin the RDB transfer, after waiting for the server to prepare it. Raises InputError.

        ``meanwhile`` is called about once a second.
        """
        while not (line := _next_line(self.link, meanwhile)):
            pass
        _refuse_errors(line, self.link.name)
        match = _HEADER.match(line)
        if match is None:
            raise ServerRefusedError(f"{self.link.name} sent no RDB after PSYNC, but {line[:60]!r}", "PROTOCOL")
        size = None if match[2] is None else int(match[2])
        return RdbTransfer(self.link, size, match[1] or b"", progress, meanwhile)

    def close(self) -> None:
        """Close the connection."""
        self.link.close()


def open_replica(
    endpoint: Endpoint, position: StreamPosition | None = None, *, meanwhile: Callable[[], object] | None = None
) -> Replica:
    """Connect and request the stream from ``position``, or a full resynchronization if None. Raises InputError.

    The server decides whether it can continue from there; see ``is_full`` of the result.
    """
    link = ReplicaSocket(endpoint.connect())
    try:
        return _ask(link, position, meanwhile)
    except BaseException:
        link.close()
        raise


def _ask(link: ReplicaSocket, position: StreamPosition | None, meanwhile: Callable[[], object] | None) -> Replica:
    link.send_command(b"REPLCONF", b"capa", b"eof", b"capa", b"psync2")
    _refuse_errors(link.read_line(), link.name)
    if position is None:
        link.send_command(b"PSYNC", b"?", b"-1")
    else:
        link.send_command(b"PSYNC", position.replid.encode(), b"%d" % (position.offset + 1))
    while not (line := _next_line(link, meanwhile)):
        pass
    _refuse_errors(line, link.name)
    if match := _FULL.match(line):
        return Replica(link, StreamPosition(match[1].decode(), int(match[2])), is_full=True)
    if position is not None and (match := _CONTINUE.match(line)):
        replid = position.replid if match[1] is None else match[1].decode()
        return Replica(link, StreamPosition(replid, position.offset), is_full=False)
    raise ServerRefusedError(f"{link.name} answered PSYNC with {line[:60]!r}", "PROTOCOL")


def _refuse_errors(line: bytes, name: str) -> None:
    if line.startswith(b"-"):
        raise describe_reply(line[1:].decode("utf-8", "replace"), name, asked="PSYNC")


def _next_line(link: ReplicaSocket, meanwhile: Callable[[], object] | None) -> bytes:
    """Return the next line; an empty one is a keepalive of the server."""
    if meanwhile is not None:
        while not link.is_ready(1.0):
            meanwhile()
            if link.is_silent:
                break
    return link.read_line()


class RdbTransfer:
    """An RDB being received: a stream with ``readinto``, which ends where the RDB does.

    ``size`` is the announced size, None for a transfer that ends in a mark. ``received`` counts bytes; ``is_complete``
    is whether all of them arrived; ``failure`` is the error that ended the transfer early.
    """

    def __init__(
        self,
        link: ReplicaSocket,
        size: int | None,
        mark: bytes,
        progress: Progress | None = None,
        meanwhile: Callable[[], object] | None = None,
    ) -> None:
        self.name = link.name
        self.size = size
        self.received = 0
        self.is_complete = size == 0
        self.failure: ServerConnectionError | None = None
        self._link = link
        self._mark = mark
        self._progress = progress
        self._meanwhile = meanwhile
        # In a transfer with a mark, the last bytes are held back until they are known not to be the mark.
        self._buffer = memoryview(bytearray(RECEIVED + MARK_BYTES))
        self._begin = self._end = 0

    def readinto(self, view: memoryview, /) -> int:
        """Fill the beginning of ``view``; return the number of bytes, 0 at the end. Raises ServerConnectionError."""
        try:
            count = self._read_mark(view) if self._mark else self._read_sized(view)
        except ServerConnectionError as error:
            total = "" if self.size is None else f" of {self.size:,}"
            self.failure = ServerConnectionError(f"{error.message}, after {self.received:,}{total} bytes of the RDB")
            raise self.failure from error
        self.received += count
        if self._progress is not None:
            self._progress(self.received)
        return count

    def drain(self) -> None:
        """Read and discard the rest. Raises ServerConnectionError."""
        view = memoryview(bytearray(RECEIVED))
        while self.readinto(view):
            pass

    def close(self) -> None:
        """Do nothing: the connection stays open, as the stream of writes follows the RDB on it."""

    def _receive(self, view: memoryview) -> int:
        if self._meanwhile is not None:
            while not self._link.is_ready(1.0):
                self._meanwhile()
                if self._link.is_silent:
                    break
            self._meanwhile()
        return self._link.readinto(view)

    def _read_sized(self, view: memoryview) -> int:
        assert self.size is not None
        left = self.size - self.received
        count = self._receive(view[:left]) if left else 0
        self.is_complete = count == left
        return count

    def _read_mark(self, view: memoryview) -> int:
        while not self.is_complete and self._end - self._begin <= MARK_BYTES:
            held = bytes(self._buffer[self._begin : self._end])
            self._buffer[: len(held)] = held
            self._begin, self._end = 0, len(held)
            self._end += self._receive(self._buffer[self._end :])
            if self._end >= MARK_BYTES and self._buffer[self._end - MARK_BYTES : self._end] == self._mark:
                self._end -= MARK_BYTES
                self.is_complete = True
        ready = self._end - self._begin - (0 if self.is_complete else MARK_BYTES)
        count = min(ready, len(view))
        view[:count] = self._buffer[self._begin : self._begin + count]
        self._begin += count
        return count
