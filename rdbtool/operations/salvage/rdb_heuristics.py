"""Signs of damage in an RDB, and of what was there: beginnings of records, the database after a gap."""

from __future__ import annotations

from rdbtool.core.errors import FormatError
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.core.rdb_types import REDIS, code_of
from rdbtool.operations.salvage.rdb_walker import is_plausible, read_head, read_key, read_length

if TYPE_CHECKING:
    from rdbtool.operations.salvage.input import Stock
    from rdbtool.operations.salvage.rdb_walker import Layout

#: Types and opcodes from this number on can only be opcodes.
_FIRST_OPCODE: Final = code_of("HASH_TEMPLATE")

_RESIZEDB: Final = code_of("RESIZEDB")

#: Bytes of opcodes that may precede a record.
_OPCODES: Final = 9

#: Redis hashes with field expiries, by the number of bytes before the number of fields.
_FIELDS_AT: Final = {code_of("HASH_METADATA_PRE_GA"): 0, code_of("HASH_METADATA"): 8}


def begins_record(stock: Stock, form: Layout, at: int, stop: int, *, is_last: bool) -> bool:
    """Whether the bytes from ``at`` to ``stop`` look like a damaged record or opcode."""
    first = stock.read(at, 1)
    if first >= bytes([_FIRST_OPCODE]) or stock.read(stop, 1) == bytes([_RESIZEDB]):
        return True
    head = read_head(stock, form, at)
    if head is not None and head.is_plausible and head.value_at <= stop:
        return True
    if head is None and is_last and first and first[0] in form.codes:
        return stop - at < _OPCODES  # truncated within its key
    key = read_key(stock, at + 1)
    return key is not None and is_plausible(key[0]) and key[1] <= stop


def db_after(stock: Stock, at: int, stop: int, db: int) -> int:
    """Return the database after a lost range: another one if table sizes follow, whose SELECTDB was lost."""
    if stock.read(stop, 1) != bytes([_RESIZEDB]):
        return db
    for size in (1, 2, 5):
        length = read_length(stock.read(stop - size, size)) if stop - size >= at else None
        if length is not None and length[1] == size and db < length[0] < 1 << 16:
            return length[0]
    return db + 1


def count_fields(stock: Stock, form: Layout, at: int) -> int:
    """Return the declared number of fields of the record at an offset, if its fields look like strings with keys.

    An expiry of 0 is one byte, and so is the type of a string.
    """
    head = read_head(stock, form, at) if form.magic == REDIS else None
    if head is None or head.code not in _FIELDS_AT:
        return 0
    length = read_length(stock.read(head.value_at + _FIELDS_AT[head.code], 9))
    return 0 if length is None else length[0]


def describe_fault(fault: Exception | None) -> str:
    """Return the fault as a clause."""
    if isinstance(fault, FormatError):
        return f"expected {fault.expected}, found {fault.found} ({fault.code})"
    return "a record that cannot be read" if fault is None else str(fault)


def is_end_of_data(fault: Exception | None) -> bool:
    """Whether the data ends inside a record."""
    return isinstance(fault, FormatError) and fault.code == "RDB101"
