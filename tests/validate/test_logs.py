"""Logs: what is told of damage, commands, times and files, by severity, and what servers of other rules make of it."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest
from aof.logs import LOGS, command, name_of, parse, sets, write_log
from aof.test_fixtures import files_of, resp_of
from sampling import sample

from rdbtool.core.commands import CONTAINERS
from rdbtool.core.servers import Rules
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import KEPT, Checks
from rdbtool.reader.aof.command_stats import Uses
from rdbtool.reader.aof.reader import open_aof

WHOLE_LOG = (Path(__file__).parents[2] / "fixtures/redis-6.2.16/aof-preamble.aof").read_bytes()
#: Its snapshot.
PREAMBLE = WHOLE_LOG[: next(piece.offset for piece in open_aof(WHOLE_LOG).commands())]


def log(tmp_path, *pieces):
    path = tmp_path / "x.aof"
    path.write_bytes(b"".join(pieces))
    return path


def judge(path, rules=None, *, level="deep", replay=True, **options):
    checks = Checks(level=level, rules=rules and Rules.parse(rules), replay=replay, **options)
    return validate(path, checks)


def told(verdict):
    """Return (code, severity, offset) of each finding."""
    return [(row.code, row.severity, row.offset) for row in verdict.findings]


@pytest.mark.parametrize("replay", [True, False])
@pytest.mark.parametrize("path", LOGS, ids=name_of)
def test_logs_of_servers_are_clean(path, replay):
    # Without a version, scripts have unknown effects.
    rules = "redis-2.8" if path.parent.name == "redis-2.8.24" else None
    verdict = judge(path, rules, replay=replay)
    assert verdict.answer == "valid"
    assert [row for row in verdict.findings if row.severity != "note"] == []
    assert verdict.is_counted is replay


@pytest.mark.parametrize("path", LOGS, ids=name_of)
def test_both_backends_say_the_same(path, monkeypatch):
    verdict = judge(path, replay=False)
    monkeypatch.setattr("rdbtool.reader.backends.default_backend", "grammar")
    assert judge(path, replay=False) == verdict


def test_a_cut_tail_is_told_with_what_servers_do(tmp_path):
    sound = sets(10)
    verdict = judge(log(tmp_path, sound, command("SET", "k", "value")[:-4]))
    (finding,) = verdict.findings
    assert (finding.code, finding.severity) == ("AOF101", "error")
    assert f"the last 27 bytes, from {len(sound):#x}," in finding.message
    assert f"truncates the file to {len(sound):,} bytes and starts" in finding.server
    assert verdict.keys == 10
    assert judge(log(tmp_path, sound, b"*3\r\n$3"), level="server").answer == "valid"


def test_an_open_transaction_is_told_with_its_commands(tmp_path):
    sound = sets(3)
    path = log(tmp_path, sound, command("MULTI"), sets(2, "in"))
    (finding,) = judge(path).findings
    assert (finding.code, finding.offset) == ("AOF110", len(sound))
    assert "3 complete commands among them" in finding.message
    path = log(tmp_path, sound, command("MULTI"), sets(2, "in"), b"*3\r\n")
    (finding,) = judge(path, "redis-7.2").findings
    assert "at the next start it drops all that was written since" in finding.server
    (finding,) = judge(path, "valkey-9.1").findings
    assert f"truncates the file to {len(sound):,} bytes" in finding.server


def test_a_cut_right_behind_a_snapshot_costs_the_snapshot(tmp_path):
    path = log(tmp_path, PREAMBLE, b"*3\r\n$3\r\nSE")
    findings = [row for row in judge(path, "redis-7.2").findings if row.severity == "error"]
    assert [row.code for row in findings] == ["AOF101"]
    assert "truncates the file to 0 bytes" in findings[0].server
    findings = [row for row in judge(path, "valkey-8.0").findings if row.severity == "error"]
    assert f"truncates the file to {len(PREAMBLE):,} bytes" in findings[0].server


def test_damage_in_the_middle_does_not_hide_what_follows(tmp_path):
    first, second = sets(5, "a"), sets(5, "b")
    damaged = command("SET", "x", "y").replace(b"$1\r\nx", b"$900000\r\nx")
    path = log(tmp_path, first, damaged, second, command("FROB", "1"), command("SET", "z")[:-1])
    verdict = judge(path)
    unknown = len(first) + len(damaged) + len(second)
    assert [(row.code, row.severity) for row in verdict.findings] == [
        ("AOF205", "note"),
        ("CMD201", "error"),
        ("AOF101", "error"),
        ("AOF101", "error"),
    ]
    middle = next(row for row in verdict.findings if "valid commands resume" in row.message)
    assert f"resume at {len(first) + len(damaged):#x}" in middle.message
    assert "with all that follows" in middle.server
    assert ("CMD201", "error", unknown) in told(verdict)
    # What a server does: it takes all of it for a cut tail, and never meets what follows.
    server = judge(path, level="server")
    assert [row.severity for row in server.findings if row.code == "AOF101"] == ["note", "note"]


def test_a_damaged_earlier_part_is_refused_by_servers(tmp_path):
    parts = {"a.aof.1.base.aof": sets(3), "a.aof.1.incr.aof": sets(2, "i")[:-3], "a.aof.2.incr.aof": sets(2, "j")}
    path = tmp_path / "a.aof.manifest"
    write_log(tmp_path, parts).rename(path)
    text = path.read_bytes().replace(b"seq 2 type i", b"seq 5 type i").replace(b"seq 3", b"seq 7")
    path.write_bytes(text.replace(b"a.aof.1.incr.aof seq 1", b"a.aof.1.incr.aof seq 4"))
    for level in ("deep", "server"):
        findings = [row for row in judge(path, level=level).findings if row.code == "AOF101"]
        assert [(row.part, row.severity) for row in findings] == [("a.aof.1.incr.aof", "error")]
        assert "only the last file" in findings[0].server


def test_a_damaged_snapshot_does_not_hide_the_increments(tmp_path):
    broken = PREAMBLE[: len(PREAMBLE) // 2]
    path = write_log(tmp_path, {"a.1.base.rdb": broken, "a.1.incr.aof": sets(2) + command("FROB")})
    codes = [row.code for row in judge(path).findings]
    assert "RDB101" in codes
    assert "CMD201" in codes
    assert "AOF205" in codes


@pytest.mark.parametrize(
    ("argv", "rules", "level", "wanted"),
    [
        (("FROB", "x"), "redis-7.2", "deep", [("CMD201", "error")]),
        (("FROB", "x"), "redis-7.2", "server", [("CMD201", "error")]),
        (("XGROUP", "FROB", "x"), "redis-7.2", "server", [("CMD201", "error")]),
        (("XGROUP", "FROB", "x"), "redis-6.2", "server", [("CMD201", "note")]),
        (("XGROUP",), "redis-7.2", "deep", [("CMD201", "error")]),
        (("",), "redis-7.2", "deep", [("CMD201", "error")]),
        (("SET", "x"), "redis-7.2", "deep", [("CMD202", "error")]),
        (("SET", "x"), "redis-7.2", "server", [("CMD202", "note")]),
        (("SET", "x"), "valkey-9.1", "server", [("CMD202", "error")]),
        (("APPEND", "x", "y", "z"), "redis-7.2", "deep", [("AOF201", "warning")]),
        (("APPEND", "x", "y", "z"), "redis-7.2", "server", [("AOF201", "note")]),
        (("APPEND", "x", "y", "z"), "valkey-9.1", "deep", [("AOF201", "error")]),
        (("COPY", "x", "y"), "redis-6.2", "deep", []),
        (("COPY", "x", "y"), "redis-6.0", "deep", [("AOF202", "error")]),
        (("COPY", "x", "y"), "redis-6.0", "server", [("AOF202", "error")]),
        (("DELIFEQ", "x", "y"), "redis-8.0", "deep", [("AOF202", "error")]),
        (("DELIFEQ", "x", "y"), "valkey-9.0", "deep", []),
        (("DELIFEQ", "x", "y"), None, "deep", []),
        (("EXEC",), "redis-7.2", "deep", [("CMD206", "warning")]),
        (("EXEC",), "redis-7.2", "server", [("CMD206", "note")]),
        (("DISCARD",), "redis-7.2", "deep", [("CMD206", "warning")]),
    ],
)
@pytest.mark.parametrize("backend", ["codec", "grammar"])
def test_commands_by_the_rules_of_a_server(argv, rules, level, wanted, backend, tmp_path, monkeypatch):
    monkeypatch.setattr("rdbtool.reader.backends.default_backend", backend)
    before = sets(2)
    verdict = judge(log(tmp_path, before, command(*argv), sets(1)), rules, level=level, replay=False)
    assert told(verdict) == [(code, severity, len(before)) for code, severity in wanted]
    assert verdict.answer == ("invalid" if any(severity == "error" for _, severity in wanted) else "valid")


def test_a_name_is_told_once_with_its_calls(tmp_path):
    path = log(tmp_path, sets(1), command("frob", "1") * 3, command("FROB"), sets(1))
    verdict = judge(path)
    (finding,) = [row for row in verdict.findings if row.code == "CMD201"]
    assert "frob, the first of 4" in finding.message
    assert finding.number == 2
    assert verdict.counts["error"] == 4


def counted(path):
    """Count the commands of a log, found by an independent parser: calls, fewest and most arguments by name."""
    found = {}
    for file in files_of(path):
        for _, argv in parse(resp_of(file)):
            if argv[0][:1] != b"#":
                words = argv[:2] if argv[0].upper() in CONTAINERS else argv[:1]
                found.setdefault(b" ".join(words).upper(), []).append(len(argv))
    return {name: (len(sizes), sizes[0], min(sizes), max(sizes)) for name, sizes in found.items()}


@pytest.mark.parametrize("way", ["check", "commands"])
@pytest.mark.parametrize("backend", ["codec", "grammar"])
@pytest.mark.parametrize("path", LOGS, ids=name_of)
def test_names_are_counted_as_they_are(path, backend, way):
    reader = open_aof(path, backend=backend)
    reader.uses = Uses()
    rows = list(reader.commands()) if way == "commands" else [None] * reader.check()
    assert reader.count == len(rows) > 0
    shown = {
        name: (use.calls, use.first.argc, use.fewest.argc, use.most.argc) for name, use in reader.uses.by_name.items()
    }
    assert shown == counted(path)
    for use in reader.uses.by_name.values():
        rows = [row for row in open_aof(path).commands() if row.number in {use.fewest.number, use.most.number}]
        assert {(len(row.argv), row.part, row.offset, row.number) for row in rows} == {
            tuple(use.fewest),
            tuple(use.most),
        }
        break


@pytest.mark.parametrize("count", [300, 2_500])
def test_many_names_are_capped_and_counted(count, tmp_path):
    names = [f"FROB{number}" for number in range(count)]
    path = log(tmp_path, *(command(name) for name in names), command("SET", "x"))
    verdict = judge(path, replay=False)
    assert verdict.counts["error"] == count + 1
    assert len(verdict.findings) <= KEPT
    assert sum(row.code == "CMD201" for row in verdict.findings) >= min(count, KEPT - 1)


def test_replies_of_the_engine_are_told(tmp_path):
    before = command("SET", "k", "v")
    path = log(tmp_path, before, command("LPUSH", "k", "x"), command("SELECT", "16"))
    verdict = judge(path)
    assert told(verdict)[0] == ("CMD203", "warning", len(before))
    assert [row.code for row in verdict.findings] == ["CMD203", "CMD204"]
    assert verdict.findings[0].key == b"k"
    assert told(judge(path, replay=False)) == []
    assert [row.code for row in judge(path, databases=32).findings] == ["CMD203"]
    assert {row.severity for row in judge(path, level="server").findings} == {"note"}


def test_times_that_go_back(tmp_path):
    lines = [b"#TS:10\r\n", sets(1), b"#TS:12\r\n", sets(1), b"#TS:11\r\n", sets(1), b"#TS:9\r\n", sets(1)]
    at = len(b"".join(lines[:4]))
    verdict = judge(log(tmp_path, *lines))
    assert told(verdict) == [("AOF203", "warning", at)]
    assert verdict.counts["warning"] == 2
    assert "of 12 or later, found 11, and 1 more" in verdict.findings[0].message
    assert told(judge(log(tmp_path, *lines), "redis-6.2"))[0] == ("AOF206", "error", 0)


def test_files_beside_the_manifest(tmp_path):
    parts = {"appendonly.aof.2.base.aof": sets(3), "appendonly.aof.4.incr.aof": sets(1)}
    manifest = (
        b"file appendonly.aof.3.incr.aof seq 3 type i\nfile appendonly.aof.2.base.aof seq 2 type b\n"
        b"file appendonly.aof.1.base.aof seq 1 type h\nfile appendonly.aof.5.incr.aof seq 5 type i\n"
    )
    path = write_log(tmp_path, parts, manifest)
    for name in ("appendonly.aof.3.incr.aof", "appendonly.aof.5.incr.aof", "appendonly.aof.1.base.aof"):
        (tmp_path / name).write_bytes(sets(1))
    (tmp_path / "temp-rewriteaof-12.aof").write_bytes(b"*1")
    (tmp_path / "notes.txt").write_bytes(b"not ours")
    verdict = judge(path)
    assert verdict.answer == "valid"
    assert {(row.code, row.severity, Path(row.part).name) for row in verdict.findings} == {
        ("MAN104", "note", path.name),
        ("MAN106", "warning", path.name),
        ("MAN103", "note", "appendonly.aof.1.base.aof"),
        ("MAN102", "note", "temp-rewriteaof-12.aof"),
        ("MAN101", "warning", "appendonly.aof.4.incr.aof"),
    }
    (tmp_path / "appendonly.aof.3.incr.aof").unlink()
    assert [row.code for row in judge(tmp_path).findings] == ["MAN012"]


def test_odd_manifests(tmp_path):
    path = write_log(tmp_path, {}, b"# nothing\nfile gone seq 1 type h\n")
    assert [(row.code, row.severity) for row in judge(path).findings] == [("MAN105", "warning")]
    write_log(tmp_path, {"a.1.incr.aof": sets(2)})
    assert [(row.code, row.severity) for row in judge(path).findings] == [("MAN107", "warning")]
    write_log(tmp_path, {"a.1.base.aof": sets(2), "a.1.incr.aof": PREAMBLE})
    assert [row.code for row in judge(path).findings if row.severity != "note"] == ["AOF204"]
    assert [row.code for row in judge(path, "redis-6.2").findings if row.severity == "error"] == ["AOF207"]


READ_ONCE = list(itertools.product([path for path in LOGS if path.is_file()], [0, 1, 40_000], ["codec", "grammar"]))


@pytest.mark.parametrize(("path", "cut", "backend"), sample(READ_ONCE, 12, each=lambda row: row[1:]))
def test_what_can_be_read_once_is_judged_the_same(path, cut, backend, tmp_path, monkeypatch):
    monkeypatch.setattr("rdbtool.reader.backends.default_backend", backend)
    data = path.read_bytes()
    data = data[:-cut] if cut else data
    data = data[:60_000] + data[60_030:] + command("LPUSH", "exp-ms", "x") if cut > 1 else data
    same = tmp_path / "x.aof"
    same.write_bytes(data)
    verdict = judge(same)
    with same.open("rb") as file:
        piped = validate(file, Checks(), name=str(same))
    assert piped == verdict
    assert verdict.is_counted


SMALL = (
    b"#TS:1700000000\r\n"
    + command("SELECT", "0")
    + command("SET", "key", "value")
    + command("MULTI")
    + command("SADD", "s", "a", "b")
    + command("EXEC")
    + command("PEXPIREAT", "key", "1900000000000")
)


def cuts():
    for size in range(1, len(SMALL)):
        yield SMALL[:size]


def flips():
    for bit in range(len(SMALL) * 8):
        flipped = bytearray(SMALL)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


@pytest.mark.parametrize("level", ["deep", "server"])
def test_every_cut_and_flip_has_an_answer(level, tmp_path):
    ends = {len(b"#TS:1700000000\r\n")}
    answers = {"valid": 0, "invalid": 0, "unsupported": 0, "unanswered": 0}
    some = sample(flips(), 300)
    for data in (*cuts(), *some):
        path = tmp_path / "x.aof"
        path.write_bytes(data)
        verdict = judge(path, level=level, replay=len(data) == len(SMALL))
        answers[verdict.answer] += 1
        if data == SMALL[: len(data)] and level == "deep" and len(data) not in ends:
            at = len(data)
            is_whole = data.endswith(b"\r\n") and at in WHOLE
            assert (verdict.answer == "valid") is is_whole, at
    assert answers["unsupported"] == answers["unanswered"] == 0
    assert answers["valid"] > 0
    assert answers["invalid"] > len(some) * (0.8 if level == "deep" else 0.4)


#: Offsets behind a whole record, outside of the transaction.
WHOLE = {
    len(b"#TS:1700000000\r\n"),
    len(b"#TS:1700000000\r\n" + command("SELECT", "0")),
    len(b"#TS:1700000000\r\n" + command("SELECT", "0") + command("SET", "key", "value")),
    len(SMALL) - len(command("PEXPIREAT", "key", "1900000000000")),
}


@pytest.mark.server
def test_what_the_servers_tool_refuses_is_refused(redis_tools, tmp_path):
    """Sampled flips: the tool knows framing only, so it may accept more, but what it refuses is told here too."""
    path = tmp_path / "x.aof"
    refused = 0
    for bit in range(0, len(SMALL) * 8, 29):
        flipped = bytearray(SMALL)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(flipped))
        done = subprocess.run([redis_tools.check_aof, path], capture_output=True, check=False)
        if done.returncode:
            refused += 1
            verdict = judge(path, replay=False)
            assert verdict.answer == "invalid" or verdict.counts["warning"], bit
    assert refused > 20


@pytest.mark.server
def test_level_server_says_what_the_server_does(start_server, tmp_path):
    """Sampled flips and cuts: a real Redis 7.0 starts with a log exactly where it was said that it would."""
    path = tmp_path / "appendonly.aof"
    seen = {True: 0, False: 0}
    for data in (*[*cuts(), *flips()][7::61], SMALL):
        path.write_bytes(data)
        if b"$-" in data:
            continue  # it crashes over a negative size
        said = judge(path, "redis-7.0", level="server").answer == "valid"
        try:
            with start_server(files={"appendonly.aof": path}, config={"appendonly": "yes"}) as server:
                starts = server.client("PING") == b"PONG"
        except RuntimeError:
            starts = False
        assert said is starts, data
        seen[starts] += 1
    assert min(seen.values()) >= 5
