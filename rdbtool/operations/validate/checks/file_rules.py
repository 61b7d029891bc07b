"""Rules for everything outside the records: databases, announced sizes, functions, aux fields, the end mark.

Items are received in file order; the results are remarks, which become findings when the server rules are known.
"""

from __future__ import annotations

from rdbtool.core.functions import read_header, registers_nothing
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.rdb_types import CHECKSUM_SINCE, MEMBER_EXPIRY_AUX, WRITER_FIELDS
from rdbtool.core.servers import BUILT_IN, PRODUCT_BY_AUX, Rules
from rdbtool.model import (
    Aux,
    End,
    FunctionLibrary,
    Header,
    Item,
    ModuleAux,
    ProductOpcode,
    ResizeDb,
    SelectDb,
    SlotInfo,
)
from rdbtool.operations.validate.checks.rule import Refuses, Severity, always, never, quoted, since
from rdbtool.reader.open.windows import check_rest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rdbtool.reader.rdb import Totals

#: Remarks kept per code; the rest is counted.
_KEPT: Final = 100

#: Databases whose announced sizes are remembered.
_DATABASES: Final = 4096

#: Milliseconds that the clock of a writer may be ahead.
_SKEW_MS: Final = 60_000

_HEX_DIGITS: Final = b"0123456789abcdef"
_VERSION_CHARACTERS: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.+_-"


def _is_slot_info(value: bytes) -> bool:
    numbers = value.split(b",")
    return len(numbers) in (3, 4) and all(map(bytes.isdigit, numbers))


def _is_number(value: bytes) -> bool:
    digits = value.removeprefix(b"-")
    return digits.isdigit() and len(digits) <= 20


def _is_time(value: bytes) -> bool:
    return value.isdigit() and len(value) <= 12


def _is_flag(value: bytes) -> bool:
    return value in (b"0", b"1")


def _is_version(value: bytes) -> bool:
    return 0 < len(value) <= 64 and not value.translate(None, _VERSION_CHARACTERS)


#: Formats of the servers' aux fields.
_AUX_VALUES: Final[dict[bytes, Callable[[bytes], bool]]] = {
    b"redis-bits": (b"32", b"64").__contains__,
    b"ctime": _is_time,
    b"used-mem": _is_number,
    b"repl-stream-db": _is_number,
    b"repl-id": lambda value: len(value) == 40 and not value.translate(None, _HEX_DIGITS),
    b"repl-offset": _is_number,
    b"aof-base": _is_flag,
    b"aof-preamble": _is_flag,
    **dict.fromkeys(WRITER_FIELDS.values(), _is_version),
}

#: Fields with programs or texts as values, and those of other products.
_ANY_VALUE: Final = frozenset({b"lua", b"cluster-slot-states", b"cluster-asm-task", b"snapshot-id", *PRODUCT_BY_AUX})


class Remark(NamedTuple):
    """A finding whose severity depends on the server rules.

    ``at_server_level``: its severity at that level, if it is neither refused nor loaded by all servers of the rules.
    """

    code: str
    severity: Severity
    offset: int
    message: str
    refuses: Refuses
    db: int | None = None
    at_server_level: Severity | None = None


