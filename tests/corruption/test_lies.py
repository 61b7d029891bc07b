"""Lengths and counts that lie, at every place where one can stand, and small inputs that ask for much.

All of it runs under a limit of 512 MB of address space: a declared size that is believed before it is compared with
what remains ends in a MemoryError, and that is a failure.
"""

import struct
import zlib

import pytest
from backports import zstd
from corruption.damage import BACKENDS, Case, check_batch, maker, rigged_files, run_batch, with_checksum
from required import required_module

from rdbtool.core.codes import BY_CODE

both_backends = pytest.mark.parametrize("backend", BACKENDS)
both_openings = pytest.mark.parametrize("sized", [True, False], ids=["sized", "stream"])

HUGE = {
    "2^31-1": b"\x80\x7f\xff\xff\xff",
    "2^32-1": b"\x80\xff\xff\xff\xff",
    "2^40": b"\x81" + struct.pack(">Q", 1 << 40),
    "2^63-1": b"\x81" + struct.pack(">Q", (1 << 63) - 1),
    "2^64-1": b"\x81" + struct.pack(">Q", (1 << 64) - 1),
}


def instead_of_the_length(lie):
    """Answer with ``lie`` in place of the length that the real answer begins with."""

    def answer(real, arguments):
        true = real(*arguments)
        width = {0: 1, 1: 2, 2: 5 if true[0] == 0x80 else 9}[true[0] >> 6]
        return lie + true[width:]

    return answer


def run_lies(cases, backend, *, sized=True, **options):
    batch = run_batch(cases, backend, sized=sized)
    check_batch(batch, **options)
    assert {row.code for row in batch.outcomes if row.code} <= BY_CODE.keys()
    return batch


@both_backends
@both_openings
@pytest.mark.parametrize("name", ["string", "counted"])
def test_strings_and_counts(name, sized, backend):
    """A string or a count that is larger than the file is refused wherever it stands."""
    cases = list(rigged_files(name, {word: instead_of_the_length(lie) for word, lie in HUGE.items()}))
    assert len(cases) > 100
    run_lies(cases, backend, sized=sized, errors_only=True)


@both_backends
def test_every_length(backend):
    """Some of these are no sizes (ids, times, hints), so that not every lie is damage."""
    cases = list(rigged_files("length", {word: lambda real, arguments, lie=lie: lie for word, lie in HUGE.items()}))
    assert len(cases) > 500
    batch = run_lies(cases, backend)
    assert {row.kind for row in batch.outcomes} == {"result", "error"}


def lzf_sizes(change):
    """Answer with an LZF string whose two sizes went through ``change``."""

    def answer(real, arguments):
        true = real(*arguments)
        packed_size, at = read_length(true, 1)
        size, at = read_length(true, at)
        packed_size, size = change(packed_size, size)
        return b"\xc3" + maker().length(packed_size) + maker().length(size) + true[at:]

    return answer


def read_length(data, at):
    if data[at] < 0x40:
        return data[at], at + 1
    if data[at] < 0x80:
        return (data[at] & 0x3F) << 8 | data[at + 1], at + 2
    return struct.unpack_from(">I", data, at + 1)[0], at + 5


@both_backends
def test_sizes_of_compressed_strings(backend):
    changes = {
        "no compressed size": lambda packed, size: (0, size),
        "compressed size less one": lambda packed, size: (packed - 1, size),
        "compressed size and one": lambda packed, size: (packed + 1, size),
        "huge compressed size": lambda packed, size: (1 << 40, size),
        "no size": lambda packed, size: (packed, 0),
        "size less one": lambda packed, size: (packed, size - 1),
        "size and one": lambda packed, size: (packed, size + 1),
        "the largest size in reach": lambda packed, size: (packed, 88 * packed),
        "size just out of reach": lambda packed, size: (packed, 88 * packed + 1),
        "huge size": lambda packed, size: (packed, 1 << 40),
        "size of 64 bits": lambda packed, size: (packed, (1 << 64) - 1),
        "both huge": lambda packed, size: (1 << 62, 1 << 63),
    }
    cases = list(rigged_files("compressed", {word: lzf_sizes(change) for word, change in changes.items()}))
    assert len(cases) >= 5 * len(changes)
    run_lies(cases, backend, errors_only=True)


