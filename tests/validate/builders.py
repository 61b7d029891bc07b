"""Builders of RDB values that may lie: every header, length and count can be given instead of being right.

They follow the description of the format and share nothing with the code under test but the CRC-64, which
makes the file around a value correct.
"""

from __future__ import annotations

import struct

from rdbtool.io.source import crc64

Entry = int | bytes


class Raw(bytes):
    """Bytes of an entry, encoding and lengths included, that go into a container as they are."""


def length(number: int) -> bytes:
    """A LEN in its shortest form."""
    if number < 1 << 6:
        return bytes([number])
    if number < 1 << 14:
        return struct.pack(">H", number | 0x4000)
    if number < 1 << 32:
        return b"\x80" + struct.pack(">L", number)
    return b"\x81" + struct.pack(">Q", number)


def string(data: bytes, *, claim: int | None = None) -> bytes:
    """A STR; ``claim`` is a length other than its own."""
    return length(len(data) if claim is None else claim) + data


def lzf(packed: bytes, size: int) -> bytes:
    """A compressed STR that says it inflates to ``size`` bytes."""
    return b"\xc3" + length(len(packed)) + length(size) + packed


# ---- packed containers ---------------------------------------------------------------------------


def lp_entry(value: Entry, *, claim: int | None = None, back: bytes | None = None) -> Raw:
    """An entry of a listpack; ``claim`` is a string length, ``back`` a back length other than its own."""
    if isinstance(value, int):
        head = bytes([value]) if 0 <= value < 128 else b"\xf4" + struct.pack("<q", value)
    elif len(value) < 64:
        head = bytes([0x80 | (len(value) if claim is None else claim)]) + value
    else:
        head = b"\xf0" + struct.pack("<L", len(value) if claim is None else claim) + value
    size = len(head)
    right = bytes([size]) if size < 128 else bytes([size >> 7, size & 0x7F | 0x80])
    return Raw(head + (right if back is None else back))


def listpack(*entries: Entry, total: int = 0, count: int | None = None, end: bytes = b"\xff") -> bytes:
    """A listpack; ``total`` is added to its size."""
    body = b"".join(entry if isinstance(entry, Raw) else lp_entry(entry) for entry in entries)
    number = len(entries) if count is None else count
    return struct.pack("<LH", 6 + len(body) + len(end) + total, number) + body + end


def zl_entry(value: Entry, previous: int, *, claim: int | None = None, prevlen: bytes | None = None) -> Raw:
    """An entry of a ziplist behind one of ``previous`` bytes; ``prevlen`` replaces what says so."""
    before = bytes([previous]) if previous < 254 else b"\xfe" + struct.pack("<L", previous)
    if isinstance(value, int):
        body = bytes([0xF1 + value]) if 0 <= value <= 12 else b"\xc0" + struct.pack("<h", value)
    else:
        body = bytes([len(value) if claim is None else claim]) + value
    return Raw((before if prevlen is None else prevlen) + body)


def ziplist(*entries: Entry, total: int = 0, count: int | None = None, tail: int = 0, end: bytes = b"\xff") -> bytes:
    """A ziplist; ``total`` is added to its size and ``tail`` to the offset of its last entry."""
    body, previous, last = b"", 0, 10
    for entry in entries:
        built = entry if isinstance(entry, Raw) else zl_entry(entry, previous)
        last, previous = 10 + len(body), len(built)
        body += built
    number = len(entries) if count is None else count
    return struct.pack("<LLH", 10 + len(body) + len(end) + total, last + tail, number) + body + end


def intset(*numbers: int, width: int = 2, count: int | None = None) -> bytes:
    """An intset whose numbers are ``width`` bytes wide (2, 4 or 8; another width is only claimed)."""
    form = {2: "<h", 4: "<l", 8: "<q"}.get(width, "<h")
    body = b"".join(struct.pack(form, number) for number in numbers)
    return struct.pack("<LL", width, len(numbers) if count is None else count) + body


def zipmap(*pairs: tuple[bytes, bytes], count: int | None = None, end: bytes = b"\xff") -> bytes:
    """A zipmap of ``pairs``, each already with its lengths: see ``zm_field`` and ``zm_value``."""
    body = b"".join(field + value for field, value in pairs)
    return bytes([len(pairs) if count is None else count]) + body + end


def zm_length(number: int, *, long: bool = False) -> bytes:
    """A length in a zipmap; ``long``: in five bytes even where one is enough."""
    return b"\xfe" + struct.pack("<L", number) if long or number > 253 else bytes([number])


def zm_field(data: bytes, *, claim: int | None = None, long: bool = False) -> bytes:
    """A field of a zipmap."""
    return zm_length(len(data) if claim is None else claim, long=long) + data


def zm_value(data: bytes, *, claim: int | None = None, free: int = 0, long: bool = False) -> bytes:
    """A value of a zipmap, which says that ``free`` unused bytes follow it."""
    return zm_length(len(data) if claim is None else claim, long=long) + bytes([free]) + data


