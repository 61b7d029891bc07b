"""The face of validate: exit codes, formats, policies, patience, and what it shows of hostile names and keys."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
import xml.etree.ElementTree as ET

import pytest
from aof.logs import command, sets, write_log
from cli.test_startup import SMALL, imported
from command import FIXTURES, check_golden, run

from rdbtool.core.errors import InputError
from rdbtool.core.servers import Rules
from rdbtool.operations.validate.batch import validate_input
from rdbtool.operations.validate.expectations import Policies, Range, parse_age, parse_version
from rdbtool.operations.validate.verdict import Checks

DEFAULT = FIXTURES / "redis-7.0.15" / "default.rdb"
NOCRC = FIXTURES / "redis-7.0.15" / "nocrc.rdb"
LOG = FIXTURES / "redis-7.0.15" / "aof-plain"
DIGEST = json.loads((FIXTURES / "digests.json").read_text())


@pytest.fixture
def files(tmp_path):
    """One source of each exit code: good, bad, missing, unknown."""
    data = DEFAULT.read_bytes()
    (tmp_path / "good.rdb").write_bytes(data)
    (tmp_path / "bad.rdb").write_bytes(data[:-20])
    (tmp_path / "new.rdb").write_bytes(b"REDIS0099" + data[9:])
    return {0: tmp_path / "good.rdb", 1: tmp_path / "bad.rdb", 3: tmp_path / "none.rdb", 4: tmp_path / "new.rdb"}


@pytest.mark.parametrize(
    ("codes", "wanted"),
    [((0,), 0), ((1,), 1), ((3,), 3), ((4,), 4), ((0, 3), 3), ((3, 0), 3), ((3, 4), 4), ((4, 3, 0), 4), ((1, 0), 1),
     ((0, 4, 1, 3), 1)],
)  # fmt: skip
@pytest.mark.parametrize("form", ["text", "json", "github", "junit", "quiet"])
def test_exit_codes_of_several_sources(codes, wanted, form, files):
    words = ["-q"] if form == "quiet" else ["--format", form]
    ran = run("validate", *words, *(files[code] for code in codes))
    assert ran.code == wanted
    assert "Traceback" not in ran.err
    if form == "json":
        assert [row["exit_code"] for row in json.loads(ran.out)["sources"]] == list(codes)
    if form == "quiet":
        assert ran.out == b""
        assert len(ran.err.splitlines()) == sum(code != 0 for code in codes)


@pytest.mark.parametrize("data", [b"", b"hello, world\n", b"\x00" * 100, b"PK"])
def test_no_backup_at_all_is_bad(data, tmp_path):
    path = tmp_path / "x.rdb"
    path.write_bytes(data)
    assert run("validate", path).code == 1
    assert run("validate", "-", stdin=data).code == 1


def test_what_has_to_be_unwrapped_first_is_no_answer(tmp_path):
    path = tmp_path / "x.rdb"
    path.write_bytes(b"PK\x03\x04")
    assert run("validate", path).code == 3


def test_standard_input():
    assert run("validate", "-", stdin=DEFAULT.read_bytes()).code == 0
    assert run("validate", "-", stdin=DEFAULT.read_bytes()[:-1]).code == 1
    assert run("validate", "-", stdin=sets(3)).code == 0
    assert run("validate", "--min-keys", "3", "-", stdin=sets(3)).code == 0
    assert run("validate", "--min-keys", "4", "-", stdin=sets(3)).code == 1
    assert run("validate", "--max-age", "1h", "-", stdin=sets(3)).code == 1


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--format", "xml", DEFAULT),
        ("--json", "--format", "text", DEFAULT),
        ("--level", "shallow", DEFAULT),
        ("--rules", "mysql-8", DEFAULT),
        ("--max-age", "yesterday", DEFAULT),
        ("--max-age", "1w", DEFAULT),
        ("--min-version", "new", DEFAULT),
        ("--expect-digest", "abc", DEFAULT),
        ("--expect-keys", "1000", DEFAULT),
        ("--expect-keys", "db0=5..4", DEFAULT),
        ("--min-keys", "-1", DEFAULT),
        ("--retry", "x", DEFAULT),
        ("--no-replay", "--min-keys", "1", DEFAULT),
        ("--databases", "0", DEFAULT),
        ("-", "-"),
    ],
)
def test_usage(words):
    ran = run("validate", *words)
    assert (ran.code, ran.out) == (2, b"")
    assert "Usage: rdbtool validate" in ran.err


def test_strict_makes_warnings_bad():
    assert run("validate", NOCRC).code == 0
    assert run("validate", "-q", NOCRC) == (0, b"", "")
    ran = run("validate", "-q", "--strict", NOCRC)
    assert (ran.code, ran.out) == (1, b"")
    assert "RDB361" in ran.err
    assert run("validate", "--strict", DEFAULT).code == 0
    report = json.loads(run("validate", "--strict", "--json", NOCRC).out)
    assert (report["strict"], report["exit_code"], report["sources"][0]["answer"]) == (True, 1, "valid")
    assert run("validate", "--strict", "--format", "github", NOCRC).out.startswith(b"::error ")
    assert run("validate", "--format", "github", NOCRC).out.startswith(b"::warning ")


# ---- transcripts -----------------------------------------------------------------------------------


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def test_transcripts(tmp_path):
    """What a person sees of a good file, a cut tail, damage in the middle, and one flipped bit."""
    data = DEFAULT.read_bytes()
    log = (FIXTURES / "redis-6.2.16" / "aof-preamble.aof").read_bytes()
    made = {
        "dump.rdb": data,
        "flip.rdb": flipped(data, data.index(b"hello") if b"hello" in data else 3000),
        "cut.rdb": data[: len(data) // 2],
        "cut.aof": log[:-7],
        "middle.aof": log[:80_000] + log[80_040:],
    }
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
        ran = run("validate", name, cwd=tmp_path)
        assert ran.err == ""
        check_golden(f"validate/{name}.txt", ran.out.decode())
        assert max(map(len, ran.out.decode().splitlines())) <= 80
    assert run("validate", *made, cwd=tmp_path).out.decode().splitlines()[-1] == "5 files: 1 OK, 4 BAD"
    ran = run("validate", "--json", "cut.aof", cwd=tmp_path)
    check_golden("validate/cut.aof.json", json.dumps(json.loads(ran.out), indent=1) + "\n")
    ran = run("validate", "--format", "github", "middle.aof", cwd=tmp_path)
    check_golden("validate/middle.aof.github.txt", ran.out.decode())
    ran = run("validate", "--format", "junit", *made, cwd=tmp_path)
    check_golden("validate/all.junit.xml", ran.out.decode())
    ran = run("validate", "-q", *made, cwd=tmp_path)
    check_golden("validate/all.quiet.txt", ran.err)


def test_a_log_in_a_directory_names_its_parts():
    ran = run("validate", "--json", LOG)
    (source,) = json.loads(ran.out)["sources"]
    assert source["kind"] == "aof"
    assert source["parts"] == ["appendonly.aof.2.base.aof", "appendonly.aof.2.incr.aof"]
    assert source["keys"] == sum(row["keys"] for row in source["dbs"]) > 100
    assert json.loads(run("validate", "--json", "--no-replay", LOG).out)["sources"][0]["keys"] is None


# ---- hostile names, keys and numbers of findings -----------------------------------------------------

NASTY = "we\nird\x1b[31m, 100%::error title=x::<&\"'>"


@pytest.fixture
def hostile(tmp_path):
    """Return a bad log whose name, key and command try to get out of whatever shows them."""
    path = tmp_path / os.fsdecode(NASTY.replace("/", "").encode() + b"\xff.aof")
    key = b"\r\n::error::owned\x00\x1b[2J]]>\xff"
    path.write_bytes(command("SET", key, "v") + command("LPUSH", key, "x") + command(key) + command("GET", key)[:-1])
    return path


def test_hostile_names_and_keys_in_text(hostile):
    for words in ([], ["-q"]):
        ran = run("validate", *words, hostile)
        shown = ran.out.decode() + ran.err
        assert ran.code == 1
        assert "\x1b" not in shown
        assert all(line.isprintable() for line in shown.splitlines())
        assert not any(line.startswith("ird") for line in shown.splitlines())


def test_hostile_names_and_keys_for_github(hostile):
    ran = run("validate", "--format", "github", hostile)
    lines = ran.out.decode().splitlines()
    assert lines
    for line in lines:
        assert line.isprintable()
        if not line.startswith("rdbtool: "):
            match = re.fullmatch(r"::(error|warning|notice) file=([^,:]*),title=([^,:]*)::(.*)", line)
            assert match, line
            # Every percent sign is one of ours.
            assert re.sub("%(25|0D|0A|3A|2C)", "", match[2] + match[4]).count("%") == 0
    assert sum(line.startswith("::error") for line in lines) == 2


def test_hostile_names_and_keys_as_xml_and_json(hostile, tmp_path):
    root = ET.fromstring(run("validate", "--format", "junit", hostile, DEFAULT, tmp_path / "none").out)
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    cases = root.findall("testsuite/testcase")
    assert [[inner.tag for inner in case] for case in cases] == [["failure"], ["system-out"], ["error"]]
    assert "CMD203" in cases[0][0].text
    (source,) = json.loads(run("validate", "--json", hostile).out)["sources"]
    assert set(source["source"]) == {"base64"}
    assert [row["code"] for row in source["findings"]] == ["CMD203", "CMD201", "AOF101"]


@pytest.mark.parametrize("form", ["text", "json", "github", "junit"])
def test_many_findings_are_capped(form, tmp_path):
    path = tmp_path / "x.aof"
    path.write_bytes(command("SET", "k", "v") + command("LPUSH", "k", "x") * 3000 + command("NO"))
    ran = run("validate", "--format", form, path)
    assert ran.code == 1
    assert len(ran.out) < {"text": 2500, "json": 600_000, "github": 12_000, "junit": 24_000}[form]
    if form == "json":
        (source,) = json.loads(ran.out)["sources"]
        assert source["counts"] == {"error": 1, "warning": 3000, "note": 0}
        assert len(source["findings"]) == 1000
        assert source["findings"][-1]["code"] == "CMD201"
    if form == "text":
        assert b"3,001" not in ran.out
        assert b"1 error, 3,000 warnings" in ran.out


# ---- policies ----------------------------------------------------------------------------------------


def codes_of(*words, source=DEFAULT):
    ran = run("validate", "--json", *words, source)
    (row,) = json.loads(ran.out)["sources"]
    codes = [finding["code"] for finding in row["findings"] if finding["code"].startswith("CHK")]
    assert ran.code == (1 if codes else 0)
    return codes


def test_how_many_keys():
    assert codes_of("--min-keys", "1") == []
    assert codes_of("--min-keys", "1000000") == ["CHK011"]
    assert codes_of("--min-keys", "100", source=LOG) == []
    keys = {row["db"]: row["keys"] for row in json.loads(run("validate", "--json", DEFAULT).out)["sources"][0]["dbs"]}
    exact = ",".join(f"db{db}={count}" for db, count in keys.items())
    assert codes_of("--expect-keys", exact) == []
    assert codes_of("--expect-keys", "db0=1..", "--expect-keys", "db99=0") == []
    assert codes_of("--expect-keys", f"db0=..{keys[0] - 1}", "--expect-keys", "db99=1..") == ["CHK015", "CHK015"]


def test_how_old(tmp_path):
    (aux,) = [value for key, value in json.loads(run("info", "--json", DEFAULT).out)["aux"] if key == "ctime"]
    saved = int(aux) * 1000
    hour = 3_600_000
    assert codes_of("--max-age", "26h", "--now", str(saved + 26 * hour)) == []
    assert codes_of("--max-age", "26h", "--now", str(saved + 26 * hour + 1000)) == ["CHK012"]
    assert codes_of("--max-age", "26h", "--now", str(saved - 60_000)) == []
    assert codes_of("--max-age", "26h", "--now", str(saved - hour)) == ["CHK012"]
    # A log names no time; its files have one. The newest part counts.
    path = write_log(tmp_path, {"a.1.base.aof": sets(3), "a.1.incr.aof": sets(1)})
    for inner in tmp_path.iterdir():
        os.utime(inner, (1000, 1000))
    assert codes_of("--max-age", "1h", "--now", str(hour), source=path) == []
    assert codes_of("--max-age", "1h", "--now", str(2 * hour), source=path) == ["CHK012"]
    os.utime(tmp_path / "a.1.incr.aof", (7000, 7000))
    assert codes_of("--max-age", "1h", "--now", str(2 * hour), source=path) == []
    old = FIXTURES / "small" / "redis-2.6-plain-types.rdb"
    copied = tmp_path / "old.rdb"
    shutil.copyfile(old, copied)
    os.utime(copied, (1000, 1000))
    assert codes_of("--max-age", "1h", "--now", str(2 * hour), source=copied) == ["CHK012"]


def test_which_version():
    assert codes_of("--min-version", "10") == codes_of("--min-version", "rdb-10") == []
    assert codes_of("--min-version", "11") == ["CHK013"]
    assert codes_of("--min-version", "redis-7.0") == []
    assert codes_of("--min-version", "redis-7.2") == ["CHK013"]
    assert codes_of("--min-version", "valkey-8.0") == ["CHK013"]
    assert codes_of("--min-version", "10", source=LOG) == ["CHK013"]


def test_which_data(tmp_path):
    digest = run("digest", DEFAULT).out.decode().strip()
    assert codes_of("--expect-digest", digest.upper()) == []
    assert codes_of("--expect-digest", "0" * 40) == ["CHK014"]
    report = json.loads(run("validate", "--json", "--expect-digest", digest, DEFAULT).out)
    assert report["sources"][0]["digest"] == digest
    digest = run("digest", LOG).out.decode().strip()
    assert codes_of("--expect-digest", digest, source=LOG) == []
    assert run("validate", "--expect-digest", digest, "-", stdin=DEFAULT.read_bytes()).code == 3


def test_policies_are_not_asked_of_what_is_bad(files):
    ran = run("validate", "--json", "--min-keys", "1000000", files[1])
    assert not any(row["code"].startswith("CHK") for row in json.loads(ran.out)["sources"][0]["findings"])


def test_what_policies_are_written_as():
    assert [parse_age(text) for text in ("90s", "90m", "26H", "7d")] == [90, 5400, 93_600, 604_800]
    assert parse_version("11") == parse_version("rdb-11") == 11
    assert parse_version("valkey-8.1") == Rules("valkey", 8, 1)
    assert Range.parse("db0=1000..") == Range.parse("0=1000..") == Range(0, 1000, None)
    assert Range.parse("db3=..5") == Range(3, 0, 5)
    assert Range.parse("db3=5") == Range(3, 5, 5)
    assert Policies(max_age=1).counts_keys is False
    assert Policies(ranges=(Range(0, 1, None),)).counts_keys is True


# ---- patience ----------------------------------------------------------------------------------------


def test_a_file_that_changes_is_no_answer(tmp_path):
    """It is appended to while it is read: 3, not 1, although it ends inside a command."""
    path = tmp_path / "x.aof"
    path.write_bytes(sets(60_000) + b"*3\r\n$3\r\nSE")
    grown = []

    def grow(_: int) -> None:
        if not grown:
            grown.append(path.stat().st_size)
            with path.open("ab") as file:
                file.write(b"T\r\n$1\r\na\r\n$1\r\nb\r\n")

    first = validate_input(str(path), Checks(replay=False), None, grow)
    assert grown
    assert first.verdict.answer == "unanswered"
    assert "changed while it was read" in first.verdict.error
    assert validate_input(str(path), Checks(replay=False), None, grow).verdict.answer == "valid"


@pytest.mark.parametrize("retries", [0, 3])
def test_patience_with_a_file_that_is_being_replaced(retries, tmp_path):
    """It appears while somebody waits for it."""
    path = tmp_path / "x.rdb"
    words = ["validate", "--retry", str(retries), path]
    timer = threading.Timer(0.5, shutil.copyfile, (DEFAULT, path))
    timer.start()
    try:
        began = time.monotonic()
        ran = run(*words)
        if retries:
            assert ran.code == 0
            assert time.monotonic() - began >= 0.5
        else:
            assert ran.code == 3
    finally:
        timer.join()


def test_a_growing_file_is_looked_at_again(tmp_path, monkeypatch):
    path = tmp_path / "x.aof"
    path.write_bytes(sets(100))
    times = []

    def change(self):
        times.append(self.name)
        if len(times) <= 2:
            raise InputError(f"{self.name} changed while it was read")

    monkeypatch.setattr("rdbtool.io.source.Source.check_unchanged", change)
    validated = validate_input(str(path), Checks(replay=False), None, retries=1, pause=0)
    assert validated.verdict.answer == "unanswered"
    assert "changed while it was read" in validated.verdict.error
    times.clear()
    validated = validate_input(str(path), Checks(replay=False), None, retries=2, pause=0)
    assert validated.verdict.answer == "valid"
    assert len(times) == 3


# ---- start -------------------------------------------------------------------------------------------


def test_a_small_file_is_judged_without_paying_for_what_it_does_not_need(tmp_path):
    heavy = {"rich", "construct", "lz4", "backports", "lzf", "pydantic", "importlib.metadata", "xml"}
    assert heavy & imported("validate", "-q", SMALL) == set()
    used = imported("validate", "-q", SMALL.with_name("redis-5.0-stream-lru-lfu.rdb"))
    assert not any(name.startswith(("rdbtool.engine.commands", "rdbtool.writer.atomic.output")) for name in used)
    (tmp_path / "x.aof").write_bytes(sets(3))
    used = imported("validate", "-q", "--no-replay", tmp_path / "x.aof")
    assert "rdbtool.engine.replay.executor" not in used
    assert "rdbtool.engine.commands.geo" not in used


def test_the_action_runs_what_it_should(tmp_path):
    """Its script, with a stand-in for the installed command: inputs are words, never a script."""
    text = (FIXTURES.parent / "action.yml").read_text()
    script = text[text.rindex("run: |") :].partition("\n")[2]
    script = "\n".join(line.removeprefix("        ") for line in script.splitlines())
    bin_directory = tmp_path / "rdbtool" / "bin"
    bin_directory.mkdir(parents=True)
    stand_in = bin_directory / "rdbtool"
    stand_in.write_text('#!/bin/sh\nfor word; do echo "<$word>"; done\n')
    stand_in.chmod(0o755)
    for name in ("a.rdb", "b.rdb"):
        (tmp_path / name).touch()
    env = {"PATH": os.environ["PATH"], "RUNNER_TEMP": str(tmp_path), "FILES": "*.rdb $(touch x)", "ARGS": "--strict"}
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    shown = done.stdout.split("\n")
    assert shown[:7] == ["<validate>", "<--format>", "<github>", "<--strict>", "<-->", "<a.rdb>", "<b.rdb>"]
    assert not (tmp_path / "x").exists()
