"""Text output of ``capture``: a line per snapshot; event lines and a status line for a stream."""

from __future__ import annotations

import sys
import time

from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.report.formatting import show_count, show_memory
from rdbtool.report.screen import Line, Styled, name

if TYPE_CHECKING:
    from rdbtool.live.capture_events import CaptureEvent
    from rdbtool.live.shards import SavedCluster
    from rdbtool.live.snapshots import Saved


_VALID: Final = Styled("valid", "good")


def saved_line(saved: Saved) -> Line:
    """Return the line for a snapshot."""
    moment = f", at offset {saved.offset:,}" if saved.replid else ", not point-in-time"
    digest = "" if saved.digest is None else f", digest {saved.digest}"
    writer = f" of {saved.server}" if saved.server else ""
    size = f"{show_count(saved.keys, 'key')}, {show_count(saved.bytes, 'byte')}"
    verified = ", verified" if saved.verified else ""
    return name(saved.path), f": {size}{writer}{moment}{digest}: ", _VALID, verified


def cluster_line(done: SavedCluster) -> Line:
    """Return the line for the snapshots of a cluster."""
    size = show_count(sum(shard.saved.bytes for shard in done.shards), "byte")
    counts = f"{show_count(len(done.shards), 'shard')}, {show_count(done.keys, 'key')}"
    verified = ", verified" if all(shard.saved.verified for shard in done.shards) else ""
    return name(done.path), f": {counts}, {size}: ", _VALID, verified


class StatusLine:
    """Prints events as lines; on a terminal also ``synced`` events, in a status line that is overwritten."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._is_open = False

    def __call__(self, event: CaptureEvent) -> None:
        """Print an event."""
        if event.event != "synced":
            self.close()
            moment = time.strftime("%H:%M:%S", time.localtime(event.time_ms / 1000))
            self._write(f"rdbtool: {moment} {event.message}\n")
        elif self._is_terminal:
            lag = "" if event.lag_bytes is None else f", server {show_memory(event.lag_bytes)} ahead"
            grown = f"{show_count(event.changes, 'command')} after the base, {show_memory(event.size)}"
            self._write(f"\r\x1b[K{event.message}: {grown}{lag}")
            self._is_open = True

    def close(self) -> None:
        """End the status line."""
        if self._is_open:
            self._is_open = False
            self._write("\n")

    @staticmethod
    def _write(text: str) -> None:
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()