# ---- streams -------------------------------------------------------------------------------------


def raw_id(ms: int, seq: int) -> bytes:
    """An id as nodes and pending lists store it."""
    return struct.pack(">QQ", ms, seq)


def record(
    *values: bytes, delta: tuple[Entry, Entry] = (0, 0), flags: int = 2, count: int | None = None
) -> list[Entry]:
    """A record of a node that has the master's fields."""
    return [flags, *delta, *values, len(values) + 3 if count is None else count]


def node(
    *records: list[Entry],
    key: bytes = raw_id(1, 1),
    fields: tuple[bytes, ...] = (b"f",),
    live: Entry | None = None,
    dead: int | None = None,
    num_fields: int | None = None,
    terminator: int = 0,
    **lies: int,
) -> bytes:
    """A node of a stream: its key and its listpack. ``lies`` are those of ``listpack``."""
    tombs = sum(isinstance(row[0], int) and row[0] & 1 for row in records)
    master: list[Entry] = [
        len(records) - tombs if live is None else live,
        tombs if dead is None else dead,
        len(fields) if num_fields is None else num_fields,
        *fields,
        terminator,
    ]
    blob = listpack(*master, *(entry for row in records for entry in row), **lies)  # type: ignore[arg-type]
    return string(key) + string(blob)


def pair_id(ms: int, seq: int) -> bytes:
    """An id as two LENs."""
    return length(ms) + length(seq)


def consumer(name: bytes, *owned: tuple[int, int], version: int = 2) -> bytes:
    """A consumer with the ids that it owns."""
    times = struct.pack("<q", 1) * (2 if version >= 3 else 1)
    return string(name) + times + length(len(owned)) + b"".join(raw_id(*entry) for entry in owned)


def group(
    name: bytes,
    pending: tuple[tuple[int, int], ...] = (),
    consumers: tuple[bytes, ...] = (),
    *,
    read: int | None = 0,
    last: tuple[int, int] = (1, 1),
) -> bytes:
    """A group; ``read`` None: of a version that does not store how many entries it has read."""
    data = string(name) + pair_id(*last)
    if read is not None:
        data += length(read)
    data += length(len(pending)) + b"".join(raw_id(*entry) + struct.pack("<q", 1) + b"\x01" for entry in pending)
    return data + length(len(consumers)) + b"".join(consumers)


def stream(
    nodes: tuple[bytes, ...] = (),
    groups: tuple[bytes, ...] = (),
    *,
    version: int = 2,
    size: int | None = None,
    last: tuple[int, int] = (1, 1),
    first: tuple[int, int] = (1, 1),
    deleted: tuple[int, int] = (0, 0),
    added: int | None = None,
) -> bytes:
    """A stream of one entry a node, unless ``size`` says how many; version 1 is type 15, 2 is 19 and 3 is 21."""
    entries = len(nodes) if size is None else size
    data = length(len(nodes)) + b"".join(nodes) + length(entries) + pair_id(*last)
    if version > 1:
        data += pair_id(*first) + pair_id(*deleted) + length(entries if added is None else added)
    return data + length(len(groups)) + b"".join(groups)


# ---- vector sets ---------------------------------------------------------------------------------


def vector_set(
    quantisation: int = 1,
    *,
    size: int = 0,
    elements: int = 1,
    count: int | None = None,
    numbers: int | None = None,
    projected: int = 0,
    matrix: int | None = None,
) -> bytes:
    """A vector set of 3 dimensions. ``size``: of each vector, else the right one; ``numbers``: claimed for a node."""

    def number(value: int) -> bytes:
        return b"\x02" + length(value)

    def text(data: bytes) -> bytes:
        return b"\x05" + string(data)

    data = b"\x81" + bytes.fromhex("bde72da2bb1eb400") + number(3) + number(elements if count is None else count)
    data += number(quantisation | 16 << 8) + number(1 if projected else 0)
    if projected:
        data += number(projected) + text(bytes(12 * projected if matrix is None else matrix))
    for at in range(elements):
        row = (at + 1, 1 << 24, 0, 32, 0, 0)
        data += text(b"e%d" % at) + text(bytes(size or {0: 12, 1: 3, 2: 8}[quantisation]))
        data += number(len(row) if numbers is None else numbers) + b"".join(number(value) for value in row)
    return data + b"\0"


# ---- files ---------------------------------------------------------------------------------------


def entry_of(code: int, value: bytes, key: bytes) -> bytes:
    """A record: the number of a type, a key and a value."""
    return bytes([code]) + string(key) + value


def rdb(*items: bytes, version: int = 10, magic: str = "REDIS") -> bytes:
    """A file with a correct checksum."""
    data = f"{magic}{version:0{9 - len(magic)}}".encode() + b"".join(items) + b"\xff"
    return data + struct.pack("<Q", crc64(data))
