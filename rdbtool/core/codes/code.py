"""The row of the code table, and the most frequent server reactions."""

from __future__ import annotations

from rdbtool.core.light_typing import Final, NamedTuple

EXITS: Final = "The server logs an error and exits."
LOADS: Final = "The server loads it."


class Code(NamedTuple):
    """One code: a title of a few words, what it means, and what a server does when it loads such a file."""

    code: str
    title: str
    meaning: str
    server: str
