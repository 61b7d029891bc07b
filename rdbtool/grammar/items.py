"""Reading a file item by item: the body of the loop (format A1), with state, errors and traces."""

from __future__ import annotations

from collections.abc import Callable

from construct import ConstructError

from rdbtool.core.errors import FormatError, OversizeError, RdbToolError
from rdbtool.core.light_typing import TypeVar
from rdbtool.core.location import Where
from rdbtool.core.rdb_types import CHECKSUM_SINCE, ValueType
from rdbtool.core.servers import KEYDB, PRODUCT_BY_OPCODE, product_of_aux
from rdbtool.grammar.header import HEADER_SIZE, check_header, detect_magic, parse_header
from rdbtool.grammar.lift import Rest, lift_item, lift_record
from rdbtool.grammar.primitives import text
from rdbtool.grammar.reading import Bytestream, MemoryStream, ParsePosition, Reading
from rdbtool.grammar.record import Unit, read_unit
from rdbtool.grammar.refusal import as_our_error
from rdbtool.grammar.state import FileState
from rdbtool.grammar.trace import Trace, Tracer
from rdbtool.model import Header, Item, KeyRecord
from rdbtool.model.items import REST_SAMPLE

_T = TypeVar("_T")

_CHECKSUM_SIZE = 8
_PIECE = 1 << 20


def read_header(stream: Bytestream) -> Header:
    """Return the header at the stream's position.

    Raises UnsupportedError for what is not an RDB and for versions newer than this release knows, FormatError for a
    header that no server writes.
    """
    return _read_header(stream, None)


def trace_header(stream: Bytestream) -> Trace:
    """Return the header as a tree; see ``trace_item``."""
    tracer = Tracer(stream.tell())
    header, error = _attempt(lambda: _read_header(stream, tracer))
    return Trace(tracer.finish("header"), error, header)


def read_item(stream: Bytestream, state: FileState) -> Item | KeyRecord | None:
    """Return the item (an opcode or a key with its value) at the stream's position and update ``state``.

    None for what belongs to the next key: EXPIRETIME, EXPIRETIME_MS, IDLE, FREQ and KEY_META change only the state.
    After an error the stream is somewhere in the item and the state is unchanged.

    Raises FormatError with offset, path and key; UnsupportedError for unknown numbers that have a meaning;
    OversizeError for a string above the limits.
    """
    return _read_item(stream, state, None)


def trace_item(stream: Bytestream, state: FileState, *, max_children: int | None = None) -> Trace:
    """Read the item at the stream's position as ``read_item`` does; return it as a tree that names every byte.

    Errors are not raised: the tree then ends where reading stopped. ``max_children``: for longer runs of children, the
    middle is replaced by one node with their number.
    """
    tracer = Tracer(stream.tell(), max_children)
    item, error = _attempt(lambda: _read_item(stream, state, tracer))
    return Trace(tracer.finish(), error, item)


def _attempt(read: Callable[[], _T]) -> tuple[_T | None, RdbToolError | None]:
    try:
        return read(), None
    except RdbToolError as error:
        return None, error


def _read_header(stream: Bytestream, tracer: Tracer | None) -> Header:
    at = stream.tell()
    data = stream.read(HEADER_SIZE)
    magic = detect_magic(data)
    reading = Reading(MemoryStream(data, at), ParsePosition(tracer))
    try:
        parsed = parse_header(reading, magic)
    except ConstructError as error:
        raise as_our_error(error, reading.tell(), at, Where(path=reading.place.describe_path())) from None
    return check_header(parsed, at)


def _read_item(stream: Bytestream, state: FileState, tracer: Tracer | None) -> Item | KeyRecord | None:
    return accept_unit(parse_unit(stream, state, tracer), stream, state)


