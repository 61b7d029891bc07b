"""Progress bar on standard error for long work.

Nothing is shown, and rich is not imported, during the first second. No bar is shown if standard error is not a
terminal, or if the output itself goes to the terminal.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress

#: Seconds before the bar appears.
_PATIENCE = 1.0


class ProgressBar:
    """A context manager, called with the number of bytes done; ``total`` is the number of all bytes, if known."""

    def __init__(self, total: int | None, *, enabled: bool) -> None:
        self._total = total
        self._enabled = enabled and sys.stderr is not None and sys.stderr.isatty()
        self._began = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int) -> None:
        """Update the bar to ``done`` bytes."""
        if not self._enabled or time.monotonic() - self._began < _PATIENCE:
            return
        if self._bar is None:
            self._bar = self._make()
        self._bar.update(self._bar.task_ids[0], completed=done)

    def _make(self) -> Progress:
        from rich.console import Console  # noqa: PLC0415 - lazy, see above
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        bar = Progress(
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        bar.add_task("", total=self._total)
        bar.start()
        return bar

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
