"""Sources: every kind of target, every compression, and every way of failing."""

import gzip
import io
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from required import required_module

try:
    from compression import zstd
except ImportError:
    from backports import zstd

from rdbtool.core.errors import FormatError, InputError, RdbToolError, UnsupportedError
from rdbtool.io.source import open_source

DATA = b"REDIS0011" + bytes(range(256)) * 40
SKIPPABLE = bytes.fromhex("5A2A4D18 03000000") + b"abc"
ZSTD_SUMMED = {zstd.CompressionParameter.checksum_flag: 1}


def pack_gzip(data):
    return gzip.compress(data, mtime=0)


def pack_zstd(data):
    return zstd.compress(data, options=ZSTD_SUMMED)


def pack_lz4(data):
    return required_module("lz4.frame").compress(data, content_checksum=True)


PACKERS = {"gzip": pack_gzip, "zstd": pack_zstd, "lz4": pack_lz4}
WRAPPERS = {
    **PACKERS,
    "vcs+lz4": lambda data: b"VCS\x01\x01\x00\x01" + pack_lz4(data),
    "vcs+zstd": lambda data: b"VCS\x01\x02\x00\x01" + pack_zstd(data),
}


def read_all(source, piece=4096):
    view = memoryview(bytearray(piece))
    parts = []
    while count := source.readinto(view):
        parts.append(bytes(view[:count]))
    return b"".join(parts)


def read_bytes(data, piece=4096):
    with open_source(data) as source:
        return read_all(source, piece)


@pytest.mark.parametrize("piece", [1, 7, 8, 4096, 1 << 22])
def test_a_plain_file(tmp_path, piece):
    path = tmp_path / "dump.gz"
    path.write_bytes(DATA)
    os.utime(path, (1, 1_700_000_000))
    with open_source(path) as source:
        assert (source.name, source.size, source.compression) == (str(path), len(DATA), None)
        assert (source.compressed_size, source.compressed_read, source.mtime) == (None, None, 1_700_000_000)
        assert read_all(source, piece) == DATA
        assert source.position == len(DATA)
        source.check_unchanged()
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("data", [b"", b"R", b"\x1f", b"V", b"VC", b"P*M", b"REDIS0", b"REDIS00"])
def test_short_plain_data(data):
    assert read_bytes(data) == data


@pytest.mark.parametrize("piece", [1, 4096, 1 << 22])
@pytest.mark.parametrize("compression", WRAPPERS)
def test_content_decides_not_the_name(tmp_path, compression, piece):
    path = tmp_path / "dump.rdb"
    packed = WRAPPERS[compression](DATA)
    path.write_bytes(packed)
    with open_source(str(path), name="mine") as source:
        assert (source.name, source.size, source.compression) == ("mine", None, compression)
        assert source.compressed_size == len(packed)
        assert read_all(source, piece) == DATA
        assert source.compressed_read == len(packed)
        assert source.ignored_tail == 0


@pytest.mark.parametrize("compression", PACKERS)
def test_frames_and_members_are_read_through(compression):
    pack = PACKERS[compression]
    assert read_bytes(pack(DATA) + pack(b"") * 3000 + pack(b"end")) == DATA + b"end"


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_skippable_frames_are_passed_over(compression):
    pack = PACKERS[compression]
    packed = pack(DATA) + SKIPPABLE + pack(DATA) + SKIPPABLE
    assert read_bytes(SKIPPABLE + packed if compression == "zstd" else packed) == DATA * 2


@pytest.mark.parametrize("head", [b"\x04\x22\x4d\x18", b"VCS\x01\x01\x00\x01"])
def test_without_lz4_it_is_said_what_to_install(head, monkeypatch):
    monkeypatch.setitem(sys.modules, "lz4", None)
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'redis-rdbtool\[lz4\]', or decompress the file"):
        read_bytes(head + bytes(99))


def test_zero_padding_after_gzip():
    assert read_bytes(pack_gzip(DATA) + b"\0" * 100_000 + pack_gzip(b"x") + b"\0") == DATA + b"x"


