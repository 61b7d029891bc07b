"""What files of servers are kept in is named with the command that unwraps it, or inflated within a bound."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from base64 import b64encode

import pytest
from command import FIXTURES, run
from required import skip_without

from rdbtool.core.errors import FormatError, InputError, LimitError, UnknownFormatError
from rdbtool.core.wrappers import WRAPPERS, describe_wrapper, recognise_wrapper
from rdbtool.io.source import open_source
from rdbtool.reader.open.files import detect

RDB = (FIXTURES / "small" / "redis-7.0-listpacks-stream-function.rdb").read_bytes()


def in_tar(data, form):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        info = tarfile.TarInfo("data/dump.rdb")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def in_zip(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("dump.rdb", data)
    return file.getvalue()


LINES = b"\n".join(b64encode(RDB[i : i + 57]) for i in range(0, len(RDB), 57)) + b"\n"

WRAPPED = {
    "a tar archive": in_tar(RDB, tarfile.USTAR_FORMAT),
    "a zip archive": in_zip(RDB),
    "base64": LINES,
    "hexadecimal digits": RDB.hex().encode(),
    "an age file, encrypted": b"age-encryption.org/v1\n-> X25519 abc\n",
    "a file that openssl encrypted": b"Salted__12345678" + bytes(range(64)),
    "an OpenPGP message, encrypted": bytes.fromhex("8c0d04090302") + bytes(range(64)),
    "a PNG picture": b"\x89PNG\r\n\x1a\n" + bytes(16),
    "a JPEG picture": b"\xff\xd8\xff\xe0" + bytes(16),
    "a PDF document": b"%PDF-1.7\n",
    "an ELF program": b"\x7fELF\x02\x01\x01" + bytes(60),
    "an SQLite database": b"SQLite format 3\0" + bytes(100),
    "an HTML or XML page": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "a single JSON document": b'[{"a": 1}]',
    "a 7z archive": b"7z\xbc\xaf\x27\x1c" + bytes(26),
}


@pytest.mark.parametrize("kind", WRAPPED)
@pytest.mark.parametrize("around", [lambda data: data, gzip.compress, lzma.compress])
def test_what_is_around_a_file_is_named(tmp_path, kind, around):
    path = tmp_path / "a file.rdb"
    path.write_bytes(around(WRAPPED[kind]))
    with pytest.raises(InputError) as caught:
        detect(path)
    assert f"{path}: it looks like {kind}" in str(caught.value)


@pytest.mark.parametrize("command", ["info", "dump", "inspect", "validate", "digest", "repair -o out.rdb", "history"])
def test_it_is_no_answer(tmp_path, command):
    path = tmp_path / "backup.tar"
    path.write_bytes(WRAPPED["a tar archive"])
    ran = run(*command.split(), path, *(["k"] if command == "history" else []), cwd=tmp_path)
    assert ran.code == 3
    assert "it looks like a tar archive: tar -xOf" in " ".join((ran.err + ran.out.decode()).split())
    assert os.listdir(tmp_path) == ["backup.tar"]


@pytest.mark.parametrize(
    ("kind", "around"),
    [("a tar archive", bytes), ("a tar archive", gzip.compress), ("base64", bytes), ("base64", bz2.compress)],
)
@pytest.mark.parametrize("way", ["file", "pipe"])
def test_the_command_that_is_named_unwraps_it(tmp_path, kind, around, way):
    if around is bz2.compress and shutil.which("bzip2") is None:
        skip_without("bzip2 is not installed")
    path = tmp_path / "it's a file"
    path.write_bytes(around(WRAPPED[kind]))
    with pytest.raises(InputError) as caught:
        detect(path if way == "file" else io.BytesIO(path.read_bytes()))
    command = str(caught.value).partition(f"it looks like {kind}")[2].partition(": ")[2].removesuffix(" | rdbtool … -")
    done = subprocess.run(["sh", "-c", command], input=path.read_bytes(), capture_output=True, check=True)
    assert done.stdout == RDB


def test_every_signature_is_of_one_kind():
    """No row is hidden by another one: the first bytes of each are told apart."""
    for row in WRAPPERS:
        assert not row.signature.match(b"REDIS0011\xfa\x09redis-ver")
        assert not row.signature.match(b"*3\r\n$3\r\nSET\r\n")
        assert not row.piped or row.unwrap


@pytest.mark.parametrize("text", [b"", b"hello world\n", b"UkVE", b"deadbeef\n", b"aaaa" * 1024 + b"!", b"12ab" * 900])
def test_other_text_is_not_named(text):
    assert recognise_wrapper(text) is None
    with pytest.raises(UnknownFormatError):
        detect(text)


def test_what_a_pipe_cannot_unwrap():
    wrapper = recognise_wrapper(WRAPPED["a 7z archive"])
    assert describe_wrapper(wrapper, "standard input", is_file=False, compression=None).endswith(
        "it looks like a 7z archive: write what is inside to a file and give that"
    )


@pytest.mark.parametrize("around", [lzma.compress, bz2.compress])
def test_xz_and_bzip2_are_read(tmp_path, around):
    path = tmp_path / "dump.rdb"
    path.write_bytes(around(RDB[:1000]) + around(RDB[1000:]))
    for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        with open_source(source) as opened:
            assert opened.peek(1 << 20) == RDB
    path.write_bytes(path.read_bytes()[:-9])
    with open_source(path) as opened, pytest.raises(FormatError, match="SRC001"):
        opened.peek(1 << 20)


def test_padding_of_xz_is_passed_over():
    with open_source(lzma.compress(RDB) + bytes(8)) as opened:
        assert opened.peek(1 << 20) == RDB


def xz_with_window(size):
    """Return an xz file whose block says that it needs a window of ``size`` bytes (a power of two)."""
    data = bytearray(lzma.compress(RDB))
    stop = 12 + (data[12] + 1) * 4
    assert data[14:16] == b"\x21\x01"
    data[16] = 2 * (size.bit_length() - 13)
    data[stop - 4 : stop] = zlib.crc32(data[12 : stop - 4]).to_bytes(4, "little")
    return bytes(data)


def zstd_with_window(size):
    """Return a zstd frame of one raw block that says that it needs a window of ``size`` bytes (a power of two)."""
    head = bytes([0, (size.bit_length() - 11) << 3])
    return b"\x28\xb5\x2f\xfd" + head + (1 | len(RDB) << 3).to_bytes(3, "little") + RDB


@pytest.mark.parametrize("made", [xz_with_window, zstd_with_window])
def test_a_window_that_is_too_large_is_our_limit_and_no_damage(tmp_path, made):
    path = tmp_path / "dump.rdb"
    path.write_bytes(made(64 << 20))
    assert run("validate", path).code == 0
    path.write_bytes(made(1 << 30))
    with open_source(path) as opened, pytest.raises(LimitError, match="needs a window of more than 128 MiB"):
        opened.peek(1)
    for command in (["validate"], ["info"], ["dump"], ["digest"], ["inspect"], ["repair", "-o", tmp_path / "out.rdb"]):
        ran = run(*command, path)
        assert ran.code == 3, command
        assert "128 MiB" in " ".join((ran.err + ran.out.decode()).split())


def bomb(first, filler, times=96):
    """Return megabytes of one byte behind a beginning, in a small file."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(first) + b"".join(packer.compress(filler * (1 << 20)) for _ in range(times)) + packer.flush()


BOMBS = {
    "newlines between JSON lines": (b'{"key":"a","type":"string","value":"v"}\n', b"\n", 0),
    "blanks between JSON lines": (b'{"key":"a","type":"string","value":"v"}\n', b" ", 0),
    "newlines behind inline commands": (b"SET a 1\n", b"\n", 0),
    "newlines": (b"", b"\n", 4),
    "NUL bytes": (b"", b"\0", 4),
    "NUL bytes behind an RDB": (RDB, b"\0", 0),
    "a string of NUL bytes": (RDB[:9] + b"\0\1k\x80\x0c\0\0\0", b"\0", None),
    "newlines before what a master sends": (b"+OK\r\n", b"\n", 4),
}


@pytest.mark.memory
@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_cost_neither_memory_nor_time(tmp_path, kind):
    first, filler, code = BOMBS[kind]
    path = tmp_path / "x.gz"
    path.write_bytes(bomb(first, filler))
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (20, 20))\n"
        "from rdbtool._entry import run\n"
        "code = run(sys.argv[1:])\n"
        # What getrusage says counts the process that this one was made of.
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1]\n"
        "assert int(peak) < 150 << 10, peak\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, "dump", path], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == code or (code is None and done.returncode in {0, 1, 3}), done.stderr
