"""Bitmaps: SETBIT, BITOP and BITFIELD. Bit 0 is the highest bit of the first byte (format D5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import reduce
from operator import and_, or_, xor

from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.engine.arguments import INT64_MAX, parse_int
from rdbtool.engine.command_errors import SYNTAX, CommandError, DifferingEffectError
from rdbtool.engine.commands.strings import MAX_STRING, find_string, open_string, refuse_size, store_string
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import command
from rdbtool.engine.inference.differing import differs_as
from rdbtool.engine.replies import Reply
from rdbtool.engine.values import StringData

_NOT_A_BIT: Final = "ERR bit is not an integer or out of range"
_NOT_AN_OFFSET: Final = "ERR bit offset is not an integer or out of range"
_NOT_A_TYPE: Final = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
_TYPE: Final = re.compile(rb"([iu])([1-9][0-9]?)")


@command("SETBIT")
def setbit(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """SETBIT key offset value."""
    offset = _parse_offset(engine, argv[2])
    bit = argv[3]
    if bit not in (b"0", b"1"):
        raise CommandError(_NOT_A_BIT)
    at, mask = offset >> 3, 128 >> (offset & 7)
    data = open_string(find_string(engine.db, argv[1]), at + 1)
    before = data[at] & mask
    if bit == b"1":
        data[at] |= mask
    else:
        data[at] &= ~mask
    store_string(engine.db, argv[1], data)
    return 1 if before else 0


def _parse_offset(engine: Engine, text: bytes, width: int = 0, *, is_write: bool = True) -> int:
    """Return a bit offset; with a width, ``#n`` counts in fields of that width."""
    if width and text[:1] == b"#":
        offset = parse_int(text[1:], _NOT_AN_OFFSET) * width
    else:
        offset = parse_int(text, _NOT_AN_OFFSET)
    if not 0 <= offset <= INT64_MAX:
        raise CommandError(_NOT_AN_OFFSET)
    if is_write and offset >= MAX_STRING * 8:
        refuse_size(engine, _NOT_AN_OFFSET)
    return offset


def _diff(values: Sequence[int]) -> int:
    return values[0] & ~reduce(or_, values[1:])


def _diff1(values: Sequence[int]) -> int:
    return reduce(or_, values[1:]) & ~values[0]


def _andor(values: Sequence[int]) -> int:
    return values[0] & reduce(or_, values[1:])


def _one(values: Sequence[int]) -> int:
    once = twice = 0
    for value in values:
        twice |= once & value
        once |= value
    return once & ~twice


#: How the sources combine; their bits past the end are zeros.
_OPERATIONS: Final[dict[bytes, Callable[[Sequence[int]], int]]] = {
    b"AND": lambda values: reduce(and_, values),
    b"OR": lambda values: reduce(or_, values),
    b"XOR": lambda values: reduce(xor, values),
    b"NOT": lambda values: ~values[0],
    b"DIFF": _diff,
    b"DIFF1": _diff1,
    b"ANDOR": _andor,
    b"ONE": _one,
}