@pytest.mark.parametrize("compression", PACKERS)
@pytest.mark.parametrize("tail", [b"x", b"REDIS0011 is no frame"])
def test_other_bytes_after_the_last_frame(compression, tail):
    packed = PACKERS[compression](DATA)
    with pytest.raises(FormatError) as caught:
        read_bytes(packed + tail)
    assert (caught.value.code, caught.value.at) == ("SRC001", len(DATA))
    assert f"byte {len(packed)} of the compressed file" in caught.value.found


@pytest.mark.parametrize("compression", ["vcs+lz4", "vcs+zstd"])
def test_the_tail_of_a_valkey_file_is_counted(compression):
    packed = WRAPPERS[compression](DATA)
    with open_source(packed + b"*1\r\n" * 50_000) as source:
        assert read_all(source) == DATA
        assert source.ignored_tail == 200_000
        assert source.compressed_read == len(packed) + 200_000


@pytest.mark.parametrize("at", [3, 4, 5, 6])
def test_unknown_valkey_headers(at):
    packed = bytearray(WRAPPERS["vcs+zstd"](DATA))
    packed[at] = 9
    with pytest.raises(UnsupportedError, match="VCS"):
        open_source(bytes(packed))


def test_nested_compression_is_left_alone():
    assert read_bytes(pack_gzip(pack_zstd(DATA))) == pack_zstd(DATA)


@pytest.mark.parametrize("compression", WRAPPERS)
def test_every_truncation(compression):
    packed = WRAPPERS[compression](b"REDIS0011" * 20 + bytes(range(100)))
    for size in range(len(packed)):
        cut = packed[:size]
        # Less than the magic is no compressed file; the header of zstd and lz4 has four bytes.
        plain = size < {"gzip": 2, "vcs+lz4": 3, "vcs+zstd": 3}.get(compression, 4)
        if plain:
            assert read_bytes(cut) == cut
            continue
        with pytest.raises(FormatError) as caught:
            read_bytes(cut)
        assert caught.value.code == "SRC001"
        assert 0 <= caught.value.at <= 280
        assert "end of file" in caught.value.found


