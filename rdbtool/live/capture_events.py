"""The events that a continuous capture reports while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rdbtool.core.light_typing import Any, Literal

Kind = Literal["connected", "base", "synced", "lost", "lag", "stalled", "recovered", "kept", "stopped"]


@dataclass(frozen=True)
class CaptureEvent:
    """An event of a continuous capture, at ``time_ms`` (Unix ms).

    ``event``: ``connected`` (streaming started), ``base`` (a new base file is in the directory), ``synced`` (periodic
    status), ``lost`` (the connection or an attempt failed), ``lag`` (the server is further ahead than allowed),
    ``stalled`` and ``recovered`` (writing to disk fails, works again), ``kept`` (older generations were removed),
    ``stopped``. The directory holds the stream of ``replid`` up to ``offset``; ``lag_bytes`` is how far the server is
    ahead, None if unknown; ``size`` is the size of the AOF in bytes, ``changes`` the commands since its base.
    """

    event: Kind
    message: str
    replid: str = ""
    offset: int = -1
    lag_bytes: int | None = None
    size: int = 0
    changes: int = 0
    time_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``capture --follow --json`` prints, one per line."""
        return {
            "schema": 1,
            "event": self.event,
            "time_ms": self.time_ms,
            "message": self.message,
            "replid": self.replid,
            "offset": self.offset,
            "lag_bytes": self.lag_bytes,
            "size": self.size,
            "changes": self.changes,
        }
