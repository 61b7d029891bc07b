"""HyperLogLogs: PFADD, PFMERGE, and PFCOUNT and PFDEBUG, which change the stored bytes although they only read."""

from __future__ import annotations

from collections.abc import Sequence

from rdbtool.engine.algorithms import hyperloglog as hll
from rdbtool.engine.algorithms.cardinality import count, count_ranks
from rdbtool.engine.command_errors import CommandError
from rdbtool.engine.commands.strings import find_string, open_string, store_string
from rdbtool.engine.engine import Engine
from rdbtool.engine.handlers import command
from rdbtool.engine.inference.differing import differs_as
from rdbtool.engine.replies import OK, Later, Reply
from rdbtool.engine.values import StringData


def _find(engine: Engine, key: bytes) -> bytes | StringData | None:
    value = find_string(engine.db, key)
    if value is not None and not hll.is_valid(value):
        raise CommandError("WRONGTYPE Key is not a valid HyperLogLog string value.")
    return value


@command("PFADD")
def pfadd(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """PFADD key [element ...]."""
    value = _find(engine, argv[1])
    # A sparse one can turn out corrupted half way; a dense one cannot, and is changed in place.
    data = open_string(value) if value and value[4] == hll.DENSE else StringData(value or hll.EMPTY)
    changed = value is None
    for element in argv[2:]:
        changed |= hll.set_register(data, *hll.locate(element))
    if changed:
        hll.invalidate(data)
        store_string(engine.db, argv[1], data)
    return 1 if changed else 0


@command("PFMERGE")
@differs_as("redis-3.2")
def pfmerge(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """PFMERGE destination [source ...]."""
    ranks = bytearray(hll.REGISTERS)
    # Up to Redis 4.0.6 the result is dense always.
    dense = not engine.rules.has((4, 0))
    for key in argv[1:]:
        source = _find(engine, key)
        if source is not None:
            ranks = bytearray(map(max, ranks, hll.read_registers(source)))
            dense |= source[4] == hll.DENSE
    data = StringData(_find(engine, argv[1]) or hll.EMPTY)
    if dense:
        hll.make_dense(data)
    hll.set_registers(data, bytes(ranks))
    hll.invalidate(data)
    store_string(engine.db, argv[1], data)
    return OK


@command("PFCOUNT")
@differs_as("redis-3.2", "redis-4.0")
def pfcount(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """PFCOUNT key [key ...]: of one key with a stale cardinality, it stores the new one."""
    if len(argv) > 2:
        sources = [source for key in argv[1:] if (source := _find(engine, key)) is not None]
        for source in sources:
            if source[4] == hll.SPARSE:
                hll.read_registers(source)
        return lambda: count_ranks(_merge(sources), engine.rules)
    value = _find(engine, argv[1])
    if value is None:
        return 0
    if not value[15] & 0x80:
        return int.from_bytes(value[8:16], "little")
    cardinality = count(value, engine.rules)
    data = open_string(value)
    data[8:16] = cardinality.to_bytes(8, "little")
    store_string(engine.db, argv[1], data)
    return cardinality


def _merge(sources: Sequence[bytes | StringData]) -> bytearray:
    ranks = bytearray(hll.REGISTERS)
    for source in sources:
        ranks = bytearray(map(max, ranks, hll.read_registers(source)))
    return ranks


@command("PFDEBUG")
def pfdebug(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """PFDEBUG TODENSE | GETREG | DECODE | ENCODING key: the first two leave a dense value."""
    value = _find(engine, argv[2])
    if value is None:
        raise CommandError("ERR The specified key does not exist")
    name = argv[1].upper()
    if name not in (b"TODENSE", b"GETREG", b"DECODE", b"ENCODING"):
        raise CommandError(f"ERR Unknown PFDEBUG subcommand '{argv[1].decode('utf-8', 'backslashreplace')}'")
    is_sparse = value[4] == hll.SPARSE
    if name == b"ENCODING":
        return b"sparse" if is_sparse else b"dense"
    if name == b"DECODE":
        if not is_sparse:
            raise CommandError("ERR HLL encoding is not sparse")
        return lambda: hll.show_runs(value)
    data = value
    if is_sparse:
        data = StringData(value)
        hll.make_dense(data)
        store_string(engine.db, argv[2], data)
    if name == b"TODENSE":
        return 1 if is_sparse else 0
    return lambda: [*hll.read_registers(data)]
