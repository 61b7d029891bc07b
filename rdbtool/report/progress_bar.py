"""Progress bar on standard error for long work.

Nothing is shown, and rich is not imported, during the first second. No bar is shown if standard error is not a
terminal, or if the output itself goes to the terminal.
"""

from __future__ import annotations

import sys
import time

from rdbtool.core.light_typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress

#: Seconds before the bar appears.
_PATIENCE = 1.0

#: Columns of a line that the bar, the sizes, the speed and the time take.
_ROOM = 58

#: Columns of a line that shows the speed, too.
_WIDE = 76

#: Columns that a name gets at least.
_LEAST_NAME = 12


class ProgressBar:
    """A context manager, called with the number of bytes done.

    Until a pass begins (``begin_pass``), ``action`` says what is done with the file ``name`` of ``total`` bytes (None:
    unknown).
    """

    def __init__(self, total: int | None = None, action: str = "", name: str = "", *, enabled: bool) -> None:
        self._total = total
        self._action = action
        self._name = name
        self._passes = 0
        self._enabled = enabled and sys.stderr is not None and sys.stderr.isatty()
        self._began = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def begin_pass(self, action: str, name: str, total: int | None, left: int | None) -> None:
        """Begin a pass over the ``total`` bytes of ``name``; ``left`` passes follow it. See ``core.progress``."""
        self._action, self._name = action, name
        if left is not None:
            self._passes += 1
            of = self._passes + left
            if of > 1:
                self._action = f"pass {self._passes} of {of}: {action}"
        self._total = total
        if self._bar is not None:
            # Not reset: a task keeps its total where the new one is unknown.
            self._bar.remove_task(self._bar.task_ids[0])
            self._bar.add_task(self._label(self._bar.console.width), total=total)

    def __call__(self, done: int) -> None:
        """Update the bar to ``done`` bytes."""
        if not self._enabled or time.monotonic() - self._began < _PATIENCE:
            return
        if self._bar is None:
            self._bar = self._make()
        self._bar.update(self._bar.task_ids[0], completed=done)

    def _label(self, width: int) -> str:
        """Return what is done with which file; of a long name, the end."""
        room = max(_LEAST_NAME, width - _ROOM - len(self._action))
        name = self._name if len(self._name) <= room else "…" + self._name[1 - room :]
        return f"{self._action} {name}".strip()

    def _make(self) -> Progress:
        from rich.console import Console  # noqa: PLC0415 - lazy, see above
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.table import Column  # noqa: PLC0415

        console = Console(stderr=True)
        columns = [
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            DownloadColumn(binary_units=True, table_column=Column(no_wrap=True)),
            *([TransferSpeedColumn()] if console.width >= _WIDE else []),
            TimeRemainingColumn(compact=True),
        ]
        bar = Progress(*columns, console=console, expand=True, transient=True)
        bar.add_task(self._label(bar.console.width), total=self._total)
        bar.start()
        return bar

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
