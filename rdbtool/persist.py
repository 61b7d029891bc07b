"""Persistence of a running server through a client: ``RedisPersist(redis.Redis()).save()``.

A snapshot is an RDB that the server sends, a log the stream of its writes, and a policy says when a new snapshot is
due. The client is one of redis-py or valkey-py; what it connects to, and how, is what is used here.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdbtool.dataset.loading import open_keys
from rdbtool.engine.persistence.policies import Any, Counters, LogGrowth, Manual, MemoryThreshold, Policy, SavePoint
from rdbtool.live.connection import Endpoint
from rdbtool.live.counting import ServerCounters
from rdbtool.live.follower import Follower, FollowOptions
from rdbtool.live.loading_server import LoadedReport, LoadOptions, load_dataset
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
    """Snapshots and logs of the server that ``client`` (redis-py, valkey-py) is connected to.

    ``directory`` is where they go, made when it is first needed. ``policy`` says when ``tick`` takes a snapshot;
    ``keep`` how many stay: a number, or ``"24h,7d,4w"`` for one an hour, a day, a week. Only files with the names that
    ``save`` gives are ever removed. The client stays as it is: connections of their own are made like its.
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
        progress: Progress | None = None,
    ) -> Saved:
        """Take a snapshot: an RDB by replication, validated while it is written, and published when it is whole.

        ``path`` None: ``dump-TIME.rdb`` in the directory, of which ``keep`` are kept. ``force`` replaces a file.
        Without ``digest`` none is computed. ``scan`` reads by SCAN and DUMP, where replication is not allowed, and what
        comes of it is not one moment. Raises InputError (a server that cannot be reached, or refuses; a disk that
        is full), FormatError, InvalidDataError; nothing is left behind then.
        """
        begun = time.time()
        target = self._free_name(begun) if path is None else Path(path)
        take = scan_snapshot if scan else take_snapshot
        saved = take(self.endpoint, os.fspath(target), force=force, digest=digest, progress=progress)
        self._counters.note_saved(int(begun * 1000))
        return saved if path is not None else saved.with_removed(self._prune())

    def tick(self) -> Saved | None:
        """Take a snapshot if the policy says that one is due, by the INFO of the server; call it now and then.

        Returns what ``save`` does, None if none was due.
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
        on_event: Callable[[CaptureEvent], object] | None = None,
    ) -> Follower:
        """Return a continuous backup: a base, then the stream of writes in an AOF directory with timestamps.

        ``run`` of it blocks until ``stop``; in a ``with`` block it runs in a thread. ``directory`` None: that of this
        object. A new base is taken when the policy says so (None: when the AOF has doubled, from 64 MiB on), and
        ``keep`` says what stays of earlier ones. For ``max_lag`` (bytes) and ``acknowledges`` see ``FollowOptions``.
        """
        options = FollowOptions(self._follow_policy, self.keep, max_lag, acknowledges)
        return Follower(self.endpoint, os.fspath(directory or self.directory), options, on_event)

    def load(
        self,
        path: str | os.PathLike[str],
        *,
        replace: bool = False,
        skip_existing: bool = False,
        allow_loss: bool = False,
        rules: str | None = None,
        progress: Progress | None = None,
    ) -> LoadedReport:
        """Load a file (RDB, AOF, JSON lines) into the server, by RESTORE, or by commands where nobody may send that.

        Keys that exist stay, unless ``replace``; with ``skip_existing`` that is fine (``is_complete``). Expiry times
        stay the moments that they are. A lost connection is made anew, and nothing is loaded twice. Raises LossError
        for what the server cannot hold unless ``allow_loss``, UncertainError, InputError, what reading raises.
        """
        if replace and skip_existing:
            raise ValueError("replace, skip_existing: give one of them")
        options = LoadOptions(replace=replace, skip_existing=skip_existing, allow_loss=allow_loss)
        now_ms = time.time_ns() // 1_000_000
        with open_keys(os.fspath(path), rules=rules, now_ms=now_ms) as keys:
            return load_dataset(keys, self.endpoint, options, progress=progress)

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

    The work is done in a thread, on connections like the client's, so that the event loop goes on meanwhile.
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
    ) -> Saved:
        """Take a snapshot; see ``RedisPersist.save``."""
        return await asyncio.to_thread(self.persist.save, path, force=force, digest=digest, scan=scan)

    async def tick(self) -> Saved | None:
        """Take a snapshot if the policy says that one is due."""
        return await asyncio.to_thread(self.persist.tick)

    async def load(
        self,
        path: str | os.PathLike[str],
        *,
        replace: bool = False,
        skip_existing: bool = False,
        allow_loss: bool = False,
    ) -> LoadedReport:
        """Load a file into the server; see ``RedisPersist.load``."""
        return await asyncio.to_thread(
            self.persist.load, path, replace=replace, skip_existing=skip_existing, allow_loss=allow_loss
        )

    async def follow(self, directory: str | os.PathLike[str] | None = None) -> None:
        """Back up continuously until the task is cancelled; what was received is on the disk then."""
        follower = self.persist.follow(directory)
        running = asyncio.ensure_future(asyncio.to_thread(follower.run))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            follower.stop()
            await running
            raise
