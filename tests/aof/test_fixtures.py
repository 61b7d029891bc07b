"""Every log that a server wrote is read as what an independent parser finds in it, by every way of reading."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
from aof.logs import LOGS, name_of, parse

from rdbtool.reader.aof.reader import open_aof
from rdbtool.reader.rdb import RdbReader, open_rdb

if not LOGS:
    raise FileNotFoundError("no logs among the fixtures")


def resp_of(path: Path) -> bytes:
    """Return the RESP of a file: what follows the RDB, if one begins it."""
    data = path.read_bytes()
    if not data.startswith((b"REDIS", b"VALKEY")):
        return data
    with open_rdb(data) as rdb:
        for _ in rdb:
            pass
        return data[rdb.end.span.stop :]


def files_of(log: Path) -> list[Path]:
    """Return base and increments: by their names, as the servers of the fixtures choose them."""
    if log.is_file():
        return [log]
    return [next(log.glob("*.base.*")), next(log.glob("*.incr.aof"))]


def expected(log: Path) -> list[tuple[int, int, list[bytes]]]:
    """Return (part, offset, argv) of every command."""
    found = []
    for part, path in enumerate(files_of(log)):
        resp = resp_of(path)
        before = path.stat().st_size - len(resp)
        found += [(part, before + at, argv) for at, argv in parse(resp) if argv[0][:1] != b"#"]
    return found


@pytest.mark.parametrize("backend", ["codec", "grammar"])
@pytest.mark.parametrize("log", LOGS, ids=name_of)
def test_commands(log, backend):
    wanted = expected(log)
    with open_aof(log, backend=backend) as reader:
        found = list(reader.commands())
    assert [(row.part, row.offset, list(row.argv)) for row in found] == wanted
    assert [row.number for row in found] == list(range(1, len(wanted) + 1))
    assert reader.count == len(wanted) > 1000
    assert reader.fallbacks == 0
    assert (reader.tail.state, reader.tail.size) == ("clean", 0)
    assert reader.tail.at == files_of(log)[-1].stat().st_size


@pytest.mark.parametrize("log", LOGS, ids=name_of)
def test_check_counts_the_same(log):
    reader = open_aof(log)
    assert reader.check() == len(expected(log))
    assert reader.tail.state == "clean"


@pytest.mark.parametrize("log", LOGS, ids=name_of)
def test_parts(log):
    with open_aof(log) as reader:
        for _ in reader.batches():
            pass
    files = files_of(log)
    assert [part.path for part in reader.parts] == [str(path) for path in files]
    assert [part.size for part in reader.parts] == [path.stat().st_size for path in files]
    first = {"aof-preamble": "rdb" if log.is_dir() else "rdb+resp"}.get(log.stem, "resp")
    assert [part.format for part in reader.parts] == [first, "resp"][: len(files)]
    assert [part.kind for part in reader.parts] == (["base", "incr"] if log.is_dir() else ["single"])


@pytest.mark.parametrize("log", LOGS, ids=name_of)
def test_the_rdb_is_handed_out(log):
    """Its records, and those that the plain reader gives for the same bytes."""
    base = files_of(log)[0]
    if not base.read_bytes().startswith((b"REDIS", b"VALKEY")):
        assert not any(isinstance(batch, RdbReader) for batch in open_aof(log).batches())
        return
    with open_aof(log) as reader:
        batches = reader.batches()
        rdb = next(batches)
        with open_rdb(base) as alone:
            assert list(rdb) == list(alone)
        assert rdb.end.trailing == 0
        count = sum(len(batch.argvs) for batch in batches)
    assert count == len(expected(log))


@pytest.mark.parametrize("log", [log for log in LOGS if log.is_file()], ids=name_of)
def test_pipes_and_compressed_logs(log):
    data = log.read_bytes()

    class Pipe(io.RawIOBase):
        """Gives little at a time, and nobody knows how much will come."""

        inner = io.BytesIO(data)

        def readable(self):
            return True

        def readinto(self, view):
            return self.inner.readinto(view[:1000])

    wanted = list(open_aof(log).commands())
    for target in (Pipe(), data, gzip.compress(data), io.BytesIO(data)):
        reader = open_aof(target)
        assert list(reader.commands()) == wanted
        assert reader.tail.state == "clean"


@pytest.mark.parametrize("log", LOGS, ids=name_of)
def test_databases_and_transactions(log):
    """Followed a second time, the simple way. SELECT stands inside MULTI blocks too."""
    rows = list(open_aof(log).commands())
    part, db, block, blocks = -1, 0, None, 0
    for row in rows:
        if row.part != part:
            part, db, block = row.part, 0, None
        name = row.argv[0].upper()
        if name == b"MULTI":
            blocks += 1
            block = blocks
        if name == b"SELECT":
            db = int(row.argv[1])
        assert (row.db, row.transaction) == (db, block), row
        if name == b"EXEC":
            block = None
    assert {row.db for row in rows} > {0}
    assert {row.transaction for row in rows} > {None}


@pytest.mark.parametrize("log", [log for log in LOGS if log.stem == "aof-timestamps"], ids=name_of)
def test_times(log):
    wanted = []
    time = None
    for path in files_of(log):
        for _, argv in parse(path.read_bytes()):
            if argv[0].startswith(b"#TS:"):
                time = int(argv[0][4:])
            else:
                wanted.append(time)
    assert None not in wanted
    assert len(set(wanted)) > 1
    for backend in ("codec", "grammar"):
        assert [row.time for row in open_aof(log, backend=backend).commands()] == wanted


def test_increments_before_redis_8_have_no_offsets():
    offsets = {}
    for log in filter(Path.is_dir, LOGS):
        with open_aof(log) as reader:
            offsets[log.parent.name] = [part.start_offset for part in reader.parts]
    assert offsets["redis-7.0.15"] == [None, None]
    assert offsets["redis-8.0.6"][0] is None
    assert offsets["redis-8.0.6"][1] > 0


def test_a_log_is_read_once():
    reader = open_aof(LOGS[0])
    reader.check()
    with pytest.raises(ValueError, match="once"):
        reader.check()
