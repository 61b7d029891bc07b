"""EVAL in logs of old servers: a row of plain calls is carried out, and nothing is ever evaluated."""

from __future__ import annotations

import hashlib

import pytest
from aof.logs import command

from rdbtool.core.servers import Rules
from rdbtool.engine import Engine
from rdbtool.engine.commands.scripts import read_calls
from rdbtool.engine.replay.loader import replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.reader.aof.reader import open_aof

KEYS, ARGUMENTS = [b"k1", b"k2"], [b"a1", b"a b"]

PLAIN: dict[bytes, list[list[bytes]]] = {
    b"": [],
    b"redis.call('SET', KEYS[1], ARGV[2])": [[b"SET", b"k1", b"a b"]],
    b'return redis.call("set", "k", 5)': [[b"set", b"k", b"5"]],
    b"redis.call('INCR','n'); redis.call('INCR','m')\nreturn 1": [[b"INCR", b"n"], [b"INCR", b"m"]],
    b"  redis.call ( 'DEL' , KEYS[2] ) ;\n\n return nil": [[b"DEL", b"k2"]],
    b"redis.call('SET', 'quote', '\"')": [[b"SET", b"quote", b'"']],
    b"return 'done'": [],
}

TRICKY = [
    b"redis.pcall('SET', 'k', 'v')",
    b"redis.call('SET', 'k', redis.call('GET', 'x'))",
    b"redis.call('SET', 'k', 'a' .. 'b')",
    b"redis.call('SET', 'k', 'a'..ARGV[1])",
    b"-- redis.call('SET', 'k', 'v')",
    b"redis.call('SET', 'k', 'v') -- and no more",
    b"--[[ \nredis.call('SET', 'k', 'v')\n]]",
    b"redis.call('SET', 'k', 'a\\n')",
    b"redis.call('SET', 'k', '\\065')",
    b"redis.call('SET', 'k', [[v]])",
    b"redis.call('SET', 'k', 1e3)",
    b"redis.call('SET', 'k', 1.5)",
    b"redis.call('SET', 'k', 0x10)",
    b"redis.call('SET', 'k', -1)",
    b"redis.call('SET', 'k', 12345678901234567890)",
    b"redis.call('SET', KEYS[0], 'v')",
    b"redis.call('SET', KEYS[3], 'v')",
    b"redis.call('SET', KEYS[1+1], 'v')",
    b"redis.call('SET', KEYS[#KEYS], 'v')",
    b"redis.call('SET', ARGV[-1], 'v')",
    b"redis.call('SET', 'k', nil)",
    b"redis.call('SET', 'k', true)",
    b"redis.call('SET', 'k', {})",
    b"redis.call('SET', 'k', unpack(ARGV))",
    b"redis.call(unpack(ARGV))",
    b"redis.call('SET', 'k', tostring(1))",
    b"redis.call('SET', 'k', 'v',)",
    b"redis.call()",
    b"redis.call('')x",
    b"redis.call'FLUSHALL'",
    b"redis['call']('FLUSHALL')",
    b"local call = redis.call call('FLUSHALL')",
    b"local x = redis.call('GET', 'k')",
    b"for i = 1, 3 do redis.call('INCR', 'n') end",
    b"while true do end",
    b"if redis.call('EXISTS', 'k') then redis.call('DEL', 'k') end",
    b"return redis.call('SET', 'k', 'v') and 1",
    b"return 1 redis.call('SET', 'k', 'v')",
    b"return 1; redis.call('SET', 'k', 'v')",
    b"return; redis.call('SET', 'k', 'v')",
    b"do return end redis.call('SET', 'k', 'v')",
    b"redis.call('SET', 'k', 'v') redis.call('SET', 'k', 'w')",
    b"redis.call('SET', 'k', 'v;\nw')",
    b"redis.call('SET', 'k', 'a,b')",
    b"redis.call('SET', 'k', 'a(b')",
    b"redis.replicate_commands()",
    b"redis.log(redis.LOG_WARNING, 'x')",
    b"os.execute('true')",
    b"#!lua name=x\nredis.call('SET', 'k', 'v')",
    b"\x1bLua",
]


