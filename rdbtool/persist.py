"""Persistence of a running server through a client: ``RedisPersist(redis.Redis()).save()``.

A snapshot is an RDB file that the server sends by replication; continuous backup appends its stream of writes to an
AOF. A policy decides when a new snapshot or base file is due. Works with redis-py and valkey-py clients; connections
are opened with the client's own settings.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path

from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.dataset.loading import open_keys
from rdbtool.engine.persistence.policies import Any, Counters, LogGrowth, Manual, MemoryThreshold, Policy, SavePoint
from rdbtool.live.connection import Endpoint
from rdbtool.live.counting import ServerCounters
from rdbtool.live.follower import Follower, FollowOptions
from rdbtool.live.load_check import LoadSource, check_load
from rdbtool.live.load_report import LoadedReport
from rdbtool.live.loading_server import LoadOptions, load_dataset
from rdbtool.live.retention import KeepRule, read_stamp, stamp
from rdbtool.live.scanning import scan_snapshot
from rdbtool.live.snapshots import Saved, take_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdbtool.core.progress import Progress
    from rdbtool.live.capture_events import CaptureEvent

__all__ = [
    "Any",
    "AsyncRedisPersist",
    "Counters",
    "Follower",
    "KeepRule",
    "LoadedReport",
    "LogGrowth",
    "Manual",
    "MemoryThreshold",
    "Policy",
    "RedisPersist",
    "SavePoint",
    "Saved",
]

_NAME: Final = re.compile(r"dump-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)(?:-\d+)?\.rdb")


class RedisPersist:
    """Snapshots and continuous backup of the server that ``client`` (redis-py, valkey-py) is connected to.

    Backups go into ``directory``, created on first use. ``policy`` decides when ``tick`` takes a snapshot. ``keep``
    sets how many to keep: a number, or ``"24h,7d,4w"`` for one per hour, day and week. Only files named as ``save``
    names them are ever removed. The client itself is not used: new connections are opened with its settings.
    """

    def __init__(
        self,
        client: object,
        directory: str | os.PathLike[str] = ".",
        *,
        policy: Policy | None = None,
        keep: KeepRule | str | int | None = None,
    ) -> None:
        self.endpoint = Endpoint.of_client(client)
        self.directory = Path(directory)
        self.policy: Policy = Manual() if policy is None else policy
        self._follow_policy: Policy = LogGrowth() if policy is None else policy
        self.keep = keep if keep is None or isinstance(keep, KeepRule) else KeepRule.parse(keep)
        self._counters = ServerCounters()

    def save(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        force: bool = False,
        digest: bool = True,
        scan: bool = False,
        verify: bool = False,
        progress: Progress | None = None,
    ) -> Saved:
        """Take a snapshot: receive an RDB by replication, validate it while writing, publish it once complete.

        ``path`` None: ``dump-TIME.rdb`` in the directory, subject to ``keep``. ``force`` overwrites an existing file.
        ``digest`` computes the DEBUG DIGEST of the dataset. ``scan`` reads with SCAN and DUMP instead, for servers that
        do not allow replication; the result is not a point-in-time snapshot. ``verify`` reads the file back from the
        disk before it is published (after a scan that is always done). Raises InputError (server unreachable or
        refusing, disk full), FormatError and InvalidDataError; no file remains after an error.
        """
        begun = time.time()
        target = self._free_name(begun) if path is None else Path(path)
        if scan:
            saved = scan_snapshot(self.endpoint, os.fspath(target), force=force, digest=digest, progress=progress)
        else:
            saved = take_snapshot(
                self.endpoint, os.fspath(target), force=force, digest=digest, verify=verify, progress=progress
            )
        self._counters.note_saved(int(begun * 1000))
        return saved if path is not None else saved.with_removed(self._prune())

    def tick(self) -> Saved | None:
        """Take a snapshot if one is due by the policy and the server's INFO; call this periodically.

        Returns the result of ``save``, or None if no snapshot was due.
        """
        with self.endpoint.connect() as connection:
            counters = self._counters.read(connection)
        return self.save() if self.policy.is_due(counters) else None

    def follow(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        max_lag: int | None = None,
        acknowledges: bool = True,
        verify: bool = False,
        on_event: Callable[[CaptureEvent], object] | None = None,
    ) -> Follower:
        """Return a continuous backup: a base file, then the stream of writes, in an AOF directory with timestamps.

        Its ``run`` blocks until ``stop``; in a ``with`` block it runs in a thread. ``directory`` None: this object's.
        A new base is taken when the policy asks for one (no policy: when the AOF has doubled, from 64 MiB on);
        ``keep`` sets which earlier ones to keep. For ``max_lag`` (bytes), ``acknowledges`` and ``verify`` see
        ``FollowOptions``.
        """
        options = FollowOptions(self._follow_policy, self.keep, max_lag, acknowledges, verify)
        return Follower(self.endpoint, os.fspath(directory or self.directory), options, on_event)

    def load(
        self,
        path: str | os.PathLike[str],
        *,
        replace: bool = False,
        skip_existing: bool = False,
        allow_loss: bool = False,
        rules: str | None = None,
        verify: bool = False,
        progress: Progress | None = None,
    ) -> LoadedReport:
        """Load a file (RDB, AOF, JSON lines) into the server, with RESTORE, or with commands if RESTORE is not allowed.

        Existing keys are kept unless ``replace``; with ``skip_existing`` the load counts as complete nevertheless
        (``is_complete``). Expiry times are kept as absolute times. A lost connection is reopened, and nothing is loaded
        twice. With ``verify`` the file is compared with a snapshot taken afterwards (``check``). Raises LossError for
        data that the server cannot hold unless ``allow_loss``, UncertainError, InputError, and the errors of reading
        the file.
        """
        if replace and skip_existing:
            raise ValueError("replace, skip_existing: only one of them can be given")
        options = LoadOptions(replace=replace, skip_existing=skip_existing, allow_loss=allow_loss)
        now_ms = time.time_ns() // 1_000_000
        with open_keys(os.fspath(path), rules=rules, now_ms=now_ms) as keys:
            done = load_dataset(keys, self.endpoint, options, progress=progress)
        if not verify:
            return done
        reading = LoadSource(rules=rules, now_ms=now_ms)
        return done.with_check(check_load(os.fspath(path), self.endpoint, options, reading, progress=progress))

    def _free_name(self, moment: float) -> Path:
        self.directory.mkdir(parents=True, exist_ok=True)
        base = f"dump-{stamp(moment)}"
        names = (f"{base}{suffix}.rdb" for suffix in ("", *(f"-{number}" for number in range(2, 10_000))))
        return next(path for name in names if not (path := self.directory / name).exists())

    def _prune(self) -> tuple[str, ...]:
        if self.keep is None:
            return ()
        found = {}
        for path in self.directory.iterdir():
            match = _NAME.fullmatch(path.name)
            moment = None if match is None else read_stamp(match[1])
            if moment is not None:
                found[path.name] = moment
        gone = self.keep.choose(found)
        for name in gone:
            (self.directory / name).unlink(missing_ok=True)
        return tuple(gone)


class AsyncRedisPersist:
    """``RedisPersist`` for a client of ``redis.asyncio`` (or ``valkey.asyncio``).

    The work is done in a thread, on connections with the client's settings, so the event loop is not blocked.
    """

    def __init__(
        self,
        client: object,
        directory: str | os.PathLike[str] = ".",
        *,
        policy: Policy | None = None,
        keep: KeepRule | str | int | None = None,
    ) -> None:
        self.persist = RedisPersist(client, directory, policy=policy, keep=keep)

    async def save(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        force: bool = False,
        digest: bool = True,
        scan: bool = False,
        verify: bool = False,
    ) -> Saved:
        """Take a snapshot; see ``RedisPersist.save``."""
        return await asyncio.to_thread(self.persist.save, path, force=force, digest=digest, scan=scan, verify=verify)

    async def tick(self) -> Saved | None:
        """Take a snapshot if one is due by the policy; see ``RedisPersist.tick``."""
        return await asyncio.to_thread(self.persist.tick)

    async def load(
        self,
        path: str | os.PathLike[str],
        *,
        replace: bool = False,
        skip_existing: bool = False,
        allow_loss: bool = False,
        verify: bool = False,
    ) -> LoadedReport:
        """Load a file into the server; see ``RedisPersist.load``."""
        return await asyncio.to_thread(
            self.persist.load,
            path,
            replace=replace,
            skip_existing=skip_existing,
            allow_loss=allow_loss,
            verify=verify,
        )

    async def follow(self, directory: str | os.PathLike[str] | None = None) -> None:
        """Back up continuously until the task is cancelled; everything received is then synced to disk."""
        follower = self.persist.follow(directory)
        running = asyncio.ensure_future(asyncio.to_thread(follower.run))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            follower.stop()
            await running
            raise
