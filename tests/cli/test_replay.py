"""``rdbtool replay``: the state that a log leads to, what is told about it, and where it stops."""

import gzip
import json
import re

import pytest
from aof.logs import command, sets, write_log
from command import FIXTURES, check_golden, run

DIGESTS = [
    (server, name, digest)
    for server, files in json.loads((FIXTURES / "digests.json").read_text()).items()
    for name, digest in files.items()
]
ARGS = ("--now", "2026-01-01")


def report_of(*words, stdin=None):
    ran = run("replay", "--json", *ARGS, *words, stdin=stdin)
    return ran.code, json.loads(ran.out)


def ts(seconds):
    return b"#TS:%d\r\n" % seconds


@pytest.fixture
def log(tmp_path):
    """Write one file and return its path."""

    def write(*parts):
        path = tmp_path / "log.aof"
        path.write_bytes(b"".join(parts))
        return path

    return write


@pytest.mark.parametrize(("server", "name", "digest"), DIGESTS)
def test_the_digest_is_the_servers(server, name, digest):
    rules = ".".join(server.split(".")[:2])
    code, report = report_of("--rules", rules, FIXTURES / server / name)
    assert (code, report["schema"], report["digest"], report["rules"]) == (0, 1, digest, rules)
    assert {finding["severity"] for finding in report["findings"]} <= {"note"}
    assert run("digest", "--rules", rules, FIXTURES / server / name).out.decode() == digest + "\n"


@pytest.mark.parametrize(
    "name", ["redis-2.8.24/aof-plain.aof", "redis-7.0.15/aof-preamble", "valkey-9.1.2/aof-timestamps"]
)
def test_reads_well(name):
    # The scripts of an AOF that names no version have unknown effects; those of Redis 2.8 are what it executed.
    rules = ("--rules", "redis-2.8") if name.startswith("redis-2.8") else ()
    ran = run("replay", *ARGS, *rules, f"fixtures/{name}")
    assert (ran.code, ran.err) == (0, "")
    check_golden(f"replay/{name.replace('/', '-')}.txt", ran.out.decode())


def test_findings_read_well(log):
    path = log(
        command("SET", "s", "v"),
        command("LPUSH", "s", "x"),
        command("SELECT", "99"),
        command("FROBNICATE", "a\x1b[31m"),
        command("APPEND", "s"),
        command("EXEC"),
        command("EVAL", "return redis.call('get', 'x') + 1", "0"),
        command("EVAL", "redis.call('set', KEYS[1], 'y')", "1", "k"),
    )
    ran = run("replay", *ARGS, "--rules", "redis-7.0", path)
    assert ran.code == 1
    check_golden("replay/findings.txt", ran.out.decode().replace(str(path), "log.aof"))
    _, report = report_of("--rules", "redis-7.0", path)
    found = [(f["code"], f["severity"], f["number"]) for f in report["findings"]]
    assert found == [
        ("CMD203", "warning", 2),
        ("CMD204", "error", 3),
        ("CMD201", "error", 4),
        ("CMD202", "error", 5),
        ("CMD206", "warning", 6),
        ("CMD205", "error", 7),
        ("CMD205", "error", 8),
    ]
    assert report["findings"][0]["offset"] == len(command("SET", "s", "v"))
    assert report["finding_counts"] == {code: 1 for code, _, _ in found} | {"CMD205": 2}
    assert report["keys"] == 2


@pytest.mark.parametrize(
    ("argv", "rules", "code", "server"),
    [
        (("FROB",), "redis-6.2", "CMD201", "refuses"),
        (("XGROUP", "FROB", "k"), "redis-6.2", "CMD201", "without a word"),
        (("XGROUP", "FROB", "k"), "redis-7.0", "CMD201", "refuses"),
        (("APPEND", "k"), "redis-8.0", "CMD202", "as if it had the missing arguments"),
        (("APPEND", "k"), "valkey-9.1", "CMD202", "refuses"),
        (("LPUSH", "s", "x"), "redis-6.2", "CMD203", "without a word"),
        (("LPUSH", "s", "x"), "redis-7.0", "CMD203", "logs the error"),
        (("SELECT", "x"), "redis-7.0", "CMD204", "stays"),
    ],
)
def test_what_a_server_does_depends_on_the_server(argv, rules, code, server, log):
    _, report = report_of("--rules", rules, log(command("SET", "s", "v"), command(*argv)))
    [finding] = report["findings"]
    assert finding["code"] == code
    assert server in finding["server"]


