"""Progress callbacks: their type, announcing passes, offsetting, and polling a guard."""

from __future__ import annotations

# Where collections.abc takes it from: that is a part of collections, which takes a millisecond.
from _collections_abc import Callable

from rdbtool.core.light_typing import Protocol

#: Called with the number of bytes read so far.
Progress = Callable[[int], object]


class PassDisplay(Protocol):
    """A progress callback that shows which pass over the data is running, such as a progress bar."""

    def begin_pass(self, action: str, name: str, total: int | None, left: int | None) -> None:
        """Show that a pass begins; see the function."""


def begin_pass(
    progress: Progress | None, action: str, name: str = "", total: int | None = None, *, left: int | None = 0
) -> None:
    """Announce a pass over the data to a callback that shows passes; do nothing for others.

    ``action`` says what the pass does ("replaying"), ``name`` with which file, ``total`` is its size in bytes (None if
    unknown), and ``left`` the number of passes that follow it (None if unknown).
    """
    begin = getattr(progress, "begin_pass", None)
    if begin is not None:
        begin(action, name, total, left)


def progress_after(progress: Progress | None, before: int) -> Progress | None:
    """Return a callback that adds ``before`` bytes to what it passes on."""
    return None if progress is None else lambda done: progress(before + done)


def polling(look: Callable[[], object], progress: Progress | None) -> Progress:
    """Return a callback that calls ``look`` first, which may raise: compiled loops do not run signal handlers."""
    return _Polling(look, progress)


class _Polling:
    """See ``polling``. Passes are announced to the inner callback."""

    def __init__(self, look: Callable[[], object], progress: Progress | None) -> None:
        self._look = look
        self._progress = progress

    def __call__(self, done: int) -> None:
        self._look()
        if self._progress is not None:
            self._progress(done)

    def begin_pass(self, action: str, name: str, total: int | None, left: int | None) -> None:
        begin_pass(self._progress, action, name, total, left=left)
