"""The history of one key: every record of an AOF that touched it, and its effect.

The engine executes the AOF; around each command the key is looked up in every database. A record belongs to the history
if it names the key, or if it created, removed or replaced the key without naming it (FLUSHALL, SWAPDB, a script). The
values of a named key before and after are compared, which takes time proportional to their size: above a limit only the
sizes are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized

from rdbtool.core.errors import FormatError, UncertainError, json_bytes, json_name
from rdbtool.core.light_typing import Any, Final, NamedTuple
from rdbtool.core.progress import Progress
from rdbtool.engine.command_errors import CommandError, UnknownEffectError
from rdbtool.engine.engine import Engine
from rdbtool.engine.export.key_records import kind_of, to_value
from rdbtool.engine.keyspec import keys_of
from rdbtool.engine.replay.executor import Replay, Unfollowed, show_command, show_reply
from rdbtool.engine.replay.loader import Loaded, replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.engine.streams.data import StreamData
from rdbtool.engine.values import HashData, ListData, SetData, ZSetData, fingerprint
from rdbtool.model import KeyRecord
from rdbtool.operations.json_shapes import finding_json, skipped_json, stop_json
from rdbtool.operations.replay.report import Timeline
from rdbtool.reader.aof.reader import AofReader
from rdbtool.reader.rdb import RdbReader

#: Elements, or bytes of a string: above this only the size is compared.
_COMPARED: Final = 4096

#: Maximum characters of a command kept.
_SHOWN: Final = 60

#: Commands that may change keys that are not among their arguments.
_SCRIPTS: Final = frozenset({b"EVAL", b"EVALSHA"})

IN_SNAPSHOT: Final = "in the snapshot"

#: Effects after which an expiry exists.
_LEAVE_EXPIRY: Final = frozenset({IN_SNAPSHOT, "expiry set", "expiry changed"})


class Touch(NamedTuple):
    """A record that touched the key in ``db``.

    ``time`` is annotated (Unix seconds); ``number`` counts commands; it and ``command`` are None for a record of a
    snapshot. ``effects`` are ``in the snapshot``, ``created``, ``changed``, ``written`` (a large value that was not
    compared), ``deleted``, ``expiry set``, ``expiry changed``, ``expiry removed``, or one of ``no effect``, ``error``
    and ``unknown``; ``error`` is then the reply, or why the effect is unknown. ``expire_at_ms`` is the expiry
    afterwards.
    """

    time: int | None
    part: str
    offset: int
    number: int | None
    db: int
    command: str | None
    in_transaction: bool
    effects: tuple[str, ...]
    error: str
    kind: str | None
    expire_at_ms: int | None

    @property
    def sets_expiry(self) -> bool:
        """Whether this record set the expiry."""
        return self.expire_at_ms is not None and not _LEAVE_EXPIRY.isdisjoint(self.effects)

    def to_dict(self) -> dict[str, Any]:
        """Return the object for ``history --json``."""
        return self._asdict() | {"part": json_name(self.part)}


class State(NamedTuple):
    """A database in which the key exists at the end."""

    db: int
    kind: str
    expire_at_ms: int | None


class KeyHistory(NamedTuple):
    """The conclusion after all records.

    ``touches`` counts the records; ``records`` holds them if they were kept. ``states`` are the databases that have the
    key at the end, ``deletions`` the last deletion in each database that had it before. ``unfollowed`` are the commands
    whose effect is unknown: any of them may have touched the key.
    """

    source: str
    touches: int
    states: tuple[State, ...]
    deletions: tuple[Touch, ...]
    unfollowed: tuple[Unfollowed, ...]
    loaded: Loaded
    key: bytes = b""
    records: tuple[Touch, ...] = ()

    @property
    def damage(self) -> FormatError | None:
        """The damage that ended the AOF early."""
        return self.loaded.fault

    @property
    def doubt(self) -> UncertainError | None:
        """What makes the dataset uncertain."""
        return self.loaded.doubt

    @property
    def remarks(self) -> list[str]:
        """Remarks on the history."""
        return self.loaded.remarks

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``history --json``."""
        records = [touch.to_dict() for touch in self.records]
        return {"schema": 1, "key": json_bytes(self.key), "records": records, **self.end_dict()}

    def end_dict(self) -> dict[str, Any]:
        """Return the part of the object of ``history --json`` after the records."""
        fault, tail = self.loaded.fault, self.loaded.tail
        damage = None
        if fault is not None and tail is not None:
            damage = finding_json(fault, self.loaded.parts[tail.part].name)
        return {
            "source": json_name(self.source),
            "states": [state._asdict() for state in self.states],
            "deletions": [touch.to_dict() for touch in self.deletions],
            "unknown": [
                {
                    "command": name,
                    "times": times,
                    "part": json_name(first.part),
                    "offset": first.offset,
                    "number": first.number,
                }
                for name, times, first in self.unfollowed
            ],
            "damage": damage,
            "stopped_at": stop_json(self.loaded.extent),
            "skipped": skipped_json(self.loaded.extent),
        }


