"""Damage in an RDB costs the record that it hit; what is kept is what it was, and the server agrees on the result."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from command import FIXTURES, run
from sampling import sample
from server import Tools, run_server

from rdbtool.core.errors import RdbToolError
from rdbtool.core.servers import Target
from rdbtool.model import (
    HashValue,
    KeyRecord,
    ListValue,
    SetValue,
    StreamEntry,
    StreamID,
    StreamValue,
    StringValue,
    Value,
    ZSetValue,
)
from rdbtool.operations.repair.report import RepairOptions
from rdbtool.operations.repair.run import repair
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks
from rdbtool.reader.rdb import open_rdb
from rdbtool.writer.rdb import write_rdb


def make_value(index: int, rng: random.Random) -> Value:
    def word(size: int) -> bytes:
        return bytes(rng.choice(b"abcdefghijklmnop0123456789") for _ in range(size))

    def words(most: int) -> list[bytes]:
        return list(dict.fromkeys(word(7) for _ in range(rng.randrange(1, most))))

    match index % 9:
        case 0 | 1:
            return StringValue(rng.choice([word(rng.randrange(40)), b"%d" % rng.randrange(-1 << 33, 1 << 33)]))
        case 2:
            return ListValue(words(40))
        case 3:
            # In an order of its own: a set has another one in each run, and the file would have.
            return SetValue(words(40) if index % 2 else sorted({b"%d" % rng.randrange(1 << 20) for _ in range(600)}))
        case 4:
            return HashValue((field, word(rng.randrange(90))) for field in words(20))
        case 5:
            return ZSetValue((member, rng.choice([1.5, 2.0, rng.random()])) for member in words(200))
        case 6:
            ids = [StreamID(1_600_000_000_000 + number, number) for number in range(rng.randrange(1, 30))]
            entries = [StreamEntry(one, [(b"f", word(4)), (b"g", b"7")]) for one in ids]
            return StreamValue(
                entries, last_id=ids[-1], first_id=ids[0], max_deleted_id=StreamID(0, 0), entries_added=len(ids)
            )
        case 7:
            return StringValue(word(4) * rng.randrange(10, 400))
    return StringValue(rng.randbytes(rng.randrange(1, 200)))


def make_rdb(version: int) -> bytes:
    """Return an RDB of a thousand keys of all kinds in three databases."""
    rng = random.Random(5)
    data = bytearray()
    records = [
        KeyRecord(
            db=index * 3 // 1000,
            key=b"key:%d" % index,
            value=make_value(index, rng),
            expire_at_ms=1_900_000_000_000 + index if index % 4 == 0 else None,
        )
        for index in range(1000)
    ]
    sizes = {0: (334, 84), 1: (333, 83), 2: (333, 83)}
    write_rdb(records, data.extend, Target("REDIS", version), sizes=sizes)
    return bytes(data)


def read(data: bytes) -> dict[tuple[int, bytes], KeyRecord]:
    with open_rdb(data) as reader:
        return {(record.db, record.key): record for record in reader}


@pytest.fixture(scope="module")
def thousand() -> bytes:
    return make_rdb(10)


def damage(data: bytes, at: int, rng: random.Random) -> tuple[bytes, int]:
    """Return data with something wrong at ``at``, and how many bytes of it are."""
    broken = bytearray(data)
    match rng.randrange(5):
        case 0:
            broken[at] ^= 1 << rng.randrange(8)
            return bytes(broken), 1
        case 1:
            broken[at] = (broken[at] + rng.randrange(1, 256)) % 256
            return bytes(broken), 1
        case 2:
            size = rng.randrange(1, 20)
            del broken[at : at + size]
            return bytes(broken), size
        case 3:
            # Without 0xFE: two bytes are a sound SELECTDB, and then nobody can know of which db the next keys were.
            broken[at:at] = rng.randbytes(rng.randrange(1, 20)).replace(b"\xfe", b"\xfd")
            return bytes(broken), 1
    broken[at : at + 40] = bytes(min(40, len(data) - at))
    return bytes(broken), 40


def test_what_is_not_damaged_is_kept(thousand: bytes, tmp_path: Path) -> None:
    rng = random.Random(17)
    expected = read(thousand)
    source, result = tmp_path / "in.rdb", tmp_path / "out.rdb"
    cases = [(at, *damage(thousand, at, rng)) for at in rng.sample(range(9, len(thousand) - 9), 40)]
    for at, broken, size in sample(cases, 12):
        source.write_bytes(broken)
        done = repair(str(source), str(result))
        assert source.read_bytes() == broken
        assert validate(str(result)).answer == "valid"
        kept = read(result.read_bytes())
        assert len(kept) == done.keys >= 990
        hit = {name for name, record in expected.items() if record.start < at + size and at < record.stop}
        strange = [name for name, record in kept.items() if expected.get(name) != record and name not in hit]
        # A flipped byte of a key makes another key of it: nothing but the checksum knows.
        assert len(strange) <= (1 if size == 1 else 0), (at, strange)
        assert done.lost
        result.unlink()


def test_the_server_agrees_on_the_result(thousand: bytes, tmp_path: Path, redis_tools: Tools) -> None:
    broken = bytearray(thousand)
    for at in (20_000, 150_000, 300_000):
        broken[at : at + 30] = bytes(range(200, 230))
    source, result = tmp_path / "in.rdb", tmp_path / "out.rdb"
    source.write_bytes(broken)
    # It names no writer, whose digest it would be.
    done = repair(str(source), str(result), RepairOptions(rules="redis-7.0"))
    assert done.keys >= 980
    with run_server(redis_tools, files={"dump.rdb": result}) as server:
        assert server.digest() == done.digest


def test_nothing_wrong_is_a_copy(tmp_path: Path) -> None:
    for source in sorted((FIXTURES / "small").glob("*.rdb")):
        result = tmp_path / source.name
        done = repair(str(source), str(result))
        if "rc-function" in source.name:
            # No released server loads its libraries.
            assert [lost.code for lost in done.lost] == ["RDB343", "RDB343"]
            assert validate(str(result)).answer == "valid"
            continue
        assert done.lost == ()
        assert result.read_bytes() == source.read_bytes()


def test_every_cut_and_flip_of_small_files_has_an_answer(tmp_path: Path) -> None:
    rng = random.Random(3)
    source, result = tmp_path / "in", tmp_path / "out"
    for fixture in sorted((FIXTURES / "small").glob("redis-[57]*.rdb")):
        data = fixture.read_bytes()
        step = max(1, len(data) // 40)
        every = [data[:cut] for cut in range(0, len(data), step)]
        for at in range(0, len(data), step):
            broken = bytearray(data)
            broken[at] ^= 1 << rng.randrange(8)
            every.append(bytes(broken))
        for case in sample(every, 24):
            source.write_bytes(case)
            try:
                done = repair(str(source), str(result))
            except RdbToolError as error:
                assert error.exit_code == 4, case  # no file that is known
                continue
            assert result.exists() == done.is_saved
            if done.is_saved:
                verdict = validate(str(result), Checks(databases=1 << 64))
                assert (verdict.answer, verdict.keys) == ("valid", done.keys), case
                result.unlink()


def test_members_and_keys_that_stand_twice(tmp_path: Path) -> None:
    source, result = tmp_path / "in.rdb", tmp_path / "out.rdb"
    source.write_bytes(
        b"REDIS0010\xfe\x00"
        b"\x00\x01a\x011"
        b"\x02\x01s\x03\x01x\x01y\x01x"
        b"\x05\x01z\x02\x01m" + b"\x00\x00\x00\x00\x00\x00\xf8\x7f" + b"\x01n" + bytes(8) + b"\x00\x01a\x012"
        b"\x04\x01h\x02\x01f\x011\x01f\x012"
        b"\xff" + bytes(8)
    )
    done = repair(str(source), str(result))
    kept = {key: record.value for (_, key), record in read(result.read_bytes()).items()}
    assert kept == {
        b"a": StringValue(b"2"),
        b"s": SetValue([b"x", b"y"]),
        b"z": ZSetValue([(b"n", 0.0)]),
        b"h": HashValue([(b"f", b"2")]),
    }
    assert sorted((lost.code, lost.key) for lost in done.lost) == [
        ("REP004", b"a"),
        ("REP005", b"h"),
        ("REP005", b"s"),
        ("REP005", b"z"),
    ]


def test_the_command(thousand: bytes, tmp_path: Path) -> None:
    broken = bytearray(thousand)
    broken[20_000:20_030] = bytes(range(200, 230))
    (tmp_path / "in.rdb").write_bytes(broken)
    ran = run("repair", "in.rdb", "--dry-run", cwd=tmp_path)
    assert ran.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.rdb"]
    ran = run("repair", "in.rdb", "-o", "out.rdb", "--keep-damaged", "bad", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "bad.json", "in.rdb", "out.rdb"]
    assert (tmp_path / "bad").read_bytes() in bytes(broken)
    ran = run("repair", "in.rdb", "-o", "out.rdb", cwd=tmp_path)
    assert ran.code == 3  # it exists
    (tmp_path / "none.rdb").write_bytes(b"REDIS0010\x00\x03ab")
    ran = run("repair", "none.rdb", "-o", "new.rdb", cwd=tmp_path)
    assert ran.code == 1
    assert not (tmp_path / "new.rdb").exists()


def test_a_directory(tmp_path: Path, redis_tools: Tools) -> None:
    source, result = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for path in (FIXTURES / "redis-7.0.15" / "aof-preamble").iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    increment = next(source.glob("*.incr.aof"))
    data = increment.read_bytes()
    increment.write_bytes(data[:5000] + b"\0" * 10 + data[5010:])
    done = repair(str(source), str(result))
    assert {path.name for path in result.iterdir()} == {path.name for path in source.iterdir()}
    assert [lost.part for lost in done.lost] == [increment.name] * len(done.lost)
    with run_server(redis_tools, files={"appendonlydir": result}, config={"appendonly": "yes"}) as server:
        assert server.digest() == done.digest
