"""The history of keys: every record of an AOF that touched one of them, and its effect.

The engine executes the AOF; around each command the keys are looked up that it may touch. A record belongs to the
history of a key if it names the key, or if it created, removed or replaced the key without naming it (FLUSHALL, SWAPDB,
a script). The values of a named key before and after are compared, which takes time proportional to their size: above a
limit only the sizes are compared.

Memory does not grow with the number of keys: records are handed on, and what became of each key is kept for a few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized

from rdbtool.core.commands import SWEEPING
from rdbtool.core.errors import FormatError, UncertainError, json_bytes, json_name
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, NamedTuple
from rdbtool.core.progress import Progress
from rdbtool.engine.command_errors import CommandError, UnknownEffectError
from rdbtool.engine.engine import Engine
from rdbtool.engine.export.key_records import kind_of, to_value
from rdbtool.engine.keyspace import Db
from rdbtool.engine.keyspec import command_name, keys_of
from rdbtool.engine.replay.executor import Replay, Unfollowed, show_command, show_reply
from rdbtool.engine.replay.loader import Loaded, replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.engine.replay.watched_keys import WatchedKeys
from rdbtool.engine.streams.data import StreamData
from rdbtool.engine.values import HashData, ListData, SetData, ZSetData, fingerprint
from rdbtool.engine.wrapped import RREPLAY, unwrap
from rdbtool.model import KeyRecord
from rdbtool.operations.json_shapes import finding_json, skipped_json, stop_json
from rdbtool.operations.replay.report import Timeline
from rdbtool.reader.aof.reader import AofReader
from rdbtool.reader.rdb import RdbReader

if TYPE_CHECKING:
    import re

#: Elements, or bytes of a string: above this only the size is compared.
_COMPARED: Final = 4096

#: Maximum characters of a command kept.
_SHOWN: Final = 60

#: Keys of which it is kept what became of each.
KEPT_KEYS: Final = 20

_SCRIPTS: Final = frozenset({b"EVAL", b"EVALSHA"})

#: Commands that stand for others.
_WRAPPERS: Final = _SCRIPTS | {RREPLAY}

#: Commands that may change a key that they name in another database than the current one.
_ACROSS: Final = _WRAPPERS | {b"MOVE", b"COPY"}

#: Commands that may change more than the keys that they name, in the current database.
_ELSEWHERE: Final = _ACROSS | SWEEPING

IN_SNAPSHOT: Final = "in the snapshot"

#: Effects after which an expiry exists.
_LEAVE_EXPIRY: Final = frozenset({IN_SNAPSHOT, "expiry set", "expiry changed"})


class KeyChoice(NamedTuple):
    """The keys of a history.

    Some ``exact`` ones, those that match one of ``globs`` as in KEYS, and those in which one of ``patterns`` is found.
    """

    exact: tuple[bytes, ...] = ()
    globs: tuple[bytes, ...] = ()
    patterns: tuple[re.Pattern[bytes], ...] = ()

    @property
    def only(self) -> bytes | None:
        """The key, if there can be no other one."""
        is_one = len(self.exact) == 1 and not self.globs and not self.patterns
        return self.exact[0] if is_one else None

    def to_dict(self) -> dict[str, Any]:
        """Return the object for ``history --json``."""
        return {
            "exact_key": [json_bytes(key) for key in self.exact],
            "glob": [json_bytes(pattern) for pattern in self.globs],
            "key": [json_bytes(pattern.pattern) for pattern in self.patterns],
        }


class Touch(NamedTuple):
    """A record that touched ``key`` in ``db``.

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
    key: bytes = b""

    @property
    def sets_expiry(self) -> bool:
        """Whether this record set the expiry."""
        return self.expire_at_ms is not None and not _LEAVE_EXPIRY.isdisjoint(self.effects)

    def to_dict(self, *, names_key: bool = False) -> dict[str, Any]:
        """Return the object for ``history --json``; ``names_key``: with the key."""
        row = self._asdict() | {"part": json_name(self.part)}
        key = row.pop("key")
        return {"key": json_bytes(key), **row} if names_key else row