def in_the_header(form, at, change):
    """Answer with a container one of whose header fields went through ``change``."""

    def answer(real, arguments):
        blob = bytearray(real(*arguments))
        (true,) = struct.unpack_from(form, blob, at)
        struct.pack_into(form, blob, at, change(true))
        return bytes(blob)

    return answer


HEADERS = {
    "listpack": {"total": ("<I", 0), "count": ("<H", 4)},
    "ziplist": {"zlbytes": ("<I", 0), "zltail": ("<I", 4), "zllen": ("<H", 8)},
    "intset": {"width": ("<I", 0), "length": ("<I", 4)},
    "zipmap": {"zmlen": ("<B", 0)},
}


@both_backends
@pytest.mark.parametrize("container", HEADERS)
def test_headers_of_packed_containers(container, backend):
    answers = {}
    for field, (form, at) in HEADERS[container].items():
        top = (1 << 8 * struct.calcsize(form)) - 1
        # The highest value of a count can mean "count them", and that is no lie.
        unknown = 2 if form in {"<H", "<B"} else 0
        changes = {
            "none": lambda true: 0,
            "less one": lambda true: true - 1,
            "and one": lambda true: true + 1,
            "half": lambda true, top=top: top >> 1,
            "top": lambda true, top=top, unknown=unknown: top - unknown,
            # A product with the width that comes out right in 32 bits.
            "wrapped": lambda true, form=form: true | 0x8000_0000 if form == "<I" else true + 2,
        }
        answers |= {f"{field} {word}": in_the_header(form, at, change) for word, change in changes.items()}
    cases = list(rigged_files(container, answers))
    assert len(cases) >= len(answers)
    run_lies(cases, backend, errors_only=True)


@both_backends
@pytest.mark.parametrize("name", ["_listpack_bytes", "_ziplist_bytes"])
def test_entries_of_packed_containers(name, backend):
    """An entry that claims more than its container holds."""
    head, order = {"_listpack_bytes": (b"\xf0", "<I"), "_ziplist_bytes": (b"\x80", ">I")}[name]
    sizes = {"2^31-1": (1 << 31) - 1, "2^32-1": (1 << 32) - 1, "2^32-9": (1 << 32) - 9, "2^20": 1 << 20}
    answers = {
        word: lambda real, arguments, size=size: head + struct.pack(order, size) + arguments[0]
        for word, size in sizes.items()
    }
    cases = list(rigged_files(name, answers))
    assert len(cases) >= 4 * len(answers)
    run_lies(cases, backend, errors_only=True)


@both_backends
def test_back_lengths(backend):
    answers = {
        "none": lambda real, arguments: b"\x00",
        "less one": lambda real, arguments: real(arguments[0] - 1),
        "and one": lambda real, arguments: real(arguments[0] + 1),
        "too wide": lambda real, arguments: b"\x00" + bytes([0x80 | real(arguments[0])[0]]) + real(arguments[0])[1:],
        "endless": lambda real, arguments: b"\xff" * 8,
    }
    cases = list(rigged_files("_back_length", answers))
    assert len(cases) > 100
    run_lies(cases, backend, errors_only=True)


def rdb(version, *parts):
    return with_checksum(b"REDIS%04d" % version + b"".join(parts) + b"\xff")


def value(code, payload):
    return b"\xfe\x00" + bytes([code]) + b"\x03key" + payload


def lzf_bomb():
    """6 MB that inflate to 528 MiB: back references over zeros, as far as LZF can go."""
    count = (528 << 20) // 264
    packed = b"\x00\x00" + b"\xe0\xff\x00" * count
    sizes = b"\x80" + struct.pack(">I", len(packed)) + b"\x80" + struct.pack(">I", 1 + 264 * count)
    return rdb(11, value(0, b"\xc3" + sizes + packed))


