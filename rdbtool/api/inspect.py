"""``rdbtool.inspect``: every byte of a file explained."""

from __future__ import annotations

from rdbtool.api.arguments import Source, content_of, count_of, key_of
from rdbtool.engine.keyspec import keys_of
from rdbtool.io.source import STANDARD_INPUT
from rdbtool.operations.inspect.tree import Inspection
from rdbtool.reader.inspect.aof import trace_any
from rdbtool.reader.inspect.search import Wanted, trace_wanted


def inspect(
    source: Source,
    *,
    key: str | bytes | None = None,
    at: int | None = None,
    part: str | int | None = None,
    record: int | None = None,
) -> Inspection:
    """Return what every byte of an RDB or AOF is, as trees of named byte ranges with values.

    At most one of ``key``, ``at`` and ``record`` selects records: those of a key; the one that holds the byte at an
    offset (of ``part``, a name or a number; None: the last); the N-th key of an RDB or command of an AOF, from 1. All
    trees are held in memory. Damage is ``error`` of the result. Raises InputError if there is no such record, and
    UnsupportedError.
    """
    data = content_of(source)
    if sum(choice is not None for choice in (key, at, record)) > 1:
        raise ValueError("key, at, record: only one of them can be given")
    if part is not None and at is None:
        raise ValueError("part: it says what the offset counts in, give at")
    name = STANDARD_INPUT if data == "-" else "bytes in memory" if isinstance(data, bytes) else data
    if key is None and at is None and record is None:
        return Inspection(name, tuple(trace_any(data)))
    wanted = Wanted(
        None if key is None else key_of(key),
        count_of("at", at),
        None if part is None else str(part),
        count_of("record", record, 1),
    )
    return Inspection(name, tuple(trace_wanted(data, wanted, keys_of)))