class _Look(NamedTuple):
    """The key in one database at one moment. ``mark`` identifies its value; None if it was not compared."""

    data: object
    size: int
    mark: object
    expire_at_ms: int | None


_GONE: Final = _Look(None, 0, None, None)


def read_history(
    reader: RdbReader | AofReader,
    key: bytes,
    on_touch: Callable[[Touch], object],
    *,
    db: int | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> KeyHistory:
    """Replay an open AOF and call ``on_touch`` with every record that touched ``key``, in ``db`` or in any database.

    Damage ends the history and is ``loaded.fault``. Raises what ``replay_log`` raises.
    """
    history = _History(key, db, on_touch)
    watched = (options or Options())._replace(
        watcher=history.watch, watched=key, on_snapshot=history.on_snapshot_record, on_batch=history.timeline
    )
    loaded = replay_log(reader, watched, progress)
    dbs = loaded.replay.engine.dbs
    states = tuple(
        State(index, kind_of(dbs[index].keys[key]), dbs[index].expires.get(key))
        for index in sorted(dbs)
        if key in dbs[index].keys and db in (None, index)
    )
    source = reader.source.name if isinstance(reader, RdbReader) else reader.name
    deletions = tuple(touch for _, touch in sorted(history.deletions.items()))
    unfollowed = tuple(loaded.replay.unfollowed.values())
    return KeyHistory(source, history.touches, states, deletions, unfollowed, loaded, key)


class _History:
    """Watches one key."""

    def __init__(self, key: bytes, db: int | None, on_touch: Callable[[Touch], object]) -> None:
        self.touches = 0
        self.deletions: dict[int, Touch] = {}
        self.timeline = Timeline()
        self._key = key
        self._db = db
        self._on_touch = on_touch

    def on_snapshot_record(self, part: str, record: KeyRecord) -> None:
        """Look at a record of a snapshot."""
        if record.key == self._key and self._db in (None, record.db):
            self._add(
                Touch(
                    time=None,
                    part=part,
                    offset=record.start,
                    number=None,
                    db=record.db,
                    command=None,
                    in_transaction=False,
                    effects=(IN_SNAPSHOT,),
                    error="",
                    kind=record.kind,
                    expire_at_ms=record.expire_at_ms,
                )
            )

    def watch(
        self,
        replay: Replay,
        argv: Sequence[bytes],
        offset: int,
        number: int,
        execute: Callable[[], CommandError | None],
    ) -> None:
        """Execute a command, and report its effect on the key."""
        engine = replay.engine
        here = engine.index
        is_named = self._key in keys_of(argv) or argv[0].upper() in _SCRIPTS
        before = self._look(engine, here, compare=is_named)
        error = execute()
        after = self._look(engine, here, compare=is_named)
        for db in sorted({*before, *after}):
            old, new = before.get(db, _GONE), after.get(db, _GONE)
            effects = _compare(old, new, is_named=is_named and db == here)
            if not effects:
                if db != here or not self._may_touch(argv, error):
                    continue
                effects = (_describe_error(error),)
            self._add(
                Touch(
                    time=self.timeline.time_of(number),
                    part=replay.part,
                    offset=offset,
                    number=number,
                    db=db,
                    command=show_command(argv, _SHOWN),
                    in_transaction=replay.in_exec,
                    effects=effects,
                    error="" if error is None else show_reply(error),
                    kind=None if new.data is None else kind_of(new.data),
                    expire_at_ms=new.expire_at_ms,
                )
            )

    def _may_touch(self, argv: Sequence[bytes], error: CommandError | None) -> bool:
        """Return whether a command that changed nothing names the key, or may name it if its keys are unknown."""
        return self._key in keys_of(argv) or (isinstance(error, UnknownEffectError) and self._key in argv[1:])

    def _add(self, touch: Touch) -> None:
        self.touches += 1
        if "deleted" in touch.effects:
            self.deletions[touch.db] = touch
        elif touch.kind is not None:
            self.deletions.pop(touch.db, None)
        self._on_touch(touch)

    def _look(self, engine: Engine, here: int, *, compare: bool) -> dict[int, _Look]:
        """Return the key in each database; values are kept for comparison only in the current one."""
        looks = {}
        for index, db in engine.dbs.items():
            if self._db not in (None, index):
                continue
            data = db.keys.get(self._key)
            if data is None:
                looks[index] = _GONE
                continue
            size = _size_of(data)
            is_kept = compare and index == here and size <= _COMPARED
            looks[index] = _Look(data, size, _mark_of(data) if is_kept else None, db.expires.get(self._key))
        return looks


def _describe_error(error: CommandError | None) -> str:
    if error is None:
        return "no effect"
    return "unknown" if isinstance(error, UnknownEffectError) else "error"


def _size_of(data: object) -> int:
    """Return the number of elements, or of bytes of a string that commands change in place."""
    if isinstance(data, StreamData):
        return data.length + sum(len(group.pending) for group in data.groups.values())
    return len(data) if isinstance(data, Sized) and not isinstance(data, bytes) else 0


def _mark_of(data: object) -> object:
    """Return what is equal for equal values, in as little time as can be."""
    if isinstance(data, ListData):
        return fingerprint(data)
    if isinstance(data, SetData | HashData | ZSetData):
        return fingerprint(data), None if data.expires is None else dict(data.expires)
    if isinstance(data, StreamData):
        # Of one stream: no command changes its entries and leaves all of these.
        groups = to_value(data.without_entries())
        return data.length, data.last_id, data.first_id, data.max_deleted_id, data.entries_added, groups
    return to_value(data)


def _compare(old: _Look, new: _Look, *, is_named: bool) -> tuple[str, ...]:
    """Return the effects between two looks; none if nothing changed."""
    if old.data is None or new.data is None:
        if new.data is not None:
            return ("created", "expiry set") if new.expire_at_ms is not None else ("created",)
        return ("deleted",) if old.data is not None else ()
    effects = []
    if _differs(old, new, is_named=is_named):
        effects.append("changed")
    elif is_named and old.mark is None and type(new.data) is not bytes and old.expire_at_ms == new.expire_at_ms:
        effects.append("written")
    if old.expire_at_ms != new.expire_at_ms:
        is_new = old.expire_at_ms is None
        effects.append("expiry set" if is_new else "expiry removed" if new.expire_at_ms is None else "expiry changed")
    return tuple(effects)


def _differs(old: _Look, new: _Look, *, is_named: bool) -> bool:
    if type(old.data) is not type(new.data):
        return True
    if isinstance(new.data, bytes):
        return old.data != new.data
    if old.mark is not None and new.mark is not None:
        if isinstance(new.data, StreamData) and old.data is not new.data:
            return to_value(old.data) != to_value(new.data)
        return old.mark != new.mark
    return old.size != new.size or (old.data is not new.data and not is_named)
