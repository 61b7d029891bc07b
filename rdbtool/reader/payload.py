"""Reads DUMP payloads: one value with the version of its writer and a checksum (format A15).

A payload is a record without its key. So it is given a key and read as an RDB of that one record, by the same codec as
any file: all rules and limits are in one place. Bytes after the value are ignored, as in servers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rdbtool._codec.decode.window import WindowLimitError
from rdbtool._codec.filters.selection import Selection
from rdbtool.core.errors import Finding, FormatError, UnsupportedError, what_servers_do
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.core.location import Where
from rdbtool.core.manifest import split_words
from rdbtool.core.rdb_types import CHECKSUM_SINCE, REDIS, VALKEY, VERSIONS, code_of, codes_of, since_of, value_types
from rdbtool.core.servers import COMMON_VERSION, Rules
from rdbtool.io.source import Source, crc64, open_source
from rdbtool.model import KeyRecord
from rdbtool.reader.rdb import RdbReader, open_rdb

if TYPE_CHECKING:
    from rdbtool._codec.sink import Sink
    from rdbtool.reader.open.files import OpenPart

#: The version, 2 bytes, and the checksum, 8 bytes, at the end of a payload.
FOOTER_SIZE: Final = 10

#: The RDB version of the first servers with DUMP: earlier ones read no payload.
_OLDEST: Final = 6

#: Below this version an RDB has no checksum, so a reader distrusts newer types; a payload always has one.
_LEAST_HEADER: Final = CHECKSUM_SINCE

#: No checksum, at the end of a file.
_CHECKSUM_SIZE: Final = 8

#: What was read from an input with its own limits may be of any size.
_ANY_SIZE: Final = 1 << 62

#: The key given to a payload in a file, which has none.
PAYLOAD_KEY: Final = b"payload"
_SAID: Final = f"a payload of DUMP, one value: it is shown as the key {PAYLOAD_KEY.decode()} of db 0"

#: Maximum bytes of a payload, and of one of unknown size. Servers limit a bulk string to 512 MB.
_LARGEST: Final = 1 << 30
_LARGEST_UNSEEN: Final = 16 << 20

#: What redis-cli prints after a payload.
_LINE_END: Final = b"\r\n"

_TYPES: Final = frozenset(code for magic in (REDIS, VALKEY) for code in value_types(magic))

_KEY_META: Final = code_of("KEY_META")
_KEY_META_SINCE: Final = since_of("KEY_META")
_SELECTDB, _EXPIRE_MS, _END = (bytes([code_of(name)]) for name in ("SELECTDB", "EXPIRETIME_MS", "EOF"))

#: Hashes that refer to a template elsewhere in a file.
_REFERENCES: Final = codes_of("HASH_TEMPLATE_LISTPACK_REF", "HASH_TEMPLATE_ARRAY_REF")

#: In a payload of RDB 11 or older, Valkey 9 refuses types from this number on.
_VALKEY_FOREIGN: Final = code_of("HASH_METADATA_PRE_GA")


class FooterError(FormatError):
    """The footer of a payload is wrong or missing: its version or its checksum."""


def newest_version(rules: Rules) -> int:
    """Return the newest RDB version that a server accepts in a payload."""
    return max(rules.rdb_version, _OLDEST)


def check_footer(payload: bytes, rules: Rules | None = None) -> int:
    """Return the RDB version in a payload's footer. Raises FooterError if a server of these rules refuses it.

    Without rules, any version that this release reads is accepted.
    """
    at = len(payload) - FOOTER_SIZE
    if at < 0:
        raise FooterError("RDB101", "cut", 0, f"at least {FOOTER_SIZE} bytes", f"only {len(payload)}", file_kind="rdb")
    version = int.from_bytes(payload[at : at + 2], "little")
    if not _reads_version(version, rules):
        expected = "an RDB version that the server reads"
        raise FooterError("RDB002", "version", at, expected, str(version), file_kind="rdb")
    stored = int.from_bytes(payload[at + 2 :], "little")
    if stored == 0 and (rules is None or rules.has((8, 10), None)):
        # The writer omitted it.
        return version
    found = crc64(memoryview(payload)[: at + 2])
    if found != stored:
        expected = f"checksum {found:016x}"
        raise FooterError("RDB004", "checksum", at + 2, expected, f"{stored:016x}", file_kind="rdb")
    return version


def read_payload(
    payload: bytes,
    *,
    rules: Rules | None = None,
    db: int = 0,
    key: bytes = b"",
    max_inflate: int | None = None,
) -> KeyRecord:
    """Return the value of a payload as the record of ``key``; its ``start`` and ``stop`` are offsets in the payload.

    ``rules`` is the server that has to accept it, None for any. Raises FooterError, FormatError for other damage and
    for types that the server does not know, LimitError if a string decompresses to more than ``max_inflate`` bytes.
    """
    version = check_footer(payload, rules)
    magic = VALKEY if version >= VERSIONS[VALKEY][0] else REDIS
    type_at = _find_type(payload, magic, rules)
    _check_type(payload, type_at, magic, version, rules)
    header = b"VALKEY%03d" % version if magic == VALKEY else b"REDIS%04d" % max(version, _LEAST_HEADER)
    name = _length(len(key)) + key
    body = memoryview(payload)
    start = len(header)
    shift = start + len(name)
    # The footer is kept in place: servers too read beyond a value that is too short, into the footer.
    file = b"".join((header, body[: type_at + 1], name, body[type_at + 1 :]))
    try:
        with open_rdb(file, name="payload", max_inflate=max_inflate) as reader:
            record = next(reader.records(selection=Selection(limit=1)))
    except FormatError as error:
        at = max(error.at - shift, type_at)
        where = Where(key=key, path=error.where.path)
        raise FormatError(
            error.code, error.cause, at, error.expected, error.found, file_kind=error.file_kind, where=where
        ) from None
    except UnsupportedError as error:
        expected = "a type that can be read"
        raise FormatError("RDB105", "type", type_at, expected, str(error), file_kind="rdb") from None
    return KeyRecord(
        db=db,
        key=key,
        value=record.value,
        meta=record.meta,
        type_code=record.type_code,
        encoding=record.encoding,
        start=0,
        stop=record.stop - shift,
    )


def feed_payload(payload: bytes, sink: Sink, *, db: int, key: bytes, expire_at_ms: int | None = None) -> None:
    """Feed ``sink`` with the value of a payload as a key of a database. Raises what reading a file raises."""
    expiry = b"" if expire_at_ms is None else _EXPIRE_MS + expire_at_ms.to_bytes(8, "little", signed=True)
    file = _as_rdb(payload, _SELECTDB + _length(db) + expiry, key) + bytes(_CHECKSUM_SIZE)
    with open_rdb(file, name="payload", max_inflate=_ANY_SIZE) as reader:
        reader.feed(sink)


def find_payload(size: int | None, read: Callable[[int, int], bytes], head: bytes) -> bytes | None:
    """Return the payload that an input consists of, without trailing line ends; None: it is not a payload.

    It may be in quotes, as redis-cli prints it on a terminal. ``head`` is the beginning of the input, ``size`` its size
    (bytes, None: unknown), and ``read`` returns a number of bytes at an offset. A payload is verified by its checksum,
    so it is read whole, if a plausible version is in place; of an input of unknown size only up to a limit. Raises what
    ``read`` raises.
    """
    if head.startswith(b'"\\x'):
        words = split_words(read(0, _LARGEST_UNSEEN))
        data = words[0] if words is not None and len(words) == 1 else b""
        return data if _may_end(data) and _is_proven(data) else None
    if not head or (head[0] not in _TYPES and head[0] != _KEY_META):
        return None
    if size is None:
        data = read(0, _LARGEST_UNSEEN + 1)
        if len(data) > _LARGEST_UNSEEN:
            return None
    elif size > _LARGEST:
        return None
    else:
        begin = max(0, size - FOOTER_SIZE - len(_LINE_END) - 1)
        ending = read(begin, size - begin)
        if not any(map(_may_end, _without_line_ends(ending))):
            return None
        data = read(0, size)
    return next((body for body in _without_line_ends(data) if _may_end(body) and _is_proven(body)), None)


def payload_in(opened: OpenPart, head: bytes) -> bytes | None:
    """Return the payload that an open input consists of, see ``find_payload``; nothing is consumed."""
    source, window = opened.source, opened.window
    ending = source.ending(FOOTER_SIZE + len(_LINE_END) + 1)
    # Without seeing its end, there is no reason to hold it.
    size = source.size if ending else None
    try:
        payload = find_payload(size, lambda at, count: ending if ending and at else window.peek(at, count), head)
    except WindowLimitError:
        # Nothing marks it as one.
        return None
    source.check_unchanged()
    return payload


def open_payload(payload: bytes, origin: Source, *, max_inflate: int | None, backend: str | None) -> RdbReader:
    """Open a payload as an RDB of one key, PAYLOAD_KEY of db 0. ``origin``, which it was read from, is closed.

    Offsets are those of the RDB. Raises what reading its beginning raises.
    """
    source = open_source(rdb_of(payload)[0], name=origin.name)
    around = Finding("SRC005", "note", origin.name, 0, _SAID, what_servers_do("SRC005"))
    reader = RdbReader(source, max_inflate=max_inflate, backend=backend, around=(around,))
    reader.payload = payload
    source.report_as(origin)
    origin.close()
    return reader


def rdb_of(payload: bytes) -> tuple[bytes, int]:
    """Return a payload as an RDB of one key, PAYLOAD_KEY, and the distance of its value's offset in that."""
    file = _as_rdb(payload, b"", PAYLOAD_KEY)
    return file + crc64(file).to_bytes(_CHECKSUM_SIZE, "little"), len(file) - len(_END) - (len(payload) - FOOTER_SIZE)