class ItemJudge:
    """Checks the items of a file. ``remarks`` are the first of each code, ``more`` counts the others.

    ``keys`` is the number of records read so far; ``databases`` the number of databases of the server, ``now_ms`` the
    time (Unix ms, 0: unknown).
    """

    def __init__(self, keys: Callable[[], int], databases: int, now_ms: int) -> None:
        self.remarks: list[Remark] = []
        self.more: dict[tuple[Severity, Refuses], int] = {}
        self._times: dict[str, int] = {}
        self._keys = keys
        self._databases = databases
        self._now_ms = now_ms
        self._db = 0
        self._announced: dict[int, ResizeDb] = {}
        self._slot: tuple[SlotInfo, int] | None = None
        self._libraries: set[bytes] = set()
        #: Where the data of a module begins, by the module's type.
        self._modules: dict[str, int] = {}
        self._mark: ProductOpcode | None = None
        self._marks = 0

    def on_item(self, item: Item) -> None:
        """Check an item."""
        if isinstance(item, Aux):
            self._check_aux(item)
        elif isinstance(item, SelectDb):
            self._check_db(item)
        elif isinstance(item, ResizeDb):
            if len(self._announced) < _DATABASES:
                self._announced[self._db] = item
        elif isinstance(item, SlotInfo):
            self._end_slot()
            self._slot = item, self._keys()
        elif isinstance(item, FunctionLibrary):
            self._check_library(item)
        elif isinstance(item, ModuleAux):
            self._modules.setdefault(item.module, item.span.start)
        elif isinstance(item, ProductOpcode):
            self._mark = self._mark or item
            self._marks += 1
        elif isinstance(item, End):
            self._check_end(item)

    def interrupt(self) -> None:
        """Forget the sizes announced for the keys that follow, because of damage among them."""
        self._slot = None

    def conclude(self, header: Header, end: End | None, totals: Totals) -> None:
        """Check what is only known at the end."""
        if end is not None and not end.checksum:
            had = "RDB {} has none" if header.version < CHECKSUM_SINCE else "rdbchecksum was off"
            message = (
                f"no checksum ({had.format(header.version)}): the structure was checked; "
                "changed values cannot be detected"
            )
            self.say(Remark("RDB361", "warning", end.span.start, message, never))
        if end is not None:
            for db, said in self._announced.items():
                found = totals.by_db.get(db, (0, 0))
                if (said.keys, said.expires) != found:
                    message = (
                        f"announced: {_count(said.keys, 'key')}, {said.expires} with an expiry; "
                        f"the file holds {found[0]}, {found[1]} with an expiry"
                    )
                    self.say(Remark("RDB351", "note", said.span.start, message, never, db))
        modules = totals.by_kind.get("module", 0)
        if modules:
            message = f"{_count(modules, 'module value')}: structure checked, content known only to the module"
            self.say(Remark("RDB353", "note", 0, message, never))

    def check_product(self, *, is_asked_for: bool) -> None:
        """Check opcodes that only one product writes. ``is_asked_for``: server rules were given."""
        if self._mark is not None:
            more = "" if self._marks == 1 else f", the first of {self._marks:,} such opcodes"
            message = f"opcode {self._mark.name}, which only Redis Enterprise writes and reads{more}"
            severity: Severity = "error" if is_asked_for else "note"
            self.say(Remark("RDB364", severity, self._mark.span.start, message, always if is_asked_for else never))

    def check_modules(self, values: Mapping[str, tuple[int, int, int]], rules: Rules) -> None:
        """Report the modules that a server needs; ``values`` as in ``Check.modules``."""
        for name in sorted({*self._modules, *values}):
            built_in = BUILT_IN.get(name)
            if built_in is not None and rules.has(built_in.redis, built_in.valkey):
                continue
            count, start, _ = values.get(name, (0, 0, 0))
            holds = [_count(count, "value")] if count else []
            if name in self._modules:
                holds.append("data outside the keys")
                start = self._modules[name]
            message = f"only a server with a module of the type {quoted(name.encode())} loads this: {', '.join(holds)}"
            self.say(Remark("RDB357", "note", start, message, never, at_server_level="warning"))

    def check_version(self, header: Header, rules: Rules) -> None:
        """Check whether the given server reads files of this version at all."""
        if not rules.reads(header.magic, header.version):
            message = f"{rules} does not read RDB version {header.version} of {header.magic.capitalize()}"
            self.say(Remark("RDB363", "error", 0, message, always))

    def say(self, remark: Remark) -> None:
        """Keep a remark, or count it."""
        times = self._times[remark.code] = self._times.get(remark.code, 0) + 1
        if times <= _KEPT:
            self.remarks.append(remark)
        else:
            what = remark.severity, remark.refuses
            self.more[what] = self.more.get(what, 0) + 1

    def _check_db(self, item: SelectDb) -> None:
        self._end_slot()
        self._db = item.db
        if item.db >= self._databases:
            message = f"expected a database below {self._databases}, found {item.db}"
            self.say(Remark("RDB306", "error", item.span.start, message, always, item.db))

    def _check_end(self, item: End) -> None:
        self._end_slot()
        rest = check_rest(item)
        if rest is not None:
            code, severity, offset, message = rest
            self.say(Remark(code, severity, offset, message, never))

    def _end_slot(self) -> None:
        if self._slot is None:
            return
        said, before = self._slot
        self._slot = None
        found = self._keys() - before
        if found != said.keys:
            message = f"announced for slot {said.slot}: {_count(said.keys, 'key')}; the file holds {found}"
            self.say(Remark("RDB352", "note", said.span.start, message, never, self._db))

    def _check_library(self, item: FunctionLibrary) -> None:
        at = item.span.start
        if not item.released:
            message = "expected a library in the form of Redis 7.0, found that of its release candidates"
            self.say(Remark("RDB343", "error", at, message, since((7, 0))))
            return
        try:
            engine, name = read_header(item.code)
        except ValueError as error:
            message = f"expected a first line such as #!lua name=mylib: {error}"
            self.say(Remark("RDB341", "error", at, message, since((7, 0))))
            return
        if engine.lower() != b"lua":
            message = f"expected a library for the engine lua, found {quoted(engine)}, which needs a module"
            self.say(Remark("RDB341", "warning", at, message, since((7, 0))))
        elif registers_nothing(item.code):
            message = f"expected a library that registers functions, found none in {quoted(name)}"
            self.say(Remark("RDB345", "error", at, message, since((7, 0))))
        else:
            message = (
                f"the function library {quoted(name)} was not compiled: only a server can tell whether it is valid"
            )
            self.say(Remark("RDB344", "note", at, message, never, at_server_level="note"))
        if name in self._libraries:
            message = f"library {quoted(name)} occurs twice"
            self.say(Remark("RDB342", "error", at, message, since((7, 0))))
        self._libraries.add(name)

    def _check_aux(self, item: Aux) -> None:
        name = item.key.lower()
        at = item.span.start
        if name == MEMBER_EXPIRY_AUX[1]:
            message = f"a member expiry ({quoted(item.value)}) that follows no key"
            self.say(Remark("RDB365", "warning", at, message, never))
        if name == b"slot-info":
            if not _is_slot_info(item.value):
                message = f"expected slot, keys and expiries as numbers, found {quoted(item.value)}"
                self.say(Remark("RDB356", "error", at, message, since(None, (8, 0))))
            return
        is_usual = _AUX_VALUES.get(name)
        if is_usual is not None:
            if not is_usual(item.value):
                message = f"the aux field {quoted(item.key)} is {quoted(item.value)}, which no server writes"
                self.say(Remark("RDB354", "note", at, message, never))
            elif name == b"ctime" and 0 < self._now_ms < int(item.value) * 1000 - _SKEW_MS:
                message = f"created at {int(item.value)} (Unix seconds), which is in the future"
                self.say(Remark("RDB355", "note", at, message, never))
        elif name not in _ANY_VALUE and not name.startswith(b"%") and not _is_text(item.value):
            message = f"the aux field {quoted(item.key)}, which no server writes, holds binary data"
            self.say(Remark("RDB354", "note", at, message, never))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _is_text(value: bytes) -> bool:
    try:
        return value.decode().isprintable()
    except UnicodeDecodeError:
        return False
