"""Keys whatever they hold: deletion, expiry, renaming, moving, copying and flushing (format D4).

Points in time are read here, too, as commands give them: relative or absolute, in seconds or milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy

from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.servers import KEYDB
from rdbtool.engine.arguments import INT64_MAX, INT64_MIN, parse_int
from rdbtool.engine.command_errors import NO_SUCH_KEY, NOT_AN_INTEGER, SYNTAX, CommandError, UnknownEffectError
from rdbtool.engine.handlers import command
from rdbtool.engine.keyspace import Db
from rdbtool.engine.replies import OK, Reply
from rdbtool.engine.values import HashData, ListData, SetData, StringData, ZSetData
from rdbtool.model import ArrayValue, OpaqueValue

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

_SAME_OBJECT: Final = "ERR source and destination objects are the same"
_NO_SUCH_DB: Final = "ERR DB index is out of range"
_CONDITIONS: Final = (b"NX", b"XX", b"GT", b"LT")
_INT32: Final = range(-(1 << 31), 1 << 31)

#: A server keeps this as the expiry of a key that has none.
_NO_EXPIRY: Final = -1


@command("DEL")
@command("UNLINK")
def del_(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """DEL key [key ...]."""
    db = engine.db
    if len(argv) == 2:
        return 1 if db.delete(argv[1]) else 0
    deleted = 0
    for key in argv[1:]:
        deleted += db.delete(key)
    return deleted


@command("EXPIRE")
def expire(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """EXPIRE key seconds [NX | XX | GT | LT]."""
    return _expire(engine, argv, b"EX", "expire")


@command("EXPIREAT")
def expireat(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """EXPIREAT key unix-seconds [NX | XX | GT | LT]."""
    return _expire(engine, argv, b"EXAT", "expireat")


@command("PEXPIRE")
def pexpire(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """PEXPIRE key milliseconds [NX | XX | GT | LT]."""
    return _expire(engine, argv, b"PX", "pexpire")


@command("PEXPIREAT")
def pexpireat(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """PEXPIREAT key unix-milliseconds [NX | XX | GT | LT]."""
    return _expire(engine, argv, b"PXAT", "pexpireat")


def _expire(engine: Engine, argv: Sequence[bytes], unit: bytes, name: str) -> int:
    """Set an expiry; one in the past too, because nothing is deleted for it while loading."""
    conditions = _parse_conditions(argv[3:]) if len(argv) > 3 and _takes_conditions(engine, argv) else None
    when = parse_when(engine, argv[2], unit, name)
    db, key = engine.db, argv[1]
    if key not in db.keys or (conditions and not _allows(conditions, db.expires.get(key), when)):
        return 0
    if when == _NO_EXPIRY:
        db.expires.pop(key, None)
    else:
        db.expires[key] = when
    return 1


def _takes_conditions(engine: Engine, argv: Sequence[bytes]) -> bool:
    """Return whether the server looks at arguments after the time: before 7.0 there were none to look at."""
    word = argv[3].upper()
    return engine.knows(argv[0].upper(), word if word in _CONDITIONS else b"NX")


def _parse_conditions(words: Sequence[bytes]) -> set[bytes]:
    conditions = set()
    for word in words:
        if word.upper() not in _CONDITIONS:
            raise CommandError(f"ERR Unsupported option {word.decode('utf-8', 'backslashreplace')}")
        conditions.add(word.upper())
    if b"NX" in conditions and len(conditions) > 1:
        raise CommandError("ERR NX and XX, GT or LT options at the same time are not compatible")
    if {b"GT", b"LT"} <= conditions:
        raise CommandError("ERR GT and LT options at the same time are not compatible")
    return conditions


def _allows(conditions: set[bytes], current: int | None, when: int) -> bool:
    """Whether conditions permit a new expiry; a key without one counts as never expiring."""
    if current is None:
        return conditions <= {b"NX", b"LT"}
    return not (
        b"NX" in conditions or (b"GT" in conditions and when <= current) or (b"LT" in conditions and when >= current)
    )


@command("PERSIST")
def persist(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """PERSIST key; KeyDB: PERSIST key [member]. Without a member, the members' expiries go with that of the key."""
    data = engine.db.keys.get(argv[1])
    expires = data.expires if isinstance(data, SetData | HashData | ZSetData) else None
    if len(argv) > 2 and KEYDB.name in engine.products:
        return 0 if expires is None or expires.pop(argv[2], None) is None else 1
    had_expiry = engine.db.expires.pop(argv[1], None) is not None
    if expires is not None and (not isinstance(data, HashData) or data.keeps):
        expires.clear()
    return 1 if had_expiry else 0