def replay(*commands: tuple[bytes, ...], rules: str = "redis-4.0"):
    log = b"".join(command(*argv) for argv in commands)
    with open_aof(log) as reader:
        loaded = replay_log(reader, Options(rules=Rules.parse(rules)))
    assert loaded.fault is None
    return loaded.replay


@pytest.mark.parametrize("script", PLAIN)
def test_plain_calls_are_read(script):
    assert read_calls(script, KEYS, ARGUMENTS) == PLAIN[script]


@pytest.mark.parametrize("script", TRICKY)
def test_whatever_else_is_refused(script):
    """Refused as a whole, however plain a part of it is, and a finding in a log."""
    assert read_calls(script, KEYS, ARGUMENTS) is None
    done = replay((b"SET", b"x", b"1"), (b"EVAL", b"redis.call('INCR','n')\n" + script, b"0"), (b"SET", b"y", b"1"))
    assert done.counts == {"CMD205": 1}
    assert done.findings[0].severity == "error"
    assert list(done.engine.db.keys) == [b"x", b"y"]


def test_carried_out_with_a_note():
    done = replay((b"EVAL", b"redis.call('SET', KEYS[1], ARGV[1])", b"1", b"k", b"v"))
    assert done.engine.db.keys == {b"k": b"v"}
    assert [(row.code, row.severity) for row in done.findings] == [("CMD207", "note")]


def test_by_digest():
    script = b"return redis.call('INCR', KEYS[1])"
    digest = hashlib.sha1(script).hexdigest().encode()
    done = replay(
        (b"EVAL", script, b"1", b"k"), (b"EVALSHA", digest, b"1", b"k"), (b"EVALSHA", digest.upper(), b"1", b"k")
    )
    assert done.engine.db.keys == {b"k": b"3"}
    done = replay(
        (b"SCRIPT", b"LOAD", script),
        (b"EVALSHA", digest, b"1", b"k"),
        (b"SCRIPT", b"FLUSH"),
        (b"EVALSHA", digest, b"1", b"k"),
    )
    assert done.engine.db.keys == {b"k": b"1"}
    assert done.counts["CMD205"] == 1


def test_a_call_that_fails_ends_the_script():
    done = replay((b"EVAL", b"redis.call('SET','a','x')\nredis.call('INCR','a')\nredis.call('SET','b','1')", b"0"))
    assert done.engine.db.keys == {b"a": b"x"}
    assert done.counts["CMD203"] == 1


def test_scripts_in_scripts_have_an_end():
    script = b"redis.call('EVAL', ARGV[1], 0, ARGV[1])"
    done = replay((b"EVAL", script, b"0", script))
    assert done.counts == {"CMD205": 1}


def test_a_select_holds_on_for_the_script_alone():
    script = (
        b"redis.call('SELECT', 3)\nredis.call('SET', 'a', 1)\nredis.call('INCR', 'b', 'c')\nredis.call('LPUSH', 'a', 1)"
    )
    for rules, db in {"redis-2.8": 0, "redis-4.0": 0, "redis-2.6": 3}.items():
        done = replay((b"EVAL", script, b"0"), (b"SET", b"c", b"1"), rules=rules)
        assert list(done.engine.database(db).keys)[-1] == b"c"
        assert list(done.engine.database(3).keys)[:2] == [b"a", b"b"]


def test_functions_are_never_called():
    done = replay(
        (b"FUNCTION", b"LOAD", b"#!lua name=l\nredis.register_function('f', function() end)"),
        (b"FCALL", b"f", b"0"),
        rules="redis-7.0",
    )
    assert done.counts == {"CMD205": 1}
    assert list(done.engine.functions) == [b"l"]


def test_a_key_count_that_lies():
    for count in (b"2", b"-1", b"x", b"99999999999999999999"):
        done = replay((b"EVAL", b"redis.call('SET', KEYS[1], 'v')", count, b"k"))
        assert done.counts.total() == 1
        assert done.engine.db.keys == {}


def test_execute_says_the_same():
    engine = Engine(rules="redis-6.2")
    engine.execute(b"EVAL", b"redis.call('SET', KEYS[1], ARGV[1])", b"1", b"k", b"v")
    assert engine.db.keys == {b"k": b"v"}
