"""``rdbtool history``: every record that touched a key, and who deleted it."""

import json
import re
import shlex

import pytest
from aof.logs import command, sets, write_log
from command import FIXTURES, check_golden, run

from rdbtool.report.formatting import key_argument
from rdbtool.report.history import LargePieces


@pytest.fixture
def log(tmp_path):
    def write(*parts):
        path = tmp_path / "log.aof"
        path.write_bytes(b"".join(parts))
        return path

    return write


def history(path, key, *words):
    ran = run("history", "--json", *words, path, key)
    report = json.loads(ran.out)
    assert report["schema"] == 1
    return ran.code, report


def effects(path, key, *words):
    return [(row["number"], row["db"], row["effects"]) for row in history(path, key, *words)[1]["records"]]


def test_reads_well():
    ran = run("history", "fixtures/redis-7.0.15/aof-preamble", "z:1")
    assert (ran.code, ran.err) == (0, "")
    check_golden("history/redis-7.0.15-z-1.txt", ran.out.decode())


@pytest.mark.parametrize(
    ("commands", "expected", "deleted_by"),
    [
        ([("DEL", "k")], [["deleted"]], "DEL k"),
        ([("UNLINK", "a", "k", "b")], [["deleted"]], "UNLINK a k b"),
        ([("RENAME", "k", "other")], [["deleted"]], "RENAME k other"),
        ([("FLUSHALL",)], [["deleted"]], "FLUSHALL"),
        ([("FLUSHDB",)], [["deleted"]], "FLUSHDB"),
        ([("SWAPDB", "0", "3")], [["deleted"], ["created"]], "SWAPDB 0 3"),
        ([("MOVE", "k", "2")], [["deleted"], ["created"]], "MOVE k 2"),
        ([("PEXPIREAT", "k", "5000"), ("DEL", "k")], [["expiry set"], ["deleted"]], "DEL k"),
        ([("MULTI",), ("DEL", "k"), ("EXEC",)], [["deleted"]], "DEL k"),
        ([("EVAL", "redis.call('del', 'k')", "0")], [["deleted"]], "EVAL redis.call('del', 'k') 0"),
        ([("GETDEL", "k")], [["deleted"]], "GETDEL k"),
        ([("SELECT", "1"), ("FLUSHALL",)], [["deleted"]], "FLUSHALL"),
    ],
    ids=lambda value: value[-1][0] if isinstance(value, list) else None,
)
def test_who_deleted_it(commands, expected, deleted_by, log):
    path = log(command("SET", "k", "v"), sets(3, "x"), *(command(*argv) for argv in commands), sets(2, "y"))
    code, report = history(path, "k", "--rules", "redis-6.2")
    assert code == 0
    assert [row["effects"] for row in report["records"]] == [["created"], *expected]
    assert [(row["db"], row["command"]) for row in report["deletions"]] == [(0, deleted_by)]
    deletion = report["deletions"][0]
    assert path.read_bytes()[deletion["offset"] :].startswith(command(*next(a for a in commands if a[0] in deleted_by)))
    assert deletion["in_transaction"] is (commands[0] == ("MULTI",))
    assert (
        f"deleted by command {deletion['number']}, {deleted_by}"
        in run("history", path, "k", "--rules", "redis-6.2").out.decode()
    )


def test_what_happened_to_it(log):
    path = log(
        command("LPUSH", "k", "a"),
        command("LPUSH", "k", "b"),
        command("LSET", "k", "0", "b"),
        command("SADD", "k", "x"),
        command("PEXPIREAT", "k", "9999999999999"),
        command("PEXPIREAT", "k", "9999999999998"),
        command("PERSIST", "k"),
        command("COPY", "k", "other"),
        command("SORT", "other", "BY", "nosort", "STORE", "k"),
        command("SET", "k", "text", "PX", "100"),
        command("RENAME", "other", "k"),
        command("DEL", "nothing", "k"),
        command("DEL", "k"),
    )
    assert effects(path, "k") == [
        (1, 0, ["created"]),
        (2, 0, ["changed"]),
        (3, 0, ["no effect"]),
        (4, 0, ["error"]),
        (5, 0, ["expiry set"]),
        (6, 0, ["expiry changed"]),
        (7, 0, ["expiry removed"]),
        (8, 0, ["no effect"]),
        (9, 0, ["no effect"]),
        (10, 0, ["changed", "expiry set"]),
        (11, 0, ["changed", "expiry removed"]),
        (12, 0, ["deleted"]),
        (13, 0, ["no effect"]),
    ]
    assert "WRONGTYPE" in history(path, "k")[1]["records"][3]["error"]


