"""Places to stop and commands to skip, on every command that replays: reached with the right data, or refused.

A replay up to a place is that of a file that ends there, and one without a command that of a file without its bytes.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from aof.logs import command, parse, write_log
from command import FIXTURES, run
from sampling import sample

import rdbtool
from rdbtool.dataset.loading import open_keys
from rdbtool.engine.replay.places import Places
from rdbtool.operations.convert.convert import ConvertOptions, convert
from rdbtool.operations.convert.rewrite import RewriteOptions, rewrite
from rdbtool.operations.diff.compare import DiffOptions, open_diff

SELECT = command("SELECT", "0")


def ts(seconds):
    return b"#TS:%d\r\n" % seconds


#: Command 4 empties the database, 8 is in a transaction, 12 empties everything.
PIECES = [
    ts(1000) + SELECT,
    command("SET", "a", "1"),
    command("HSET", "h", "f", "v"),
    ts(2000) + command("FLUSHDB"),
    command("SET", "b", "1"),
    command("MULTI"),
    command("SET", "c", "1"),
    command("INCR", "b"),
    command("EXEC"),
    ts(3000) + command("RPUSH", "l", "x"),
    command("DEL", "c"),
    command("FLUSHALL"),
    command("SET", "d", "1"),
]
LOG = b"".join(PIECES)
#: The offset of each command, by its number.
AT = [-1, *(at for at, argv in parse(LOG) if argv[0][:1] != b"#")]

#: Every command that replays, as arguments in front of and behind the file.
READERS = [
    (("dump", "-f", "jsonl"), ()),
    (("digest",), ()),
    (("info",), ()),
    (("replay",), ()),
    (("replay", "--json"), ()),
    (("history",), ("b",)),
    (("history", "--json"), ("b",)),
]
WRITERS = [
    (("convert",), ("new.rdb",)),
    (("convert",), ("new.jsonl",)),
    (("convert",), ("new/",)),
    (("aof-rewrite",), ("-o", "new.aof")),
    (("aof-rewrite",), ("-o", "new/")),
    (("aof-rewrite", "--in-place"), ()),
    (("aof-rewrite", "--in-place", "--backup", "kept"), ()),
    (("dump", "-f", "csv", "-o", "new.csv"), ()),
]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "log.aof").write_bytes(LOG)
    (tmp_path / "plain.aof").write_bytes(b"".join(piece for piece in PIECES if piece[:1] != b"#"))
    (tmp_path / "untimed.aof").write_bytes(b"".join(command(*argv) for _, argv in parse(LOG) if argv[0][:1] != b"#"))
    return tmp_path


def tree(path: Path) -> dict[str, bytes]:
    """Return every file below a directory with what it holds."""
    return {str(inner.relative_to(path)): inner.read_bytes() for inner in path.rglob("*") if inner.is_file()}


def keys_of(path: Path | bytes) -> dict[tuple[int, bytes], object]:
    with open_keys(path if isinstance(path, bytes) else str(path)) as keys:
        return {(record.db, record.key): record.value for record in keys}


# ---- reached ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stop", "number"),
    [
        (("--until", "n:3"), 4),
        (("--until", "ts:1000"), 4),
        (("--until", "ts:1999"), 4),
        (("--until", "1970-01-01T00:33:20Z"), 10),
        (("--until", f"at:{AT[11]}"), 11),
        (("--until", f"at:log.aof:{AT[11]:#x}"), 11),
        (("--before", "flushdb"), 4),
        (("--before", "FlushAll"), 12),
        (("--before-last", "rpush"), 10),
        (("--truncate-to-timestamp", "ts:2500"), 10),
    ],
)
def test_a_place_is_a_file_that_ends_there(here, stop, number):
    """All commands answer for the place: with the data of a file that ends there."""
    (here / "short").mkdir()
    (here / "short" / "log.aof").write_bytes(LOG[: AT[number]])
    expected = {
        (words, more): run(*words, "log.aof", *more, cwd=here / "short")
        for words, more in [*READERS, *WRITERS[:1]]
        if words[0] not in {"info", "replay", "history"}
    }
    for (words, more), wanted in expected.items():
        done = run(*words, "log.aof", *more, *stop, cwd=here)
        assert (done.code, done.out) == (wanted.code, wanted.out), words
    assert keys_of(here / "new.rdb") == keys_of(LOG[: AT[number]])
    left = len(AT) - number
    for words, more in READERS[2:]:
        done = run(*words, "log.aof", *more, *stop, cwd=here)
        assert done.code in ({0, 1} if words[0] == "history" else {0})
        if words[-1] == "--json":
            assert json.loads(done.out).get("stopped", json.loads(done.out).get("stopped_at"))["left_out"] == left
        else:
            said = done.err if words[0] == "history" else done.out.decode()
            assert f"stopped before command {number}" in said
            assert f"at {AT[number]:#x} of log.aof; {left} command{'s' if left > 1 else ''} not executed" in said
    for words, more in [(("validate",), ()), (("diff",), ("log.aof",))]:
        done = run(*words, "log.aof", *more, *stop, cwd=here)
        assert done.code == 0
        said = " ".join((done.out.decode() + done.err).split())
        assert f"stopped before command {number} " in said
    done = run("aof-rewrite", "log.aof", "--in-place", *stop, cwd=here)
    assert done.code == 0
    assert f"; {left} command" in done.out.decode()
    assert keys_of(here / "log.aof") == keys_of(LOG[: AT[number]])


def test_the_line_of_success(here):
    words = f"stopped before command 12 (FLUSHALL) at {AT[12]:#x} of log.aof; 2 commands not executed"
    done = run("aof-rewrite", "log.aof", "-o", "new.aof", "--before", "flushall", cwd=here)
    assert done.out.decode().endswith(f", verified; {words}\n")
    done = run("convert", "log.aof", "new.rdb", "--before", "flushall", cwd=here)
    assert done.err.endswith(f", verified; {words}\n")
    done = run("digest", "log.aof", "--before-last", "flushall", cwd=here)
    assert done.err == f"rdbtool: {words}\n"
    done = run("convert", "log.aof", "new.jsonl", "--json", "--before", "flushall", cwd=here)
    assert json.loads(done.out)["stopped_at"] == {
        "part": "log.aof",
        "offset": AT[12],
        "number": 12,
        "command": "FLUSHALL",
        "in_transaction": False,
        "left_out": 2,
        "all_counted": True,
    }
    # A pipe is read on to count what was left out, too.
    done = run("digest", "-", "--before", "flushall", stdin=LOG)
    assert done.err == f"rdbtool: {words.replace('log.aof', 'standard input')}\n"


def test_the_end_is_a_place(here):
    for stop in ("n:13", f"at:{len(LOG)}", f"at:1:{len(LOG)}", "ts:3000"):
        done = run("aof-rewrite", "log.aof", "-o", "new.aof", "--force", "--until", stop, cwd=here)
        assert done.code == 0, done.err
        assert "the AOF ends there: all commands were executed" in done.out.decode()
        assert keys_of(here / "new.aof") == keys_of(LOG)


def test_damage_after_the_place(here):
    """What follows the place does not matter, and cannot all be counted."""
    (here / "log.aof").write_bytes(LOG + b"*1\r\n$9\r\nFLUSH")
    done = run("digest", "log.aof", "--before", "flushall", cwd=here)
    assert (done.code, done.out) == (0, run("digest", "-", stdin=LOG[: AT[12]]).out)
    assert done.err.endswith("; at least 2 commands not executed\n")
    # The damage itself is a place.
    done = run("digest", "log.aof", "--until", f"at:{len(LOG)}", cwd=here)
    assert (done.code, done.out) == (0, run("digest", "-", stdin=LOG).out)
    assert f"stopped before the damage at {len(LOG):#x} of log.aof" in done.err


def test_damage_before_the_place(here):
    (here / "log.aof").write_bytes(LOG[: AT[5]] + b"*1\r\n$9\r\nFLUSH")
    before = tree(here)
    stops = (("--before", "flushall"), ("--before-last", "flushall"), ("--until", "n:7"), ("--until", "ts:3000"))
    for stop in (*stops, ("--skip-command", "12")):
        for words, more in [*READERS, *WRITERS]:
            done = run(*words, "log.aof", *more, *stop, cwd=here)
            assert (done.code, done.out) == (1, b""), (words, stop)
            assert "found end of file" in done.err
    assert tree(here) == before


def test_the_last_command_may_follow_damage(here):
    """Of two FLUSHALL, the later follows damage: the earlier one is not the last."""
    good = SELECT + command("SET", "a", "1") + command("FLUSHALL")
    (here / "log.aof").write_bytes(good + b"*1\r\n$x\r\n" + command("SET", "b", "1") * 9 + command("FLUSHALL"))
    done = run("digest", "log.aof", "--before-last", "flushall", cwd=here)
    assert (done.code, done.out) == (1, b"")
    assert run("digest", "log.aof", "--before", "flushall", cwd=here).code == 0


def test_inside_a_transaction(here):
    done = run("digest", "log.aof", "--until", "n:7", cwd=here)
    assert done.out == run("digest", "-", stdin=LOG[: AT[6]]).out
    # MULTI and SET were read and not executed, the other six were not read.
    assert ", inside a transaction, none of which was executed; 8 commands not executed" in done.err


def test_parts(tmp_path):
    path = write_log(tmp_path / "d", {"a.base.aof": LOG[: AT[5]], "b.incr.aof": SELECT + LOG[AT[5] :]})
    for stop, part in (("--until", f"at:2:{len(SELECT)}"), "b.incr.aof"), (("--until", f"at:1:{AT[3]}"), "a.base.aof"):
        done = run("dump", path, *stop)
        assert done.code == 0
        assert f"of {part}; " in done.err
    done = run("dump", path, "--until", f"at:a.base.aof:{AT[5]}")
    assert (
        f"stopped before command 5 (SELECT) at 0x0 of b.incr.aof; {len(AT) - 5 + 1} commands not executed" in done.err
    )
    done = run("dump", path, "--until", f"at:a.base.aof:{AT[5] + 1}")
    assert (done.code, done.out) == (1, b"")
    assert f"a.base.aof ends at {AT[5]:#x}" in done.err
    # A later part that cannot be read changes nothing but the count.
    (tmp_path / "d" / "b.incr.aof").write_bytes(b"REDIS0011\xf6")
    done = run("dump", path, "--until", "at:1:0")
    assert done.code == 0
    assert "; at least 4 commands not executed" in done.err


# ---- not reached ------------------------------------------------------------------------------

MISSED = [
    (("--until", "n:14"), "until n:14: the AOF has 13 commands"),
    (("--until", "n:500"), "until n:500: the AOF has 13 commands"),
    (("--until", f"at:{len(LOG) + 1}"), f"log.aof ends at {len(LOG):#x}"),
    (("--until", "at:other.aof:0"), "the AOF has no file 'other.aof', only log.aof"),
    (("--until", "ts:3001"), "the last annotation of the AOF is 1970-01-01T00:50:00Z"),
    (("--until", "2026-11-28T12:00:00Z"), "the last annotation of the AOF is 1970-01-01T00:50:00Z"),
    (("--until", "ts:999"), "the first annotation of the AOF is 1970-01-01T00:16:40Z"),
    (("--before", "unlink"), f"UNLINK not found; DEL is at {AT[11]:#x} of log.aof (command 11)"),
    (("--before-last", "unlink"), f"UNLINK not found; DEL is at {AT[11]:#x} of log.aof (command 11)"),
    (("--before", "swapdb"), f"SWAPDB not found; FLUSHDB is at {AT[4]:#x} of log.aof (command 4)"),
    (("--before", "xgroup create"), "XGROUP CREATE not found: the AOF has 13 commands"),
    (("--before", "json.del"), "JSON.DEL not found: the AOF has 13 commands"),
    (("--skip-command", "14"), "cannot skip command 14: the AOF has 13 commands"),
    (("--skip-command", "append"), "cannot skip APPEND: not found: the AOF has 13 commands"),
    (("--skip-command", "unlink"), "cannot skip UNLINK: not found; DEL is at"),
    (("--skip-command", "set"), "cannot skip SET: the AOF has 4 of them; give the number of one, such as 2, 5, 7, 13"),
    (("--skip-command", "9"), "command 9 is EXEC, which cannot be skipped"),
    (("--skip-command", "13", "--before", "flushall"), "cannot skip command 13: the replay stopped before command 12"),
    (("--skip-command", "flushall", "--until", "n:5"), "cannot skip FLUSHALL: not found; FLUSHDB is at"),
]


@pytest.mark.parametrize(("stop", "words"), MISSED)
def test_a_place_that_is_not_there(here, stop, words):
    """Nothing is printed, nothing is written, and the reason is said."""
    before = tree(here)
    for arguments, more in [*sample(READERS, 2), *sample(WRITERS, 2)]:
        done = run(*arguments, "log.aof", *more, *stop, cwd=here)
        assert (done.code, done.out) == (1, b""), arguments
        assert done.err.startswith("rdbtool: log.aof: " if words.startswith(("cannot", "until n")) else "rdbtool: ")
        assert words in done.err
        assert tree(here) == before, arguments
    for arguments in (("diff", "log.aof", "log.aof"), ("diff", "log.aof", "untimed.aof")):
        done = run(*arguments, *(("--until-a", stop[1]) if stop[0] == "--until" else stop), cwd=here)
        assert (done.code, done.out) == (1, b"")
    done = run("validate", "log.aof", *stop, cwd=here)
    assert done.code == 1
    assert "error   CHK016" in done.out.decode()
    assert words in " ".join(done.out.decode().split())
    assert run("validate", "-", *stop, stdin=LOG).code == (2 if stop[0] == "--before-last" else 1)


def test_flushall_is_not_there(here):
    (here / "log.aof").write_bytes(LOG[: AT[12]])
    done = run("aof-rewrite", "log.aof", "--in-place", "--before", "flushall", cwd=here)
    assert (done.code, done.out) == (1, b"")
    words = f"FLUSHALL not found; FLUSHDB is at {AT[4]:#x} of log.aof (command 4)"
    assert done.err == f"rdbtool: log.aof: {words}\n"
    assert (here / "log.aof").read_bytes() == LOG[: AT[12]]


def test_no_annotations(here):
    for stop in ("ts:2000", "2026-11-28T12:00:00Z"):
        for words, more in [*READERS, *WRITERS]:
            before = tree(here)
            done = run(*words, "untimed.aof", *more, "--until", stop, cwd=here)
            assert (done.code, done.out) == (1, b"")
            assert "no time annotations in this AOF: aof-timestamp-enabled is off" in done.err
            assert tree(here) == before


def test_commands_that_are_older_than_the_first_annotation(here):
    """Their time is not known: the dataset at a time before the annotation is not either."""
    (here / "log.aof").write_bytes(command("SET", "old", "1") + LOG)
    done = run("dump", "log.aof", "--until", "ts:999", cwd=here)
    assert (done.code, done.out) == (1, b"")
    assert run("dump", "log.aof", "--until", "ts:1000", cwd=here).code == 0


def test_a_snapshot_has_a_time(tmp_path):
    """Between the time at which a snapshot was saved and the first annotation, the dataset is that of the snapshot."""
    rdb = (FIXTURES / "redis-7.0.15" / "default.rdb").read_bytes()
    at = rdb.index(b"ctime") + len(b"ctime")
    assert rdb[at : at + 1] == b"\xc2"
    saved = int.from_bytes(rdb[at + 1 : at + 5], "little")
    path = tmp_path / "log.aof"
    path.write_bytes(rdb + ts(saved + 10) + SELECT + command("FLUSHALL"))
    done = run("digest", path, "--until", f"ts:{saved + 5}")
    assert (done.code, done.out) == (0, run("digest", FIXTURES / "redis-7.0.15" / "default.rdb").out)
    done = run("digest", path, "--until", f"ts:{saved - 1}")
    assert (done.code, done.out) == (1, b"")
    assert "the first annotation" in done.err
    # No command is inside of the snapshot.
    done = run("digest", path, "--until", "at:100")
    assert (done.code, done.out) == (1, b"")
    assert f"inside the RDB of {path}, " in done.err
    assert f"the first place after it is at:{len(rdb):#x}" in done.err
    assert run("digest", path, "--until", f"at:{len(rdb)}").code == 0
    assert run("digest", path, "--until", "n:0").code == 0


def test_nothing_but_a_snapshot(tmp_path):
    rdb = (FIXTURES / "redis-7.0.15" / "default.rdb").read_bytes()
    path = write_log(tmp_path / "d", {"a.base.rdb": rdb, "a.incr.aof": b""})
    for stop, words in (
        (("--before", "flushall"), "FLUSHALL not found: the AOF has 0 commands"),
        (("--until", "n:1"), "the AOF has 0 commands"),
        (("--until", "ts:1"), "no time annotations"),
    ):
        done = run("dump", path, *stop)
        assert (done.code, done.out) == (1, b"")
        assert words in done.err
    assert run("digest", path, "--until", "n:0").out == run("digest", path).out


@pytest.mark.parametrize("stop", [("--until", "n:0"), ("--before", "flushall"), ("--skip-command", "1")])
def test_what_is_no_aof(tmp_path, stop):
    rdb = FIXTURES / "redis-7.0.15" / "default.rdb"
    assert run("convert", rdb, tmp_path / "k.jsonl").code == 0
    before = tree(tmp_path)
    for source in (rdb, tmp_path / "k.jsonl"):
        readers = READERS if source == rdb else READERS[:2]
        for words, more in [*readers, *WRITERS[:3]]:
            done = run(*words, source, *more, *stop, cwd=tmp_path)
            assert (done.code, done.out) == (1, b""), words
            assert "is not an AOF: it has no commands to stop at or to skip" in done.err
        done = run("validate", source, *stop)
        assert done.code == 1
        assert "error   CHK016" in done.out.decode()
    assert tree(tmp_path) == before


# ---- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--before", "flushal"), "'flushal' is not a command; did you mean FLUSHALL?"),
        (("--before-last", "xgroup creat"), "'xgroup creat' is not a command; did you mean XGROUP CREATE?"),
        (("--skip-command", "flushdbb"), "'flushdbb' is not a command; did you mean FLUSHDB?"),
        (("--before", "qqqqq"), "'qqqqq' is not a command"),
        (("--skip-command", "multi"), "MULTI cannot be skipped"),
        (("--until", "tomorrow"), "'tomorrow' is not a valid place in an AOF"),
        (("--until", "n:1", "--before", "del"), "only one of them can be given"),
    ],
)
def test_usage(here, words, said):
    before = tree(here)
    for arguments, more in [*READERS, *WRITERS, (("validate",), ()), (("diff",), ("log.aof",))]:
        done = run(*arguments, "log.aof", *more, *words, cwd=here)
        assert (done.code, done.out) == (2, b""), arguments
        assert said in " ".join(done.err.split())
    assert tree(here) == before


def test_usage_of_pipes_and_sides(here):
    assert run("digest", "-", "--before-last", "del", stdin=LOG).code == 2
    assert run("validate", "-", "log.aof", "--before-last", "del", stdin=LOG).code == 2
    assert run("validate", "log.aof", "--no-replay", "--until", "n:1", cwd=here).code == 2
    for words in (("--until", "n:1", "--until-a", "n:1"), ("--until-a", "n:1", "--before-a", "del")):
        assert run("diff", "log.aof", "log.aof", *words, cwd=here).code == 2
    assert run("diff", "-", "log.aof", "--before-last-a", "del", stdin=LOG, cwd=here).code == 2


def test_subcommands():
    log = SELECT + command("XADD", "s", "1-1", "f", "v") + command("XGROUP", "CREATE", "s", "g", "0") + LOG
    for name in ("xgroup", "XGroup  Create"):
        done = run("digest", "-", "--before", name, stdin=log)
        assert done.code == 0
        assert "stopped before command 3 (XGROUP CREATE)" in done.err


# ---- skipping ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skip", "numbers"),
    [(("12",), (12,)), (("flushall",), (12,)), (("FLUSHDB", "12"), (4, 12)), (("8", "12"), (8, 12))],
)
def test_a_skipped_command_is_a_file_without_it(here, skip, numbers):
    words = [word for text in skip for word in ("--skip-command", text)]
    rest = b"".join(piece for number, piece in enumerate(PIECES, 1) if number not in numbers)
    wanted = keys_of(rest)
    assert wanted != keys_of(LOG)
    done = run("aof-rewrite", "log.aof", "-o", "new.aof", *words, "--json", cwd=here)
    assert done.code == 0
    assert [row["number"] for row in json.loads(done.out)["skipped"]] == list(numbers)
    assert keys_of(here / "new.aof") == wanted
    assert run("convert", "log.aof", "new.rdb", *words, cwd=here).code == 0
    assert keys_of(here / "new.rdb") == wanted
    assert run("digest", "log.aof", *words, cwd=here).out == run("digest", "-", stdin=rest).out
    done = run("dump", "-f", "keys", "log.aof", *words, cwd=here)
    for number in numbers:
        assert f"skipped command {number} (" in done.err
        assert f") at {AT[number]:#x} of log.aof\n" in done.err
    report = json.loads(run("replay", "--json", "log.aof", *words, cwd=here).out)
    assert (report["commands"], report["keys"]) == (13, len(wanted))
    info = json.loads(run("info", "--json", "log.aof", *words, cwd=here).out)
    assert [row["number"] for row in info["skipped"]] == list(numbers)
    for source, stdin in (("log.aof", None), ("-", LOG)):
        done = run("validate", "--min-keys", str(len(wanted)), source, *words, cwd=here, stdin=stdin)
        assert (done.code, done.out.decode().count("note    CHK016")) == (0, len(numbers))
    assert run("aof-rewrite", "log.aof", "--in-place", *words, cwd=here).code == 0
    assert keys_of(here / "log.aof") == wanted


def test_history_without_a_command(here):
    report = json.loads(run("history", "--json", "log.aof", "b", "--skip-command", "12", cwd=here).out)
    assert [row["number"] for row in report["records"]] == [5, 8]
    assert report["states"] == [{"db": 0, "kind": "string", "expire_at_ms": None}]


def test_skip_and_stop(here):
    """The first FLUSHALL that counts is the one that is not skipped."""
    (here / "log.aof").write_bytes(LOG + command("FLUSHALL"))
    done = run("dump", "-f", "keys", "log.aof", "--skip-command", "12", "--before", "flushall", cwd=here)
    assert done.code == 0
    assert done.out.split() == [b"b", b"l", b"d"]


def test_a_skipped_command_is_no_doubt(here):
    """An unknown effect that is skipped is none."""
    (here / "log.aof").write_bytes(LOG + command("FOO.SET", "s"))
    assert run("digest", "log.aof", cwd=here).code == 1
    done = run("digest", "log.aof", "--skip-command", "foo.set", cwd=here)
    assert (done.code, done.out) == (0, run("digest", "-", stdin=LOG).out)


# ---- two moments ------------------------------------------------------------------------------


def test_two_moments_of_one_aof(here):
    done = run("diff", "log.aof", "log.aof", "--until-a", "ts:1000", "--until-b", "ts:2500", "--json", cwd=here)
    assert done.code == 1
    report = json.loads(done.out)
    assert sorted((row["change"], row["key"]) for row in report["keys"]) == [
        ("added", "b"),
        ("added", "c"),
        ("removed", "a"),
        ("removed", "h"),
    ]
    assert report["summary"]["stopped_at_a"]["number"] == 4
    assert report["summary"]["stopped_at_b"]["number"] == 10
    done = run("diff", "log.aof", "log.aof", "--before-a", "flushall", "--before-last-b", "flushall", cwd=here)
    assert done.code == 0
    assert done.err.splitlines() == [
        f"rdbtool: {side}: stopped before command 12 (FLUSHALL) at {AT[12]:#x} of log.aof; 2 commands not executed"
        for side in "AB"
    ]
    done = run("diff", "--brief", "log.aof", "log.aof", "--skip-command-b", "12", cwd=here)
    assert sorted(done.out.splitlines()) == [b'+ db0 "b" (string, 1 byte)', b'+ db0 "l" (list, 1 element)']


def test_a_shared_place_is_for_the_aof(here):
    """A snapshot has no places, and can be compared with a moment of an AOF."""
    assert run("convert", "log.aof", "then.rdb", "--until", "ts:2500", cwd=here).code == 0
    assert run("diff", "then.rdb", "log.aof", "--until", "ts:2500", cwd=here).code == 0
    assert run("diff", "then.rdb", "log.aof", "--until-b", "ts:2500", cwd=here).code == 0
    done = run("diff", "then.rdb", "log.aof", "--until-a", "ts:2500", cwd=here)
    assert (done.code, done.out) == (1, b"")
    assert "then.rdb is not an AOF" in done.err
    assert run("diff", "then.rdb", "then.rdb", "--until", "ts:2500", cwd=here).code == 1


# ---- validate ---------------------------------------------------------------------------------


@pytest.mark.parametrize("piped", [True, False])
def test_policies_look_at_the_place(here, piped):
    source, stdin = ("-", LOG) if piped else ("log.aof", None)
    for stop, keys in (("n:3", 2), ("ts:2500", 2), (f"at:{AT[12]}", 2), ("n:13", 1)):
        words = ("validate", source, "--until", stop, "--expect-keys")
        assert run(*words, f"db0={keys}", cwd=here, stdin=stdin).code == 0
        assert run(*words, f"db0={keys + 1}", cwd=here, stdin=stdin).code == 1
    digest = run("digest", "log.aof", "--until", "n:3", cwd=here).out.decode().strip()
    assert run("validate", "log.aof", "--until", "n:3", "--expect-digest", digest, cwd=here).code == 0
    assert run("validate", "log.aof", "--expect-digest", digest, cwd=here).code == 1


@pytest.mark.parametrize("piped", [True, False])
def test_validate_reads_on(here, piped):
    """The framing of the whole file is judged, whatever the place is."""
    data = LOG + b"*1\r\n$9\r\nFLUSH"
    (here / "log.aof").write_bytes(data)
    source, stdin = ("-", data) if piped else ("log.aof", None)
    done = run("validate", source, "--before", "flushall", cwd=here, stdin=stdin)
    assert done.code == 1
    text = " ".join(done.out.decode().split())
    assert "; at least 2 commands not executed" in text
    assert "AOF205" not in text


@pytest.mark.parametrize("piped", [True, False])
@pytest.mark.parametrize(
    "stop", [("--before", "flushall"), ("--until", "n:7"), ("--until", "ts:3000"), ("--skip-command", "7")]
)
def test_validate_of_damage_before_the_place(here, piped, stop):
    data = LOG[: AT[5]] + b"*1\r\n$9\r\nFLUSH"
    (here / "log.aof").write_bytes(data)
    source, stdin = ("-", data) if piped else ("log.aof", None)
    done = run("validate", "--json", source, *stop, cwd=here, stdin=stdin)
    [report] = json.loads(done.out)["sources"]
    found = {row["code"]: row for row in report["findings"]}
    assert (done.code, report["keys"], set(found)) == (1, None, {"AOF101", "CHK016"})
    assert found["CHK016"]["message"] == "the AOF is damaged before the place to stop or the command to skip"


# ---- times ------------------------------------------------------------------------------------


@pytest.fixture
def zone(monkeypatch):
    """Set the local time zone of this process."""

    def set_zone(name):
        monkeypatch.setitem(os.environ, "TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


def test_times_without_a_zone_are_local(here, zone):
    zone("UTC-1")
    done = run("digest", "log.aof", "--until", "1970-01-01T01:33:20", cwd=here)
    assert (done.code, done.out) == (0, run("digest", "log.aof", "--until", "ts:2000", cwd=here).out)
    assert done.err.startswith("rdbtool: until 1970-01-01T01:33:20+01:00: stopped before command 10 (RPUSH)")
    done = run("digest", "log.aof", "--until", "2026-11-28", cwd=here)
    assert done.code == 1
    assert "until 2026-11-28T00:00:00+01:00: the last annotation of the AOF is 1970-01-01T00:50:00Z\n" in done.err
    # One with a zone is what it says.
    done = run("digest", "log.aof", "--until", "1970-01-01T00:33:20Z", cwd=here)
    assert "until 1970-01-01T00:33:20+00:00: stopped" in done.err


def test_now_is_local_too(here, zone):
    (here / "log.aof").write_bytes(SELECT + command("SET", "k", "v") + command("EXPIRE", "k", "10"))
    for name, moment, expiry in (("UTC-1", "1970-01-01T01:00:05", 15_000), ("UTC", "1970-01-01T01:00:05", 3_615_000)):
        zone(name)
        done = run("dump", "log.aof", "--now", moment, cwd=here)
        assert json.loads(done.out.splitlines()[-1])["expire_at_ms"] == expiry


# ---- Python -----------------------------------------------------------------------------------


def test_in_python(here):
    path, new = str(here / "log.aof"), str(here / "new.rdb")
    places = Places(before="flushall", skip=("4",))
    with open_keys(path, places=places) as keys:
        names = {record.key for record in keys}
        assert keys.extent.stopped.number == 12
    assert names == {b"a", b"h", b"b", b"l"}
    done = convert(path, new, ConvertOptions(places=places))
    assert [row.number for row in done.extent.skipped] == [4]
    assert {key for _, key in keys_of(here / "new.rdb")} == names
    done = rewrite(path, RewriteOptions(str(here / "new.aof"), places=places))
    assert {key for _, key in keys_of(here / "new.aof")} == names
    report = rdbtool.replay(path, before="flushall", skip=["4"])
    assert report.totals.keys == 4
    assert report.extent.stopped.left_out == 2
    with open_diff(path, path, DiffOptions(places=(places, Places(until="n:0")))) as comparison:
        assert len([*comparison.differences()]) == 4
    with pytest.raises(rdbtool.PlaceError, match="UNLINK not found; DEL is at"):
        rdbtool.replay(path, before="unlink")
    with pytest.raises(ValueError, match="did you mean FLUSHALL"):
        rdbtool.replay(path, before="flushal")
    with pytest.raises(ValueError, match="numbered from 1"):
        open_keys(path, places=Places(skip=("0",)))
    with open_keys(LOG, places=Places(before_last="set")) as keys:
        assert len(list(keys)) == 0


# ---- servers ----------------------------------------------------------------------------------


@pytest.mark.server
def test_a_server_that_loads_the_rest(tmp_path, start_server):
    """A server agrees: with the file up to the place, and with the file without the command."""
    cases = [(("--before", "flushall"), LOG[: AT[12]]), (("--skip-command", "flushall"), LOG.replace(PIECES[11], b""))]
    (tmp_path / "log.aof").write_bytes(LOG)
    for number, (words, rest) in enumerate(cases):
        directory = tmp_path / str(number) / "appendonlydir"
        write_log(directory, {"appendonly.aof.1.base.aof": SELECT, "appendonly.aof.1.incr.aof": rest})
        with start_server(files={"appendonlydir": directory}, config={"appendonly": "yes"}) as running:
            wanted = running.digest()
        assert run("digest", "--rules", "redis-7.0", "log.aof", *words, cwd=tmp_path).out.decode().strip() == wanted
