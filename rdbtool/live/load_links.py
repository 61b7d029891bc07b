"""Where units are sent: one server, or the masters of a cluster, each unit to the one that owns its slot.

A batch is tried until all replies have arrived, on new connections if need be. A server that was asked before its
connection was lost may have executed a part, so every further attempt replaces what is there.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence

from rdbtool._codec.filters.selection import slot_of
from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, Protocol
from rdbtool.live.connection import (
    Connection,
    Endpoint,
    ReplyError,
    ServerConnectionError,
    describe_reply,
    encode_command,
)
from rdbtool.live.shards import SLOTS, read_nodes

if TYPE_CHECKING:
    from rdbtool.live.load_units import LoadUnit

#: Attempts after a lost connection or a moved slot, and the longest delay between them in seconds.
_TRIES: Final = 30
_PATIENCE: Final = 2.0

#: First words of error replies about a slot that is elsewhere or has no master at the moment.
_MOVING: Final = frozenset({"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"})


class Link:
    """A connection to one server, opened when needed. ``resumed`` counts how often it was opened again."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.resumed = 0
        self._connection: Connection | None = None
        self._db = 0
        self._was_open = False

    @property
    def connection(self) -> Connection:
        """The open connection. Raises InputError."""
        if self._connection is None:
            self._connection = self.endpoint.connect()
            self._db = 0
            self.resumed += self._was_open
            self._was_open = True
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(self, batch: Iterable[tuple[int, bytes, int]]) -> list[list[Any]]:
        """Send commands: the database, their encoded form and the number of replies to each; return these."""
        data: list[bytes] = []
        counts: list[tuple[int, int]] = []
        db = self._db
        connection = self.connection
        for needed, text, count in batch:
            moves = int(needed != db)
            if moves:
                data.append(encode_command(b"SELECT", b"%d" % needed))
                db = needed
            data.append(text)
            counts.append((moves, count))
        connection.send_bytes(b"".join(data))
        replies = []
        for moves, count in counts:
            found = connection.read_replies(moves + count)
            for reply in found[:moves]:
                if isinstance(reply, ReplyError):
                    raise describe_reply(str(reply), self.endpoint.name, asked="SELECT")
            replies.append(found[moves:])
        self._db = db
        return replies


class Router(Protocol):
    """Which servers there are, and which one a unit belongs to."""

    @property
    def links(self) -> Sequence[Link]:
        """The servers that own keys."""

    @property
    def known(self) -> Sequence[Link]:
        """Every server that anything may have been sent to: also former masters, and those that import a slot."""

    def link_of(self, key: bytes) -> Link:
        """Return the server of a key."""

    def link_at(self, address: str) -> Link | None:
        """Return the server at ``HOST:PORT``; None if there is only one."""

    def moved(self, replies: Sequence[Any]) -> str | None:
        """Return the error reply that says that a key belongs elsewhere, or nowhere for now; None if none does."""

    def refresh(self) -> None:
        """Find out again where keys belong. Raises InputError."""