def test_exit_codes_of_findings(log):
    warned = log(command("SET", "s", "v"), command("LPUSH", "s", "x"))
    assert run("replay", warned).code == 1
    assert run("replay", "--rules", "redis-7.0", warned).code == 0
    strict = run("replay", "--strict", "--rules", "redis-7.0", warned)
    assert (strict.code, strict.out) == (1, b"")
    assert "command 2" in strict.err
    assert "WRONGTYPE" in strict.err
    assert "CMD203" in strict.err
    noted = log(command("EVAL", "redis.call('set', 'k', 'y')", "0"))
    assert run("replay", "--strict", noted).code == 1
    assert run("replay", "--strict", "--rules", "redis-6.2", noted).code == 0
    assert run("replay", log(command("FROBNICATE"))).code == 1


def test_many_notes_hide_no_error(log):
    path = log(*[command("EVAL", "redis.call('set', 'k', 'y')", "0")] * 1500, command("FROBNICATE"))
    code, report = report_of("--rules", "redis-6.2", path)
    assert code == 1
    assert report["finding_counts"] == {"CMD201": 1, "CMD207": 1500}
    assert report["findings"][-1]["code"] == "CMD201"
    lines = run("replay", "--rules", "redis-6.2", path).out.decode().splitlines()
    assert next(line for line in lines if line.startswith("  CMD")).startswith("  CMD201 error")


@pytest.mark.parametrize(
    ("data", "state", "good", "keys", "next_good"),
    [
        (sets(3) + b"*3\r\n$3\r\nSE", "truncated", len(sets(3)), 3, None),
        (sets(3) + bytes(5000), "nul-padding", len(sets(3)), 3, None),
        (sets(3) + b"garbage" + sets(2, "x"), "damaged", len(sets(3)), 3, len(sets(3)) + 7),
        (sets(3) + command("MULTI") + command("SET", "m", "1"), "truncated-in-multi", len(sets(3)), 3, None),
        (
            sets(3) + command("MULTI") + command("SET", "m", "1") + b"*1\r\n",
            "truncated-in-multi",
            len(sets(3)),
            3,
            None,
        ),
    ],
    ids=["cut", "nul", "middle", "multi", "multi-cut"],
)
def test_how_a_log_ends(data, state, good, keys, next_good, log):
    path = log(data)
    code, report = report_of(path)
    assert (code, report["keys"]) == (1, keys)
    tail = report["tail"]
    assert (tail["state"], tail["good_up_to"], tail["next_good"]) == (state, good, next_good)
    assert tail["bytes_behind"] == len(data) - good
    assert report["damage"]["code"].startswith("AOF1")
    ran = run("replay", *ARGS, path)
    assert ran.code == 1
    assert ran.err.startswith(f"rdbtool: {path}: at 0x")
    check_golden(f"replay/tail-{state}-{len(data) - good}.txt", ran.out.decode().replace(str(path), "log.aof"))
    for name in ("dump", "digest", "info"):
        assert run(name, path).code == 1
    assert len(run("dump", "-f", "keys", path).out.splitlines()) == keys


def keys_at(*words):
    code, report = report_of(*words)
    assert code == 0
    return report["keys"], report["stopped"]


TIMED = b"".join(ts(1000 + n) + command("SET", f"k{n}", "v") for n in range(600))


@pytest.mark.parametrize(
    ("place", "keys"),
    [
        ("ts:1000", 1),
        ("ts:1255", 256),
        ("ts:1256", 257),
        ("ts:1300", 301),
        ("ts:1599", 600),
        ("1970-01-01T00:16:41Z", 2),
        ("1970-01-01T00:16:41+00:00", 2),
        ("n:0", 0),
        ("n:256", 256),
        ("n:257", 257),
        ("n:600", 600),
        ("at:0", 0),
        ("at:11", 1),
        ("at:1:0xb", 1),
        ("at:log.aof:12", 1),
        (f"at:{len(TIMED)}", 600),
    ],
)
def test_places(place, keys, log, monkeypatch, tmp_path):
    log(TIMED)
    code, report = (
        report_of("--until", place, tmp_path / "log.aof") if "log.aof" not in place else _inside(place, tmp_path)
    )
    assert code == 0
    assert report["keys"] == keys == report["commands"]
    assert (report["stopped"] is None) is (keys == 600)
    if keys < 600:
        assert report["stopped"]["number"] == keys + 1
        assert report["tail"] is None


