"""What a target is able to hold, one name for each part of a record that not all targets have.

A snapshot holds what its RDB version has (format A2). Commands carry what the server that executes them has words
for (format C6, D1), whatever version of snapshots it writes; where no server is named, the first one counts
that wrote the version.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from rdbtool.core.rdb_types import MAX_FIELD_EXPIRE_MS, REDIS, VALKEY
from rdbtool.core.servers import COMMON_VERSION, Release, Rules

#: The RDB version whose forms Valkey's own numbering has.
VALKEY_LEVEL: Final = COMMON_VERSION

_NO_EXPIRY: Final = -1
_ANY_EXPIRY: Final = (1 << 63) - 1

#: The commands of Redis keep a quarter of what its files can hold.
_LAST_OF_COMMANDS: Final = MAX_FIELD_EXPIRE_MS >> 2


#: Modules that are a part of the server, by their name in files: since which release of Redis, and of Valkey.
_CORE: Final[dict[str, tuple[Release, Release | None]]] = {"vectorset": ((8, 0), None)}

#: What their values are.
_CORE_VALUES: Final = {"vectorset": "a vector set"}


class ModuleNeed(NamedTuple):
    """What there is to say of a module's data in a target; ``severity`` as in ``Loss``, None: nothing."""

    what: str
    severity: Literal["loss", "note"] | None


def need_module(module: str, what: str, server: Rules | None, origin: str | None) -> ModuleNeed:
    """Return whether a server can hold ``what`` of a module (its name as files have it), and what it needs for that.

    ``server`` None: none was named. ``origin`` is the family of the server that the data comes from, None: unknown.
    """
    name = module.rstrip("\0")
    if name in _CORE:
        since = _CORE[name]
        if server is None:
            return ModuleNeed(f"{_CORE_VALUES[name]}, which needs Redis {since[0][0]}.{since[0][1]}", "note")
        if server.has(*since):
            return ModuleNeed("", None)
        return ModuleNeed(f"{_CORE_VALUES[name]}, which {server} does not have", "loss")
    if server is not None and origin is not None and server.family != origin:
        return ModuleNeed(f"{what} of the module {name} of {origin.capitalize()}", "loss")
    return ModuleNeed(f"{what} that needs the module {name}", "note")


class Able(NamedTuple):
    """What a target is able to hold. ``last_field_expiry`` is the greatest expiry of a field in Unix ms, -1: none."""

    aux: bool
    scripts: bool  # that were loaded by SCRIPT LOAD
    functions: bool
    module_aux: bool
    slot_sizes: bool
    slot_imports: bool
    milliseconds: bool  # of expiry times
    any_second: bool  # whole seconds beyond 32 bits
    eviction: bool  # idle times and access frequencies
    meta: bool
    modules: bool
    streams: bool
    arrays: bool
    signed_zeros: bool  # the sign of a score of -0, for sure
    last_field_expiry: int
    counters: bool  # of streams
    excess_reads: bool  # a group that read more entries than were added
    seen_times: bool  # of consumers
    active_times: bool
    bare_consumers: bool  # that own no pending entry
    unowned_pending: bool
    producers: bool  # idempotent ones
    producer_counters: bool  # how many ids they added, and doubled; ids of entries that are gone


def able_to_store(magic: str, version: int) -> Able:
    """Return what a snapshot of a version holds."""
    valkey = magic == VALKEY
    level = VALKEY_LEVEL if valkey else version
    last = _ANY_EXPIRY if valkey else MAX_FIELD_EXPIRE_MS if level >= 12 else _NO_EXPIRY
    return Able(
        aux=level >= 7,
        # Redis 7.0 and later, and Valkey, pass over the field.
        scripts=level in {8, 9},
        functions=level >= 10,
        module_aux=level >= 9,
        slot_sizes=level >= 12,
        slot_imports=valkey,
        milliseconds=level >= 3,
        any_second=False,
        eviction=level >= 9,
        meta=magic == REDIS and level >= 13,
        modules=level >= 8,
        streams=level >= 9,
        arrays=level >= 14,
        signed_zeros=True,
        last_field_expiry=last,
        counters=level >= 10,
        excess_reads=True,
        seen_times=True,
        active_times=level >= 11,
        bare_consumers=True,
        unowned_pending=level >= 14,
        producers=level >= 13,
        producer_counters=True,
    )


def able_to_restore(server: Rules, magic: str, version: int) -> Able:
    """Return what RESTORE commands tell a server: values as snapshots of a version hold them, the rest as commands."""
    stored, told = able_to_store(magic, version), able_to_execute(server)
    return stored._replace(
        aux=False,
        scripts=told.scripts,
        functions=told.functions,
        module_aux=False,
        slot_sizes=False,
        slot_imports=False,
        milliseconds=told.milliseconds,
        any_second=True,
        eviction=server.has((5, 0)),
    )


def able_to_execute(server: Rules) -> Able:
    """Return what commands tell a server."""
    last = _NO_EXPIRY
    if server.has((7, 4), (9, 0)):
        last = _LAST_OF_COMMANDS if server.family == "redis" else _ANY_EXPIRY
    return Able(
        aux=False,
        scripts=server.has((2, 6)),
        functions=server.has((7, 0)),
        module_aux=False,
        slot_sizes=False,
        slot_imports=False,
        milliseconds=server.has((2, 6)),
        any_second=True,
        eviction=False,
        meta=False,
        modules=server.has((4, 0)),
        streams=server.has((5, 0)),
        # Which text becomes which kind of item is only the server's to know.
        arrays=False,
        signed_zeros=not server.has((7, 0)),
        last_field_expiry=last,
        counters=server.has((7, 0)),
        excess_reads=not server.has((8, 2), None),
        seen_times=False,
        active_times=False,
        bare_consumers=server.has((6, 2)),
        unowned_pending=server.has((8, 8), None),
        producers=server.has((8, 6), None),
        producer_counters=False,
    )
