"""Load a dataset into a running server: with RESTORE if the server reads its payloads, otherwise with commands.

Keys are sent in batches, each key as one idempotent unit: a RESTORE with REPLACE, or a transaction that begins with
DEL. After a lost connection, the current batch is sent again on the next one without duplicating anything. EXISTS is
sent before the first attempt at a batch, since after it existing keys cannot be distinguished from loaded ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rdbtool.core.errors import InputError, Loss, describe_key, json_bytes, json_name
from rdbtool.core.servers import Rules, Target
from rdbtool.live.connection import (
    Connection,
    Endpoint,
    ReplyError,
    ServerConnectionError,
    describe_reply,
    encode_command,
)
from rdbtool.operations.convert.omissions import Leaving
from rdbtool.operations.dump.command_output import write_commands
from rdbtool.operations.dump.report import DumpOptions

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool.core.progress import Progress
    from rdbtool.dataset.loading import Opened
    from rdbtool.operations.convert.reshaping import Reshaping

#: Limits of a batch: units, and bytes after which it is sent.
_UNITS: Final = 500
_BATCH_BYTES: Final = 1 << 20

#: Attempts to reconnect, and the longest delay between them in seconds.
_TRIES: Final = 30
_PATIENCE: Final = 2.0

#: Keys that the report names; all are counted.
_NAMED: Final = 100

#: First words of error replies that end the load: every further key would get the same reply.
_ENDING: Final = frozenset({"OOM", "READONLY", "NOPERM", "MISCONF", "NOAUTH", "LOADING", "MASTERDOWN", "CLUSTERDOWN"})

#: Commands that belong to no key.
_BESIDE: Final = frozenset({b"FUNCTION", b"SCRIPT"})

#: The position of the key in commands where it is not the first argument.
_KEY_AT: Final = {b"XGROUP": 2}


class LoadOptions(NamedTuple):
    """How to load. ``replace`` overwrites existing keys; ``skip_existing`` keeps them and counts as complete.

    Without either they are kept, and the load is incomplete. ``rate`` limits the keys per second. ``dry_run`` sends
    nothing, and counts existing keys. For ``leaving`` and ``reshaping`` see ``DumpOptions``.
    """

    replace: bool = False
    skip_existing: bool = False
    allow_loss: bool = False
    dry_run: bool = False
    rate: float | None = None
    leaving: Leaving = Leaving()
    reshaping: Reshaping | None = None


class Rejected(NamedTuple):
    """A key that the server refused, and its error reply."""

    db: int
    key: bytes
    reply: str


@dataclass(frozen=True)
class LoadedReport:
    """The result of a load: how many keys were ``loaded``, ``existed`` and were kept, or were ``rejected``.

    ``form`` is ``restore`` or ``commands``; ``functions`` counts libraries and scripts; ``resumed`` is how often the
    connection was reopened; ``losses`` is what the server cannot hold. ``existing`` and ``refused`` name the first
    hundred keys of each.
    """

    source: str
    target: str
    server: str
    form: str
    loaded: int
    existed: int
    rejected: int
    functions: int
    resumed: int
    seconds: float
    existing: tuple[tuple[int, bytes], ...]
    refused: tuple[Rejected, ...]
    losses: tuple[Loss, ...]
    is_dry: bool = False
    is_fine_to_exist: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether every key was loaded, or kept as asked."""
        return self.rejected == 0 and (self.existed == 0 or self.is_fine_to_exist)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``load --json`` prints."""
        return {
            "schema": 1,
            "source": json_name(self.source),
            "target": self.target,
            "server": self.server,
            "form": self.form,
            "dry_run": self.is_dry,
            "loaded": self.loaded,
            "existed": self.existed,
            "rejected": self.rejected,
            "functions": self.functions,
            "resumed": self.resumed,
            "seconds": round(self.seconds, 3),
            "existing": [{"db": db, "key": json_bytes(key)} for db, key in self.existing],
            "refused": [{"db": row.db, "key": json_bytes(row.key), "reply": row.reply} for row in self.refused],
            "losses": [loss.to_dict() for loss in self.losses],
        }


class _Unit(NamedTuple):
    """The commands that create one key, a library or a script (``key`` None)."""

    db: int
    key: bytes | None
    commands: tuple[tuple[bytes, ...], ...]

    def encode(self, *, first: bool, replace: bool) -> tuple[bytes, int]:
        """Return the encoded commands and the number of replies; a ``first`` attempt has REPLACE only if asked."""
        commands = self.commands
        if first and not replace and len(commands) == 1 and commands[0][0] == b"RESTORE":
            commands = (tuple(word for at, word in enumerate(commands[0]) if at < 4 or word != b"REPLACE"),)
        if len(commands) > 1:
            commands = ((b"MULTI",), *commands, (b"EXEC",))
        return b"".join(encode_command(*words) for words in commands), len(commands)


def load_dataset(
    dataset: Opened,
    endpoint: Endpoint,
    options: LoadOptions,
    *,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> LoadedReport:
    """Load the keys of a dataset into a server.

    Raises UncertainError for an uncertain dataset, LossError for data that the server cannot hold unless that was
    allowed, InputError if the server refuses, is out of memory or stays unreachable, and the errors of reading.
    """
    if dataset.doubt is not None:
        raise dataset.doubt
    loader = _Loader(endpoint, options)
    try:
        return loader.run(dataset, selection, progress)
    finally:
        loader.close()


class _Loader:
    """One load."""

    def __init__(self, endpoint: Endpoint, options: LoadOptions) -> None:
        self.endpoint = endpoint
        self.options = options
        self.connection: Connection | None = endpoint.connect()
        self.db = 0
        self.units: list[_Unit] = []
        self.size = 0
        self.loaded = self.existed = self.rejected = self.functions = self.resumed = 0
        self.existing: list[tuple[int, bytes]] = []
        self.refused: list[Rejected] = []
        self.begun = time.monotonic()
        self._rest = b""
        self._db = 0
        self._open: list[tuple[bytes, ...]] = []
        self._key: bytes | None = None
        self._sent = 0

    def run(self, dataset: Opened, selection: Selection | None, progress: Progress | None) -> LoadedReport:
        assert self.connection is not None
        rules, text = server_rules(self.connection)
        restore = self._has_restore(self.connection)
        options = self.options
        dump = DumpOptions(
            "resp", restore=restore, replace=True, target=Target.of_release(rules), allow_loss=options.allow_loss,
            leaving=options.leaving, reshaping=options.reshaping,
        )  # fmt: skip
        dumped = write_commands(dataset, self._take, dump, selection=selection, progress=progress)
        self._end_unit()
        self._flush()
        return LoadedReport(
            source=dataset.name,
            target=self.endpoint.name,
            server=text,
            form="restore" if restore else "commands",
            loaded=self.loaded,
            existed=self.existed,
            rejected=self.rejected,
            functions=self.functions,
            resumed=self.resumed,
            seconds=time.monotonic() - self.begun,
            existing=tuple(self.existing),
            refused=tuple(self.refused),
            losses=tuple(dumped.losses),
            is_dry=options.dry_run,
            is_fine_to_exist=options.skip_existing,
        )

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    @staticmethod
    def _has_restore(connection: Connection) -> bool:
        """Whether this user may send RESTORE; tested with an invalid payload, which changes nothing."""
        try:
            connection("RESTORE", "rdbtool", 0, b"no payload")
        except ReplyError as error:
            return error.word != "NOPERM" and not error.is_unknown
        return True

    # ---- units -----------------------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        """Split encoded commands, which arrive in pieces of any size, into units."""
        data = self._rest + bytes(data)
        at = 0
        while (found := _read_command(data, at)) is not None:
            words, at = found
            self._add(words)
        self._rest = data[at:]

    def _add(self, words: tuple[bytes, ...]) -> None:
        name = words[0]
        if name == b"SELECT":
            self._end_unit()
            self._db = int(words[1])
            return
        key = None if name in _BESIDE else words[_KEY_AT.get(name, 1)]
        if key is None or key != self._key or name in {b"RESTORE", b"DEL"}:
            self._end_unit()
        self._key = key
        self._open.append(words)
        self.size += sum(map(len, words))
        if key is None:
            self._end_unit()

    def _end_unit(self) -> None:
        if self._open:
            self.units.append(_Unit(self._db, self._key, tuple(self._open)))
            self._open = []
            self._key = None
            if len(self.units) >= _UNITS or self.size >= _BATCH_BYTES:
                self._flush()

    # ---- batches ---------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Send the current batch, and again after a lost connection until all replies have arrived."""
        units, self.units, self.size = self.units, [], 0
        if not units:
            return
        if not self.options.replace:
            units = self._retry(lambda connection: self._without_existing(connection, units))
        if self.options.dry_run:
            self.loaded += sum(unit.key is not None for unit in units)
            return
        is_first = True

        def send(connection: Connection) -> list[Any]:
            nonlocal is_first
            first, is_first = is_first, False
            return self._send(connection, units, first=first)

        for unit, replies in zip(units, self._retry(send), strict=True):
            self._count(unit, replies)
        self._wait(len(units))

    def _retry(self, act: Callable[[Connection], Any]) -> Any:
        patience = 0.1
        for left in range(_TRIES, -1, -1):
            try:
                if self.connection is None:
                    self.connection = self.endpoint.connect()
                    self.db = 0
                    self.resumed += 1
                return act(self.connection)
            except ServerConnectionError:
                self.close()
                if not left:
                    raise
                time.sleep(patience)
                patience = min(patience * 2, _PATIENCE)
        return None

    def _send(self, connection: Connection, units: Sequence[_Unit], *, first: bool) -> list[list[Any]]:
        data: list[bytes] = []
        counts: list[tuple[int, int]] = []
        db = self.db
        for unit in units:
            moves = int(unit.db != db)
            if moves:
                data.append(encode_command(b"SELECT", b"%d" % unit.db))
                db = unit.db
            text, count = unit.encode(first=first, replace=self.options.replace)
            data.append(text)
            counts.append((moves, count))
        connection.send_bytes(b"".join(data))
        replies = []
        for moves, count in counts:
            found = connection.read_replies(moves + count)
            self._check_select(found[:moves])
            replies.append(found[moves:])
        self.db = db
        return replies

    def _without_existing(self, connection: Connection, units: Sequence[_Unit]) -> list[_Unit]:
        data: list[bytes] = []
        selects = []
        db = self.db
        for unit in units:
            if unit.key is None:
                continue
            selects.append(int(unit.db != db))
            if unit.db != db:
                data.append(encode_command(b"SELECT", b"%d" % unit.db))
                db = unit.db
            data.append(encode_command(b"EXISTS", unit.key))
        if data:
            connection.send_bytes(b"".join(data))
        answers = []
        for moved in selects:
            found = connection.read_replies(1 + moved)
            self._check_select(found[:-1])
            if isinstance(found[-1], ReplyError):
                raise describe_reply(str(found[-1]), self.endpoint.name, asked="EXISTS")
            answers.append(found[-1])
        self.db = db
        left = []
        exists = iter(answers)
        for unit in units:
            if unit.key is not None and next(exists):
                self._note_existing(unit)
            else:
                left.append(unit)
        return left

    def _check_select(self, replies: Sequence[Any]) -> None:
        for reply in replies:
            if isinstance(reply, ReplyError):
                raise describe_reply(str(reply), self.endpoint.name, asked="SELECT")

    def _count(self, unit: _Unit, replies: Sequence[Any]) -> None:
        inner = replies[-1] if isinstance(replies[-1], list) else []
        wrong = next((reply for reply in (*replies, *inner) if isinstance(reply, Exception)), None)
        if wrong is None:
            self.functions += unit.key is None
            self.loaded += unit.key is not None
            return
        text = str(wrong)
        word = text.split(" ", 1)[0]
        if word in _ENDING:
            place = "" if unit.key is None else f", at key {describe_key(unit.key)} in db {unit.db}"
            error = describe_reply(text, self.endpoint.name, asked="RESTORE")
            raise InputError(f"{error.message}{place}: {self.loaded:,} keys are loaded", remedy=error.remedy)
        if word == "BUSYKEY":
            self._note_existing(unit)
            return
        self.rejected += 1
        if len(self.refused) < _NAMED:
            self.refused.append(
                Rejected(unit.db, unit.key if unit.key is not None else unit.commands[0][0], text[:200])
            )

    def _note_existing(self, unit: _Unit) -> None:
        self.existed += 1
        if len(self.existing) < _NAMED:
            assert unit.key is not None
            self.existing.append((unit.db, unit.key))

    def _wait(self, count: int) -> None:
        self._sent += count
        if self.options.rate is not None:
            ahead = self.begun + self._sent / self.options.rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)


def server_rules(connection: Connection) -> tuple[Rules, str]:
    """Return the rules of a server, and its name with its version, from INFO. Raises InputError."""
    try:
        info = connection.info("server")
    except ReplyError as error:
        raise describe_reply(str(error), connection.name, asked="INFO") from error
    family = "valkey" if "valkey_version" in info else "redis"
    version = info.get(f"{family}_version", "")
    try:
        return Rules.parse(f"{family}-{version}"), f"{family} {version}"
    except ValueError as error:
        raise InputError(f"{connection.name} does not say which Redis or Valkey it is") from error


def _read_command(data: bytes, at: int) -> tuple[tuple[bytes, ...], int] | None:
    """Return the arguments of the command at an offset, and where it ends; None if it is incomplete."""
    end = data.find(b"\r\n", at)
    if end < 0:
        return None
    words = []
    count = int(data[at + 1 : end])
    at = end + 2
    for _ in range(count):
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        size = int(data[at + 1 : end])
        at = end + 2 + size + 2
        if at > len(data):
            return None
        words.append(data[end + 2 : at - 2])
    return tuple(words), at