GIB = 1 << 30
#: A string of 1 GiB of zeros, the rest of which the packers below write without ever holding it.
GIB_HEAD = b"REDIS0011" + value(0, b"\x80" + struct.pack(">I", GIB))


def gzip_bomb():
    packer = zlib.compressobj(1, wbits=31)
    return _pack(packer.compress, packer.flush)


def zstd_bomb():
    packer = zstd.ZstdCompressor()
    return _pack(packer.compress, packer.flush)


def lz4_bomb():
    frame = required_module("lz4.frame")
    packer = frame.LZ4FrameCompressor(block_size=frame.BLOCKSIZE_MAX4MB)
    return packer.begin() + _pack(packer.compress, packer.flush)


def _pack(compress, flush):
    zeros = bytes(1 << 20)
    return b"".join([compress(GIB_HEAD), *(compress(zeros) for _ in range(GIB >> 20)), flush()])


def huge(code, *, before=b"", after=b""):
    """A collection of 2^57 elements; the first few bytes of them are there."""
    count = b"\x81" + struct.pack(">Q", 1 << 57)
    return rdb(15, value(code, before + count + after + b"\x01a\x01b" * 4))


BOMBS = {
    "lzf": (lzf_bomb, "limit"),
    "gzip": (gzip_bomb, "limit"),
    "zstd": (zstd_bomb, "limit"),
    "lz4": (lz4_bomb, "limit"),
    "string": (lambda: huge(0), "located"),
    "list": (lambda: huge(1), "located"),
    "set": (lambda: huge(2), "located"),
    "zset": (lambda: huge(3), "located"),
    "hash": (lambda: huge(4), "located"),
    "binary zset": (lambda: huge(5), "located"),
    "quicklist": (lambda: huge(14), "located"),
    "quicklist 2": (lambda: huge(18), "located"),
    "stream nodes": (lambda: huge(21), "located"),
    "stream groups": (lambda: huge(21, before=b"\x00" * 9), "located"),
    "hash with field expiries": (lambda: huge(24, before=bytes(8)), "located"),
    "array": (lambda: huge(28), "located"),
    "hash template": (lambda: rdb(15, b"\xf2\x01\x81" + struct.pack(">Q", 1 << 57)), "located"),
    "key meta": (lambda: rdb(15, b"\xf3\x81" + struct.pack(">Q", 1 << 57)), "located"),
    "intset": (lambda: rdb(11, value(11, b"\x0a" + struct.pack("<II", 8, 1 << 29) + b"\x01\x00")), "located"),
    "table sizes": (lambda: rdb(11, b"\xfb" + HUGE["2^63-1"] * 2, value(0, b"\x01v")), "sound"),
    "slot sizes": (lambda: rdb(12, b"\xf4\x00" + HUGE["2^63-1"] * 2, value(0, b"\x01v")), "sound"),
}


#: Small ones run in one process; the others have one each, so that each has a peak of memory of its own.
SMALL_BOMBS = [name for name, (_, end) in BOMBS.items() if end != "limit"]


@pytest.mark.parametrize("name", [name for name in BOMBS if name not in SMALL_BOMBS])
def test_bombs(name):
    make, _ = BOMBS[name]
    data = make()
    assert len(data) < 7 << 20
    for backend in BACKENDS:
        for sized in (True, False):
            batch = run_batch([Case(name, data)], backend, sized=sized)
            check_batch(batch, errors_only=True)
            (row,) = batch.outcomes
            assert row.error in {"LimitError", "OversizeError"}
            assert "0x" in row.text


@both_backends
@both_openings
def test_small_bombs(sized, backend):
    cases = [Case(name, BOMBS[name][0]()) for name in SMALL_BOMBS]
    batch = run_batch(cases, backend, sized=sized)
    check_batch(batch)
    for case, row in zip(cases, batch.outcomes, strict=True):
        if BOMBS[case.label][1] == "sound":
            assert row.kind == "result", row
        else:
            assert row.error == "FormatError", row
            assert row.code in BY_CODE
            assert 9 <= row.at <= len(case.data)
