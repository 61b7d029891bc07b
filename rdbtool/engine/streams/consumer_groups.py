"""Finding groups of streams, and consumers as they come by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdbtool.engine.command_errors import CommandError
from rdbtool.engine.streams.arguments import find_stream, knows
from rdbtool.engine.streams.data import ConsumerData, GroupData, StreamData

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine


def find_group(engine: Engine, key: bytes, name: bytes) -> tuple[StreamData, GroupData]:
    """Return the stream of a key and one of its groups. Raises CommandError."""
    stream = find_stream(engine, key)
    group = None if stream is None else stream.groups.get(name)
    if stream is None or group is None:
        raise CommandError(describe_missing(key, name))
    return stream, group


def describe_missing(key: bytes, name: bytes) -> str:
    """Return the reply for a key or a group that is not there."""
    shown = (text.decode("utf-8", "backslashreplace") for text in (key, name))
    return "NOGROUP No such key '{}' or consumer group '{}'".format(*shown)


def make_consumer(engine: Engine, group: GroupData, name: bytes) -> ConsumerData:
    """Add a consumer. Since 7.2 servers note separately when one was active: -1 for never."""
    active = -1 if knows(engine.rules, (7, 2)) else None
    consumer = group.consumers[name] = ConsumerData(name, engine.now_ms, active)
    return consumer


def see_consumer(engine: Engine, group: GroupData, name: bytes) -> ConsumerData:
    """Return a consumer that has come by, made if need be."""
    consumer = group.consumers.get(name)
    if consumer is None:
        return make_consumer(engine, group, name)
    consumer.seen_at_ms = engine.now_ms
    return consumer


def touch(engine: Engine, consumer: ConsumerData) -> None:
    """Note that a consumer was given something."""
    if knows(engine.rules, (7, 2)):
        consumer.active_at_ms = engine.now_ms