class OneServer:
    """A single server."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.links: Sequence[Link] = (Link(endpoint),)
        self.known = self.links

    def link_of(self, key: bytes) -> Link:  # noqa: ARG002 - as the protocol has it
        """See ``Router``."""
        return self.links[0]

    def link_at(self, address: str) -> Link | None:  # noqa: ARG002 - likewise
        """See ``Router``."""
        return None

    def moved(self, replies: Sequence[Any]) -> None:
        """See ``Router``."""

    def refresh(self) -> None:
        """See ``Router``."""


class Cluster:
    """The masters of a cluster; ``seed`` is any of its nodes, ``endpoint_at`` makes the endpoint of another one."""

    def __init__(self, seed: Endpoint, endpoint_at: Callable[[str, int], Endpoint]) -> None:
        self._seed = seed
        self.endpoint_at = endpoint_at
        self._by_address: dict[tuple[str, int], Link] = {}
        self._owners: list[Link] = []
        self.links: Sequence[Link] = ()
        self.refresh()

    @property
    def known(self) -> Sequence[Link]:
        """See ``Router``."""
        return tuple(self._by_address.values())

    def link_of(self, key: bytes) -> Link:
        """See ``Router``."""
        return self._owners[slot_of(key)]

    def link_at(self, address: str) -> Link | None:
        """See ``Router``."""
        host, _, port = address.rpartition(":")
        return self._link(host.strip("[]"), int(port))

    def moved(self, replies: Sequence[Any]) -> str | None:
        """See ``Router``."""
        return next((str(each) for each in replies if isinstance(each, ReplyError) and each.word in _MOVING), None)

    def refresh(self) -> None:
        """See ``Router``. Any known node is asked."""
        seeds = [self._seed, *(link.endpoint for link in self.known)]
        for left, seed in enumerate(reversed(seeds)):
            try:
                nodes = read_nodes(seed)
                break
            except ServerConnectionError:
                if left == len(seeds) - 1:
                    raise
        owners: list[Any] = [None] * SLOTS
        links = []
        for node in nodes:
            link = self._link(node.host, node.port)
            links.append(link)
            for first, last in node.slots:
                owners[first : last + 1] = [link] * (last + 1 - first)
        self._owners = owners
        self.links = links

    def _link(self, host: str, port: int) -> Link:
        link = self._by_address.get((host, port))
        if link is None:
            link = self._by_address[host, port] = Link(self.endpoint_at(host, port))
        return link


class Servers:
    """What a load writes to: batches of units, each to the server that it belongs to."""

    def __init__(self, router: Router) -> None:
        self.router = router

    @property
    def resumed(self) -> int:
        """How often connections were lost and opened again."""
        return sum(link.resumed for link in self.router.known)

    def connect(self) -> Connection:
        """Return a connection to one of the servers. Raises InputError."""
        return self.router.links[0].connection

    def find_existing(self, units: Sequence[LoadUnit]) -> list[bool]:
        """Return for each unit whether its key exists; False for units without a key. Raises InputError."""

        def encode(unit: LoadUnit, _attempt: int, importing: bool) -> _Encoded:  # noqa: FBT001 - as the other one
            assert unit.key is not None
            return _encode([(b"EXISTS", unit.key)], importing=importing)

        found = self._send({at: unit for at, unit in enumerate(units) if unit.key is not None}, self._owner, encode)
        for at, replies in found.items():
            if isinstance(replies[-1], ReplyError):
                raise describe_reply(str(replies[-1]), self._owner(units[at]).endpoint.name, asked="EXISTS")
        return [at in found and bool(found[at][-1]) for at in range(len(units))]

    def send(self, units: Sequence[LoadUnit], *, replace: bool) -> list[list[Any]]:
        """Send units and return the replies to each, error replies as ReplyError. Raises InputError.

        Units without a key go to every server; of their replies, those of the last one, or the first with an error.
        """

        def encode(unit: LoadUnit, attempt: int, importing: bool) -> _Encoded:  # noqa: FBT001 - likewise
            return _encode(unit.words(replace=replace or attempt > 0), importing=importing)

        found = self._send({at: unit for at, unit in enumerate(units) if unit.key is not None}, self._owner, encode)
        for at, unit in enumerate(units):
            if unit.key is None:
                for link in self.router.links:
                    found[at] = self._send({at: unit}, _always(link), encode)[at]
                    if any(isinstance(reply, ReplyError) for reply in found[at]):
                        break
        return [found[at] for at in range(len(units))]

    def close(self) -> None:
        """Close the connections."""
        for link in self.router.known:
            link.close()

    def _owner(self, unit: LoadUnit) -> Link:
        assert unit.key is not None
        return self.router.link_of(unit.key)

    def _send(
        self,
        units: dict[int, LoadUnit],
        route: Callable[[LoadUnit], Link],
        encode: Callable[[LoadUnit, int, bool], _Encoded],
    ) -> dict[int, list[Any]]:
        """Send numbered units until each has replies of the server that holds its key."""
        found: dict[int, list[Any]] = {}
        waiting: dict[int, Link | None] = dict.fromkeys(units)
        patience = 0.1
        for attempt in range(_TRIES + 1):
            groups: dict[Link, list[int]] = {}
            for at, importer in waiting.items():
                groups.setdefault(importer or route(units[at]), []).append(at)
            importing, waiting = waiting, {}
            failure = None
            for link, numbers in groups.items():
                batch = [(units[at].db, *encode(units[at], attempt, importing[at] is not None)) for at in numbers]
                try:
                    answers = link.send(batch)
                except ServerConnectionError as error:
                    failure = error
                    link.close()
                    waiting |= dict.fromkeys(numbers)
                    continue
                for at, replies in zip(numbers, answers, strict=True):
                    text = self.router.moved(replies)
                    if text is None or attempt == _TRIES:
                        found[at] = replies
                    else:
                        waiting[at] = self.router.link_at(text.split()[-1]) if text.startswith("ASK ") else None
            if not waiting:
                return found
            if attempt == _TRIES and failure is not None:
                raise failure
            if not all(waiting.values()):
                time.sleep(patience)
                patience = min(patience * 2, _PATIENCE)
                with contextlib.suppress(*([InputError] if attempt < _TRIES else [])):
                    self.router.refresh()
        raise AssertionError("the last attempt returns or raises")


#: Encoded commands, and the number of replies to them.
_Encoded = tuple[bytes, int]


def _always(link: Link) -> Callable[[LoadUnit], Link]:
    return lambda _: link


def _encode(commands: Sequence[tuple[bytes, ...]], *, importing: bool) -> _Encoded:
    """Encode the commands of a unit: as a transaction, or one by one for a server that is importing their slot."""
    if importing:
        # ASKING is for the next command only, and a transaction would need it for each as well.
        commands = [words for command in commands for words in ((b"ASKING",), command)]
    elif len(commands) > 1:
        commands = [(b"MULTI",), *commands, (b"EXEC",)]
    return b"".join(encode_command(*words) for words in commands), len(commands)
