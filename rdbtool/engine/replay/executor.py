"""Replays an AOF into an engine, and says what a server would have said of it.

Commands run as a loading server runs them: nothing expires, an error reply changes nothing and the
load goes on, a transaction runs when its EXEC is there. What a server would log, refuse or skip is a
finding with part, offset and command number.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rdbtool._codec.decode.raw_commands import RawCommands
from rdbtool.core.commands import CONTAINERS, PRODUCT_BY_COMMAND, TRANSACTION, CommandRow
from rdbtool.core.errors import Finding, ReplayError, what_servers_do
from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.core.servers import Rules, RulesChoice, Since
from rdbtool.engine.command_errors import (
    ArityError,
    CommandError,
    DifferingEffectError,
    UnknownCommandError,
    UnknownEffectError,
    UnknownOrderError,
)
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import Handler, handler_of
from rdbtool.engine.inference.least_server import REWRITTEN, ServerNeeds, UnmetNeedError
from rdbtool.engine.keyspec import command_name, fixed_positions, keys_of
from rdbtool.engine.replay.fast_loop import AT_CONTAINER, AT_EXEC, AT_MULTI, CODES, Known, PlainCommands
from rdbtool.engine.replay.watched_keys import WatchedKeys
from rdbtool.engine.replies import Later, Reply
from rdbtool.engine.wrapped import RREPLAY

#: Errors, warnings and notes that are kept in full; beyond that they are only counted.
KEPT_FINDINGS: Final = 1000
KEPT_NOTES: Final = 100

#: Names of commands with unknown effects that are kept.
KEPT_NAMES: Final = 100

#: Called with the replay, a command, its offset and number, and a function that executes it and returns its error.
Watcher = Callable[["Replay", Sequence[bytes], int, int, Callable[[], CommandError | None]], None]

_ENDS: Final = {b"MULTI": AT_MULTI, b"EXEC": AT_EXEC}

#: What was executed of these is worth a finding each time: its code, severity and words.
_REMARKABLE: Final = {
    b"EVAL": ("CMD207", "note", "the script only calls commands, which were executed"),
    b"EVALSHA": ("CMD207", "note", "the script only calls commands, which were executed"),
    RREPLAY: ("CMD210", "warning", "executed, as it was when it came from another master"),
}


_REFUSES: Final = "The server refuses to start."
_LOGS: Final = "The server logs the error and continues; the data stays as it was."
_IGNORES: Final = "The server goes on without a word."
_READS_ON: Final = "The server executes the command as if it had the missing arguments."
_STAYS: Final = "The server stays on the database it was on; what follows goes there."


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the cyclic collector from visiting millions of values again and again; restored afterwards."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Unfollowed(NamedTuple):
    """A command whose effect is unknown: its name, how often it was met, and the finding about the first one."""

    name: str
    times: int
    first: Finding


class Replay:
    """An engine and what happened on the way.

    ``commands`` counts commands read (transactions count each of theirs), ``transactions`` those that were executed.
    ``findings`` holds the first thousand findings; ``counts`` counts all of them by code, ``severities`` by severity,
    ``kinds`` by both. ``stopped_at`` is (part name, offset, number) of the first command that was not executed because
    the place to stop was reached, None when the AOF was replayed whole. ``strict``: the first finding that is no note
    ends the replay with ReplayError. ``doubts`` holds the first findings about commands whose effect is unknown,
    ``doubt_count`` counts all of them; ``order_doubts`` are those of an unknown order, which stop no rewrite.
    ``unfollowed`` holds the commands with unknown effects, by name, up to a hundred names. An error
    reply under rules that were only inferred is doubt. ``choice`` says which server rules apply, and why
    (with the part where ``names_parts``). If none were named, ``needs`` has what was used, which may raise them;
    ``was_raised``: older ones applied before. ``watcher`` is called instead of each execution, with ``watched`` only
    of commands that name one of these keys, or may touch keys that they do not name. ``part`` names the current file,
    and ``in_exec`` says that the current command belongs to a transaction.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        strict: bool = False,
        watcher: Watcher | None = None,
        watched: WatchedKeys | None = None,
    ) -> None:
        self.engine = engine
        self.strict = strict
        self.commands = 0
        self.transactions = 0
        self.findings: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self.severities: Counter[str] = Counter()
        self.kinds: Counter[tuple[str, str]] = Counter()
        self.doubts: list[Finding] = []
        self.doubt_count = 0
        self.order_doubts: list[Finding] = []
        self.unfollowed: dict[bytes, Unfollowed] = {}
        self.choice = self._start = RulesChoice(engine.rules, "named")
        self.names_parts = False
        self.needs: ServerNeeds | None = None
        self.was_raised = False
        self._has_differed = False
        self.part = ""
        self._is_base = False
        self._offset = 0
        self.in_exec = False
        self.stopped_at: tuple[str, int, int] | None = None
        self._watcher = watcher
        #: By name as written.
        self._handlers: dict[bytes, Known] = {}
        self.plain = PlainCommands(watched)
        self._queue: list[tuple[Sequence[bytes], int, int]] | None = None

    def begin(self, choice: RulesChoice, needs: ServerNeeds | None) -> None:
        """Go by these rules. ``needs``: they may be raised by what commands use; None: they may not."""
        self._start = choice
        self.needs = self.engine.needs = needs
        self.engine.on_need = self._record_here
        self.choice = choice if needs is None else needs.choose(choice)
        self.engine.adopt(self.choice.rules)
        self._set_least()
        self._handlers.clear()

    def end(self) -> None:
        """Make the rules of the engine known: what it executes from now on raises them no more."""
        self.engine.needs = None
        self.engine.on_need = None
        self.engine.least = None

    def _set_least(self) -> None:
        self.engine.least = None if self.needs is None or self.choice.is_known else self.needs.least

    def _record_here(self, since: Since) -> None:
        self.record(since, self._offset)

    def record(self, since: Since, offset: int | None) -> None:
        """Take note of the first use of something, at an offset of the current part; it may raise the rules."""
        needs = self.needs
        if needs is None:
            return
        least = needs.least
        needs.record(since, self._place(offset))
        self._choose(needs, least, offset)

    def _record_product(self, name: str, offset: int) -> None:
        """Note a command that only a product has; it determines the server rules where no file does."""
        product = PRODUCT_BY_COMMAND.get(name.encode())
        needs = self.needs
        if needs is None or product is None:
            return
        least = needs.least
        needs.record_product(product, name, self._place(offset))
        self._choose(needs, least, offset)

    def _place(self, offset: int | None) -> str:
        place = "" if offset is None else f"at {offset:#x}"
        return f"{place} of {self.part}" if place and self.names_parts else place

    def _choose(self, needs: ServerNeeds, least: Mapping[str, Rules], offset: int | None) -> None:
        # ``least``: the oldest server that could have written the AOF, before.
        before, self.choice = self.choice, needs.choose(self._start)
        self._set_least()
        # Fewer servers are left to differ from.
        self.was_raised = self.was_raised or (self._has_differed and needs.least != least)
        if self.choice.rules != before.rules:
            self.was_raised = self.was_raised or offset is not None
            self.engine.adopt(self.choice.rules)
            # What a server does not know is asked again.
            self._handlers.clear()

    def begin_part(self, name: str, *, is_base: bool = False) -> None:
        """Begin the next file of the AOF: a server reads each with a fresh connection, on db 0.

        ``is_base``: its commands were written by a rewrite.
        """
        self.part = name
        self._is_base = is_base
        # A command says more about its server in a base than elsewhere.
        self._handlers.clear()
        self._queue = None
        self.engine.select(0)

    @property
    def in_transaction(self) -> bool:
        """A MULTI has not met its EXEC: at the end of an AOF, a server forgets such commands."""
        return self._queue is not None

    @property
    def queued(self) -> int:
        """The commands of the transaction that is open, its MULTI among them."""
        return 0 if self._queue is None else 1 + len(self._queue)

    def run(
        self,
        argvs: Sequence[Sequence[bytes]] | RawCommands,
        offsets: Sequence[int],
        first_number: int,
        *,
        limit: int | None = None,
        skips: Sequence[int] = (),
    ) -> bool:
        """Execute commands of the current part; return False when the place to stop was reached.

        ``offsets`` are those of the commands in the part, in bytes; ``first_number`` is that of the first
        command in the whole AOF, from 1. ``limit``: stop before the command with this index. ``skips``: indexes of
        commands before it, in their order, that are skipped.
        """
        end = len(argvs) if limit is None else limit
        begin = 0
        for index in skips:
            self._run(argvs, offsets, first_number, begin, index)
            begin = index + 1
        self._run(argvs, offsets, first_number, begin, end)
        self.commands += end
        if limit is not None:
            self.stopped_at = (self.part, offsets[limit], first_number + limit)
            return False
        return True

    def _run(
        self,
        argvs: Sequence[Sequence[bytes]] | RawCommands,
        offsets: Sequence[int],
        first_number: int,
        index: int,
        end: int,
    ) -> None:
        """Execute the commands from an index up to another."""
        engine = self.engine
        handlers = self._handlers
        rows = argvs if isinstance(argvs, list | RawCommands) else list(argvs)
        self.plain.exec_at = -1
        while index < end:
            if self._queue is None and (self._watcher is None or self.plain.watched is not None):
                try:
                    index = self.plain.execute(engine, rows, index, end, handlers)
                    if index == end:
                        break
                    if not self._record_needs(rows[index], offsets[index], first_number + index):
                        continue
                except CommandError as error:
                    index = self.plain.index
                    self._report(error, rows[index], offsets[index], first_number + index)
                    if self._watcher is not None and isinstance(error, UnknownEffectError):
                        # Its words may be keys that match a pattern.
                        self.in_exec = self.plain.exec_at >= 0
                        self._watcher(self, rows[index], offsets[index], first_number + index, _answer(error))
                        self.in_exec = False
                except UnmetNeedError as need:
                    # Nothing was executed: the current command comes once more.
                    index = self.plain.index
                    self.record(need.since, offsets[index])
                    continue
            else:
                self._record_needs(rows[index], offsets[index], first_number + index)
            index += 1
        self.transactions += self.plain.transactions
        self.plain.transactions = 0

    def _record_needs(self, argv: Sequence[bytes], offset: int, number: int) -> bool:
        """Deal with a command that is new, belongs to a transaction, or makes one.

        False where the compiled loop has learned its name, and is to execute it.
        """
        name = argv[0].upper()
        try:
            if name in TRANSACTION:
                self._transact(name)
                if name in _ENDS and _queues(self.engine.rules):
                    self._handlers[argv[0]] = Known(None, 1, _ENDS[name])
            elif self._queue is not None:
                # Unknown commands are refused when they are queued, as when they are executed.
                self._find(argv, offset)
                if argv[0] not in self._handlers:
                    self._learn(argv, offset)
                self._queue.append((argv, offset, number))
            else:
                if argv[0] not in self._handlers:
                    self._learn(argv, offset)
                    if self._watcher is None and argv[0] in self._handlers:
                        return False
                self._execute(argv, offset, number)
        except CommandError as error:
            self._report(error, argv, offset, number)
            if self._watcher is not None:
                self._watcher(self, argv, offset, number, _answer(error))
        return True

    def _find(self, argv: Sequence[bytes], offset: int) -> CommandRow:
        """Return the row of a command. Raises UnknownCommandError where the server does not have it."""
        row = self.engine.find(argv)
        try:
            self.engine.check_known(row)
        except UnmetNeedError as need:
            self.record(need.since, offset)
            self.engine.check_known(row)
        if not row.is_of_servers:
            self._record_product(row.name, offset)
        if self._is_base and row.name in REWRITTEN:
            self.record(REWRITTEN[row.name], offset)
        return row

    def _learn(self, argv: Sequence[bytes], offset: int) -> None:
        name = argv[0].upper()
        if name in _REMARKABLE:
            # Each goes through _execute.
            self._find(argv, offset)
        elif name in CONTAINERS:
            if self._watcher is None:
                self._handlers[argv[0]] = Known(_execute_subcommand, 1, AT_CONTAINER)
        else:
            row = self._find(argv, offset)
            if self._watcher is not None and "sweeps" in row.flags:
                # It touches keys that it does not name.
                return
            code = CODES.get(row.name, 0)
            handler = _when_declined(row) if code else handler_of(row)
            self._handlers[argv[0]] = Known(handler, abs(row.arity), code, fixed_positions(row.keys))

    def _execute(self, argv: Sequence[bytes], offset: int, number: int) -> None:
        self._offset = offset

        def execute() -> CommandError | None:
            while True:
                try:
                    self.engine.apply(argv)
                except UnmetNeedError as need:
                    self.record(need.since, offset)
                except CommandError as error:
                    self._report(error, argv, offset, number)
                    return error
                else:
                    break
            if argv[0].upper() in _REMARKABLE:
                self._remark(argv, offset, number)
            return None

        if self._watcher is None:
            execute()
        else:
            self._watcher(self, argv, offset, number, execute)

    def _transact(self, name: bytes) -> None:
        if name == b"MULTI":
            if self._queue is not None:
                raise CommandError("ERR MULTI calls can not be nested")
            if _queues(self.engine.rules):
                self._queue = []
        elif self._queue is None:
            old = not _queues(self.engine.rules)
            self.transactions += old and name == b"EXEC"
            if not old:
                raise CommandError(f"ERR {name.decode()} without MULTI")
        else:
            queue, self._queue = self._queue, None
            if name == b"EXEC":
                self.transactions += 1
                self.in_exec = True
                for queued, at, which in queue:
                    self._execute(queued, at, which)
                self.in_exec = False

    def _report(self, error: CommandError, argv: Sequence[bytes], offset: int, number: int) -> None:
        code, server, is_doubt, stops = _classify(error, argv, self.engine.rules)
        self._has_differed = self._has_differed or isinstance(error, DifferingEffectError)
        is_doubt = is_doubt or (code == "CMD203" and not self.choice.is_known)
        severity = "error" if (is_doubt and code != "CMD209") or stops else "warning"
        message = f"{show_command(argv)}: {show_reply(error)}"
        if code == "CMD203" and is_doubt:
            message += f"; by the rules of {self.engine.rules}, which were inferred: other servers may execute it"
        finding = Finding(code, severity, self.part, offset, message, server, number)
        if is_doubt:
            self.doubt_count += 1
            kept = self.order_doubts if code == "CMD209" else self.doubts
            if len(kept) < KEPT_FINDINGS:
                kept.append(finding._replace(db=self.engine.index))
            if isinstance(error, UnknownEffectError) and not isinstance(error, UnknownOrderError):
                self._count_unfollowed(argv, finding)
        self._keep(finding, argv)

    def _count_unfollowed(self, argv: Sequence[bytes], finding: Finding) -> None:
        name = command_name(argv)
        known = self.unfollowed.get(name)
        if known is not None:
            self.unfollowed[name] = known._replace(times=known.times + 1)
        elif len(self.unfollowed) < KEPT_NAMES:
            self.unfollowed[name] = Unfollowed(show_command([name]), 1, finding)

    def _remark(self, argv: Sequence[bytes], offset: int, number: int) -> None:
        code, severity, words = _REMARKABLE[argv[0].upper()]
        message = f"{show_command(argv)}: {words}"
        self._keep(Finding(code, severity, self.part, offset, message, what_servers_do(code), number), argv)

    def _keep(self, finding: Finding, argv: Sequence[bytes]) -> None:
        self.counts[finding.code] += 1
        self.severities[finding.severity] += 1
        self.kinds[finding.severity, finding.code] += 1
        if self.severities[finding.severity] <= (KEPT_NOTES if finding.severity == "note" else KEPT_FINDINGS):
            keys = keys_of(argv)
            self.findings.append(finding._replace(db=self.engine.index, key=keys[0] if keys else None))
        if self.strict and finding.severity != "note":
            where = f"{self.part}: at {finding.offset:#x}: command {finding.number}"
            raise ReplayError(f"{where}: {finding.message} ({finding.code})\n  {finding.server}")


