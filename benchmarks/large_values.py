"""Measures memory and time of the commands on large values, or on bombs, and prints a Markdown table.

    python benchmarks/large_values.py [--mb 512] [--cache DIR] [--only NAME]... [--bombs]

The inputs are made once, in a child of their own: what a process once held counts as the memory of those that it
starts. Memory is the peak of the resident set; the ratio is that to the value as it is inflated.
"""

from __future__ import annotations

import argparse
import importlib
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from rdbtool.io.source import crc64

MIB: Final = 1 << 20
TOOL: Final = (sys.executable, "-c", "from rdbtool._entry import main; main()")

#: Seconds after which a command is given up.
PATIENCE: Final = 300


def length(size: int) -> bytes:
    """Return a length as it stands in an RDB."""
    return b"\x80" + size.to_bytes(4, "big") if size >= 64 else bytes([size])


def string(data: bytes) -> bytes:
    """Return a string as it stands in an RDB."""
    return length(len(data)) + data


def write_rdb(path: Path, pieces: Iterable[bytes]) -> None:
    """Write an RDB with one key, of the pieces of its record."""
    checksum = 0
    with path.open("wb") as file:
        for piece in chain((b"REDIS0010\xfe\0",), pieces, (b"\xff",)):
            file.write(piece)
            checksum = crc64(piece, checksum)
        file.write(checksum.to_bytes(8, "little"))


# ---- large values ----------------------------------------------------------------------------------------------