def parse_unit(stream: Bytestream, state: FileState, tracer: Tracer | None = None) -> Unit:
    """Return the unit at the stream's position, not converted to the model. Raises as ``read_item`` does."""
    start = stream.tell()
    place = ParsePosition(tracer, state.max_inflate, state.templates)
    reading = Reading(stream, place)
    try:
        unit = read_unit(reading, state)
    except OversizeError as error:
        error.place(Where("", state.db, place.key, place.kind))
        raise
    except ConstructError as error:
        is_key = place.kind is not None
        if is_key and state.pending_start is not None:
            start = state.pending_start
        record = state.records + 1 if is_key else None
        where = Where("", state.db, place.key, place.kind, record, place.describe_path())
        raise as_our_error(error, reading.tell(), start, where) from None
    state.value_at, state.value_stop = place.value_at, place.value_stop
    if tracer is not None:
        tracer.root.name = unit.row.name
    return unit


def accept_unit(unit: Unit, stream: Bytestream, state: FileState) -> Item | KeyRecord | None:
    """Convert a unit to the model and update the state."""
    if isinstance(unit.row, ValueType):
        record = lift_record(unit, state)
        if unit.body.get("member_expiry"):
            state.fork = state.fork or KEYDB.name
        state.records += 1
        state.forget_pending()
        return record
    rest = _check_end(unit, stream, state) if unit.row.name == "EOF" else None
    _apply(unit, state)
    return lift_item(unit, rest)


def _apply(unit: Unit, state: FileState) -> None:
    body = unit.body
    match unit.row.name:
        case "SELECTDB":
            state.db = body.db
        case "EXPIRETIME":
            _await_expiry(unit, state, body.seconds * 1000)
        case "EXPIRETIME_MS":
            _await_expiry(unit, state, body.ms)
        case "IDLE":
            state.idle_s = body.seconds
            state.await_key(unit.start)
        case "FREQ":
            state.freq = body.counter
            state.await_key(unit.start)
        case "KEY_META":
            state.meta = body.raw
            state.await_key(unit.start)
        case "HASH_TEMPLATE":
            state.templates[body.id] = tuple(map(text, body.fields))
        case "AUX" | "RAM_LRU" | "SLOT_NUM":
            state.fork = state.fork or _name_product(unit)


def _name_product(unit: Unit) -> str | None:
    """Return the product that an aux field or opcode identifies."""
    product = PRODUCT_BY_OPCODE.get(unit.row.code)
    if unit.row.name == "AUX":
        product = product_of_aux(text(unit.body.key), text(unit.body.value))
    return None if product is None else product.name


def _await_expiry(unit: Unit, state: FileState, expire_at_ms: int) -> None:
    """Keep an expiry for the next key: the last one wins, and -1 ms removes it (format A5)."""
    state.expire_at_ms = None if expire_at_ms == -1 else expire_at_ms
    state.await_key(unit.start)


def _check_end(unit: Unit, stream: Bytestream, state: FileState) -> Rest:
    """Compare the checksum (format A9); return what follows it."""
    stored = unit.body.crc64
    at = unit.start + 1
    if stored and state.crc_at is not None:
        computed = state.crc_at(at)
        if computed not in (None, stored):
            expected, found = f"checksum {computed:016x}", f"{stored:016x}"
            raise FormatError("RDB004", "checksum", at, expected, found, file_kind="rdb", start=unit.start)
    rest = Rest(0, 0, b"") if state.embedded else _look_behind(stream)
    if state.version < CHECKSUM_SINCE and rest.trailing == _CHECKSUM_SIZE:
        found = (
            f"a checksum: the version field, {state.version}, is corrupt (a lower version also disables the checksum)"
        )
        expected = "the end of the file"
        raise FormatError("RDB003", "old-version", at, expected, found, file_kind="rdb", start=unit.start)
    return rest


def _look_behind(stream: Bytestream) -> Rest:
    """Return what follows; if the stream does not know how much that is, read to its end."""
    left = stream.left()
    count = padding = 0
    sample = b""
    while (left is None or len(sample) < REST_SAMPLE) and (piece := stream.read(_PIECE)):
        count += len(piece)
        if not sample:
            rest = piece.lstrip(b"\0")
            padding += len(piece) - len(rest)
            piece = rest
        sample = (sample + piece)[:REST_SAMPLE]
    return Rest(count if left is None else left, padding, sample)
