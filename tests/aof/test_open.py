"""What a source is, told by its content, and opened as that."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
from pathlib import Path

import pytest
from aof.logs import FIXTURES, LOGS, command, name_of, sets, write_log
from command import COMMAND, environment, run

from rdbtool.core.errors import FormatError, InputError, UnsupportedError, describe_error
from rdbtool.reader.aof.reader import AofReader, open_aof
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.open.files import detect
from rdbtool.reader.rdb import RdbReader, open_rdb

RDBS = sorted(FIXTURES.glob("*/*.rdb"))
RDB = (FIXTURES / "redis-7.0.15/default.rdb").read_bytes()


@pytest.mark.parametrize("path", RDBS, ids=name_of)
def test_an_rdb(path):
    assert detect(path) == "rdb"
    with open_any(path) as reader, open_rdb(path) as wanted:
        assert isinstance(reader, RdbReader)
        assert list(reader) == list(wanted)
        assert reader.end == wanted.end


@pytest.mark.parametrize("log", LOGS, ids=name_of)
def test_a_log(log):
    assert detect(log) == ("multipart" if log.is_dir() else "aof")
    with open_any(log) as reader:
        assert isinstance(reader, AofReader)
        assert reader.check() > 1000


@pytest.mark.parametrize("log", [log for log in LOGS if log.is_dir()], ids=name_of)
def test_the_files_of_a_log_alone(log):
    """A base that is an RDB is one; a manifest is the log."""
    kinds = {path.suffixes[-2] + path.suffix: detect(path) for path in log.iterdir()}
    base = ".base.rdb" if log.stem == "aof-preamble" else ".base.aof"
    assert kinds == {base: "rdb" if base == ".base.rdb" else "aof", ".incr.aof": "aof", ".aof.manifest": "multipart"}


def test_an_rdb_as_a_log():
    """An RDB is a log whose commands are still to come."""
    with open_aof(RDB) as reader:
        batches = list(reader.batches())
        assert len(batches) == 1
        assert reader.parts[0].format == "rdb"
        assert reader.tail == ("clean", 0, len(RDB), 0, None, 0)


@pytest.mark.parametrize("behind", [sets(3), b"#TS:1\r\n" + sets(2) + command("SELECT", "0")])
def test_a_log_behind_an_rdb_that_does_not_say_so(behind, tmp_path):
    path = tmp_path / "mixed"
    path.write_bytes(RDB + behind)
    for target in (path, RDB + behind):
        assert detect(target) == "aof"
        with open_any(target) as reader:
            assert next(row.offset for row in reader.commands()) == len(RDB) + behind.index(b"*")


@pytest.mark.parametrize("behind", [b"\r\n", b"trailing\r\n", b"$3\r\nx\r\n", sets(2)[:-3]])
def test_what_follows_an_rdb_and_is_no_log(behind):
    assert detect(RDB + behind) == "rdb"


@pytest.mark.parametrize("behind", [b"\n", b"\0", b"x", RDB])
def test_what_follows_a_preamble_has_to_be_commands(behind):
    reader = open_aof(RDB + behind)
    with pytest.raises(FormatError) as caught:
        list(reader.commands())
    assert (caught.value.code, caught.value.at) == ("AOF102", len(RDB))
    assert reader.tail.at == len(RDB)


def test_a_damaged_preamble_is_the_rdbs_fault():
    data = bytearray(RDB)
    data[-4] ^= 1
    with pytest.raises(FormatError) as caught:
        open_aof(bytes(data) + sets(2)).check()
    assert caught.value.code == "RDB004"


def test_backends_agree_on_an_embedded_rdb_without_checksum():
    rdb = (FIXTURES / "small/redis-2.4-without-checksum.rdb").read_bytes()
    for behind in (b"", sets(1), b"12345678", b"1234567"):
        found = []
        for backend in ("codec", "grammar"):
            reader = open_aof(rdb + behind, backend=backend)
            commands = list(reader.commands(on_fault="stop"))
            found.append((commands, reader.tail, reader.fault and str(reader.fault)))
        assert found[0] == found[1]
        assert found[0][1].at == len(rdb) + (len(behind) if behind == sets(1) else 0)


@pytest.mark.parametrize("data", [sets(2), b"#TS:1\r\n", b"#TS:1\r\n" + sets(1), b"*", b"*3", b"# note\r\n" + sets(1)])
def test_logs_by_their_beginning(data):
    assert detect(data) == "aof"
    assert detect(gzip.compress(data)) == "aof"
    assert detect(io.BytesIO(data)) == "aof"


@pytest.mark.parametrize("data", [b"", b"hello", b"* a list\n", b"PK", b"*x", b"$3\r\n", bytes(50), b"# text\nword\n"])
def test_none_of_ours(data):
    with pytest.raises(UnsupportedError, match="not a file that rdbtool reads"):
        detect(data)
    with pytest.raises(UnsupportedError):
        open_any(data)


def test_an_empty_file_is_a_log_where_a_manifest_says_so(tmp_path):
    write_log(tmp_path, {"a.1.base.aof": b"", "a.1.incr.aof": b""})
    with open_any(tmp_path) as reader:
        assert [part.format for part in reader.parts] == ["empty", "empty"]
        assert reader.check() == 0
    assert reader.tail.state == "clean"


def test_a_directory_with_an_old_log(tmp_path):
    (tmp_path / "appendonly.aof").write_bytes(sets(4))
    assert detect(tmp_path) == "aof"
    with open_any(tmp_path) as reader:
        assert reader.check() == 4
    # The newer one wins, as it does for a server that has been upgraded.
    write_log(tmp_path / "appendonlydir", {"a.1.base.aof": sets(1)})
    with open_any(tmp_path) as reader:
        assert reader.check() == 1


def test_directories_that_hold_no_log(tmp_path):
    with pytest.raises(InputError, match=r"without a manifest$"):
        open_any(tmp_path)
    (tmp_path / "dump.rdb").write_bytes(RDB)
    with pytest.raises(InputError, match=r"give the file in it, such as .*dump\.rdb"):
        detect(tmp_path)
    for name in ("a", "b"):
        write_log(tmp_path / name, {"a.1.base.aof": b""})
    with pytest.raises(InputError, match=r"2 manifests.* a/append.*, b/append"):
        open_any(tmp_path)


def test_a_manifest_without_its_place():
    data = b"file a seq 1 type b\n"
    for opener in (open_any, open_aof):
        for target in (data, io.BytesIO(data)):
            with pytest.raises(InputError, match="give its path"):
                opener(target)


def test_a_compressed_base(tmp_path):
    write_log(tmp_path, {"a.1.base.rdb": gzip.compress(RDB), "a.1.incr.aof": gzip.compress(sets(2))})
    with open_any(tmp_path) as reader:
        assert [part.format for part in reader.parts] == ["rdb", "resp"]
        assert reader.check() == 2


def test_an_increment_that_is_an_rdb(tmp_path):
    """Servers load it: what a file is, its content says."""
    write_log(tmp_path, {"a.1.base.aof": sets(1), "a.1.incr.aof": RDB + sets(1)})
    with open_any(tmp_path) as reader:
        assert reader.check() == 2
        assert [part.format for part in reader.parts] == ["resp", "rdb+resp"]


def test_a_log_that_grows_while_it_is_read(tmp_path):
    path = tmp_path / "log.aof"
    path.write_bytes(sets(1000))
    for more in (sets(1), b"*3\r\n$3\r\nSE"):
        reader = open_aof(path)
        commands = reader.batches()
        next(commands)
        with path.open("ab") as file:
            file.write(more)
        with pytest.raises(InputError, match="changed while it was read"):
            list(commands)


def test_errors_name_the_part(tmp_path):
    write_log(tmp_path, {"a.1.base.aof": sets(3), "a.1.incr.aof": sets(2) + b"*2\r\n$3\r\nDEL\r\n$x\r\n"})
    with pytest.raises(FormatError) as caught:
        open_aof(tmp_path).check()
    text = describe_error(caught.value, with_remedy=False)
    at = len(sets(2))
    assert text == (
        f"{tmp_path / 'a.1.incr.aof'}: at {at + 14:#x}: argument 2 of 2: expected the size of an argument in decimal "
        f"digits, found 'x\\r\\n'\n  the command starts at {at:#x} · command 6 · AOF103\n  readable up to {at:#x}"
    )


def test_progress_goes_to_the_end(tmp_path):
    base, incr = sets(50_000), sets(40_000)
    write_log(tmp_path, {"a.1.base.aof": base, "a.1.incr.aof": incr})
    for way in ("check", "commands"):
        seen = []
        with open_aof(tmp_path) as reader:
            found = getattr(reader, way)(progress=seen.append)
            assert (found if way == "check" else len(list(found))) == 90_000
        assert seen == sorted(seen)
        assert len(base) + len(incr) - (1 << 19) <= seen[-1] <= len(base) + len(incr)


def test_paths_that_cannot_be_opened(tmp_path):
    for target in (tmp_path / "none", Path("")):
        with pytest.raises(InputError):
            open_any(target)


@pytest.mark.parametrize("kind", ["device", "link", "pipe"])
@pytest.mark.parametrize("name", ["info", "validate", "dump", "inspect", "replay", "repair", "aof-rewrite", "convert"])
def test_a_part_that_never_ends_is_refused(tmp_path, kind, name):
    log, out = tmp_path / "log", tmp_path / "out.aof"
    manifest = write_log(log, {"a.1.base.rdb": RDB, "a.1.incr.aof": sets(2)})
    part = log / "a.1.incr.aof"
    part.unlink()
    if kind == "pipe":
        os.mkfifo(part)
    elif kind == "link":
        part.symlink_to("/dev/zero")
    else:
        manifest.write_bytes(manifest.read_bytes().replace(b"a.1.incr.aof", b"zero"))
        (log / "zero").symlink_to("/dev/full")
    words = {"repair": ["-o", out], "aof-rewrite": ["-o", out], "convert": [out]}.get(name, [])
    ran = run(name, log, *words)
    assert ran.code == 3
    assert "files named by a manifest must be regular files" in " ".join((ran.err + ran.out.decode()).split())
    assert not out.exists()


@pytest.mark.parametrize("limit", [16, 32])
@pytest.mark.parametrize("name", ["info", "validate", "dump", "inspect", "convert", "aof-rewrite"])
def test_many_parts_and_few_descriptors(tmp_path, limit, name):
    increments = {f"a.{index}.incr.aof": sets(1, f"k{index}:") for index in range(1, 61)}
    write_log(tmp_path / "log", {"a.1.base.aof": b"", **increments})
    out = tmp_path / "out.aof"
    words = [name, tmp_path / "log", *{"convert": [out], "aof-rewrite": ["-o", out]}.get(name, [])]
    code = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit})); " + COMMAND[-1]
    done = subprocess.run(
        [*COMMAND[:-1], code, *map(str, words)], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode in ({0, 3} if limit < 32 else {0}), done.stderr
    assert "Traceback" not in done.stderr
    if done.returncode == 0 and name == "dump":
        assert done.stdout.count('"key"') == 60