def raw_string(mb: int) -> Iterator[bytes]:
    """A string of UTF-8 text that is stored as it is."""
    yield b"\0" + string(b"text") + length(mb * MIB)
    for _ in range(mb):
        yield ("größer " * (MIB // 9)).encode().ljust(MIB, b".")


def binary_string(mb: int) -> Iterator[bytes]:
    """A string of bytes that are no text."""
    yield b"\0" + string(b"binary") + length(mb * MIB)
    piece = os.urandom(MIB)
    for _ in range(mb):
        yield piece


def packed_string(mb: int) -> Iterator[bytes]:
    """A bitmap with one bit: LZF that inflates to 88 times its size."""
    matches = (mb * MIB - 1) // 264
    rest = mb * MIB - 1 - 264 * matches
    data = b"\0\0" + b"\xe0\xff\0" * matches + b"".join(b"\0\0" for _ in range(rest))
    yield b"\0" + string(b"bitmap") + b"\xc3" + length(len(data)) + length(mb * MIB) + data


def members(_: int) -> Iterator[bytes]:
    """A set of 5 million members."""
    count = 5_000_000
    yield b"\2" + string(b"set") + length(count)
    yield from (b"\x0fmember:%08d" % number for number in range(count))


def fields(_: int) -> Iterator[bytes]:
    """A hash of 3 million fields."""
    count = 3_000_000
    yield b"\4" + string(b"hash") + length(count)
    yield from (b"\x0efield:%08d\x0bvalue%06d" % (number, number % 1_000_000) for number in range(count))


def scores(_: int) -> Iterator[bytes]:
    """A sorted set of 3 million members."""
    count = 3_000_000
    yield b"\5" + string(b"zset") + length(count)
    yield from (b"\x0fmember:%08d" % number + struct.pack("<d", number) for number in range(count))


def elements(_: int) -> Iterator[bytes]:
    """A list of 5 million elements, in nodes of 500."""
    yield b"\x12" + string(b"list") + length(10_000)
    for node in range(10_000):
        entries = [b"\x90element:%08d\x11" % (node * 500 + number) for number in range(500)]
        yield b"\2" + string(listpack(entries))


def listpack(entries: list[bytes]) -> bytes:
    """Return a listpack of entries."""
    body = b"".join(entries)
    return struct.pack("<IH", len(body) + 7, min(len(entries), 65535)) + body + b"\xff"


def number_entry(number: int) -> bytes:
    """Return the entry of a listpack for a small number."""
    return bytes([number, 1]) if number < 128 else b"\xf1" + number.to_bytes(2, "little") + b"\3"


def entries_of_a_stream(_: int) -> Iterator[bytes]:
    """A stream of a million entries, in nodes of 100."""
    nodes = 10_000
    yield b"\x0f" + string(b"stream") + length(nodes)
    for node in range(nodes):
        ms = 1_700_000_000_000 + node * 100
        row = [number_entry(100), number_entry(0), number_entry(1), b"\x81f\2", number_entry(0)]
        for at in range(100):
            value = b"\x8evalue:%08d\x0f" % (node * 100 + at)
            row += [number_entry(2), number_entry(at), number_entry(0), value, number_entry(4)]
        yield b"\x10" + struct.pack(">QQ", ms, 0) + string(listpack(row))
    yield length(nodes * 100) + b"\x81" + struct.pack(">Q", ms + 99) + b"\0\0"


VALUES: Final[dict[str, Callable[[int], Iterator[bytes]]]] = {
    "string": raw_string,
    "binary": binary_string,
    "bitmap": packed_string,
    "set": members,
    "hash": fields,
    "zset": scores,
    "list": elements,
    "stream": entries_of_a_stream,
}


# ---- bombs -----------------------------------------------------------------------------------------------------


#: The modules that write compressed files, as the standard library's do.
PACKERS: Final = {"gzip": "gzip", "bzip2": "bz2", "xz": "lzma", "zstd": "backports.zstd", "lz4": "lz4.frame"}


def compressed(packer: str, head: bytes, piece: bytes, times: int) -> Callable[[Path], None]:
    """Return what writes a compressed file of the head, and then the piece so many times."""

    def write(path: Path) -> None:
        with importlib.import_module(PACKERS[packer]).open(path, "wb") as file:
            file.write(head)
            for _ in range(times):
                file.write(piece)

    return write


def whole(data: bytes) -> Callable[[Path], None]:
    """Return what writes a file."""

    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


def many_parts(path: Path) -> None:
    """Write the manifest of an AOF of 10,000 parts, and these."""
    path.mkdir()
    rows = []
    for number in range(1, 10_001):
        name = f"x.aof.{number}.incr.aof"
        rows.append(f"file {name} seq {number} type i\n")
        (path / name).write_bytes(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n")
    (path / "x.aof.manifest").write_text("".join(rows))


_RAW: Final = b"REDIS0010\xfe\0\0\1k" + length(0xFFFFFFFF)
_LZF: Final = b"\0\0" + b"\xe0\xff\0" * 2_000_000
_HASH: Final = b"REDIS0010\xfe\0\4\1h" + length(0xFFFFFFFF)
BOMBS: Final[dict[str, Callable[[Path], None]]] = {
    "gzip: a string of 4 GiB": compressed("gzip", _RAW, bytes(MIB), 2048),
    "gzip: a hash of 1 GiB": compressed("gzip", _HASH, bytes(MIB), 1024),
    "bzip2: NULs": compressed("bzip2", b"REDIS0010", bytes(MIB), 1024),
    "xz: NULs": compressed("xz", b"REDIS0010", bytes(MIB), 1024),
    "zstd: a string of 4 GiB": compressed("zstd", _RAW, bytes(MIB), 2048),
    "lz4: a string of 4 GiB": compressed("lz4", _RAW, bytes(MIB), 512),
    "LZF: a string of 528 MB": whole(
        b"REDIS0010\xfe\0\0\1k\xc3" + length(len(_LZF)) + length(1 + 264 * 2_000_000) + _LZF
    ),
    "jsonl: newlines": compressed("gzip", b'{"rdb":{"magic":"REDIS","version":11}}', b"\n" * MIB, 512),
    "jsonl: brackets": compressed("gzip", b'{"a":', b"[" * MIB, 512),
    "AOF: a bulk of 4 GiB": compressed("gzip", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4294967296\r\n", bytes(MIB), 1024),
    "AOF: a billion arguments": whole(b"*1000000000\r\n" + b"$1\r\nx\r\n" * MIB),
    "manifest: 10,000 parts": many_parts,
}


# ---- measuring -------------------------------------------------------------------------------------------------


def measure(arguments: list[str]) -> tuple[float, float, int]:
    """Run a command; return the peak of its memory in MB, CPU seconds and exit code (-9: it was given up)."""
    process = subprocess.Popen([*TOOL, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + PATIENCE
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        if time.monotonic() > until:
            process.kill()
        time.sleep(0.02)
    _, status, usage = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 << 10 if sys.platform == "linux" else MIB
    return usage.ru_maxrss / unit, usage.ru_utime + usage.ru_stime, process.returncode


def commands(source: str, scratch: Path, *, bomb: bool) -> Iterator[tuple[str, list[str]]]:
    """Yield each command with the name of its column."""
    yield "validate", ["validate", "-q", source]
    yield "digest", ["digest", source]
    for form in ("jsonl",) if bomb else ("jsonl", "json", "resp", "csv"):
        yield f"dump {form}", ["dump", "-f", form, source]
    for form in ("rdb",) if bomb else ("rdb", "resp", "jsonl", "aof"):
        yield f"convert {form}", ["convert", "--force", "--to", form, source, str(scratch / f"out.{form}")]
    yield "repair", ["repair", "--force", source, "-o", str(scratch / "repaired")]
    if not bomb:
        yield "diff", ["diff", source, source]


def make(name: str, path: Path, mb: int) -> None:
    """Write an input."""
    if name in VALUES:
        write_rdb(path, VALUES[name](mb))
    else:
        BOMBS[name](path)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--mb", type=int, default=512, help="MiB of a string")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "rdbtool-large-values")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this input")
    parser.add_argument("--bombs", action="store_true", help="measure bombs, not values")
    parser.add_argument("--make", nargs=2, metavar=("NAME", "PATH"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        make(given.make[0], Path(given.make[1]), given.mb)
        return
    given.cache.mkdir(parents=True, exist_ok=True)
    print("| input | MB | command | peak MB | peak / value | CPU s | exit code |")
    print("|---|--:|---|--:|--:|--:|--:|")
    for name in given.only or (BOMBS if given.bombs else VALUES):
        path = given.cache / "".join(c if c.isalnum() else "-" for c in f"{name}-{given.mb}")
        if not path.exists():
            subprocess.run([sys.executable, __file__, "--mb", str(given.mb), "--make", name, path], check=True)
        stored = sum(file.stat().st_size for file in path.rglob("*")) if path.is_dir() else path.stat().st_size
        size = (given.mb if name == "bitmap" else stored / MIB) or 1
        with tempfile.TemporaryDirectory() as scratch:
            for title, arguments in commands(str(path), Path(scratch), bomb=given.bombs):
                memory, seconds, code = measure(arguments)
                ratio = "" if given.bombs else f"{memory / size:.2f}"
                print(
                    f"| {name} | {size:.1f} | {title} | {memory:.0f} | {ratio} | {seconds:.1f} | {code} |", flush=True
                )


if __name__ == "__main__":
    main()
