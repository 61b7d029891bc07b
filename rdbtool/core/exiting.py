"""Data that lives until the process ends.

A keyspace has millions of small values, and to free them one by one takes a tenth of the time of a replay. The process
of a command ends after it (by ``os._exit``), and the system then takes back whole pages.
"""

from __future__ import annotations

#: What is kept; None in a process that goes on after a command.
_kept: list[object] | None = None


def keep_from_now_on() -> None:
    """Let ``keep_until_exit`` keep data: in the process of one command."""
    global _kept  # noqa: PLW0603 - a fact about the process
    _kept = []


def keep_until_exit(data: object) -> None:
    """Keep data of a command until its process ends; in other processes, data is freed when nothing uses it."""
    if _kept is not None:
        _kept.append(data)
