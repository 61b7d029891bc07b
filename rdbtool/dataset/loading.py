"""Load keys of any input: an RDB or JSON lines as they are read, an AOF by its replay.

The engine is imported only for an AOF, so that reading an RDB starts fast.
"""

from __future__ import annotations

import os

from rdbtool.core.errors import PlaceError
from rdbtool.core.light_typing import TYPE_CHECKING, BinaryIO
from rdbtool.core.progress import Progress
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.rdb import RdbReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdbtool.dataset.replayed import ReplayedDataset
    from rdbtool.engine.replay.places import Places
    from rdbtool.reader.aof.reader import AofReader
    from rdbtool.reader.jsonl.reader import JsonlReader

    #: An open input is a ``Dataset`` of one of these classes, distinguished by its ``kind``.
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
    """Return the dataset of an open input: its reader itself, or an AOF replayed to its end.

    ``rules`` names the server whose behaviour a replay follows, None: the writer of the AOF's snapshot; ``now_ms``
    (Unix ms) is the time for expiry. An AOF with a damaged end yields what precedes the damage, and then raises.
    ``places`` says where to stop and what to skip; ``source`` is what ``reader`` was opened from, in which the last
    command of a name is searched for. ``rename_commands`` maps renamed commands of the AOF to their original names.
    With ``refuses_twice``, JSON lines end at a duplicate key: for callers that do not check that themselves. Raises
    ValueError for an unknown server, and PlaceError for a place that is not reached.
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
    from rdbtool.engine.replay.replay_options import replay_options  # noqa: PLC0415 - the engine is for AOFs only

    again = source if source is not None else reader.path or "-"
    options = replay_options(again, places, rules=rules, now_ms=now_ms, rename_commands=rename_commands)
    return ReplayedDataset(replay_log(reader, options, progress), reader.name, reader.size)


def refuse_places(reader: RdbReader | JsonlReader, places: Places | None) -> None:
    """Raise PlaceError for a place to stop in an input without commands."""
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
    """Open an RDB or JSON lines, or replay an AOF, a manifest or a directory with one: see ``load_keys``.

    Close it, or use ``with``. Raises InputError, UnsupportedError, FormatError, PlaceError; LimitError if there is not
    enough memory.
    """
    reader = open_any(target, jsonl=True)
    try:
        return load_keys(reader, rules, now_ms=now_ms, places=places, source=target, rename_commands=rename_commands)
    except BaseException:
        reader.close()
        raise
