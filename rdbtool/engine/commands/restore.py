"""RESTORE: a key from what DUMP once answered, read as the RDB that it is (format A15).

The payload of a hostile log costs what reading it as a file would: its own size, and what its compressed strings
inflate to, within the reader's limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import isnan

from rdbtool.core.errors import FormatError, LimitError
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.engine.arguments import INT64_MAX, parse_int
from rdbtool.engine.command_errors import CommandError, UnknownEffectError
from rdbtool.engine.dumps import record_payload
from rdbtool.engine.export.key_records import record_data
from rdbtool.engine.handlers import command
from rdbtool.engine.replies import OK, Later, Reply
from rdbtool.engine.streams.arguments import parse_options
from rdbtool.model import HashValue, KeyRecord, OpaqueValue, SetValue, StreamValue, StringValue, ZSetValue
from rdbtool.reader.payload import FooterError, read_payload

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

_BAD_DATA: Final = "ERR Bad data format"


@command("RESTORE")
def restore(engine: Engine, argv: Sequence[bytes]) -> Reply:
    """RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]."""
    options = _parse_options(engine, argv)
    key = argv[1]
    if b"REPLACE" not in options and key in engine.db.keys:
        raise CommandError("BUSYKEY Target key name already exists.")
    ttl = parse_int(argv[2])
    if ttl < 0:
        raise CommandError("ERR Invalid TTL value, must be >= 0")
    if ttl and b"ABSTTL" not in options:
        ttl += engine.now_ms
    data = restore_value(engine, key, argv[3])
    if ttl > INT64_MAX:
        # Servers store what is left of it in 64 bits, and the key has expired.
        raise UnknownEffectError("the expiry of the key is beyond 64 bits")
    engine.db.replace(key, data)
    if ttl:
        engine.db.expires[key] = ttl
    return OK


def restore_value(engine: Engine, key: bytes, payload: bytes) -> object:
    """Return what the keyspace holds for a payload. Raises CommandError with a server's reply."""
    record_payload(engine.needs, payload)
    try:
        record = read_payload(payload, rules=engine.rules, db=engine.index, key=key)
    except FooterError:
        raise CommandError("ERR DUMP payload version or checksum are wrong") from None
    except (FormatError, LimitError) as error:
        _drop_traces(error)
        if isinstance(error, LimitError):
            raise UnknownEffectError("the payload inflates to more than rdbtool reads") from None
        raise CommandError(_BAD_DATA) from None
    data = record_data(record, engine.share)
    if not _is_valid(record, data):
        raise CommandError(_BAD_DATA)
    return data


@command("RESTORE-ASKING")
def restore_asking(engine: Engine, argv: Sequence[bytes]) -> Reply | Later:
    """RESTORE-ASKING: RESTORE while a cluster moves the slot."""
    return restore(engine, argv)


def _drop_traces(error: BaseException | None) -> None:
    """Part an error from the frames it came through, which may hold it, and hold what was read.

    The cyclic collector rests during a replay, and an AOF may have any number of such payloads.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


def _parse_options(engine: Engine, argv: Sequence[bytes]) -> dict[bytes, bytes]:
    """Check the options. What they say of use (IDLETIME, FREQ) has no place in the keyspace."""
    if not engine.rules.has((3, 0)):
        return {}
    knows = partial(engine.knows, argv[0].upper())
    options = parse_options(argv, 4, flags=(b"REPLACE", b"ABSTTL"), values=(b"IDLETIME", b"FREQ"), knows=knows)
    if len(options.keys() & {b"IDLETIME", b"FREQ"}) == 2:
        raise CommandError("ERR syntax error")
    if parse_int(options.get(b"IDLETIME", b"0")) < 0:
        raise CommandError("ERR Invalid IDLETIME value, must be >= 0")
    if not 0 <= parse_int(options.get(b"FREQ", b"0")) <= 255:
        raise CommandError("ERR Invalid FREQ value, must be >= 0 and <= 255")
    return options


def _is_valid(record: KeyRecord, data: object) -> bool:
    """Return whether a value makes sense to a server: not empty, nothing twice, no score that is not a number."""
    value = record.value
    if isinstance(value, (StringValue, OpaqueValue)):
        return True
    if isinstance(value, StreamValue):
        return value.length == len(value.entries) and len({group.name for group in value.groups}) == len(value.groups)
    if isinstance(value, (HashValue, SetValue, ZSetValue)) and len(value) != len(data):  # type: ignore[arg-type]  # these three become dicts
        return False
    if isinstance(value, ZSetValue) and any(isnan(score) for _, score in value.members):
        return False
    return len(value) > 0