@command("RENAME")
def rename(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """RENAME key newkey: the expiry moves with the key."""
    source, target = argv[1], argv[2]
    _check_names(engine, source, target)
    if source != target:
        _place(engine.db, target, *_take(engine.db, source))
    return OK


@command("RENAMENX")
def renamenx(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """RENAMENX key newkey: nothing happens where the new key exists."""
    source, target = argv[1], argv[2]
    _check_names(engine, source, target)
    if target in engine.db.keys:
        return 0
    _place(engine.db, target, *_take(engine.db, source))
    return 1


def _check_names(engine: Engine, source: bytes, target: bytes) -> None:
    """Raise CommandError where there is nothing to rename; before 3.2 also where both names are the same."""
    if source == target and not engine.rules.has((3, 2)):
        raise CommandError(_SAME_OBJECT)
    if source not in engine.db.keys:
        raise CommandError(NO_SUCH_KEY)


def _take(db: Db, key: bytes) -> tuple[object, int | None]:
    """Remove a key; return its value and expiry."""
    return db.keys.pop(key), db.expires.pop(key, None)


def _place(db: Db, key: bytes, value: object, expire_at_ms: int | None) -> None:
    db.replace(key, value)
    if expire_at_ms is not None:
        db.expires[key] = expire_at_ms


@command("MOVE")
def move(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """MOVE key db: nothing happens where the key exists there."""
    source, target = engine.db, _database(engine, argv[2])
    if source is target:
        raise CommandError(_SAME_OBJECT)
    if argv[1] not in source.keys or argv[1] in target.keys:
        return 0
    _place(target, argv[1], *_take(source, argv[1]))
    return 1


@command("COPY")
def copy(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """COPY source destination [DB db] [REPLACE]: expiries, also those of fields, are copied too."""
    source = target = engine.db
    replace = False
    at = 3
    while at < len(argv):
        word = argv[at].upper()
        if word == b"REPLACE":
            replace = True
        elif word == b"DB" and at + 1 < len(argv):
            at += 1
            target = _database(engine, argv[at])
        else:
            raise CommandError(SYNTAX)
        at += 1
    if source is target and argv[1] == argv[2]:
        raise CommandError(_SAME_OBJECT)
    value = source.keys.get(argv[1])
    if value is None or (argv[2] in target.keys and not replace):
        return 0
    _place(target, argv[2], _clone(value), source.expires.get(argv[1]))
    return 1


def _clone(value: object) -> object:
    """Return a copy that changes on its own."""
    copy_of: object = value
    if isinstance(value, StringData):
        copy_of = StringData(value)
    elif isinstance(value, ListData):
        copy_of = ListData(value)
    elif isinstance(value, SetData):
        copy_of = members_of = SetData(value)
        members_of.layout = value.layout
        members_of.expires = None if value.expires is None else dict(value.expires)
    elif isinstance(value, HashData):
        copy_of = fields = HashData()
        fields.update(value)
        fields.expires = None if value.expires is None else dict(value.expires)
        fields.keeps = value.keeps
    elif isinstance(value, ZSetData):
        copy_of = members = ZSetData()
        members.update(value)
        members.expires = None if value.expires is None else dict(value.expires)
    elif not isinstance(value, bytes | OpaqueValue | ArrayValue):
        copy_of = deepcopy(value)
    return copy_of


def _database(engine: Engine, text: bytes) -> Db:
    """Return the database of an argument. Raises CommandError."""
    return engine.database(_index(engine, text))


def _index(engine: Engine, text: bytes, error: str = "") -> int:
    """Return the number of a database that the server has; ``error`` instead of the usual words if it is none."""
    number = parse_int(text, error or NOT_AN_INTEGER)
    if number not in _INT32:
        raise CommandError(error or "ERR value is out of range, value must between -2147483648 and 2147483647")
    if not 0 <= number < engine.databases:
        raise CommandError(_NO_SUCH_DB)
    return number


@command("SELECT")
def select(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SELECT db."""
    engine.select(_index(engine, argv[1]))
    return OK


@command("SWAPDB")
def swapdb(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SWAPDB db db: the connection stays on its number and sees the other database's keys."""
    first = _index(engine, argv[1], "ERR invalid first DB index")
    second = _index(engine, argv[2], "ERR invalid second DB index")
    engine.dbs[first], engine.dbs[second] = engine.database(second), engine.database(first)
    engine.select(engine.index)
    return OK


@command("FLUSHDB")
def flushdb(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """FLUSHDB [ASYNC | SYNC]."""
    _check_flush(engine, argv)
    engine.db.clear()
    return OK


@command("FLUSHALL")
def flushall(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """FLUSHALL [ASYNC | SYNC]: functions stay."""
    _check_flush(engine, argv)
    for db in engine.dbs.values():
        db.clear()
    return OK


def _check_flush(engine: Engine, argv: Sequence[bytes]) -> None:
    if len(argv) == 1:
        return
    word = argv[1].upper()
    is_known = len(argv) == 2 and word in (b"ASYNC", b"SYNC") and engine.knows(argv[0].upper(), word)
    # Before 4.0 there were no arguments to look at.
    if not is_known and engine.rules.has((4, 0)):
        raise CommandError(SYNTAX)


#: What precedes a time: (milliseconds a unit, whether it counts from now on).
UNITS: Final = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}


def parse_expiry(engine: Engine, text: bytes, option: bytes, command: str) -> int:
    """Return the Unix ms that ``EX 10`` and the like mean. Raises CommandError if it is not positive, or too far."""
    unit, relative = UNITS[option]
    number = parse_int(text)
    when = number * unit
    if relative:
        when += engine.now_ms
    if number > 0 and when > INT64_MAX:
        _refuse_overflow(engine, (6, 2))
    if number <= 0 or when > INT64_MAX:
        raise CommandError(_describe(engine, command))
    return when


def parse_when(engine: Engine, text: bytes, option: bytes, command: str) -> int:
    """Return the Unix ms that an argument of EXPIRE and the like means; it may be negative."""
    unit, relative = UNITS[option]
    now_ms = engine.now_ms if relative else 0
    when = parse_int(text) * unit
    if not INT64_MIN <= when <= INT64_MAX - now_ms:
        _refuse_overflow(engine, (7, 0))
        raise CommandError(_describe(engine, command))
    return when + now_ms


def _describe(engine: Engine, command: str) -> str:
    """Return the reply to a time that cannot be."""
    shown = f"'{command}' command" if engine.rules.has((7, 0)) else command
    return f"ERR invalid expire time in {shown}"


def _refuse_overflow(engine: Engine, since: tuple[int, int]) -> None:
    """Raise UnknownEffectError where servers stored a time that is too far as what is left of it in 64 bits."""
    if not engine.rules.has(since):
        raise UnknownEffectError("the expiry is beyond 64 bits, which not all releases of this server refuse")


class SetOptions(NamedTuple):
    """The options of SET and its kin.

    ``lifetime`` is KEEPTTL, PERSIST or one of ``UNITS``, with its ``moment``; ``condition`` is NX, XX or
    IFEQ and the like, with its ``operand``.
    """

    lifetime: bytes = b""
    moment: bytes = b""
    get: bool = False
    condition: bytes = b""
    operand: bytes = b""

    def expiry(self, engine: Engine, command: str) -> int | None:
        """Return the Unix ms at which the key is to expire, None if the options name no time. Raises CommandError."""
        return parse_expiry(engine, self.moment, self.lifetime, command) if self.lifetime in UNITS else None


def parse_set_options(
    words: Sequence[bytes],
    allowed: frozenset[bytes],
    comparisons: frozenset[bytes],
    knows: Callable[[bytes], bool] | None = None,
) -> SetOptions:
    """Read options: those of ``allowed`` stand alone, those of ``comparisons`` have a value, times always may stand.

    ``knows`` says whether the server has a word, None: it has all. At most one kind of lifetime, at most one kind of
    condition. The time itself is not read yet. Raises CommandError.
    """
    lifetime = moment = condition = operand = b""
    get = False
    at = 0
    while at < len(words):
        word = words[at].upper()
        at += 1
        if knows is not None and not knows(word):
            raise CommandError(SYNTAX)
        if word in UNITS and lifetime in (b"", word) and at < len(words):
            lifetime, moment = word, words[at]
            at += 1
        elif word in comparisons and not condition and at < len(words):
            condition, operand = word, words[at]
            at += 1
        elif word not in allowed:
            raise CommandError(SYNTAX)
        elif word == b"GET":
            get = True
        elif word in (b"NX", b"XX") and condition in (b"", word):
            condition = word
        elif word in (b"KEEPTTL", b"PERSIST") and lifetime in (b"", word):
            lifetime = word
        else:
            raise CommandError(SYNTAX)
    return SetOptions(lifetime, moment, get, condition, operand)