def _as_rdb(payload: bytes, opcodes: bytes, key: bytes) -> bytes:
    """Return an RDB without checksum with the value of a payload, after some opcodes. Raises FooterError."""
    version = check_footer(payload)
    magic = VALKEY if version >= VERSIONS[VALKEY][0] else REDIS
    type_at = _find_type(payload, magic, None)
    body = memoryview(payload)
    return b"".join(
        (
            b"VALKEY%03d" % version if magic == VALKEY else b"REDIS%04d" % max(version, _LEAST_HEADER),
            opcodes,
            body[: type_at + 1],
            _length(len(key)) + key,
            body[type_at + 1 : -FOOTER_SIZE],
            _END,
        )
    )


def _without_line_ends(data: bytes) -> Iterator[bytes]:
    yield data
    for end in (b"\n", _LINE_END):
        if data.endswith(end):
            yield data[: -len(end)]


def _may_end(ending: bytes) -> bool:
    """Return whether bytes end as a payload with a checksum does, by the version before that."""
    footer = ending[-FOOTER_SIZE:]
    return len(ending) > FOOTER_SIZE and any(footer[2:]) and _reads_version(int.from_bytes(footer[:2], "little"), None)


def _is_proven(payload: bytes) -> bool:
    try:
        check_footer(payload)
    except FooterError:
        return False
    return True


