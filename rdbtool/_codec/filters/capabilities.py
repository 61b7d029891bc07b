"""What a target can hold, with one name per part of a record that not all targets have.

An RDB file holds what its version supports (format A2). Commands express what the server that executes them supports
(format C6, D1), whatever RDB version it writes; if no server is named, the first one that wrote the version counts.
"""

from __future__ import annotations

from rdbtool.core.light_typing import Final, Literal, NamedTuple
from rdbtool.core.rdb_types import MAX_FIELD_EXPIRE_MS, REDIS, VALKEY, since_of
from rdbtool.core.servers import BUILT_IN, COMMON_VERSION, Rules, first_with

#: The RDB version whose forms apply to Valkey's own numbering.
VALKEY_LEVEL: Final = COMMON_VERSION

_NO_EXPIRY: Final = -1
_ANY_EXPIRY: Final = (1 << 63) - 1

#: The RDB versions of the releases with scripts in aux fields, Redis 4.0 to 6.2. Later ones ignore them.
_SCRIPT_VERSIONS: Final = range(8, 10)

#: The Redis commands accept a quarter of what its files can hold.
_LAST_OF_COMMANDS: Final = MAX_FIELD_EXPIRE_MS >> 2


class ModuleFate(NamedTuple):
    """What to report about a module's data in a target; ``severity`` as in ``Loss``, None: nothing."""

    what: str
    severity: Literal["loss", "note"] | None


def need_module(module: str, what: str, server: Rules | None, origin: str | None) -> ModuleFate:
    """Return whether a server can hold ``what`` of a module (by its name in files), and what it needs for that.

    ``server`` None: none was named. ``origin`` is the family of the server that wrote the data, None: unknown.
    """
    name = module.rstrip("\0")
    since = BUILT_IN.get(name)
    if since is not None:
        if server is None:
            family, major, minor = first_with(since)
            return ModuleFate(f"{since.name}, which needs {family.capitalize()} {major}.{minor}", "note")
        if server.has(since.redis, since.valkey):
            return ModuleFate("", None)
        return ModuleFate(f"{since.name}, which {server} does not have", "loss")
    if server is not None and origin is not None and server.family != origin:
        return ModuleFate(f"{what} of the module {name} of {origin.capitalize()}", "loss")
    return ModuleFate(f"{what} that needs the module {name}", "note")


class Able(NamedTuple):
    """What a target can hold. ``last_field_expiry`` is the greatest expiry of a field in Unix ms, -1: none."""

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
    signed_zeros: bool  # the sign of a score of -0, reliably
    last_field_expiry: int
    counters: bool  # of streams
    excess_reads: bool  # a group that read more entries than were added
    seen_times: bool  # of consumers
    active_times: bool
    bare_consumers: bool  # that own no pending entry
    unowned_pending: bool
    producers: bool  # idempotent ones
    producer_counters: bool  # how many IDs they added, and duplicated; IDs of deleted entries


def able_to_store(magic: str, version: int) -> Able:
    """Return what an RDB file of a version can hold."""
    valkey = magic == VALKEY
    level = VALKEY_LEVEL if valkey else version
    last = _ANY_EXPIRY if valkey else MAX_FIELD_EXPIRE_MS if level >= since_of("HASH_METADATA") else _NO_EXPIRY
    return Able(
        aux=level >= since_of("AUX"),
        scripts=level in _SCRIPT_VERSIONS,
        functions=level >= since_of("FUNCTION2"),
        module_aux=level >= since_of("MODULE_AUX"),
        slot_sizes=level >= since_of("SLOT_INFO"),
        slot_imports=valkey,
        milliseconds=level >= since_of("EXPIRETIME_MS"),
        any_second=False,
        eviction=level >= since_of("IDLE"),
        meta=magic == REDIS and level >= since_of("KEY_META"),
        modules=level >= since_of("MODULE_2"),
        streams=level >= since_of("STREAM_LISTPACKS"),
        arrays=level >= since_of("ARRAY"),
        signed_zeros=True,
        last_field_expiry=last,
        counters=level >= since_of("STREAM_LISTPACKS_2"),
        excess_reads=True,
        seen_times=True,
        active_times=level >= since_of("STREAM_LISTPACKS_3"),
        bare_consumers=True,
        unowned_pending=level >= since_of("STREAM_LISTPACKS_5"),
        producers=level >= since_of("STREAM_LISTPACKS_4"),
        producer_counters=True,
    )


def able_to_restore(server: Rules, magic: str, version: int) -> Able:
    """Return what RESTORE commands express: values as RDB files of a version hold them, the rest as commands."""
    stored, executed = able_to_store(magic, version), able_to_execute(server)
    return stored._replace(
        aux=False,
        scripts=executed.scripts,
        functions=executed.functions,
        module_aux=False,
        slot_sizes=False,
        slot_imports=False,
        milliseconds=executed.milliseconds,
        any_second=True,
        eviction=server.has((5, 0)),
    )


def able_to_execute(server: Rules) -> Able:
    """Return what commands express."""
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
        # Only the server knows which text becomes which kind of item.
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