@command("BITOP")
def bitop(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """BITOP operation destination key [key ...]."""
    name = argv[1].upper()
    operation = _OPERATIONS.get(name)
    if operation is None or not engine.knows(b"BITOP", name):
        raise CommandError(SYNTAX)
    if name == b"NOT" and len(argv) != 4:
        raise CommandError("ERR BITOP NOT must be called with a single source key.")
    if name in (b"DIFF", b"DIFF1", b"ANDOR") and len(argv) < 5:
        raise CommandError(f"ERR BITOP {name.decode()} must be called with at least two source keys.")
    sources = [find_string(engine.db, key) or b"" for key in argv[3:]]
    size = max(map(len, sources))
    if not size:
        engine.db.delete(argv[2])
        return 0
    bits = operation([int.from_bytes(source, "little") for source in sources])
    if name == b"NOT":
        bits += 1 << (8 * size)
    engine.db.replace(argv[2], bits.to_bytes(size, "little"))
    return size


class _Field(NamedTuple):
    """One operation of BITFIELD: GET, SET or INCRBY. ``value`` is the new value, or what to add."""

    operation: bytes
    signed: bool
    width: int
    offset: int
    value: int
    overflow: bytes


def _has_i64(_engine: Engine, argv: Sequence[bytes]) -> bool:
    return b"i64" in argv


@command("BITFIELD")
@differs_as("redis-3.2", "redis-5.0", when=_has_i64)
def bitfield(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """BITFIELD key [GET type offset | [OVERFLOW mode] SET type offset value | INCRBY type offset step] ...."""
    fields = _parse_fields(engine, argv)
    value = find_string(engine.db, argv[1])
    writes = [field for field in fields if field.operation != b"GET"]
    if not writes:
        return [_read_field(value or b"", field) for field in fields]
    size = max((field.offset + field.width + 7) >> 3 for field in writes)
    data = open_string(value, size)
    replies: list[Reply] = []
    differs = False
    for field in fields:
        if field.operation == b"GET":
            replies.append(_read_field(data, field))
            continue
        # Up to Redis 6.0.5 all bits of an i64 become those of its sign: when it overflows, and of a negative one.
        is_sign_only = not engine.rules.has((6, 0)) and field.signed and field.width == 64
        reply, fits = _write_field(data, field, is_sign_only=is_sign_only)
        replies.append(reply)
        differs |= is_sign_only and not fits and field.overflow != b"WRAP" and not engine.rules.has((5, 0))
    store_string(engine.db, argv[1], data)
    if differs:
        raise DifferingEffectError("what becomes of an i64 that overflows depends on the compiler of the server")
    return replies


def _parse_fields(engine: Engine, argv: Sequence[bytes]) -> list[_Field]:
    """Return the operations of a BITFIELD."""
    fields = []
    overflow = b"WRAP"
    at = 2
    while at < len(argv):
        name, left = argv[at].upper(), len(argv) - at - 1
        if name == b"OVERFLOW" and left >= 1:
            overflow = argv[at + 1].upper()
            if overflow not in (b"WRAP", b"SAT", b"FAIL"):
                raise CommandError("ERR Invalid OVERFLOW type specified")
            at += 2
            continue
        if not (name == b"GET" and left >= 2) and not (name in (b"SET", b"INCRBY") and left >= 3):
            raise CommandError(SYNTAX)
        match = _TYPE.fullmatch(argv[at + 1])
        if match is None or int(match[2]) > (64 if match[1] == b"i" else 63):
            raise CommandError(_NOT_A_TYPE)
        width = int(match[2])
        offset = _parse_offset(engine, argv[at + 2], width, is_write=name != b"GET")
        value = 0 if name == b"GET" else parse_int(argv[at + 3])
        fields.append(_Field(name, match[1] == b"i", width, offset, value, overflow))
        at += 3 if name == b"GET" else 4
    return fields


def _read_field(data: bytes | StringData, field: _Field) -> int:
    """Return the number in a field; bits past the end are zeros."""
    start, stop = field.offset >> 3, (field.offset + field.width + 7) >> 3
    window = int.from_bytes(data[start:stop], "big") << 8 * (stop - max(start, min(stop, len(data))))
    return _as_number(window >> 8 * stop - field.offset - field.width, field)


def _as_number(bits: int, field: _Field) -> int:
    """Return what the lowest bits mean to a field."""
    number = bits & (1 << field.width) - 1
    return number - (1 << field.width) if field.signed and number >> field.width - 1 else number


def _write_field(data: StringData, field: _Field, *, is_sign_only: bool) -> tuple[int | None, bool]:
    """Write one field; return the reply, and whether the value had its range.

    The reply is the sum, or what SET replaced; None where nothing was written, because the value overflowed.
    """
    start, stop = field.offset >> 3, (field.offset + field.width + 7) >> 3
    window = int.from_bytes(data[start:stop], "big")
    shift = 8 * stop - field.offset - field.width
    mask = (1 << field.width) - 1
    low, high = (-(1 << (field.width - 1)), (1 << (field.width - 1)) - 1) if field.signed else (0, mask)
    value = field.value
    adds = field.operation == b"INCRBY"
    old = window >> shift & mask
    if old > high:
        old = -1 if is_sign_only else old - (1 << field.width)
    if adds:
        value += old
    elif not field.signed and value < 0:
        # Servers take the value of an unsigned SET as 64 bits without a sign: it is too high, not too low.
        value += 1 << 64
    fits = low <= value <= high
    if not fits:
        if field.overflow == b"FAIL":
            return None, False
        if field.overflow == b"SAT":
            # Of a SET, servers take the distance to the highest in 64 bits: a value too far below looks too high.
            is_far = not adds and high - value > INT64_MAX
            value = low if value < low and not is_far else high
        elif is_sign_only:
            value = -1 if value & 1 << 63 else 0
    window = (window & ~(mask << shift)) | (value & mask) << shift
    data[start:stop] = window.to_bytes(stop - start, "big")
    return _as_number(value, field) if adds else old, fits