def test_streams_and_large_values(log):
    # Built under another name: a stream that is still small is compared entry by entry at every one of them.
    entries = [command("XADD", "t", f"{n}-1", "f", "v") for n in range(1, 5000)]
    path = log(
        command("XADD", "s", "1-1", "f", "v"),
        command("XADD", "s", "2-1", "f", "v"),
        *entries,
        command("RENAME", "t", "s"),
        command("XGROUP", "CREATE", "s", "g", "0"),
        command("XADD", "s", "9999-1", "f", "v"),
        command("XSETID", "s", "10000-1"),
    )
    found = effects(path, "s")
    assert found == [
        (1, 0, ["created"]),
        (2, 0, ["changed"]),
        (5002, 0, ["changed"]),
        (5003, 0, ["written"]),
        (5004, 0, ["changed"]),
        (5005, 0, ["written"]),
    ]


def test_a_database_alone(log):
    path = log(command("SET", "k", "v"), command("SELECT", "3"), command("SET", "k", "w"), command("FLUSHALL"))
    assert effects(path, "k") == [(1, 0, ["created"]), (3, 3, ["created"]), (4, 0, ["deleted"]), (4, 3, ["deleted"])]
    assert effects(path, "k", "-n", "3") == [(3, 3, ["created"]), (4, 3, ["deleted"])]
    assert effects(path, "k", "--until", "n:3") == [(1, 0, ["created"]), (3, 3, ["created"])]


def test_a_key_that_is_no_text(log):
    path = log(command("SET", b"\xac\xed\x00t\\", "v"))
    code, report = history(path, r"\xac\xed\x00t\\")
    assert (code, report["key"]) == (0, {"base64": "rO0AdFw="})
    assert rb'touched "\xac\xed\x00t\x5c"' in run("history", path, r"\xac\xed\x00t\\").out


def test_a_hostile_command_is_printable(log):
    out = run("history", log(command("SET", "k", b"\x1b[31m\xff\n")), "k").out
    assert b"\x1b" not in out
    assert rb"SET k \x1b[31m\xff\x0a" in out


def test_times_parts_and_the_snapshot(tmp_path):
    rdb = (FIXTURES / "small" / "redis-2.6-plain-types.rdb").read_bytes()
    key = "raw"
    path = write_log(tmp_path / "d", {"a.base.rdb": rdb, "b.incr.aof": b"#TS:1700000000\r\n" + command("DEL", key)})
    code, report = history(path, key)
    first, last = report["records"]
    assert (code, first["part"], first["effects"], first["number"]) == (0, "a.base.rdb", ["in the snapshot"], None)
    assert (last["part"], last["time"], last["effects"]) == ("b.incr.aof", 1700000000, ["deleted"])
    assert "2023-11-14T22:13:20Z" in run("history", path, key).out.decode()


def test_exit_codes(log):
    ran = run("history", log(sets(3)), "nobody")
    assert (ran.code, ran.out, ran.err) == (1, b'no record touched "nobody"\n', "")
    ran = run("history", log(sets(3) + b"*3\r\n$3"), "k1")
    assert ran.code == 1
    assert b"SET k1" in ran.out
    assert "AOF101" in ran.err
    code, report = history(log(sets(3) + b"*3\r\n$3"), "k1")
    assert (code, report["damage"]["code"], len(report["records"])) == (1, "AOF101", 1)


