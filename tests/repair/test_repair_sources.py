"""Sources of several parts, with a snapshot in front, compressed, or piped; and commands that servers refuse."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest
from command import FIXTURES, run
from validate.sources import LOGS, command, convert, log, make_sources

from rdbtool.core.errors import InputError
from rdbtool.operations.repair.report import RepairOptions
from rdbtool.operations.repair.run import repair
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks
from rdbtool.reader.aof.reader import open_aof

CHECKS = Checks(replay=False, databases=1 << 64)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return dict(make_sources(tmp_path_factory.mktemp("sources")))


@pytest.fixture
def parts(sources: dict[str, Path], tmp_path: Path) -> Path:
    """Return a directory with a base, an increment and a manifest, to be damaged."""
    return Path(shutil.copytree(sources["parts-rdb"], tmp_path / "log"))


BASE, INCREMENT, MANIFEST = "appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof", "appendonly.aof.manifest"


def test_a_damaged_manifest_is_made_anew(parts: Path, tmp_path: Path) -> None:
    (parts / MANIFEST).write_bytes(b"\0" * 40)
    done = repair(str(parts), str(tmp_path / "out"))
    assert [(lost.code, lost.part, lost.is_kept) for lost in done.lost] == [("REP012", MANIFEST, True)]
    verdict = validate(str(tmp_path / "out"), CHECKS)
    assert (verdict.answer, verdict.counts["warning"]) == ("valid", 0)
    for name in (BASE, INCREMENT):
        assert (tmp_path / "out" / name).read_bytes() == (parts / name).read_bytes()


def test_a_name_that_is_damaged_in_the_manifest(parts: Path, tmp_path: Path) -> None:
    manifest = parts / MANIFEST
    manifest.write_bytes(manifest.read_bytes().replace(b"incr.aof", b"incr.aog"))
    done = repair(str(parts), str(tmp_path / "out"))
    assert [(lost.code, lost.is_kept) for lost in done.lost] == [("REP012", True)]
    assert (tmp_path / "out" / INCREMENT).read_bytes() == LOGS["hashes"]
    assert validate(str(tmp_path / "out"), CHECKS).answer == "valid"


@pytest.mark.parametrize("missing", [BASE, INCREMENT])
def test_a_missing_part_is_named(missing: str, parts: Path, tmp_path: Path) -> None:
    (parts / missing).unlink()
    done = repair(str(parts), str(tmp_path / "out"))
    assert [(lost.code, lost.part) for lost in done.lost] == [("REP011", MANIFEST)]
    assert missing in done.lost[0].message
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted({BASE, INCREMENT, MANIFEST} - {missing})
    assert validate(str(tmp_path / "out"), CHECKS).answer == "valid"


def test_no_part_is_left(parts: Path, tmp_path: Path) -> None:
    (parts / BASE).unlink()
    (parts / INCREMENT).unlink()
    done = run("repair", parts, "-o", tmp_path / "out")
    assert done.code == 1
    assert not (tmp_path / "out").exists()


def test_a_damaged_base_is_salvaged(parts: Path, tmp_path: Path) -> None:
    data = bytearray((parts / BASE).read_bytes())
    place = data.index(b"\x03set") + 4
    data[place] ^= 0x40
    data[-8:] = bytes(8)  # or the checksum would tell which byte it is
    (parts / BASE).write_bytes(data)
    done = repair(str(parts), str(tmp_path / "out"))
    assert done.keys == 5
    assert {lost.part for lost in done.lost} == {BASE}
    assert validate(str(tmp_path / "out"), CHECKS).answer == "valid"
    assert (tmp_path / "out" / INCREMENT).read_bytes() == LOGS["hashes"]


def test_a_damaged_preamble_never_costs_the_commands(sources: dict[str, Path], tmp_path: Path) -> None:
    data = sources["preamble"].read_bytes()
    start = data.index(LOGS["transaction"])
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    for at in range(9, start, 5):
        broken = bytearray(data)
        broken[at] ^= 0xFF
        source.write_bytes(broken)
        done = repair(str(source), str(result))
        assert done.keys >= 4, at
        assert done.commands == 6, at
        assert result.read_bytes().endswith(LOGS["transaction"])
        assert validate(str(result), CHECKS).answer == "valid"
        result.unlink()


def test_a_tail_is_cut_behind_the_preamble(sources: dict[str, Path], tmp_path: Path) -> None:
    data = sources["preamble"].read_bytes()
    start = data.index(LOGS["transaction"])
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    source.write_bytes(data[: start + 7])
    done = repair(str(source), str(result))
    assert (done.keys, done.commands) == (6, 0)
    assert result.read_bytes() == data[:start]


def test_a_compressed_source(sources: dict[str, Path], tmp_path: Path) -> None:
    data = sources["plain-rdb-8"].read_bytes()
    source, result = tmp_path / "in.rdb.gz", tmp_path / "out.rdb"
    source.write_bytes(gzip.compress(data))
    assert repair(str(source), str(result)).lost == ()
    assert result.read_bytes() == data
    result.unlink()
    source.write_bytes(gzip.compress(data)[:-20])
    done = repair(str(source), str(result))
    assert "REP003" in {lost.code for lost in done.lost}
    assert validate(str(result), CHECKS).answer == "valid"


def test_standard_input(tmp_path: Path) -> None:
    data = LOGS["strings"] + b"*2\r\n$3\r\nDE"
    ran = run("repair", "-", "-o", tmp_path / "out.aof", "--json", stdin=data)
    assert (ran.code, ran.err) == (0, "")
    report = json.loads(ran.out)
    assert [(row["code"], row["offset"], row["size"]) for row in report["findings"]] == [
        ("REP003", len(LOGS["strings"]), 10)
    ]
    assert (tmp_path / "out.aof").read_bytes() == LOGS["strings"]


def test_a_dry_run_with_and_without_a_destination(sources: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "in.aof").write_bytes(LOGS["strings"] + b"*2\r\n$3\r\nDE")
    alone = run("repair", "in.aof", "--dry-run", cwd=tmp_path)
    named = run("repair", "in.aof", "-o", "out.aof", "--dry-run", cwd=tmp_path)
    assert (alone.code, named.code) == (0, 0)
    assert named.out == alone.out + b"out.aof: would be written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["in.aof"]
    assert run("repair", "in.aof", cwd=tmp_path).code == 2


def commands(path: Path) -> list[tuple[bytes, ...]]:
    with open_aof(str(path)) as reader:
        return [record.argv for record in reader.commands()]


def test_a_name_that_no_server_has_is_damage_when_nobody_can_have_given_it(tmp_path: Path) -> None:
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    source.write_bytes(log("SELECT 0", "SET a 1", "S\x01T b 2", "INCRBY n", "SET c 3"))
    done = repair(str(source), str(result))
    assert [(lost.code, lost.key) for lost in done.lost] == [("CMD201", None), ("CMD202", b"n")]
    assert result.read_bytes() == log("SELECT 0", "SET a 1", "SET c 3")
    assert done.commands == 3
    assert validate(str(result), CHECKS).answer == "valid"


def test_names_that_were_meant_stay(tmp_path: Path) -> None:
    """A module's commands, and renamed ones, are somebody's data, be it a single call."""
    data = log("SELECT 0", "JSON.SET j . 1", "MYSET a 1")
    (tmp_path / "in.aof").write_bytes(data + b"*1\r\n$4\r\nEX")
    ran = run("repair", "in.aof", "-o", "out.aof", cwd=tmp_path)
    assert ran.code == 1
    assert "verified except for JSON.SET, MYSET: a server without it refuses to start · CMD201\n" in ran.out.decode()
    assert b"no digest: it has commands that cannot be executed here\n" in ran.out
    assert (tmp_path / "out.aof").read_bytes() == data
    report = json.loads(run("repair", "in.aof", "--dry-run", "--json", cwd=tmp_path).out)
    assert report["foreign"] == ["JSON.SET", "MYSET"]
    ran = run("repair", "in.aof", "-o", "known.aof", "--drop-unknown", cwd=tmp_path)
    assert ran.code == 0
    assert (tmp_path / "known.aof").read_bytes() == log("SELECT 0")


def test_unknown_commands_are_found_behind_damage(tmp_path: Path) -> None:
    """Where all writes have another name, and the first of them is damaged."""
    rows = ["SELECT 0", *(f"SETHIDDEN k{index} v" for index in range(50))]
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    for lost in (1, 20, 49):
        data = b"".join(b"x" + log(row)[1:] if index == lost else log(row) for index, row in enumerate(rows))
        source.write_bytes(data)
        assert repair(str(source), str(result)).commands == 50
        assert result.read_bytes() == log(*rows[:lost], *rows[lost + 1 :])
        result.unlink()


def test_a_bracket_whose_name_is_damaged_is_known_by_its_partner(tmp_path: Path) -> None:
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    for rows in (
        ["SELECT 0", "MULTI", "SET a 1", "EXDC", "SET b 2", "MULTI", "SET c 1", "EXEC"],
        ["SELECT 0", "MUKTI", "SET a 1", "EXEC", "SET b 2", "MULTI", "SET c 1", "EXEC"],
    ):
        source.write_bytes(log(*rows))
        done = repair(str(source), str(result))
        assert (done.foreign, sorted(lost.code for lost in done.lost)) == ((), ["CMD201", "REP009"])
        assert result.read_bytes() == log("SELECT 0", "SET a 1", *rows[4:])
        result.unlink()


def test_an_exec_whose_name_is_damaged(tmp_path: Path) -> None:
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    source.write_bytes(log("SELECT 0", "MULTI", "SET a 1", "EXDC", "SET b 2"))
    done = repair(str(source), str(result))
    assert commands(result) == [(b"SELECT", b"0"), (b"SET", b"a", b"1"), (b"SET", b"b", b"2")]
    assert sorted(lost.code for lost in done.lost) == ["CMD201", "REP009"]


def test_what_cannot_be_made_valid_does_not_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The validation is the last word, whatever the salvage believes."""
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    source.write_bytes(log("SELECT 0", "INCRBY n"))
    monkeypatch.setattr("rdbtool.operations.salvage.aof.LogSalvage._drop_unusable", lambda _: [])
    with pytest.raises(InputError, match=r"the output is not valid: INCRBY with 1 argument.* \(CMD202\)"):
        repair(str(source), str(result))
    assert not result.exists()