def _queues(rules: Rules) -> bool:
    """Whether commands wait for the EXEC of their transaction: Redis 2.6 to 3.2 execute them at once."""
    return rules.family == "valkey" or rules.major >= 4


def _answer(error: CommandError) -> Callable[[], CommandError]:
    """Return a function that returns ``error``. In a frame that the error went through, it would never be freed."""
    return lambda: error


def _when_declined(row: CommandRow) -> Handler:
    """Return the handler of a command that the compiled loop has, which may never need it."""

    def execute(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
        return handler_of(row)(engine, argv)

    return execute


def _execute_subcommand(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    return engine.apply(argv)


def show_command(argv: Sequence[bytes], limit: int = 40) -> str:
    """Return the beginning of a command, in printable ASCII. An empty argument shows as two quotes."""
    shown = b" ".join([part[: limit + 1] or b'""' for part in argv[: limit + 1]])
    text = shown[:limit].decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        text = "".join(chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}" for b in shown[:limit])
    return text + ("…" if len(shown) > limit else "")


def show_reply(error: CommandError) -> str:
    """Return an error reply in printable characters: it may quote the AOF."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(error))


def _classify(error: CommandError, argv: Sequence[bytes], rules: Rules) -> tuple[str, str, bool, bool]:
    """Return the code of an error, what a server of these rules does, whether the effect is unknown, and it stops."""
    is_old = rules.family == "redis" and rules.major < 7
    goes_on = _IGNORES if is_old else _LOGS
    if isinstance(error, UnknownCommandError):
        is_ignored = is_old and b" " in command_name(argv)
        return error.code, goes_on if is_ignored else _REFUSES, not is_ignored, not is_ignored
    if isinstance(error, UnknownEffectError):
        return error.code, what_servers_do(error.code), True, False
    name = argv[0].upper()
    if isinstance(error, ArityError) and len(argv) < abs(Engine.find(argv).arity):
        counts = rules.family == "valkey" and (rules.major, rules.minor) >= (9, 1)
        return "CMD202", _REFUSES if counts else _READS_ON, True, counts
    if name == b"SELECT":
        return "CMD204", _STAYS, True, False
    return "CMD206" if name in TRANSACTION else "CMD203", goes_on, False, False
