"""Items of an RDB other than keys: the header, aux fields, functions and bookkeeping opcodes.

Every item has the byte range it came from.
"""

from __future__ import annotations

from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.core.location import Span


class Header(NamedTuple):
    """The nine magic bytes: ``REDIS`` or ``VALKEY`` and the RDB version."""

    magic: str
    version: int


class Aux(NamedTuple):
    """An aux field: a name and a value, both bytes (integers as decimal text)."""

    key: bytes
    value: bytes
    span: Span


class FunctionLibrary(NamedTuple):
    """A function library's source. ``released`` is False for the form of Redis 7.0 release candidates."""

    code: bytes
    released: bool
    span: Span


class ModuleAux(NamedTuple):
    """A module's data outside the keys; ``raw`` is everything after the opcode byte."""

    module: str
    raw: bytes
    span: Span


class SelectDb(NamedTuple):
    """The records that follow belong to ``db``."""

    db: int
    span: Span


class ResizeDb(NamedTuple):
    """Table sizes announced for the current db: keys, and keys with an expiry. Only hints."""

    keys: int
    expires: int
    span: Span


class SlotInfo(NamedTuple):
    """Table sizes announced for a cluster slot."""

    slot: int
    keys: int
    expires: int
    span: Span


class SlotImport(NamedTuple):
    """A slot import that was under way (Valkey 9): job name and slot ranges, both ends included."""

    job: bytes
    ranges: tuple[tuple[int, int], ...]
    span: Span


class HashTemplate(NamedTuple):
    """Field names that later hashes refer to by ``id`` (Redis 8.10)."""

    id: int
    fields: tuple[bytes, ...]
    span: Span


class ProductOpcode(NamedTuple):
    """An opcode that only one product writes: a number for its server, without data.

    ``name`` is that of the table of opcodes.
    """

    name: str
    value: int
    span: Span


#: Bytes kept of what follows the end of an RDB.
REST_SAMPLE: Final = 48


class End(NamedTuple):
    """The end mark: the stored CRC-64 (0: disabled when saved; None: the version has none).

    ``trailing`` is the number of bytes that follow the RDB in the input; 0 in an AOF, where they do not belong to the
    RDB. ``padding`` of them, the first ones, are NUL bytes, and ``sample`` is what follows those: REST_SAMPLE bytes,
    fewer only at the end of the input.
    """

    checksum: int | None
    trailing: int
    span: Span
    padding: int = 0
    sample: bytes = b""


Item = (
    Header
    | Aux
    | FunctionLibrary
    | ModuleAux
    | SelectDb
    | ResizeDb
    | SlotInfo
    | SlotImport
    | HashTemplate
    | ProductOpcode
    | End
)