def test_databases_beyond_sixteen_stay_unless_asked(sources: dict[str, Path], tmp_path: Path) -> None:
    lines = tmp_path / "in.jsonl"
    lines.write_text(
        '{"db":0,"key":"a","type":"string","value":"1"}\n{"db":99,"key":"b","type":"string","value":"1"}\n'
    )
    source = convert(lines, tmp_path / "in.rdb", "rdb-10")
    assert repair(str(source), str(tmp_path / "all.rdb")).lost == ()
    done = repair(str(source), str(tmp_path / "some.rdb"), RepairOptions(databases=16))
    assert [(lost.code, lost.db, lost.key) for lost in done.lost] == [("REP006", 99, b"b")]
    assert validate(str(tmp_path / "some.rdb"), CHECKS).answer == "valid"


def test_a_single_command_is_a_log(tmp_path: Path) -> None:
    (tmp_path / "in.aof").write_bytes(command("SET", "a", "1"))
    assert repair(str(tmp_path / "in.aof"), str(tmp_path / "out.aof")).commands == 1


@pytest.mark.parametrize("command", ["dump", "digest", "repair"])
def test_an_own_limit_is_said_alike_by_every_command(command: str, tmp_path: Path) -> None:
    source = FIXTURES / "redis-7.0.15" / "default.rdb"
    words = ["-o", tmp_path / "out.rdb"] if command == "repair" else []
    done = run(command, "--max-value", "100", source, *words)
    assert done.code == 3
    assert done.err == (
        f'rdbtool: {source}: at 0x199: key "bin:\\x00\\xff\\x0d\\x0a\\x22\\x5c" (string): a string of 256 bytes, '
        "above the limit of 100 bytes (--max-value SIZE raises it)\n"
    )
    assert not (tmp_path / "out.rdb").exists()