def _inside(place, directory):
    ran = run("replay", "--json", "--until", place, "log.aof", cwd=directory)
    return ran.code, json.loads(ran.out)


def test_an_annotation_at_the_end_of_a_batch_speaks_of_the_next_one(log):
    # The scanner hands out 256 commands at a time.
    path = log(ts(5), sets(256), ts(10), sets(10, "x"))
    assert keys_at("--until", "ts:9", path)[0] == 256
    assert keys_at("--until", "ts:10", path)[0] == 266


def test_places_in_parts(tmp_path):
    path = write_log(tmp_path / "d", {"a.base.aof": sets(3), "b.incr.aof": sets(3, "x")})
    size = len(sets(1))
    assert keys_at("--until", f"at:1:{size}", path)[0] == 1
    assert keys_at("--until", f"at:1:{3 * size}", path)[0] == 3
    assert keys_at("--until", f"at:b.incr.aof:{size}", path)[0] == 4
    assert keys_at("--until", f"at:{size}", path.parent)[0] == 4
    ran = run("replay", "--until", "at:7:0", path)
    assert (ran.code, ran.out) == (1, b"")
    assert "no file '7', only a.base.aof, b.incr.aof" in ran.err


def test_before_and_before_last(log):
    path = log(sets(2), command("flushall"), sets(5), command("FLUSHALL"), sets(1))
    assert keys_at("--before", "flushall", path)[0] == 2
    assert keys_at("--before-last", "FlushAll", path)[0] == 5
    assert keys_at("--before-last", "flushall", path)[1]["number"] == 9
    assert keys_at("--before", "xgroup", log(sets(1), command("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")))[0] == 1
    assert keys_at("--before-last", "xgroup create", log(sets(1), command("XGROUP", "CREATE", "s", "g", "$")))[0] == 1


def test_before_a_command_inside_a_transaction(log):
    path = log(sets(2), command("MULTI"), command("SET", "m", "1"), command("FLUSHALL"), command("EXEC"))
    assert keys_at("--before", "flushall", path)[0] == 2
    assert b"inside a transaction" in run("replay", "--before", "flushall", path).out


def test_a_pipe_cannot_be_read_twice():
    ran = run("replay", "--before-last", "del", "-", stdin=sets(3))
    assert (ran.code, ran.out) == (2, b"")
    assert "twice" in ran.err


@pytest.mark.parametrize(
    "words",
    [("--until", "yesterday"), ("--until", "n:1", "--before", "del"), ("--rules", "rabbit-1"), ("--now", "soon")],
)
def test_usage(words, log):
    ran = run("replay", *words, log(sets(1)))
    assert (ran.code, ran.out) == (2, b"")


def test_pipes_and_compressed_logs_are_the_same(log):
    data = TIMED + command("LPUSH", "k0", "x")
    _, expected = report_of(log(data))
    for given in (data, gzip.compress(data)):
        _, report = report_of("-", stdin=given)
        assert report["digest"] == expected["digest"]
        assert report["parts"][0]["size"] == len(data)
        assert report["findings"][0]["part"] == "standard input"


def test_an_rdb_is_a_source_too():
    code, report = report_of(FIXTURES / "redis-7.0.15" / "default.rdb")
    assert (code, report["commands"], report["tail"], report["parts"][0]["format"]) == (0, 0, None, "rdb")
    info = json.loads(run("info", "--json", FIXTURES / "redis-7.0.15" / "default.rdb").out)
    assert (report["keys"], report["types"], report["dbs"]) == (info["keys"], info["types"], info["dbs"])


def test_values_of_modules_have_no_digest():
    path = FIXTURES / "small" / "redis-4.0-quicklist-zset-module.rdb"
    code, report = report_of(path)
    assert (code, report["digest"]) == (0, None)
    assert report["keys_without_digest"] > 0
    assert re.search(rb"digest +none: \d+ keys? (?:has|have) ", run("replay", path).out)


def test_relative_expiry_counts_from_now(log):
    path = log(command("SET", "k", "v"), command("EXPIRE", "k", "10"))
    out = run("dump", "--now", "5000", path).out
    assert json.loads(out.splitlines()[-1])["expire_at_ms"] == 15000
