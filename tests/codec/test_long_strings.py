"""Long strings go through in pieces: the output is the same, they take no memory, and no sink hears an unsound one."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from random import Random

import lzf_reference
import pytest
from peak import measure, needs_proc

import rdbtool
from rdbtool._codec.encode.json import Json
from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.replay_record import feed_record
from rdbtool._codec.sinks.digest import Digest
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.errors import FormatError, LimitError, OversizeError
from rdbtool.core.limits import limited, parse_size
from rdbtool.io.source import crc64
from rdbtool.model import KeyRecord, StringValue
from rdbtool.reader.rdb import open_rdb

MIB = 1 << 20
TEXT = ("grüße, 世界 🙂 line\n" * 150_000).encode()[: 3 * MIB - 1]
TEXT = TEXT[: TEXT.rindex(b"\n")]
BINARY = Random(7).randbytes(4 << 10) * 640 + b"\xc3"
CUT = TEXT + "é".encode()[:1]
ZEROS = bytes(3 * MIB) + b"\1"


def length(size: int) -> bytes:
    return b"\x80" + size.to_bytes(4, "big")


def stored(value: bytes, *, packed: bool) -> bytes:
    if not packed:
        return length(len(value)) + value
    data = lzf_reference.compress(value, len(value) - 4)
    assert data is not None
    return b"\xc3" + length(len(data)) + length(len(value)) + data


def snapshot(*values: bytes) -> bytes:
    body = b"REDIS0011\xfe\0" + b"".join(b"\0\2k%d" % at + value for at, value in enumerate(values)) + b"\xff"
    return body + struct.pack("<Q", crc64(body))


def outputs(source: bytes | io.RawIOBase, backend: str) -> dict[str, object]:
    """What every sink that takes pieces makes of a file."""
    made: dict[str, object] = {}
    for name, sink_of in {
        "jsonl": Jsonl,
        "json": Json,
        "base64": lambda write: Json(write, escape="base64"),
        "raw": lambda write: Json(write, escape="raw"),
        "resp": Resp,
        "stored": lambda write: Rdb(write, compress=False),
    }.items():
        pieces: list[bytes] = []
        feed(source, sink_of(pieces.append), backend)
        made[name] = b"".join(pieces)
    for name, sum_ in {"digest": Digest("redis-7.0"), "fingerprint": Fingerprint()}.items():
        feed(source, sum_, backend)
        made[name] = sum_.hexdigest()
    return made


def feed(source, sink, backend="codec"):
    if not isinstance(source, bytes):
        source.seek(0)
    with open_rdb(source, backend=backend) as reader:
        reader.feed(sink)
        assert reader.fallbacks == 0
        sink.close()


class Pipe(io.RawIOBase):
    """Bytes that can be read once, by whoever does not know how many there are."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, view):
        return self._data.readinto(view)

    def seek(self, at, _whence=0):
        return self._data.seek(at)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("value", [TEXT, BINARY, CUT, ZEROS], ids=["text", "binary", "cut", "zeros"])
def test_pieces_make_what_the_whole_makes(value, packed, tmp_path):
    data = snapshot(b"\1a", stored(value, packed=packed), b"\1z")
    path = tmp_path / "x.rdb"
    path.write_bytes(data)
    whole = outputs(data, "grammar")
    assert outputs(data, "codec") == whole
    assert outputs(Pipe(data), "codec") == whole
    with path.open("rb") as file:
        assert outputs(file, "codec") == whole
    with open_rdb(data) as reader:
        assert [record.value.data for record in reader] == [b"a", value, b"z"]


@pytest.mark.parametrize("packed", [False, True])
def test_pieces_of_any_size_have_the_fingerprint_of_the_whole(packed):
    """Whatever is left of the last piece when the string ends."""
    text = TEXT[:1000] + BINARY[: MIB + 33]
    for size in range(MIB + 1000, MIB + 1034):
        pieces, whole = Fingerprint(), Fingerprint()
        feed(snapshot(stored(text[:size], packed=packed)), pieces)
        feed_record(KeyRecord(db=0, key=b"k0", value=StringValue(text[:size])), whole)
        assert pieces.hexdigest() == whole.hexdigest()


def test_a_compressed_string_is_copied_as_it_is():
    data = snapshot(stored(TEXT, packed=True))
    pieces: list[bytes] = []
    feed(data, Rdb(pieces.append, magic="REDIS", version=11))
    assert b"".join(pieces) == data


