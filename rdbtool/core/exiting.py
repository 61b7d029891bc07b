"""Data that lives until the process ends.

A keyspace has millions of small values, and to free them one by one takes a tenth of the time of a replay. The process
of a command ends after it, and the system then takes back whole pages.
"""

from __future__ import annotations

from rdbtool.core.light_typing import Final

#: What is kept; empty as long as nothing is to be.
_kept: Final[list[object]] = []


def keep_from_now_on() -> None:
    """Let ``keep_until_exit`` keep data: in the process of one command, which freezes the garbage collector at its end.

    Modules are emptied then, but a list that holds itself is not freed.
    """
    _kept.append(_kept)


def keep_until_exit(data: object) -> None:
    """Keep data of a command until its process ends; in other processes, data is freed when nothing uses it."""
    if _kept:
        _kept.append(data)