def test_an_open_transaction_touches_nothing(log):
    path = log(sets(3), command("MULTI"), command("DEL", "k1"))
    code, report = history(path, "k1")
    assert (code, len(report["records"]), report["damage"]["code"]) == (1, 1, "AOF110")


@pytest.mark.parametrize(
    ("key", "commands"),
    [
        (b"k", [("SET", "k", "old"), ("DEL", "k"), ("FLUSHALL",)]),
        (b"k", [("SET", "k", "old"), ("MULTI",), ("SET", "k", "new"), ("DEL", "k"), ("EXEC",)]),
        (b"k", [("SET", "k", "0"), ("SELECT", "3"), ("SET", "k", "old"), ("FLUSHDB",)]),
        (b"-k y\\\xff\xc3\xa4\n$'", [("SET", b"-k y\\\xff\xc3\xa4\n$'", "old"), ("FLUSHALL",), ("SET", "k", "1")]),
    ],
    ids=["deleted", "transaction", "database", "spelling"],
)
def test_the_next_commands_bring_a_deleted_key_back(key, commands, log, tmp_path):
    path = log(*(command(*argv) for argv in commands))
    shown = run("history", path, key_argument(key)).out.decode().splitlines()[-2:]
    get, rewrite = (shlex.split(re.sub("  (the|all) keys? before.*|  next", "", line)) for line in shown)
    assert (get[:2], rewrite[:2]) == (["rdbtool", "get"], ["rdbtool", "aof-rewrite"])
    assert run(*get[1:]).out == b"old"
    assert run(*rewrite[1:], cwd=tmp_path).code == 0
    assert run("get", "recovered.aof", *get[3 : get.index("--until")], cwd=tmp_path).out == b"old"


def test_no_next_command_without_a_deletion_or_a_file(log):
    assert "  next" not in run("history", log(command("SET", "k", "v")), "k").out.decode()
    gone = log(command("SET", "k", "v"), command("DEL", "k"))
    assert "next  rdbtool get" in run("history", gone, "k").out.decode()
    assert "  next" not in run("history", "-", "k", stdin=gone.read_bytes()).out.decode()


def test_the_next_command_replays_in_the_same_way(log):
    gone = log(command("SET", "k", "v"), command("SET", "x", "y"), command("HIDDEN", "k"), command("DEL", "k"))
    words = ["--rules", "redis-7.0", "--rename-command", "HIDDEN=GET", "--skip-command", "2"]
    assert f"{' '.join(words)} --until n:3" in run("history", *words, gone, "k").out.decode()


def test_several_keys_in_one_pass(log):
    path = log(
        command("MSET", "a", "1", "b", "2"),
        command("SET", "other", "3"),
        command("RENAME", "a", "c c"),
        command("SELECT", "1"),
        command("SET", "b", "2"),
        command("FLUSHALL"),
        command("SET", "b", "3"),
    )
    ran = run("history", path, "c c", "--exact-key", "a", "--exact-key", "b", "--exact-key", "never")
    assert (ran.code, ran.err) == (0, "")
    check_golden("history/several-keys.txt", ran.out.decode().replace(str(path), "log.aof"))


def test_keys_of_a_pattern(log):
    path = log(sets(30), command("DEL", "k3", "k4"), command("SET", "x", "y"), command("FLUSHDB"))
    ran = run("history", path, "--glob", "k*", "--key", "^y z$", "--exact-key", "k1", "--rules", "redis-7.2")
    assert (ran.code, ran.err) == (0, "")
    check_golden("history/pattern.txt", ran.out.decode().replace(str(path), "log.aof"))
    *_, show, rewrite = ran.out.decode().splitlines()
    words = shlex.split(show.split("these keys")[0].replace("  next", ""))
    assert run(*words[1:], "-f", "keys").out.splitlines() == [b"k%d" % n for n in range(30) if n not in {3, 4}]
    assert f"aof-rewrite {path} -o recovered.aof --rules redis-7.2 --until n:32" in rewrite


