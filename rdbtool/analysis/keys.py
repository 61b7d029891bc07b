"""Keys of anything: an RDB or JSON lines as they are read, a log as what it leads to.

What holds the keys wears one face, that of an RdbReader. The engine is imported when a log is met, so that whoever
reads an RDB does not wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from rdbtool.reader.open import open_any
from rdbtool.reader.rdb import RdbReader
from rdbtool.servers import Rules

if TYPE_CHECKING:
    from rdbtool.engine.log import ReplayedLog
    from rdbtool.reader.aof import AofReader
    from rdbtool.reader.jsonl import JsonlReader

    #: An open RDB, open JSON lines, or a log that was replayed.
    KeySource = RdbReader | JsonlReader | ReplayedLog

Progress = Callable[[int], object]


def load_keys(
    reader: RdbReader | AofReader | JsonlReader,
    rules: str | None = None,
    *,
    now_ms: int = 0,
    progress: Progress | None = None,
) -> KeySource:
    """Return what hands out the keys of an open source: its reader itself, but a log replayed to its end.

    ``rules`` names the server that replays, None the writer of the log's snapshot; ``now_ms`` (Unix ms) is when. A
    log whose end is damaged hands out what precedes the damage, and then raises. Raises ValueError for another name.
    """
    if isinstance(reader, RdbReader):
        return reader
    from rdbtool.reader.aof import AofReader  # noqa: PLC0415 - as below

    if not isinstance(reader, AofReader):
        return reader
    from rdbtool.engine.log import Options, ReplayedLog  # noqa: PLC0415 - the engine is for logs only

    options = Options(rules=None if rules is None else Rules.parse(rules), now_ms=now_ms)
    return ReplayedLog(reader, options, progress)


def open_keys(
    target: str | os.PathLike[str] | bytes | BinaryIO, *, rules: str | None = None, now_ms: int = 0
) -> KeySource:
    """Open an RDB or JSON lines, or replay a log, a manifest or a directory with one: see ``load_keys``.

    Close it, or use ``with``. Raises InputError, UnsupportedError, FormatError; LimitError where memory does not
    suffice.
    """
    reader = open_any(target, jsonl=True)
    try:
        return load_keys(reader, rules, now_ms=now_ms)
    except BaseException:
        reader.close()
        raise


def size_of(reader: RdbReader | AofReader | JsonlReader) -> int | None:
    """Return the size of an open source in bytes, None where nobody knows."""
    return reader.source.size if isinstance(reader, RdbReader) else reader.size
