"""What is fuzzed, a function each: any bytes may be given to it, and anything but a normal return is a finding.

The compiled decoders are driven directly, without the grammar, which words an error: that is a thousand times slower,
and tests/conformance compares the two.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rdbtool._codec.decode.aof_scanner import DECLINED, PAUSED, Scanner
from rdbtool._codec.decode.decoder import PAUSED as DECODER_PAUSED
from rdbtool._codec.decode.decoder import Decoder
from rdbtool._codec.decode.window import Window, WindowLimitError
from rdbtool._codec.encode.json import Json
from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.filters.target import TargetFilter
from rdbtool._codec.sink import Sink
from rdbtool._codec.sinks.digest import Digest
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool._codec.sinks.records import Records
from rdbtool._codec.sinks.sizes import Sizes
from rdbtool.core.errors import FormatError, RdbToolError
from rdbtool.core.manifest import MAX_LINE, Entry, format_manifest, read_manifest
from rdbtool.core.rdb_types import code_of
from rdbtool.io import own_lzf
from rdbtool.io.source import crc64, open_source
from rdbtool.reader.jsonl.reader import JsonlReader

FIXTURES = Path(__file__).parent.parent / "fixtures"

#: Bytes that a window or an inflated string may have.
_MOST = 1 << 22

#: A decoder that pauses more often than this goes round in circles.
_PAUSES = 10_000

_SINKS: tuple[Callable[[], Sink], ...] = (
    Fingerprint,
    Sizes,
    lambda: Records(1 << 20, items=True),
    lambda: Digest("redis-7.0", 0),
    lambda: Jsonl(_drop),
    lambda: Json(_drop),
    lambda: Resp(_drop),
    lambda: Resp(_drop, restore=True),
    lambda: TargetFilter(Rdb(_drop, version=10), magic="REDIS", version=10, allow_loss=True),
)

#: Where the fields of an entry begin that say where it stands.
_LINE_OF_ENTRY = Entry._fields.index("line")

#: Types whose value is one string with a packed value in it.
_PACKED = [
    code_of(name)
    for name in (
        "HASH_ZIPMAP",
        "LIST_ZIPLIST",
        "SET_INTSET",
        "ZSET_ZIPLIST",
        "HASH_ZIPLIST",
        "HASH_LISTPACK",
        "ZSET_LISTPACK",
        "SET_LISTPACK",
    )
]
_STREAMS = [code_of(name) for name in ("STREAM_LISTPACKS", "STREAM_LISTPACKS_2", "STREAM_LISTPACKS_3")]


def _drop(_data: object) -> None:
    pass


def _window(data: bytes) -> Window:
    return Window(io.BytesIO(data).readinto, crc64, lambda: _MOST, len(data))


def _decode(data: bytes, sink: Sink) -> None:
    decoder = Decoder(_window(data), _MOST)
    try:
        if not decoder.read_header():
            return
        decoder.announce(sink)
        for _ in range(_PAUSES):
            if decoder.run(sink) != DECODER_PAUSED:
                return
    except WindowLimitError:
        return
    raise AssertionError("the decoder goes round in circles")


def rdb(data: bytes) -> None:
    """Any file, to any sink: the first byte chooses it."""
    if data:
        _decode(data[1:], _SINKS[data[0] % len(_SINKS)]())


def packed(data: bytes) -> None:
    """Any string as a packed value: the first byte chooses the type, the second the sink."""
    if len(data) >= 2:
        value = data[2:]
        code = _PACKED[data[0] % len(_PACKED)]
        size = b"\x80" + len(value).to_bytes(4, "big")
        _decode(b"REDIS0012" + bytes([code]) + b"\x01k" + size + value, _SINKS[data[1] % len(_SINKS)]())


def stream(data: bytes) -> None:
    """Any bytes after the key of a stream: the first byte chooses the type, the second the sink."""
    if len(data) >= 2:
        code = _STREAMS[data[0] % len(_STREAMS)]
        _decode(b"REDIS0012" + bytes([code]) + b"\x01k" + data[2:], _SINKS[data[1] % len(_SINKS)]())


def lzf(data: bytes) -> None:
    """Any bytes inflate or are refused, and what was deflated inflates to what it was."""
    size = int.from_bytes(data[:2], "big")
    try:
        found = own_lzf.decompress(data[2:], size)
    except ValueError:
        found = None
    assert found is None or len(found) <= size
    small = own_lzf.compress(data, len(data))
    assert small is None or own_lzf.decompress(small, len(data)) == data


def aof(data: bytes) -> None:
    """Any AOF: read, or declined and searched for the next command; counting finds as many as reading."""
    scanner = Scanner(_window(data), 16)
    counted = Scanner(_window(data))
    try:
        for _ in range(_PAUSES):
            answer = scanner.run()
            scanner.take()
            if answer == DECLINED:
                scanner.resync({b"SET", b"DEL", b"MULTI"})
                break
            if answer != PAUSED:
                break
        else:
            raise AssertionError("the scanner goes round in circles")
        counted.check()
    except WindowLimitError:
        return
    assert answer == DECLINED or scanner.count == counted.count


def manifest(data: bytes) -> None:
    """Any manifest is read or refused; what is written of it is read as the same, in the order of its kinds."""
    try:
        found = read_manifest(data)
    except FormatError:
        return
    written = format_manifest(found.entries)
    # Comments alone name no file, and a name that takes more room in quotes is one that servers cannot write either.
    if found.entries and max(map(len, written.splitlines(keepends=True))) <= MAX_LINE:
        again = read_manifest(written)
        for kind in ("loaded", "history"):
            rows, others = getattr(found, kind), getattr(again, kind)
            assert [row[:_LINE_OF_ENTRY] for row in rows] == [row[:_LINE_OF_ENTRY] for row in others]


def jsonl(data: bytes) -> None:
    """Any lines are read or refused."""
    sink = Fingerprint()
    try:
        with open_source(data) as source:
            JsonlReader(source).feed(sink)
    except RdbToolError:
        return


TARGETS: dict[str, Callable[[bytes], None]] = {
    "rdb": rdb,
    "packed": packed,
    "stream": stream,
    "lzf": lzf,
    "aof": aof,
    "manifest": manifest,
    "jsonl": jsonl,
}


def seeds(target: str) -> Iterator[bytes]:
    """Yield what a target begins with: real files, small ones, and what earlier runs kept."""
    yield from _SEEDS[target]()
    yield from kept(target)


def kept(target: str) -> Iterator[bytes]:
    """Yield the inputs that earlier runs kept in fixtures/fuzz: those of a merge, in an archive."""
    path = FIXTURES / "fuzz" / f"{target}.tar.xz"
    if path.exists():
        with tarfile.open(path) as archive:
            for member in archive:
                if (file := archive.extractfile(member)) is not None:
                    yield file.read()


def _files(pattern: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(FIXTURES.glob(pattern))]


def _values(codes: list[int]) -> Iterator[bytes]:
    """Yield the values of these types in the small files, each after the bytes that choose its type and a sink."""
    for whole in _files("small/*.rdb"):
        records = Records(1 << 20)
        _decode(whole, records)
        for record in records.records:
            if record.type_code in codes:
                value = whole[record.start : record.stop].partition(record.key)[2]
                yield bytes([codes.index(record.type_code), 0]) + (value[1:] if codes is _PACKED else value)


def _lines() -> Iterator[bytes]:
    for whole in _files("small/*.rdb"):
        pieces: list[bytes] = []
        sink = Jsonl(lambda data, pieces=pieces: pieces.append(bytes(data)))  # type: ignore[misc]
        _decode(whole, sink)
        sink.close()
        yield b"".join(pieces)


_TRANSACTION = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*1\r\n$4\r\nEXEC\r\n"

_SEEDS: dict[str, Callable[[], Iterable[bytes]]] = {
    "rdb": lambda: (bytes([sink]) + data for data in _files("small/*.rdb") for sink in range(len(_SINKS))),
    "packed": lambda: _values(_PACKED),
    "stream": lambda: _values(_STREAMS),
    "lzf": lambda: (b"\x00\x15\x01aa\xe0\x0a\x00", b"\x01\x2c\x01aa\xe0\xff\x00\xe0\x17\x00\x01aa", b"ab" * 40),
    "aof": lambda: [_TRANSACTION, *_files("damaged/*.aof")],
    "manifest": lambda: [b"# no file\n", *_files("*/aof-*/*.manifest")[:4]],
    "jsonl": _lines,
}
