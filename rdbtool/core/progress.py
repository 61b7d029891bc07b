"""Progress callbacks: their type, offsetting, and polling a guard."""

from __future__ import annotations

from collections.abc import Callable

#: Called with the number of bytes read so far.
Progress = Callable[[int], object]


def progress_after(progress: Progress | None, before: int) -> Progress | None:
    """Return a callback that adds ``before`` bytes to what it passes on."""
    return None if progress is None else lambda done: progress(before + done)


def polling(look: Callable[[], object], progress: Progress | None) -> Progress:
    """Return a callback that calls ``look`` first, which may raise: compiled loops do not run signal handlers."""

    def report(done: int) -> None:
        look()
        if progress is not None:
            progress(done)

    return report
