"""The counters that persistence policies use, read from a running server's INFO."""

from __future__ import annotations

import time

from rdbtool.core.light_typing import TYPE_CHECKING
from rdbtool.engine.persistence.policies import Counters

if TYPE_CHECKING:
    from rdbtool.live.connection import Connection


class ServerCounters:
    """Counts the changes of a server since the last snapshot.

    The server resets its own counter on each of its saves; this class adds up the changes across those resets.
    """

    def __init__(self) -> None:
        self.saved_ms = time.time_ns() // 1_000_000
        self._changes = 0
        self._seen: int | None = None

    def read(self, connection: Connection) -> Counters:
        """Read the counters from INFO. Raises ReplyError, InputError."""
        info = connection.info()
        now = int(info.get("rdb_changes_since_last_save", 0))
        if self._seen is not None:
            self._changes += now - self._seen if now >= self._seen else now
        else:
            self._changes = now
        self._seen = now
        return Counters(
            now_ms=time.time_ns() // 1_000_000,
            last_save_ms=self.saved_ms,
            changes=self._changes,
            memory=int(info.get("used_memory", 0)),
            log_size=int(info.get("aof_current_size", 0)),
            base_size=int(info.get("aof_base_size", 0)),
        )

    def note_saved(self, now_ms: int) -> None:
        """Record a snapshot at ``now_ms`` (Unix ms), and count changes from there."""
        self.saved_ms = now_ms
        self._changes = 0