@pytest.mark.parametrize("compression", WRAPPERS)
def test_every_bit_flip(compression):
    """With a checksum in the frame no flip gives other data, unless it hits bytes that carry none."""
    data = b"REDIS0011" * 20 + bytes(range(100))
    packed = WRAPPERS[compression](data)
    outcomes = {"same": 0, "other": 0, "error": 0}
    for bit in range(len(packed) * 8):
        flipped = bytearray(packed)
        flipped[bit // 8] ^= 1 << bit % 8
        flipped = bytes(flipped)
        try:
            result = read_bytes(flipped)
        except RdbToolError:
            outcomes["error"] += 1
            continue
        # A flip in the magic makes it another, uncompressed, kind of file: then nothing is inflated.
        outcomes["same" if result in (data, flipped) else "other"] += 1
    assert outcomes["other"] == 0
    assert outcomes["error"] > outcomes["same"]


def test_a_failed_source_stays_failed():
    with open_source(pack_gzip(DATA)[:-1]) as source:
        with pytest.raises(FormatError) as first:
            read_all(source)
        assert first.value.at == len(DATA)
        assert first.value.where.source == "bytes in memory"
        with pytest.raises(FormatError) as second:
            read_all(source)
        assert second.value is first.value


def test_pipes_with_short_reads():
    """The first bytes may come one by one; the compression is still seen."""
    packed = pack_zstd(DATA)
    read_end, write_end = os.pipe()

    def feed():
        for at in range(0, len(packed), 3 if len(packed) < 100 else 1):
            os.write(write_end, packed[at : at + 1])
        os.close(write_end)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with open(read_end, "rb", buffering=0) as stream, open_source(stream, name="pipe") as source:
        assert (source.size, source.compressed_size, source.mtime) == (None, None, None)
        assert read_all(source) == DATA
        source.check_unchanged()
    feeder.join()


def read_in_child(stdin, *, target="-", setup=""):
    script = (
        f"import sys; from rdbtool.io.source import open_source; from rdbtool.core.errors import InputError\n{setup}\n"
        f"try:\n    s = open_source({target!r})\nexcept InputError as e:\n    sys.exit(str(e))\n"
        "v = memoryview(bytearray(999)); out = b''\n"
        "while n := s.readinto(v): out += v[:n]\n"
        "s.check_unchanged(); s.close()\n"
        "print(s.name, s.size, s.compression, len(out), out[:5])"
    )
    return subprocess.run([sys.executable, "-c", script], **stdin, capture_output=True, timeout=60, check=False)


def test_standard_input_as_a_pipe():
    done = read_in_child({"input": pack_gzip(DATA)})
    assert done.stdout.decode() == f"standard input None gzip {len(DATA)} b'REDIS'\n"


def test_standard_input_as_a_file_partly_read(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"skip me" + DATA)
    with open(path, "rb") as stream:
        os.lseek(stream.fileno(), 7, os.SEEK_SET)
        done = read_in_child({"stdin": stream})
    assert done.stdout.decode() == f"standard input {len(DATA)} None {len(DATA)} b'REDIS'\n"


def test_standard_input_that_does_not_wait():
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    timer = threading.Timer(0.3, lambda: (os.write(write_end, DATA), os.close(write_end)))
    timer.start()
    done = read_in_child({"stdin": read_end})
    timer.join()
    os.close(read_end)
    assert done.stdout.decode() == f"standard input None None {len(DATA)} b'REDIS'\n"


def test_standard_input_that_is_closed():
    done = read_in_child({"stdin": subprocess.DEVNULL}, setup="import os; os.close(0)")
    assert done.stderr.decode() == "cannot open standard input: Bad file descriptor\n"


def test_process_substitution(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(DATA)
    script = (
        "import sys; from rdbtool.io.source import open_source; s = open_source(sys.argv[1])\n"
        "v = memoryview(bytearray(99999)); n = 0\nwhile k := s.readinto(v): n += k\nprint(n)"
    )
    command = f"{sys.executable} -c '{script}' <(sleep 0.2; cat {path})"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (f"{len(DATA)}\n", "")


class OnlyRead:
    """A stream without ``readinto``, as some wrappers are, that gives a few bytes at a time."""

    def __init__(self, data):
        self.inner = io.BytesIO(data)

    def read(self, size):
        return self.inner.read(min(size, 3))


def test_the_streams_of_a_caller(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"skip" + DATA)
    with open(path, "rb") as stream:
        stream.read(4)
        with open_source(stream) as source:
            assert source.name == str(path)
            assert read_all(source) == DATA
        assert not stream.closed
    given = io.BytesIO(b"skip" + DATA)
    given.seek(4)
    with open_source(given) as source:
        assert (source.name, source.size) == ("a stream", len(DATA))
        assert read_all(source) == DATA
    assert not given.closed
    assert read_all(open_source(OnlyRead(pack_gzip(DATA)))) == DATA


def test_what_cannot_be_opened(tmp_path):
    fifo, unix = tmp_path / "fifo", tmp_path / "socket"
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(unix))
        wanted = {
            tmp_path / "none": "No such file or directory",
            tmp_path: f"it is a directory, give the file in it, such as {tmp_path}/dump.rdb",
            fifo: "it is a named pipe, give its data on standard input",
            unix: "it is a socket",
            "a\0b": "no file can have such a name",
            "a\ud800b": "no file can have such a name",
            "": "No such file or directory",
            "x" * 5000: "File name too long",
        }
        for target, words in wanted.items():
            with pytest.raises(InputError) as caught:
                open_source(target)
            assert str(caught.value).startswith(f"cannot open {target}: {words}")
            assert "\n" not in str(caught.value)


def test_no_permission(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(DATA)
    path.chmod(0)
    # Root reads everything: the child gives that up first.
    setup = "import os; os.geteuid() or os.setresuid(65534, 65534, 65534)"
    script = f"from rdbtool.io.source import open_source\n{setup}\nopen_source({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.endswith(f"InputError: cannot open {path}: Permission denied\n")


def test_read_errors_name_the_source():
    """The kernel answers EIO for the memory at address 0."""
    with pytest.raises(InputError, match=r"^cannot read /proc/self/mem: Input/output error$"):
        open_source("/proc/self/mem")


class Failing:
    def readinto(self, view):
        raise OSError(5, "Input/output error")


def test_read_errors_of_a_stream():
    with pytest.raises(InputError, match=r"^cannot read b: Input/output error$"):
        open_source(Failing(), name="b")


@pytest.mark.parametrize("change", ["grow", "cut", "touch", "replace", "remove"])
def test_changes_while_reading(tmp_path, change):
    path = tmp_path / "dump.rdb"
    path.write_bytes(DATA)
    with open_source(path) as source:
        read_all(source)
        source.check_unchanged()
        match change:
            case "grow":
                with open(path, "ab") as stream:
                    stream.write(b"x")
            case "cut":
                os.truncate(path, 10)
            case "touch":
                os.utime(path, (5, 5))
            case "replace":
                (tmp_path / "new").write_bytes(DATA)
                (tmp_path / "new").replace(path)
            case "remove":
                path.unlink()
        with pytest.raises(
            InputError, match=f"^{path} (changed|was replaced by another file) ?while it was read|^{path} was"
        ):
            source.check_unchanged()


def test_refusals_leave_no_file_open(tmp_path):
    damaged, plain = tmp_path / "damaged", tmp_path / "plain"
    damaged.write_bytes(b"VCS\x01\x09\x00\x01")
    plain.write_bytes(DATA)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(UnsupportedError):
            open_source(damaged)
        with pytest.raises(InputError):
            open_source(tmp_path)
        open_source(plain).close()
    assert len(os.listdir("/proc/self/fd")) == before


BOMB = """
import gzip, io, resource, sys, zlib, time
kind = sys.argv[1]
zeros = bytes(1 << 20)
out = io.BytesIO()
if kind == "gzip":
    made = zlib.compressobj(9, wbits=31)
    for _ in range(1024): out.write(made.compress(zeros))
    out.write(made.flush())
elif kind == "lz4":
    import lz4.frame
    made = lz4.frame.LZ4FrameCompressor(block_size=lz4.frame.BLOCKSIZE_MAX4MB)
    out.write(made.begin())
    for _ in range(1024): out.write(made.compress(zeros))
    out.write(made.flush())
else:
    try: from compression import zstd
    except ImportError: from backports import zstd
    P = zstd.CompressionParameter
    options = {P.compression_level: 1}
    if kind == "zstd-long": options |= {P.window_log: 27}
    made = zstd.ZstdCompressor(options=options)
    for _ in range(1024): out.write(made.compress(zeros))
    out.write(made.flush())
sys.stdout.buffer.write(out.getvalue())
"""

UNPACK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
from rdbtool.io.source import open_source
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
before = peak()
view = memoryview(bytearray(1 << 20)); total = 0
with open_source("-") as source:
    while n := source.readinto(view): total += n
    print(total, source.compressed_read, peak() - before)
"""


@pytest.mark.memory
@pytest.mark.parametrize(("kind", "window"), [("gzip", 0), ("zstd", 8), ("zstd-long", 128), ("lz4", 9)])
def test_a_bomb_costs_no_memory(kind, window):
    """1 GiB of zeros: what is allowed is 8 MiB for the pieces and the libraries, and the codec's own window."""
    if kind == "lz4":
        required_module("lz4.frame")
    bomb = subprocess.run([sys.executable, "-c", BOMB, kind], capture_output=True, check=True, timeout=100).stdout
    assert len(bomb) < 6 << 20
    done = subprocess.run([sys.executable, "-c", UNPACK], input=bomb, capture_output=True, check=True, timeout=100)
    total, read, kilobytes = map(int, done.stdout.split())
    assert (total, read) == (1 << 30, len(bomb))
    assert kilobytes < (8 + window) << 10


def test_importing_it_is_cheap():
    code = "import sys, rdbtool.io.source; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "rdbtool.io.decompress" in loaded
    assert not loaded & {
        "gzip",
        "lz4",
        "backports",
        "compression",
        "backports.zstd",
        "anycrc",
        "lzf",
        "typing_extensions",
    }


def test_the_input_is_not_opened_for_writing(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(DATA)
    with open_source(path):
        modes = [
            Path(f"/proc/self/fdinfo/{fd}").read_text()
            for fd in os.listdir("/proc/self/fd")
            if os.path.realpath(f"/proc/self/fd/{fd}") == str(path)
        ]
    assert len(modes) == 1
    flags = int(modes[0].split("flags:")[1].split()[0], 8)
    assert flags & os.O_ACCMODE == os.O_RDONLY
    assert flags & os.O_CLOEXEC
