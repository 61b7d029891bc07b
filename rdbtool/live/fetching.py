"""Fetch a single key from a running server with DUMP."""

from __future__ import annotations

from rdbtool.core.errors import NotFoundError, describe_key
from rdbtool.core.light_typing import TYPE_CHECKING
from rdbtool.live.connection import Connection, ReplyError, describe_reply
from rdbtool.model import KeyRecord
from rdbtool.reader.payload import read_payload

if TYPE_CHECKING:
    from rdbtool.live.connection import Endpoint


def fetch_key(endpoint: Endpoint, key: bytes, *, db: int = 0) -> KeyRecord:
    """Return the record of a key. Raises NotFoundError, InputError, and FormatError for an unreadable payload."""
    with endpoint.connect() as connection:
        if db:
            _ask(connection, "SELECT", db)
        payload = _ask(connection, "DUMP", key)
        if payload is None:
            raise NotFoundError(f"{endpoint.name}: no key {describe_key(key)} in db {db}")
        left = _ask(connection, "PTTL", key)
        seconds, micros = (int(part) for part in _ask(connection, "TIME"))
    found = read_payload(payload, db=db, key=key)
    expires = seconds * 1000 + micros // 1000 + left if left >= 0 else None
    return KeyRecord(db=db, key=key, value=found.value, expire_at_ms=expires, encoding=found.encoding)


def _ask(connection: Connection, *words: str | bytes | int):  # type: ignore[no-untyped-def]  # replies are of any type
    try:
        return connection(*words)
    except ReplyError as error:
        raise describe_reply(str(error), connection.name, asked=str(words[0])) from error