@pytest.mark.parametrize("at", [100, 5_000, 20_000])
@pytest.mark.parametrize("cut", [False, True])
def test_a_sink_hears_nothing_of_a_damaged_string(at, cut):
    packed = stored(BINARY, packed=True)
    value = packed[:at] if cut else packed[:at] + bytes(40) + packed[at + 40 :]
    for data in (snapshot(b"\1a")[:-9] + b"\0\1d" + value, snapshot(b"\1a")[:-9] + b"\0\1d" + length(3 * MIB) + value):
        pieces: list[bytes] = []
        sink = Resp(pieces.append)
        with open_rdb(data) as reader, pytest.raises(FormatError):
            reader.feed(sink)
        sink.flush()
        assert b"".join(pieces).endswith(b"$1\r\na\r\n")


@pytest.mark.parametrize("source", [bytes, Pipe], ids=["file", "pipe"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_limit_names_file_key_offset_and_size(source, packed):
    data = snapshot(b"\1a", stored(TEXT, packed=packed))
    with limited("2MiB"), open_rdb(source(data), name="x.rdb") as reader, pytest.raises(OversizeError) as caught:
        reader.feed(Fingerprint())
    error = caught.value
    assert (error.size, error.limit, error.at) == (len(TEXT), 2 * MIB, 21)
    assert error.message == (
        f'x.rdb: at 0x15: key "k1" (string): a string of {len(TEXT):,} bytes, above the limit of 2,097,152 bytes'
    )
    with limited(len(TEXT)), open_rdb(data) as reader:
        assert reader.feed(Fingerprint()).keys == 2


def test_a_packed_blob_has_a_limit_of_its_own():
    entry = b"\xf0" + (3000).to_bytes(4, "little") + b"x" * 3000
    entries = (entry + b"\x97\xbd") * 2
    size = 7 + len(entries)
    listpack = size.to_bytes(4, "little") + b"\2\0" + entries + b"\xff"
    data = b"REDIS0011\xfe\0\x14\1s" + length(size) + listpack
    with limited(4000), open_rdb(data) as reader, pytest.raises(OversizeError, match=r"key \"s\" .*a listpack of 6,"):
        reader.feed(Fingerprint())


def test_a_length_that_the_file_does_not_have_is_damage_and_no_limit():
    for source in (bytes, Pipe):
        with open_rdb(source(b"REDIS0011\0\1k\x81" + b"\x7f" * 8 + b"data")) as reader, pytest.raises(FormatError):
            reader.feed(Fingerprint())


@pytest.mark.parametrize(("text", "size"), [("7", 7), ("64k", 65536), ("1MB", MIB), ("2GiB", 2 << 30), ("5 b", None)])
def test_sizes(text, size):
    if size is None:
        with pytest.raises(ValueError, match="not a valid size"):
            parse_size(text)
    else:
        assert parse_size(text) == size


def test_limits_hold_within_the_block_only():
    data = snapshot(stored(TEXT, packed=False))
    with rdbtool.limited(max_value=MIB), pytest.raises(LimitError):
        rdbtool.digest(data)
    assert rdbtool.digest(data).keys == 1


def peak(*arguments: str) -> int:
    """Run a command and return the most memory that it took, in MB."""
    code, most = measure(*arguments)
    assert code == 0
    return most >> 20


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """An RDB with a string of 96 MiB as it is, and one that inflates to as much."""
    path = tmp_path_factory.mktemp("large") / "large.rdb"
    path.write_bytes(snapshot(length(96 * MIB) + b"v" * (96 * MIB), stored(bytes(96 * MIB), packed=True)))
    return path


@pytest.mark.memory
@needs_proc
@pytest.mark.parametrize(
    "command",
    [
        *(["validate", "-q"], ["digest"], ["info"], ["dump", "-f", "jsonl"], ["dump", "-f", "json"]),
        *(["dump", "-f", "resp"], ["convert", "--to", "rdb"], ["repair"]),
    ],
    ids=" ".join,
)
def test_a_long_string_takes_no_memory(command, large, tmp_path):
    name, *options = command
    target = {"convert": [str(tmp_path / "out.rdb")], "repair": ["-o", str(tmp_path / "out.rdb")]}.get(name, [])
    assert peak(name, *options, str(large), *target) < 64
