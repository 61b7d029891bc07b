"""Continuous capture: a base file by replication, then the stream of writes, appended to an AOF directory.

One loop in one thread reads the stream and appends complete commands. About once a second it syncs them to disk
together with the replication offset they reach, and only then acknowledges that offset. After a lost connection, a kill
or a full disk, PSYNC requests the stream from the last synced offset; if the server no longer has it in its backlog, a
new base is taken, and the current files stay until it is complete.

While a base requested by a policy is being received, the current stream is served in between.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rdbtool._codec.decode.replication import Splitter, StreamDamagedError
from rdbtool.core.errors import (
    FormatError,
    InputError,
    InvalidDataError,
    RdbToolError,
    UnsupportedError,
    describe_error,
)
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple, Self
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
from rdbtool.live.read_back import HashedOutput
from rdbtool.live.replica import Replica, StreamPosition, open_replica
from rdbtool.live.snapshots import receive
from rdbtool.writer.atomic.output import open_output

if TYPE_CHECKING:
    from rdbtool.live.retention import KeepRule

#: Seconds between syncs, between reads of INFO, and between marks while no commands arrive.
_SYNC: Final = 1.0
_LOOK: Final = 2.0
_IDLE_MARK: Final = 60.0

#: Unsynced bytes at which a sync is done early.
_LARGEST_BATCH: Final = 8 << 20

#: The largest command in bytes: by default servers accept no larger argument.
_LARGEST_COMMAND: Final = 1 << 30

#: Seconds before a retry after a failure: initial and longest delay.
_PATIENCE: Final = (0.1, 5.0)

#: Seconds between keepalives if nothing is acknowledged; servers drop a silent replica after 60 by default.
_SIGN: Final = 25.0

#: Seconds before a retry of a base that a policy asked for.
_NEXT_BASE: Final = 60.0

#: First words of error replies after which a retry may succeed.
_PASSING: Final = frozenset({"LOADING", "NOMASTERLINK", "MASTERDOWN", "FORK", "PROTOCOL", "MISCONF", "NOREDIS"})


class FollowOptions(NamedTuple):
    """How to follow: when to take a new base, which older ones to keep, and whether to acknowledge data.

    ``policy`` is checked about every two seconds. ``keep`` None: older generations are removed. ``max_lag``: how many
    bytes the server may be ahead while writing to disk fails; above that the connection is closed, so that the server
    need not buffer them. Without ``acknowledges``, WAIT on the server never counts this capture as a replica.
    ``verifies``: whatever was synced is read back from the disk before it is acknowledged.
    """

    policy: Policy = LogGrowth()
    keep: KeepRule | None = None
    max_lag: int | None = None
    acknowledges: bool = True
    verifies: bool = False


class StoppedError(Exception):
    """The capture was stopped while a base was being received."""


class _StalledError(Exception):
    """Writing to disk fails, and the server is further ahead than ``max_lag``."""


class CommandStream:
    """The stream of one connection, written into one generation."""

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
        self._acknowledged_at = 0.0
        self._has_come = False
        self._marked = time.monotonic()

    @property
    def waiting(self) -> int:
        """Received bytes that are not synced yet."""
        return len(self._ready) + len(self._waiting) + self.splitter.held

    @property
    def is_asked(self) -> bool:
        """Whether the server has requested an acknowledgement."""
        return self.splitter.asked != self._asked

    def read(self) -> None:
        """Read what the server has sent. Raises ServerConnectionError, StreamDamagedError."""
        count = self.link.readinto(self._view)
        self._has_come = True
        now = int(time.time())
        self._waiting += self.splitter.split(self._view[:count], _LARGEST_COMMAND)
        whole = self.splitter.safe_kept - self._moved
        if whole:
            # Timestamps must not decrease, even if the clock is set back.
            if now > self._seconds:
                self._seconds = now
                self._ready += b"#TS:%d\r\n" % now
            self._ready += self._waiting[:whole]
            del self._waiting[:whole]
            self._moved += whole

    def sync(self) -> None:
        """Sync all complete commands with their offset. Raises InputError; the commands are then kept for a retry."""
        splitter = self.splitter
        mark = Mark(StreamPosition(self.replid, splitter.safe_offset), splitter.safe_db, self._seconds)
        is_due = time.monotonic() - self._marked > _IDLE_MARK or self.generation.mark.position.replid != self.replid
        if self._ready or (mark != self.generation.mark and is_due):
            self.generation.write(bytes(self._ready), mark)
            self._ready.clear()
            self._marked = time.monotonic()

    @property
    def synced(self) -> int:
        """The offset up to which everything that an AOF holds is synced."""
        return self.generation.mark.position.offset if self._ready else self.splitter.safe_offset

    def acknowledge(self) -> None:
        """Acknowledge what is synced, or send a keepalive. Raises ServerConnectionError."""
        now = time.monotonic()
        if self.acknowledges:
            self._asked = self.splitter.asked
            self.link.send_command(b"REPLCONF", b"ACK", b"%d" % self.synced)
        elif now - self._acknowledged_at >= _SIGN or self.is_asked or not self._has_come:
            # After a diskless transfer servers start the stream on an acknowledgement of any offset; one may be missed.
            self._asked = self.splitter.asked
            self.link.send_command(b"REPLCONF", b"ACK", b"0")
        else:
            return
        self._acknowledged_at = now


class Follower:
    """Captures the server at ``endpoint`` into ``directory`` until ``stop`` is called.

    ``run`` does so in the current thread; ``start``, or a ``with`` block, in a new one. ``on_event`` is called with
    each event, in the capturing thread. ``status`` is the last event.
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
        #: The error that ended the stream while a base was being received.
        self._broken: Exception | None = None

    # ---- for the caller --------------------------------------------------------------------------

    def run(self) -> None:
        """Capture until ``stop``. Raises InputError, FormatError, InvalidDataError, UnsupportedError.

        Raises only if a retry would not help, or the first base cannot be taken.
        """
        self._log = CapturedLog.open(self.directory, verifies=self.options.verifies)
        try:
            if self._log.generation is not None:
                self._note_base(self._log.generation)
            self._run()
        finally:
            self._close()

    def stop(self) -> None:
        """Request a stop: received data is synced, then ``run`` returns. May be called from a signal handler."""
        self._stopped.set()

    def start(self) -> Self:
        """Start a capturing thread, and wait for the first base to be in the directory. Raises as ``run`` does."""

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
        """Wait until the thread ends. Raises the error that ended it."""
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
                self._release()
                if self.log.generation is None or not _may_pass(error):
                    raise
                self._notify("lost", f"{_describe(error)}; trying again")
                self._stopped.wait(patience)
                patience = min(patience * 2, _PATIENCE[1])
        if self.log.generation is None:
            raise InputError(f"stopped before {self.endpoint.name} had sent a base: {self.directory} holds no data")
        self._notify("stopped", "stopped: all received data is synced to disk")

    def _connect(self) -> None:
        """Resume the stream from the directory's offset, or take a base if the server no longer has that offset."""
        generation = self.log.generation
        if generation is not None:
            self._make_writable(generation)
            generation = self.log.generation
        position = None if generation is None else generation.mark.position
        replica = open_replica(self.endpoint, position, meanwhile=self._check_stopped)
        if replica.is_full:
            if position is not None:
                self._notify("lost", f"{self.endpoint.name} no longer has the stream from offset {position.offset:,}")
            self._take_base(replica, None)
        else:
            assert generation is not None
            self._begin(CommandStream(replica, generation, acknowledges=self.options.acknowledges))
            self._notify("connected", f"connected to {self.endpoint.name}, resumed at offset {position.offset:,}"
                      if position is not None else "connected")  # fmt: skip

    def _make_writable(self, generation: Generation) -> None:
        """Wait until the last file is writable; start a new one if the synced size of the last is unknown."""
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
        stream.acknowledge()

    def _release(self) -> None:
        """Close the connections; received data that is not synced will be requested again."""
        if self._stream is not None:
            self._changes_before += self._stream.splitter.changes
            self._stream.replica.close()
            self._stream = None
        if self._commands is not None:
            self._commands.close()
            self._commands = None

    # ---- the stream ------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Serve the stream until a stop is requested. Raises the error that ends it earlier."""
        while not self._stopped.is_set():
            self._step(0.2)
            if self._look() and self._is_base_due():
                self._renew_base()
        assert self._stream is not None
        self._stream.sync()
        self._stream.acknowledge()

    def _step(self, seconds: float) -> None:
        """Wait up to ``seconds`` for data, read it, and sync when due."""
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
        stream.acknowledge()

    def _stall(self, error: InputError) -> None:
        if not self._is_stalled:
            self._is_stalled = True
            self._notify("stalled", f"{describe_error(error)}; not reading from the server until that passes")

    def _recover(self) -> None:
        if self._is_stalled:
            self._is_stalled = False
            self._notify("recovered", "writing to disk works again")

    def _look(self) -> bool:
        """Read INFO if the last time is long enough ago; return whether it was read."""
        if time.monotonic() - self._looked < _LOOK:
            return False
        self._looked = time.monotonic()
        try:
            if self._commands is None:
                self._commands = self.endpoint.connect()
            self._info = self._commands.info()
        except (ReplyError, InputError):
            # A user that may run PSYNC may still lack the permission for INFO.
            self._info = None
            if self._commands is not None:
                self._commands.close()
                self._commands = None
        self._watch_lag()
        self._notify("synced", "in step" if not self._is_stalled else "waiting for the disk")
        return True

    @property
    def lag(self) -> int | None:
        """How many bytes the server is ahead of what is synced; None if unknown."""
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
            self._notify("lag", f"{self.endpoint.name} is {lag:,} bytes ahead, more than {most:,}")
        if self._is_stalled:
            raise _StalledError("closing the connection, so that the server need not buffer what it cannot send")

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
        """Take a new base on a second connection, serving the current stream meanwhile."""
        stream = self._stream
        try:
            self._take_base(open_replica(self.endpoint, None, meanwhile=self._pump), stream)
        except (InputError, FormatError, InvalidDataError, UnsupportedError, StreamDamagedError) as error:
            self._no_base_before = time.monotonic() + _NEXT_BASE
            self._notify("lost", f"no new base: {_describe(error)}; the current one stays")
        if self._broken is not None:
            broken, self._broken = self._broken, None
            if self._stream is stream:
                raise broken

    def _take_base(self, replica: Replica, before: CommandStream | None) -> None:
        """Receive a base, catch up with the offset of the directory, and commit both as its new generation."""
        log = self.log
        base = log.next_base()
        generation: Generation | None = None
        meanwhile = self._check_stopped if before is None else self._pump
        try:
            transfer = replica.transfer(None, meanwhile)
            with open_output(str(log.files.path(base)), force=True) as output:
                into = HashedOutput(output) if self.options.verifies else output
                received = receive(
                    transfer, into, name=self.endpoint.name, digest=False, now_ms=time.time_ns() // 1_000_000
                )
            generation = log.begin(base, Mark(replica.position, -1, 0))
            stream = CommandStream(replica, generation, acknowledges=self.options.acknowledges)
            stream.acknowledge()
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
        self._notify("base", f"new base: {received.keys:,} keys, {received.bytes:,} bytes from {self.endpoint.name}")
        if gone:
            self._notify("kept", f"removed by the keep rule: {', '.join(gone)}")
        self._ready_event.set()

    def _catch_up(self, stream: CommandStream, offset: int) -> None:
        """Read and write the stream up to an offset, so that the directory does not go back in time."""
        while stream.splitter.safe_offset < offset:
            self._check_stopped()
            if stream.link.is_ready(1.0):
                stream.read()
            elif stream.link.is_silent:
                raise ServerConnectionError(f"{self.endpoint.name} sent no stream after its RDB")
            if stream.waiting > _LARGEST_BATCH:
                stream.sync()
                stream.acknowledge()
        stream.sync()
        stream.acknowledge()

    def _note_base(self, generation: Generation) -> None:
        status = self.log.files.path(generation.base).stat()
        self._base_ms = int(status.st_mtime * 1000)
        self._base_size = status.st_size
        self._ready_event.set()

    def _pump(self) -> None:
        """Serve the current stream while waiting for a base. Raises StoppedError."""
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

    # ---- events ----------------------------------------------------------------------------------

    @property
    def log(self) -> CapturedLog:
        """The directory, while the capture runs."""
        assert self._log is not None
        return self._log

    def _notify(self, event: Kind, message: str) -> None:
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
        self._release()
        log, self._log = self._log, None
        if log is not None:
            if log.generation is None:
                log.abandon()
            log.close()


def _may_pass(error: Exception) -> bool:
    """Whether a retry may help: not if a permission, a password or a command is missing."""
    return not isinstance(error, ServerRefusedError) or error.word in _PASSING


def _describe(error: Exception) -> str:
    return describe_error(error) if isinstance(error, RdbToolError) else str(error)
