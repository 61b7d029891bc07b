"""Load a dataset into a running server: with RESTORE if the server reads its payloads, otherwise with commands.

Keys are sent in batches, each key as one idempotent unit: a RESTORE with REPLACE, or a transaction that begins with
DEL. After a lost connection, the current batch is sent again on the next one without duplicating anything. EXISTS is
sent before the first attempt at a batch, since after it existing keys cannot be distinguished from loaded ones.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from rdbtool.core.errors import InputError, describe_key
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, NamedTuple
from rdbtool.core.servers import Rules, Target
from rdbtool.live.connection import Connection, Endpoint, ReplyError, describe_reply
from rdbtool.live.load_links import OneServer, Servers
from rdbtool.live.load_report import NAMED, LoadedReport, Rejected
from rdbtool.live.load_units import LoadUnit, UnitSplitter
from rdbtool.operations.convert.omissions import Leaving
from rdbtool.operations.dump.command_output import write_commands
from rdbtool.operations.dump.report import DumpOptions

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool.core.progress import Progress
    from rdbtool.dataset.loading import Opened
    from rdbtool.live.load_links import Router
    from rdbtool.operations.convert.reshaping import Reshaping

#: Limits of a batch: units, and bytes after which it is sent.
_UNITS: Final = 500
_BATCH_BYTES: Final = 1 << 20

#: First words of error replies that end the load: every further key would get the same reply.
_ENDING: Final = frozenset(
    {"OOM", "READONLY", "NOPERM", "MISCONF", "NOAUTH", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "MOVED"}
)


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


def load_dataset(
    dataset: Opened,
    endpoint: Endpoint,
    options: LoadOptions,
    *,
    router: Router | None = None,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> LoadedReport:
    """Load the keys of a dataset into a server, or into those of ``router`` (for a cluster).

    Raises UncertainError for an uncertain dataset, LossError for data that the server cannot hold unless that was
    allowed, InputError if the server refuses, is out of memory or stays unreachable, and the errors of reading.
    """
    if dataset.doubt is not None:
        raise dataset.doubt
    servers = Servers(router or OneServer(endpoint))
    try:
        return _Loader(servers, endpoint.name, options).run(dataset, selection, progress)
    finally:
        servers.close()


class _Loader:
    """One load."""

    def __init__(self, servers: Servers, name: str, options: LoadOptions) -> None:
        self.servers = servers
        self.name = name
        self.options = options
        self.units: list[LoadUnit] = []
        self.size = 0
        self.loaded = self.existed = self.rejected = self.functions = 0
        self.existing: list[tuple[int, bytes]] = []
        self.refused: list[Rejected] = []
        self.begun = time.monotonic()
        self._sent = 0

    def run(self, dataset: Opened, selection: Selection | None, progress: Progress | None) -> LoadedReport:
        connection = self.servers.connect()
        rules, text = server_rules(connection)
        restore = self._has_restore(connection)
        options = self.options
        dump = DumpOptions(
            "resp", restore=restore, replace=True, target=Target.of_release(rules), allow_loss=options.allow_loss,
            leaving=options.leaving, reshaping=options.reshaping,
        )  # fmt: skip
        splitter = UnitSplitter(self._put)
        dumped = write_commands(dataset, splitter.write, dump, selection=selection, progress=progress)
        splitter.end()
        self._flush()
        return LoadedReport(
            source=dataset.name,
            target=self.name,
            server=text,
            form="restore" if restore else "commands",
            loaded=self.loaded,
            existed=self.existed,
            rejected=self.rejected,
            functions=self.functions,
            resumed=self.servers.resumed,
            seconds=time.monotonic() - self.begun,
            existing=tuple(self.existing),
            refused=tuple(self.refused),
            losses=tuple(dumped.losses),
            is_dry=options.dry_run,
            is_fine_to_exist=options.skip_existing,
        )

    @staticmethod
    def _has_restore(connection: Connection) -> bool:
        """Whether this user may send RESTORE; tested with an invalid payload, which changes nothing."""
        try:
            connection("RESTORE", "rdbtool", 0, b"no payload")
        except ReplyError as error:
            return error.word != "NOPERM" and not error.is_unknown
        return True

    def _put(self, unit: LoadUnit, size: int) -> None:
        self.units.append(unit)
        self.size += size
        if len(self.units) >= _UNITS or self.size >= _BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Send the current batch."""
        units, self.units, self.size = self.units, [], 0
        if not units:
            return
        if not self.options.replace:
            found = self.servers.find_existing(units)
            for unit, exists in zip(units, found, strict=True):
                if exists:
                    self._note_existing(unit)
            units = [unit for unit, exists in zip(units, found, strict=True) if not exists]
        if self.options.dry_run:
            self.loaded += sum(unit.key is not None for unit in units)
            return
        for unit, replies in zip(units, self.servers.send(units, replace=self.options.replace), strict=True):
            self._count(unit, replies)
        self._wait(len(units))

    def _count(self, unit: LoadUnit, replies: Sequence[Any]) -> None:
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
            error = describe_reply(text, self.name, asked="RESTORE")
            raise InputError(f"{error.message}{place}: {self.loaded:,} keys are loaded", remedy=error.remedy)
        if word == "BUSYKEY":
            self._note_existing(unit)
            return
        self.rejected += 1
        if len(self.refused) < NAMED:
            self.refused.append(
                Rejected(unit.db, unit.key if unit.key is not None else unit.commands[0][0], text[:200])
            )

    def _note_existing(self, unit: LoadUnit) -> None:
        self.existed += 1
        if len(self.existing) < NAMED:
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
