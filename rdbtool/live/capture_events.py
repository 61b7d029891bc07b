"""What a continuous capture tells while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["connected", "base", "synced", "lost", "lag", "stalled", "recovered", "kept", "stopped"]


@dataclass(frozen=True)
class CaptureEvent:
    """Something that happened, at ``time_ms`` (Unix ms).

    ``event``: ``connected`` (a stream began), ``base`` (a new base file is in the directory), ``synced`` (so far all is
    on the disk), ``lost`` (the connection, or a try at one), ``lag`` (the server is further ahead than was allowed),
    ``stalled`` and ``recovered`` (the disk takes no data, takes it again), ``kept`` (older generations went),
    ``stopped``. ``offset`` of ``replid`` is up to where the directory goes; ``lag_bytes`` is how far the server is
    ahead, None where it does not tell; ``size`` the bytes of the AOF, ``changes`` the commands since its base.
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
        """Return what ``capture --follow --json`` prints in a line."""
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
