"""Continuous capture: a base by replication, then the stream of writes, appended to an AOF directory.

One loop, in one thread. It reads what the server sends, appends whole commands, and about once a second has them on
the disk together with the place in the stream that they lead to; only then it acknowledges that place. What goes wrong
changes nothing about that order: after a lost connection, a kill or a full disk the stream is asked for from the last
place that is on the disk (PSYNC), and where the server no longer has it, a new base is taken, beside the files at hand.

While a base is on its way because a policy asked for it, the stream before it is served in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from rdbtool._codec.decode.replication import Splitter, StreamDamagedError
from rdbtool.core.errors import (
    FormatError,
    InputError,
    InvalidDataError,
    RdbToolError,
    UnsupportedError,
    describe_error,
)
from rdbtool.engine.persistence.policies import Counters, LogGrowth, Policy
from rdbtool.live.capture_events import CaptureEvent, Kind
from rdbtool.live.captured_log import CapturedLog, Generation, Mark
from rdbtool.live.connection import (
    RECEIVED,
    Connection,
    Endpoint,
    ReplyError,
    ServerConnectionError,
    ServerRefusedError,
)
from rdbtool.live.replica import Replica, StreamPosition, open_replica
from rdbtool.live.snapshots import receive
from rdbtool.writer.atomic.output import open_output

if TYPE_CHECKING:
    from rdbtool.live.retention import KeepRule

#: Seconds between two syncs, between looks at the server's own numbers, and of a mark although nothing was written.
_SYNC: Final = 1.0
_LOOK: Final = 2.0
_IDLE_MARK: Final = 60.0

#: Bytes that wait for a sync, at most: then it comes earlier.
_LARGEST_BATCH: Final = 8 << 20

#: Bytes of one command, at most: servers take no larger argument without being told to.
_LARGEST_COMMAND: Final = 1 << 30

#: Seconds before another try after a failure: the first, and at most.
_PATIENCE: Final = (0.1, 5.0)

#: Seconds between signs of life to a server that is to have no acknowledgements; it waits for 60.
_SIGN: Final = 25.0

#: Seconds before another try to take a base that a policy asked for.
_NEXT_BASE: Final = 60.0

#: First words of replies after which trying again may help.
_PASSING: Final = frozenset({"LOADING", "NOMASTERLINK", "MASTERDOWN", "FORK", "PROTOCOL", "MISCONF", "NOREDIS"})


class FollowOptions(NamedTuple):
    """How to follow: when a new base is taken, what is kept of older ones, and what the server is told.

    ``policy`` is asked about once in two seconds. ``keep`` None: nothing older stays. ``max_lag``: bytes that the
    server may be ahead while the disk takes nothing, before its connection is given up so that it need not hold them.
    Without ``acknowledges`` the server never counts this as a replica that has data.
    """

    policy: Policy = LogGrowth()
    keep: KeepRule | None = None
    max_lag: int | None = None
    acknowledges: bool = True


class StoppedError(Exception):
    """The capture was asked to stop while a base was on its way."""


class _StalledError(Exception):
    """The disk takes nothing, and the server is too far ahead to be held up any longer."""


class CommandStream:
    """What comes on one connection, on its way into one generation."""

    def __init__(self, replica: Replica, generation: Generation, *, acknowledges: bool) -> None:
        mark = generation.mark
        self.replica = replica
        self.link = replica.link
        self.generation = generation
        self.replid = replica.position.replid
        self.splitter = Splitter(mark.position.offset, mark.db)
        self.acknowledges = acknowledges
        self.begun = self.splitter.changes
        self._view = memoryview(bytearray(RECEIVED))
        self._waiting = bytearray()
        self._moved = 0
        self._ready = bytearray()
        self._seconds = mark.seconds
        self._asked = 0
        self._told = 0.0
        self._has_come = False
        self._marked = time.monotonic()

    @property
    def waiting(self) -> int:
        """Bytes that are not on the disk yet."""
        return len(self._ready) + len(self._waiting) + self.splitter.held

    @property
    def is_asked(self) -> bool:
        """Whether the server waits for an acknowledgement."""
        return self.splitter.asked != self._asked

    def read(self) -> None:
        """Take what the server sent. Raises ServerConnectionError, StreamDamagedError."""
        count = self.link.readinto(self._view)
        self._has_come = True
        now = int(time.time())
        self._waiting += self.splitter.split(self._view[:count], _LARGEST_COMMAND)
        whole = self.splitter.safe_kept - self._moved
        if whole:
            # Times never go back, whatever the clock does.
            if now > self._seconds:
                self._seconds = now
                self._ready += b"#TS:%d\r\n" % now
            self._ready += self._waiting[:whole]
            del self._waiting[:whole]
            self._moved += whole

    def sync(self) -> None:
        """Have all whole commands on the disk, with their place. Raises InputError; nothing is lost of them then."""
        splitter = self.splitter
        mark = Mark(StreamPosition(self.replid, splitter.safe_offset), splitter.safe_db, self._seconds)
        is_due = time.monotonic() - self._marked > _IDLE_MARK or self.generation.mark.position.replid != self.replid
        if self._ready or (mark != self.generation.mark and is_due):
            self.generation.write(bytes(self._ready), mark)
            self._ready.clear()
            self._marked = time.monotonic()

    @property
    def synced(self) -> int:
        """Up to which offset everything is on the disk, or needs not to be."""
        return self.generation.mark.position.offset if self._ready else self.splitter.safe_offset

    def tell(self) -> None:
        """Tell the server what is on the disk, or that this is still here. Raises ServerConnectionError."""
        now = time.monotonic()
        if self.acknowledges:
            self._asked = self.splitter.asked
            self.link.send_command(b"REPLCONF", b"ACK", b"%d" % self.synced)
        elif now - self._told >= _SIGN or self.is_asked or not self._has_come:
            # Servers begin a stream after a diskless transfer at an acknowledgement, of any place, and may miss one.
            self._asked = self.splitter.asked
            self.link.send_command(b"REPLCONF", b"ACK", b"0")
        else:
            return
        self._told = now


class Follower:
    """Captures the server at ``endpoint`` into ``directory`` until ``stop`` is called.

    ``run`` does it in this thread; ``start``, or a ``with`` block, in one of its own. ``on_event`` is told what
    happens, in the thread that runs. ``status`` is the last event.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        directory: str,
        options: FollowOptions | None = None,
        on_event: Callable[[CaptureEvent], object] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.directory = directory
        self.options = options or FollowOptions()
        self.status: CaptureEvent | None = None
        self.failure: RdbToolError | None = None
        self._on_event = on_event
        self._stopped = threading.Event()
        self._ready_event = threading.Event()
        self._thread: threading.Thread | None = None
        self._log: CapturedLog | None = None
        self._stream: CommandStream | None = None
        self._commands: Connection | None = None
        self._looked = self._synced = 0.0
        self._info: dict[str, str] | None = None
        self._base_ms = self._base_size = 0
        self._changes_before = 0
        self._is_stalled = False
        self._is_lagging = False
        self._no_base_before = 0.0
        #: What ended the stream while a base was on its way.
        self._broken: Exception | None = None

    # ---- for the caller --------------------------------------------------------------------------

    def run(self) -> None:
        """Capture until ``stop``. Raises InputError, FormatError, InvalidDataError, UnsupportedError.

        That is where trying again would not help, and where the first base could not be had.
        """
        self._log = CapturedLog.open(self.directory)
        try:
            if self._log.generation is not None:
                self._note_base(self._log.generation)
            self._run()
        finally:
            self._close()

    def stop(self) -> None:
        """Ask for the end: what was received is synced, then ``run`` returns. May be called from a signal handler."""
        self._stopped.set()

    def start(self) -> Self:
        """Run in a thread of its own, and wait until the first base is in the directory. Raises what ``run`` does."""

        def body() -> None:
            try:
                self.run()
            except RdbToolError as error:
                self.failure = error
            finally:
                self._ready_event.set()

        self._thread = threading.Thread(target=body, name="rdbtool-capture", daemon=True)
        self._thread.start()
        self._ready_event.wait()
        if self.failure is not None:
            raise self.failure
        return self

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the thread ends. Raises what ended it."""
        if self._thread is not None:
            self._thread.join(timeout)
        if self.failure is not None:
            raise self.failure

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.wait()

    # ---- connecting ------------------------------------------------------------------------------

    def _run(self) -> None:
        patience = _PATIENCE[0]
        while not self._stopped.is_set():
            try:
                self._connect()
                patience = _PATIENCE[0]
                self._serve()
            except StoppedError:
                break
            except (InputError, StreamDamagedError, _StalledError) as error:
                self._let_go()
                if self.log.generation is None or not _may_pass(error):
                    raise
                self._say("lost", f"{_describe(error)}; trying again")
                self._stopped.wait(patience)
                patience = min(patience * 2, _PATIENCE[1])
        if self.log.generation is None:
            raise InputError(
                f"stopped before {self.endpoint.name} had sent a base: there is nothing in {self.directory}"
            )
        self._say("stopped", "stopped: everything that was received is on the disk")

    def _connect(self) -> None:
        """Ask for what follows what the directory has, and take a base where the server does not have that."""
        generation = self.log.generation
        if generation is not None:
            self._make_writable(generation)
            generation = self.log.generation
        position = None if generation is None else generation.mark.position
        replica = open_replica(self.endpoint, position, meanwhile=self._check_stopped)
        if replica.is_full:
            if position is not None:
                self._say("lost", f"{self.endpoint.name} no longer has what follows offset {position.offset:,}")
            self._take_base(replica, None)
        else:
            assert generation is not None
            self._begin(CommandStream(replica, generation, acknowledges=self.options.acknowledges))
            self._say("connected", f"connected to {self.endpoint.name}, resumed at offset {position.offset:,}"
                      if position is not None else "connected")  # fmt: skip

    def _make_writable(self, generation: Generation) -> None:
        """Wait until the last file takes data again; one that nobody can trust any more gives way to a new one."""
        while True:
            try:
                if generation.file.is_doubtful:
                    self.log.renew_file()
                elif self._is_stalled:
                    generation.write(b"", generation.mark)
            except InputError as error:
                self._stall(error)
            else:
                self._recover()
                return
            self._check_stopped()
            self._stopped.wait(_SYNC)

    def _begin(self, stream: CommandStream) -> None:
        self._stream = stream
        self._synced = time.monotonic()
        stream.tell()

    def _let_go(self) -> None:
        """Close the connections; what was received and is not on the disk will be asked for again."""
        if self._stream is not None:
            self._changes_before += self._stream.splitter.changes
            self._stream.replica.close()
            self._stream = None
        if self._commands is not None:
            self._commands.close()
            self._commands = None

    # ---- the stream ------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Serve the stream until the end is asked for. Raises what ends it earlier."""
        while not self._stopped.is_set():
            self._step(0.2)
            if self._look() and self._is_base_due():
                self._renew_base()
        assert self._stream is not None
        self._stream.sync()
        self._stream.tell()

    def _step(self, seconds: float) -> None:
        """Read what is there, wait up to ``seconds`` for it, and sync when it is time."""
        stream = self._stream
        assert stream is not None
        if self._is_stalled:
            self._stopped.wait(min(seconds, 0.2))
        elif stream.link.is_ready(seconds):
            stream.read()
        elif stream.link.is_silent:
            raise ServerConnectionError(f"{self.endpoint.name} has sent nothing for {stream.link.silence:.0f} seconds")
        is_time = time.monotonic() - self._synced >= _SYNC
        if is_time or (not self._is_stalled and (stream.waiting > _LARGEST_BATCH or stream.is_asked)):
            self._sync(stream)

    def _sync(self, stream: CommandStream) -> None:
        self._synced = time.monotonic()
        try:
            stream.sync()
        except InputError as error:
            self._stall(error)
            if stream.generation.file.is_doubtful:
                raise
        else:
            self._recover()
        stream.tell()

    def _stall(self, error: InputError) -> None:
        if not self._is_stalled:
            self._is_stalled = True
            self._say("stalled", f"{describe_error(error)}; the server is held up until that passes")

    def _recover(self) -> None:
        if self._is_stalled:
            self._is_stalled = False
            self._say("recovered", "the disk takes data again")

    def _look(self) -> bool:
        """Ask the server for its own numbers, once in a while; return whether it was asked."""
        if time.monotonic() - self._looked < _LOOK:
            return False
        self._looked = time.monotonic()
        try:
            if self._commands is None:
                self._commands = self.endpoint.connect()
            self._info = self._commands.info()
        except (ReplyError, InputError):
            # A user who may replicate need not be one who may ask.
            self._info = None
            if self._commands is not None:
                self._commands.close()
                self._commands = None
        self._watch_lag()
        self._say("synced", "in step" if not self._is_stalled else "waiting for the disk")
        return True

    @property
    def lag(self) -> int | None:
        """How many bytes the server is ahead of what is on the disk; None where it does not tell."""
        if self._info is None or self._stream is None or "master_repl_offset" not in self._info:
            return None
        return max(0, int(self._info["master_repl_offset"]) - self._stream.synced)

    def _watch_lag(self) -> None:
        most, lag = self.options.max_lag, self.lag
        if most is None or lag is None or lag <= most:
            self._is_lagging = False
            return
        if not self._is_lagging:
            self._is_lagging = True
            self._say("lag", f"{self.endpoint.name} is {lag:,} bytes ahead, more than {most:,}")
        if self._is_stalled:
            raise _StalledError("the connection is given up, so that the server need not hold what it cannot send")

    # ---- bases -----------------------------------------------------------------------------------

    def _is_base_due(self) -> bool:
        stream = self._stream
        if stream is None or self._is_stalled or time.monotonic() < self._no_base_before:
            return False
        counters = Counters(
            now_ms=time.time_ns() // 1_000_000,
            last_save_ms=self._base_ms,
            changes=self._changes_before + stream.splitter.changes,
            memory=int((self._info or {}).get("used_memory", 0)),
            log_size=self.log.size,
            base_size=self._base_size,
        )
        return self.options.policy.is_due(counters)

    def _renew_base(self) -> None:
        """Take a new base on a second connection, and serve the stream meanwhile."""
        stream = self._stream
        try:
            self._take_base(open_replica(self.endpoint, None, meanwhile=self._pump), stream)
        except (InputError, FormatError, InvalidDataError, UnsupportedError, StreamDamagedError) as error:
            self._no_base_before = time.monotonic() + _NEXT_BASE
            self._say("lost", f"no new base: {_describe(error)}; the one at hand stays")
        if self._broken is not None:
            broken, self._broken = self._broken, None
            if self._stream is stream:
                raise broken

    def _take_base(self, replica: Replica, before: CommandStream | None) -> None:
        """Receive a base, then what follows it up to where the directory is, and let that be the directory."""
        log = self.log
        base = log.next_base()
        generation: Generation | None = None
        meanwhile = self._check_stopped if before is None else self._pump
        try:
            transfer = replica.transfer(None, meanwhile)
            with open_output(str(log.files.path(base)), force=True) as output:
                received = receive(
                    transfer, output, name=self.endpoint.name, digest=False, now_ms=time.time_ns() // 1_000_000
                )
            generation = log.begin(base, Mark(replica.position, -1, 0))
            stream = CommandStream(replica, generation, acknowledges=self.options.acknowledges)
            stream.tell()
            if before is not None and before.replid == stream.replid:
                self._catch_up(stream, before.synced)
            gone = log.commit(generation, self.options.keep)
        except BaseException:
            log.discard(base, generation)
            replica.close()
            raise
        if before is not None:
            before.replica.close()
        self._begin(stream)
        self._changes_before = 0
        self._note_base(generation)
        self._say("base", f"a base of {received.keys:,} keys and {received.bytes:,} bytes from {self.endpoint.name}")
        if gone:
            self._say("kept", f"gone by --keep: {', '.join(gone)}")
        self._ready_event.set()

    def _catch_up(self, stream: CommandStream, offset: int) -> None:
        """Read and write the stream up to an offset, so that the directory does not go back."""
        while stream.splitter.safe_offset < offset:
            self._check_stopped()
            if stream.link.is_ready(1.0):
                stream.read()
            elif stream.link.is_silent:
                raise ServerConnectionError(f"{self.endpoint.name} did not send what follows its RDB")
            if stream.waiting > _LARGEST_BATCH:
                stream.sync()
                stream.tell()
        stream.sync()
        stream.tell()

    def _note_base(self, generation: Generation) -> None:
        status = self.log.files.path(generation.base).stat()
        self._base_ms = int(status.st_mtime * 1000)
        self._base_size = status.st_size
        self._ready_event.set()

    def _pump(self) -> None:
        """Serve the stream at hand while something else is waited for. Raises StoppedError."""
        self._check_stopped()
        if self._broken is not None:
            return
        try:
            for _ in range(16):
                assert self._stream is not None
                is_more = self._stream.link.is_ready(0)
                self._step(0)
                if not is_more:
                    break
            self._look()
        except (InputError, StreamDamagedError, _StalledError) as error:
            self._broken = error

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise StoppedError

    # ---- telling ---------------------------------------------------------------------------------

    @property
    def log(self) -> CapturedLog:
        """The directory, while this runs."""
        assert self._log is not None
        return self._log

    def _say(self, event: Kind, message: str) -> None:
        log, stream = self._log, self._stream
        generation = None if log is None else log.generation
        mark = None if generation is None else generation.mark
        changes = self._changes_before + (0 if stream is None else stream.splitter.changes)
        self.status = CaptureEvent(
            event=event,
            message=message,
            replid="" if mark is None else mark.position.replid,
            offset=-1 if mark is None else max(mark.position.offset, -1 if stream is None else stream.synced),
            lag_bytes=self.lag,
            size=0 if log is None or generation is None else log.size,
            changes=changes,
        )
        if self._on_event is not None:
            self._on_event(self.status)

    def _close(self) -> None:
        self._let_go()
        log, self._log = self._log, None
        if log is not None:
            if log.generation is None:
                log.abandon()
            log.close()


def _may_pass(error: Exception) -> bool:
    """Whether trying again may help: not where a right, a password or a command is missing."""
    return not isinstance(error, ServerRefusedError) or error.word in _PASSING


def _describe(error: Exception) -> str:
    return describe_error(error) if isinstance(error, RdbToolError) else str(error)
