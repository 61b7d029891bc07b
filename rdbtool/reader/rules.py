"""Which server's rules apply to a source: those asked for, else its writer's."""

from __future__ import annotations

from typing import Protocol

from rdbtool.model import Aux, Header
from rdbtool.rules import DEFAULT, Rules
from rdbtool.types import VALKEY


class Named(Protocol):
    """A source that may name its writer."""

    header: Header
    aux: list[Aux]


def names_writer(reader: Named) -> bool:
    """Return whether a file names the server that wrote it."""
    return any(aux.key.lower() in {b"redis-ver", b"valkey-ver"} for aux in reader.aux)


def resolve_rules(text: str | None, reader: Named) -> Rules:
    """Return the rules named by ``text``, else those of the writer that the source names, else the default.

    The aux fields ``redis-ver`` and ``valkey-ver`` name the writer; they stand at the front of a file,
    so call this after reading its first record, or when it was read. Raises ValueError for a name
    that is not a server's.
    """
    if text is not None:
        return Rules.parse(text)
    for aux in reader.aux:
        family = {b"redis-ver": "redis", b"valkey-ver": "valkey"}.get(aux.key.lower())
        if family is not None:
            try:
                return Rules.parse(f"{family}-{aux.value.decode('ascii', 'replace')}")
            except ValueError:
                break
    if reader.header.magic == VALKEY:
        return Rules("valkey", 9, 0)
    if reader.header.version < 7:  # older files name no writer, but only older servers write them
        return Rules("redis", 2, 8)
    return Rules.parse(DEFAULT)
