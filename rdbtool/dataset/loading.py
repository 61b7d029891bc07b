"""Keys of anything: an RDB or JSON lines as they are read, an AOF as what it leads to.

The engine is imported when an AOF is met, so that whoever reads an RDB does not wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO

from rdbtool.core.errors import PlaceError
from rdbtool.core.progress import Progress
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.rdb import RdbReader

if TYPE_CHECKING:
    from rdbtool.dataset.replayed import ReplayedDataset
    from rdbtool.engine.replay.places import Places
    from rdbtool.reader.aof.reader import AofReader
    from rdbtool.reader.jsonl.reader import JsonlReader

    #: What can be opened is a ``Dataset`` of one of these, told apart by its ``kind``.
    Opened = RdbReader | JsonlReader | ReplayedDataset

Target = str | os.PathLike[str] | bytes | BinaryIO


def load_keys(
    reader: RdbReader | AofReader | JsonlReader,
    rules: str | None = None,
    *,
    now_ms: int = 0,
    places: Places | None = None,
    source: Target | None = None,
    rename_commands: Mapping[str, str] | None = None,
    refuses_twice: bool = True,
    progress: Progress | None = None,
) -> Opened:
    """Return what hands out the keys of an open source: its reader itself, but a log replayed to its end.

    ``rules`` names the server that replays, None the writer of the log's snapshot; ``now_ms`` (Unix ms) is when. A
    log whose end is damaged hands out what precedes the damage, and then raises. ``places`` says where to stop and what
    to skip; ``source`` is what ``reader`` was opened from, where the last command of a name is looked for.
    ``rename_commands`` maps names of commands in the log to those that servers have. With ``refuses_twice`` JSON lines
    end at a key that is there again: for those who do not look at that themselves. Raises ValueError for another name,
    and PlaceError for a place that is not reached.
    """
    if isinstance(reader, RdbReader):
        refuse_places(reader, places)
        return reader
    from rdbtool.reader.aof.reader import AofReader  # noqa: PLC0415 - as below

    if not isinstance(reader, AofReader):
        refuse_places(reader, places)
        if refuses_twice:
            reader.refuse_twice()
        return reader
    from rdbtool.dataset.replayed import ReplayedDataset  # noqa: PLC0415 - likewise
    from rdbtool.engine.replay.loader import replay_log  # noqa: PLC0415 - likewise
    from rdbtool.engine.replay.replay_options import replay_options  # noqa: PLC0415 - the engine is for logs only

    again = source if source is not None else reader.path or "-"
    options = replay_options(again, places, rules=rules, now_ms=now_ms, rename_commands=rename_commands)
    return ReplayedDataset(replay_log(reader, options, progress), reader.name, reader.size)


def refuse_places(reader: RdbReader | JsonlReader, places: Places | None) -> None:
    """Raise PlaceError where a place to stop is asked of what has no commands."""
    if places is not None:
        raise PlaceError.no_commands(reader.source.name)


def open_keys(
    target: Target,
    *,
    rules: str | None = None,
    now_ms: int = 0,
    places: Places | None = None,
    rename_commands: Mapping[str, str] | None = None,
) -> Opened:
    """Open an RDB or JSON lines, or replay a log, a manifest or a directory with one: see ``load_keys``.

    Close it, or use ``with``. Raises InputError, UnsupportedError, FormatError, PlaceError; LimitError where memory
    does not suffice.
    """
    reader = open_any(target, jsonl=True)
    try:
        return load_keys(reader, rules, now_ms=now_ms, places=places, source=target, rename_commands=rename_commands)
    except BaseException:
        reader.close()
        raise