def test_the_report_about_several_keys(log):
    binary = b"\xff\x00"
    path = log(command("MSET", "a", "1", binary, "2"), command("DEL", binary), command("PEXPIREAT", "a", "5000"))
    ran = run("history", "--json", path, "--glob", "?", "--exact-key", r"\xff\x00")
    report = json.loads(ran.out)
    named = {"base64": "/wA="}
    assert report["filters"] == {"exact_key": [named], "glob": ["?"], "key": []}
    assert [(row["key"], row["number"], row["effects"]) for row in report["records"]] == [
        ("a", 1, ["created"]),
        (named, 1, ["created"]),
        (named, 2, ["deleted"]),
        ("a", 3, ["expiry set"]),
    ]
    ends = {str(end["key"]): (end["touches"], len(end["states"]), len(end["deletions"])) for end in report["keys"]}
    assert ends == {"a": (2, 1, 0), str(named): (2, 0, 1)}
    summary = report["summary"]
    assert (summary["touches"], summary["deletions"], summary["left"]) == (4, 1, [{"db": 0, "keys": 1}])
    assert (summary["last_deletion"]["key"], summary["last_deletion"]["command"]) == (named, r"DEL \xff\x00")
    assert {"key", "states", "deletions"}.isdisjoint(report)


def test_one_key_in_other_words_is_one_key(log):
    path = log(sets(3), command("DEL", "k1"))
    for words in ([], ["--json"]):
        given = run("history", path, "k1", *words).out
        assert given == run("history", path, "--exact-key", "k1", *words).out
        assert given == run("history", path, "k1", "--exact-key", "k1", *words).out


def test_many_keys_are_counted_not_listed(log):
    path = log(sets(21))
    assert json.loads(run("history", path, "--glob", "*", "--json").out)["keys"] is None
    report = json.loads(run("history", path, "--glob", "k?*", "--until", "n:20", "--json").out)
    assert [end["key"] for end in report["keys"]] == [f"k{number}" for number in range(20)]
    shown = run("history", path, "--glob", "*").out.decode().splitlines()[-2:]
    assert shown == ["21 records touched more than 20 keys", "  db 0: 21 keys at the end"]


def test_a_pattern_that_nothing_matches(log):
    ran = run("history", log(sets(3)), "--glob", "nobody*")
    assert (ran.code, ran.out, ran.err) == (1, b"no record touched a key that matches\n", "")
    ran = run("history", log(sets(3)), "nobody", "--exact-key", "k1")
    assert ran.code == 0
    assert ran.out.endswith(b'no record touched "nobody"\n1 record touched "k1"\n  db 0: exists: string\n')


def test_commands_of_unknown_effect_may_have_touched_any_key(log):
    ran = run("history", log(sets(3), command("FOO.SET", "k1", "k2")), "k1", "--exact-key", "k2")
    assert ran.code == 1
    assert ran.out.count(b"unknown (") == 2
    assert b"commands of unknown effect, which may have touched them:\n  FOO.SET: in " in ran.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Invalid value for KEY: give a key, as KEY or with --exact-key, --glob or --key"),
        (["-k", "("], "Invalid value for --key: '(': missing ), unterminated subpattern at position 0"),
        (["--glob", "*", "--exact-key"], "Option '--exact-key' requires an argument."),
    ],
)
def test_wrong_usage(words, message, log):
    ran = run("history", log(sets(1)), *words)
    assert (ran.code, ran.out) == (2, b"")
    assert message in " ".join(ran.err.split())


def test_lines_are_gathered_and_none_is_lost():
    written: list[bytes] = []
    with pytest.raises(KeyError), LargePieces(written.append, size=4) as gathered:
        for piece in (b"ab", b"cd", b"e"):
            gathered.write(piece)
        assert written == [b"abcd"]
        raise KeyError
    assert written == [b"abcd", b"e"]