def _reads_version(version: int, rules: Rules | None) -> bool:
    valkey_only = VERSIONS[VALKEY][0]
    if rules is None:
        return version <= VERSIONS[REDIS][1] or valkey_only <= version <= VERSIONS[VALKEY][1]
    if newest_version(rules) >= valkey_only:
        # The numbers in between belong to other servers.
        return version <= COMMON_VERSION or valkey_only <= version <= newest_version(rules)
    return version <= newest_version(rules)


def _find_type(payload: bytes, magic: str, rules: Rules | None) -> int:
    """Return the offset of the value's type byte: first, or after the metadata of its key."""
    knows_meta = magic == REDIS and (rules is None or newest_version(rules) >= _KEY_META_SINCE)
    if payload[0] != _KEY_META or not knows_meta:
        return 0
    from rdbtool.grammar import FileState, MemoryStream, read_item  # noqa: PLC0415 - construct takes 40 ms

    stream = MemoryStream(payload[:-FOOTER_SIZE])
    read_item(stream, FileState(magic, VERSIONS[magic][1]))
    return stream.tell()


def _check_type(payload: bytes, at: int, magic: str, version: int, rules: Rules | None) -> None:
    if at >= len(payload) - FOOTER_SIZE:
        raise FormatError("RDB101", "cut", at, "a value", "the end of the payload", file_kind="rdb")
    code = payload[at]
    row = value_types(magic).get(code)
    newest = VERSIONS[magic][1] if rules is None else newest_version(rules)
    is_foreign = newest >= VERSIONS[VALKEY][0] > version and code >= _VALKEY_FOREIGN
    if row is None or row.since > newest or code in _REFERENCES or is_foreign:
        expected = "a type of value that the server knows"
        raise FormatError("RDB105", "type", at, expected, f"{code}", file_kind="rdb")


def _length(size: int) -> bytes:
    """Return a length as it precedes a string (format A3)."""
    if size < 1 << 6:
        return bytes([size])
    if size < 1 << 14:
        return (size | 0x4000).to_bytes(2, "big")
    return b"\x80" + size.to_bytes(4, "big") if size < 1 << 32 else b"\x81" + size.to_bytes(8, "big")