class State(NamedTuple):
    """A database in which ``key`` exists at the end."""

    db: int
    kind: str
    expire_at_ms: int | None
    key: bytes = b""

    def to_dict(self) -> dict[str, Any]:
        """Return the object for ``history --json``."""
        return {"db": self.db, "kind": self.kind, "expire_at_ms": self.expire_at_ms}


class KeyEnd(NamedTuple):
    """What became of one of several keys; see ``KeyHistory``."""

    key: bytes
    touches: int
    states: tuple[State, ...]
    deletions: tuple[Touch, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the object for ``history --json``."""
        return {
            "key": json_bytes(self.key),
            "touches": self.touches,
            "states": [state.to_dict() for state in self.states],
            "deletions": [touch.to_dict() for touch in self.deletions],
        }


class KeysEnd(NamedTuple):
    """What became of all keys together.

    ``touches`` counts the records, ``deletions`` those that deleted a key. ``left`` maps databases to the number of
    keys that exist at the end. ``last_deletion`` is the last record that deleted a key.
    """

    touches: int
    deletions: int
    left: dict[int, int]
    last_deletion: Touch | None

    def to_dict(self) -> dict[str, Any]:
        """Return the object for ``history --json``."""
        return {
            "touches": self.touches,
            "deletions": self.deletions,
            "left": [{"db": db, "keys": keys} for db, keys in self.left.items()],
            "last_deletion": None if self.last_deletion is None else self.last_deletion.to_dict(names_key=True),
        }


class KeyHistory(NamedTuple):
    """The conclusion after all records.

    ``touches`` counts the records; ``records`` holds them if they were kept. ``states`` are the databases that have the
    key at the end, ``deletions`` the last deletion in each database that had it before. ``unfollowed`` are the commands
    whose effect is unknown: any of them may have touched the key.

    Where there can be several keys, ``chosen`` says which, and ``key`` is empty. ``keys`` says what became of each, and
    ``states`` and ``deletions`` hold all of that; if there are more than ``KEPT_KEYS``, ``keys`` is None and they are
    empty. ``summary`` counts.
    """

    source: str
    touches: int
    states: tuple[State, ...]
    deletions: tuple[Touch, ...]
    unfollowed: tuple[Unfollowed, ...]
    loaded: Loaded
    key: bytes = b""
    records: tuple[Touch, ...] = ()
    chosen: KeyChoice | None = None
    keys: tuple[KeyEnd, ...] | None = None
    summary: KeysEnd | None = None

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
        head = {"key": json_bytes(self.key)} if self.chosen is None else {"filters": self.chosen.to_dict()}
        records = [touch.to_dict(names_key=self.chosen is not None) for touch in self.records]
        return {"schema": 1, **head, "records": records, **self.end_dict()}

    def end_dict(self) -> dict[str, Any]:
        """Return the part of the object of ``history --json`` after the records."""
        fault, tail = self.loaded.fault, self.loaded.tail
        damage = None
        if fault is not None and tail is not None:
            damage = finding_json(fault, self.loaded.parts[tail.part].name)
        end: dict[str, Any]
        if self.summary is None:
            end = {
                "states": [state.to_dict() for state in self.states],
                "deletions": [touch.to_dict() for touch in self.deletions],
            }
        else:
            keys = None if self.keys is None else [end.to_dict() for end in self.keys]
            end = {"keys": keys, "summary": self.summary.to_dict()}
        return {
            "source": json_name(self.source),
            **end,
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


class _Moment(NamedTuple):
    """The keys of a database at one moment. ``sizes`` are those of values that may change since."""

    keys: Mapping[bytes, object]
    expires: Mapping[bytes, int]
    sizes: Mapping[bytes, int] | None = None

    def look(self, key: bytes) -> _Look:
        data = self.keys.get(key)
        if data is None:
            return _GONE
        size = _size_of(data) if self.sizes is None else self.sizes[key]
        return _Look(data, size, None, self.expires.get(key))


_EMPTY: Final = _Moment({}, {})


def read_history(
    reader: RdbReader | AofReader,
    keys: bytes | KeyChoice,
    on_touch: Callable[[Touch], object],
    *,
    db: int | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> KeyHistory:
    """Replay an open AOF and call ``on_touch`` with every record that touched a key, in ``db`` or in any database.

    Damage ends the history and is ``loaded.fault``. Raises what ``replay_log`` raises.
    """
    chosen = KeyChoice((keys,)) if isinstance(keys, bytes) else keys
    history = _History(chosen, db, on_touch)
    watched = (options or Options())._replace(
        watcher=history.watch,
        watched=history.watched,
        on_snapshot=history.on_snapshot_record,
        on_batch=history.timeline,
    )
    loaded = replay_log(reader, watched, progress)
    ends = history.ends(loaded.replay.engine)
    source = reader.source.name if isinstance(reader, RdbReader) else reader.name
    found = KeyHistory(
        source,
        history.touches,
        tuple(state for end in ends or () for state in end.states),
        tuple(touch for end in ends or () for touch in end.deletions),
        tuple(loaded.replay.unfollowed.values()),
        loaded,
    )
    if chosen.only is not None:
        return found._replace(key=chosen.only)
    return found._replace(chosen=chosen, keys=ends, summary=history.summary(loaded.replay.engine))


class _Command(NamedTuple):
    """What its records have in common."""

    replay: Replay
    argv: Sequence[bytes]
    offset: int
    number: int
    here: int
    error: CommandError | None


class _History:
    """Watches keys."""

    def __init__(self, chosen: KeyChoice, db: int | None, on_touch: Callable[[Touch], object]) -> None:
        self.touches = 0
        self.timeline = Timeline()
        self.watched = WatchedKeys(chosen.exact, globs=chosen.globs, patterns=chosen.patterns)
        self._db = db
        self._on_touch = on_touch
        #: Records of each key, None once there are too many keys.
        self._counts: dict[bytes, int] | None = None
        if len(self.watched.exact) <= KEPT_KEYS:
            self._counts = dict.fromkeys(self.watched.exact, 0)
        #: The last one by key and database, while ``_counts`` is there.
        self._deletions: dict[tuple[bytes, int], Touch] = {}
        self._deleted = 0
        self._last_deletion: Touch | None = None

    def ends(self, engine: Engine) -> tuple[KeyEnd, ...] | None:
        """Return what became of each key, None if there were too many."""
        if self._counts is None:
            return None
        dbs = sorted(self._dbs(engine).items())
        return tuple(
            KeyEnd(
                key,
                touches,
                tuple(
                    State(index, kind_of(db.keys[key]), db.expires.get(key), key) for index, db in dbs if key in db.keys
                ),
                tuple(touch for (name, _), touch in sorted(self._deletions.items()) if name == key),
            )
            for key, touches in self._counts.items()
        )

    def summary(self, engine: Engine) -> KeysEnd:
        """Return what became of all keys together."""
        left = {index: sum(1 for _ in self._chosen(db.keys)) for index, db in sorted(self._dbs(engine).items())}
        return KeysEnd(
            self.touches, self._deleted, {db: keys for db, keys in left.items() if keys}, self._last_deletion
        )

    def on_snapshot_record(self, part: str, record: KeyRecord) -> None:
        """Look at a record of a snapshot."""
        if self._db in (None, record.db) and record.key in self.watched:
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
                    key=record.key,
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
        """Execute a command, and report its effect on the keys."""
        engine = replay.engine
        here = engine.index
        name = command_name(argv)
        looked = named = self.watched.only(keys_of(argv))
        if len(named) == 1 and name not in _ELSEWHERE:
            # Nearly all commands: one key, in the current database.
            key = named[0]
            is_wanted = self._db in (None, here)
            old = _look_at(engine.db, key, compare=True) if is_wanted else _GONE
            error = execute()
            command = _Command(replay, argv, offset, number, here, error)
            if is_wanted:
                new = _look_at(engine.db, key, compare=True)
                effects = _effects(old, new, is_named=True) or (_describe_error(error),)
                self._touch(command, key, here, effects, new)
            if isinstance(error, UnknownEffectError):
                self._note_words(command, named)
            return
        sweeps = name in SWEEPING
        noted = None
        if name in _WRAPPERS:
            calls = _calls_in(engine, argv)
            inner = [key for call in calls for key in keys_of(call)]
            looked = [*named, *self.watched.only([*inner, *argv[1:]])]
            sweeps = any(command_name(call) in SWEEPING for call in calls)
            noted = frozenset(named)
        if len(looked) > 1:
            looked = list(dict.fromkeys(looked))
        where = None if name in _ACROSS or sweeps else here
        before = [self._look(engine, key, here, where) for key in looked]
        swept = self._before_sweep(engine, name) if sweeps else None
        error = execute()
        command = _Command(replay, argv, offset, number, here, error)
        is_unknown = isinstance(error, UnknownEffectError)
        words = frozenset(argv[1:]) if is_unknown and noted is not None else ()
        for key, looks in zip(looked, before, strict=True):
            is_noted = noted is None or key in noted or key in words
            self._compare(command, key, looks, self._look(engine, key, here, where), is_noted=is_noted)
        if swept is not None:
            self._after_sweep(command, swept, frozenset(looked))
        if is_unknown:
            self._note_words(command, looked)

    def _note_words(self, command: _Command, seen: Iterable[bytes]) -> None:
        """Report a command of unknown effect for each word that may be a key, but those that were looked at."""
        here, engine = command.here, command.replay.engine
        if self._db not in (None, here):
            return
        others = frozenset(seen)
        for key in dict.fromkeys(self.watched.only(command.argv[1:])):
            if key not in others:
                look = _look_at(engine.dbs[here], key, compare=False)
                self._touch(command, key, here, (_describe_error(command.error),), look)

    def _compare(
        self, command: _Command, key: bytes, before: dict[int, _Look], after: dict[int, _Look], *, is_noted: bool
    ) -> None:
        """Report the effect of a command on a key that it may touch; ``is_noted``: also that there was none."""
        here = command.here
        for db in sorted({*before, *after}) if len(after) > 1 else after:
            old, new = before.get(db, _GONE), after[db]
            effects = _effects(old, new, is_named=db == here)
            if not effects:
                if db != here or not is_noted:
                    continue
                effects = (_describe_error(command.error),)
            self._touch(command, key, db, effects, new)

    def _touch(self, command: _Command, key: bytes, db: int, effects: tuple[str, ...], new: _Look) -> None:
        replay, argv, offset, number, _, error = command
        # There may be millions: by position, which takes half the time.
        self._add(
            Touch(
                self.timeline.time_of(number),
                replay.part,
                offset,
                number,
                db,
                show_command(argv, _SHOWN),
                replay.in_exec,
                effects,
                "" if error is None else show_reply(error),
                None if new.data is None else kind_of(new.data),
                new.expire_at_ms,
                key,
            )
        )

    def _before_sweep(self, engine: Engine, name: bytes) -> dict[int, _Moment | list[bytes]]:
        """Return what is needed to know what a command did to keys that it does not name."""
        dbs = self._dbs(engine)
        if name == b"SWAPDB":
            # No key of a database changes, but its number.
            return {index: _Moment(db.keys, db.expires) for index, db in dbs.items()}
        if name in SWEEPING:
            # All others delete.
            return {index: list(self._chosen(db.keys)) for index, db in dbs.items()}
        return {
            index: _Moment(
                {key: db.keys[key] for key in keys},
                {key: db.expires[key] for key in keys if key in db.expires},
                {key: _size_of(db.keys[key]) for key in keys},
            )
            for index, db in dbs.items()
            for keys in [list(self._chosen(db.keys))]
        }

    def _after_sweep(
        self, command: _Command, swept: dict[int, _Moment | list[bytes]], others: frozenset[bytes]
    ) -> None:
        """Report what a command did to keys that it does not name."""
        dbs = self._dbs(command.replay.engine)
        for index in sorted({*swept, *dbs}):
            before = swept.get(index, _EMPTY)
            db = dbs[index]
            if isinstance(before, list):
                for key in before:
                    if key not in db.keys:
                        self._touch(command, key, index, ("deleted",), _GONE)
                continue
            if db.keys is before.keys:
                continue
            after = _Moment(db.keys, db.expires)
            for keys, known in ((before.keys, ()), (db.keys, before.keys)):
                for key in self._chosen(keys):
                    if key not in known and key not in others:
                        new = after.look(key)
                        effects = _effects(before.look(key), new, is_named=False)
                        if effects:
                            self._touch(command, key, index, effects, new)

    def _add(self, touch: Touch) -> None:
        self.touches += 1
        is_deleted = "deleted" in touch.effects
        if is_deleted:
            self._deleted += 1
            self._last_deletion = touch
        counts, key = self._counts, touch.key
        if counts is not None:
            if key in counts or len(counts) < KEPT_KEYS:
                counts[key] = counts.get(key, 0) + 1
                if is_deleted:
                    self._deletions[key, touch.db] = touch
                elif touch.kind is not None:
                    self._deletions.pop((key, touch.db), None)
            else:
                self._counts = None
                self._deletions.clear()
        self._on_touch(touch)

    def _dbs(self, engine: Engine) -> Mapping[int, Db]:
        """Return the databases in which keys are looked for."""
        only = self._db
        if only is None:
            return engine.dbs
        return {only: engine.dbs[only]} if only in engine.dbs else {}

    def _chosen(self, keys: Mapping[bytes, object]) -> Iterable[bytes]:
        """Return those of the keys of a database that are looked for."""
        if self.watched.has_patterns:
            return self.watched.only(keys)
        return [key for key in self.watched.exact if key in keys]

    def _look(self, engine: Engine, key: bytes, here: int, where: int | None) -> dict[int, _Look]:
        """Return the key in a database, or in each; values are kept for comparison only in the current one."""
        looks = {}
        for index in engine.dbs if where is None else (where,):
            if self._db not in (None, index):
                continue
            looks[index] = _look_at(engine.dbs[index], key, compare=index == here)
        return looks


def _look_at(db: Db, key: bytes, *, compare: bool) -> _Look:
    """Return a key in a database; ``compare``: its value is kept for comparison, unless it is large."""
    data = db.keys.get(key)
    if data is None:
        return _GONE
    expire_at_ms = db.expires.get(key) if db.expires else None
    if type(data) is bytes:
        return _Look(data, 0, data if compare else None, expire_at_ms)
    size = _size_of(data)
    return _Look(data, size, _mark_of(data) if compare and size <= _COMPARED else None, expire_at_ms)


def _calls_in(engine: Engine, argv: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Return the commands that a script or an RREPLAY stands for, as far as they are known."""
    from rdbtool.engine.commands.scripts import calls_of  # noqa: PLC0415 - rarely needed

    found: list[Sequence[bytes]] = []
    for command in unwrap(argv):
        found += calls_of(engine, command) if command[0].upper() in _SCRIPTS else [command]
    return found


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


def _effects(old: _Look, new: _Look, *, is_named: bool) -> tuple[str, ...]:
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
