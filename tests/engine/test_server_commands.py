"""Functions, slots, scripts, and commands that change nothing."""

from __future__ import annotations

import pytest

from rdbtool.engine import CommandError, Engine, UnknownCommandError
from rdbtool.engine.command_errors import ArityError, ScriptError
from rdbtool.engine.libraries import library_name
from rdbtool.io.source import crc64

CODE = b"#!lua name=mylib\nredis.register_function('f', function(keys, args) return 1 end)"
OTHER = b"#!lua name=other\nredis.register_function('g', function(keys, args) return 1 end)"

#: FUNCTION DUMP of a Redis 7.0.15 that held these two.
DUMP = bytes.fromhex(
    "f5405023216c7561206e616d653d6d796c69620a72656469732e72656769737465725f66756e6374696f6e282766272c2066756e"
    "6374696f6e286b6579732c2061726773292072657475726e203120656e6429f5405023216c7561206e616d653d6f746865720a72"
    "656469732e72656769737465725f66756e6374696f6e282767272c2066756e6374696f6e286b6579732c20617267732920726574"
    "75726e203120656e64290a0098300bc8c98712c1"
)

#: A sound payload, but of a string.
STRING = b"\x00\x01a\x0a\x00" + crc64(b"\x00\x01a\x0a\x00").to_bytes(8, "little")

BOTH = {b"mylib": CODE, b"other": OTHER}


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (b"#!lua name=mylib\n", b"mylib"),
        (b"#!LUA NAME=a_B9\r\n", b"a_B9"),
        (b'#!lua  name="quoted"\ncode', b"quoted"),
        (b"#!js name=x\n", b"x"),
    ],
)
def test_library_names(code: bytes, name: bytes) -> None:
    assert library_name(code) == name


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"", "Missing library metadata"),
        (b"return 1", "Missing library metadata"),
        (b"#!lua name=x", "Invalid library metadata"),
        (b'#!lua name="x\n', "Invalid library metadata"),
        (b"#!lua\n", "Library name was not given"),
        (b"#!lua name=\n", "Library names can only contain"),
        (b"#!lua name=a-b\n", "Library names can only contain"),
        (b"#!lua name=a name=b\n", "given multiple times"),
        (b"#!lua name=a version=1\n", "Invalid metadata value given: version=1"),
        (b"#!js name=a\n", "Engine 'js' not found"),
    ],
)
def test_libraries_that_are_refused(code: bytes, message: str) -> None:
    engine = Engine()
    with pytest.raises(CommandError, match=message):
        engine.execute(b"FUNCTION", b"LOAD", code)
    assert engine.functions == {}


def test_load_delete_flush() -> None:
    engine = Engine()
    engine.execute(b"function", b"load", CODE)
    with pytest.raises(CommandError, match="Library 'mylib' already exists"):
        engine.execute(b"FUNCTION", b"LOAD", CODE + b"\n")
    engine.execute(b"FUNCTION", b"LOAD", b"replace", CODE + b"\n")
    engine.execute(b"FUNCTION", b"LOAD", OTHER)
    assert engine.functions == {b"mylib": CODE + b"\n", b"other": OTHER}
    with pytest.raises(CommandError, match="Library not found"):
        engine.execute(b"FUNCTION", b"DELETE", b"MYLIB")
    engine.execute(b"FUNCTION", b"DELETE", b"mylib")
    assert engine.functions == {b"other": OTHER}
    with pytest.raises(CommandError):
        engine.execute(b"FUNCTION", b"FLUSH", b"NOW")
    with pytest.raises(CommandError, match="Unknown option given: x"):
        engine.execute(b"FUNCTION", b"LOAD", b"x", CODE)
    engine.execute(b"FUNCTION", b"FLUSH", b"async")
    assert engine.functions == {}


def test_restore_policies() -> None:
    engine = Engine(rules="redis-7.0")
    engine.execute(b"FUNCTION", b"RESTORE", DUMP)
    assert engine.functions == BOTH
    with pytest.raises(CommandError, match="Library mylib already exists"):
        engine.execute(b"FUNCTION", b"RESTORE", DUMP, b"APPEND")
    third = b"#!lua name=third\nredis.register_function('third', function() end)"
    for policy, kept in ((b"replace", {b"third": third}), (b"FLUSH", {})):
        engine.execute(b"FUNCTION", b"LOAD", b"REPLACE", third)
        engine.execute(b"FUNCTION", b"LOAD", b"REPLACE", CODE + b"changed")
        engine.execute(b"FUNCTION", b"RESTORE", DUMP, policy)
        assert engine.functions == BOTH | kept


def test_a_library_without_functions_is_refused() -> None:
    engine = Engine(rules="redis-7.0")
    with pytest.raises(CommandError, match="No functions registered"):
        engine.execute(b"FUNCTION", b"LOAD", b"#!lua name=third\nreturn 1")
    assert engine.functions == {}


@pytest.mark.parametrize(
    "words",
    [
        (b"",),
        (DUMP[:-1],),
        (DUMP[:-1] + b"\0",),
        (b"x" + DUMP[1:],),
        (DUMP, b"MERGE"),
        (DUMP, b"FLUSH", b"FLUSH"),
        (STRING,),
    ],
)
def test_restore_that_is_refused(words: tuple[bytes, ...]) -> None:
    engine = Engine(rules="redis-7.0")
    engine.execute(b"FUNCTION", b"LOAD", OTHER)
    with pytest.raises(CommandError):
        engine.execute(b"FUNCTION", b"RESTORE", *words)
    assert engine.functions == {b"other": OTHER}


def left(*words: bytes) -> set[bytes]:
    """Return the keys that a command leaves; foo is in slot 12182, bar in 5061, both in two databases."""
    engine = Engine(rules="valkey-9.0" if words[0].upper() == b"CLUSTER" else "redis-8.0")
    for line in (b"SET foo 1", b"SET {foo}2 1 PXAT 5", b"SET bar 1", b"SELECT 2", b"SET foo 1", b"SET bar 1"):
        engine.execute(*line.split())
    engine.execute(*words)
    return {b"%d/%b" % (record.db, record.key) for record in engine.records()}


def test_slots() -> None:
    bar = {b"0/bar", b"2/bar"}
    everything = bar | {b"0/foo", b"0/{foo}2", b"2/foo"}
    assert left(b"CLUSTER", b"FLUSHSLOT", b"12182") == bar
    assert left(b"cluster", b"flushslot", b"12182", b"sync") == bar
    assert left(b"CLUSTER", b"FLUSHSLOT", b"0") == everything
    assert left(b"CLUSTER", b"SETSLOT", b"12182", b"NODE", b"id") == everything
    assert left(b"CLUSTER", b"SYNCSLOTS", b"FINISH") == everything
    assert left(b"SFLUSH", b"5062", b"16383") == bar
    assert left(b"SFLUSH", b"0", b"100", b"12182", b"12182", b"ASYNC") == bar
    assert left(b"SFLUSH", b"0", b"16383") == set()
    for words in (
        (b"CLUSTER", b"FLUSHSLOT", b"16384"), (b"CLUSTER", b"FLUSHSLOT", b"x"), (b"CLUSTER", b"FLUSHSLOT", b"1", b"x"),
        (b"SFLUSH", b"1", b"2", b"3"), (b"SFLUSH", b"2", b"1"), (b"SFLUSH", b"1", b"16384"), (b"SFLUSH", b"-1", b"2"),
        (b"SFLUSH", b"1", b"5", b"5", b"6"), (b"SFLUSH", b"1", b"SYNC"),
    ):  # fmt: skip
        with pytest.raises(CommandError):
            left(*words)


@pytest.mark.parametrize("line", [b"EVAL x 0", b"EVALSHA x 0", b"fcall f 0"])
def test_scripts_are_not_executed(line: bytes) -> None:
    with pytest.raises(ScriptError):
        Engine().execute(*line.split())


@pytest.mark.parametrize("line", [b"MIGRATE h 1 k 0 5", b"MIGRATE h 1 k 0 5 COPY"])
def test_what_depends_on_another_server(line: bytes) -> None:
    with pytest.raises(CommandError, match=r"arguments|another server"):
        Engine().execute(*line.split())


@pytest.mark.parametrize(
    "line",
    [b"PING", b"ping x", b"PUBLISH c m", b"SPUBLISH c m", b"GET k", b"GET list", b"SCRIPT LOAD x", b"script flush",
     b"SELECT 0", b"TYPE k", b"CONFIG SET a b", b"EVAL_RO x 0", b"FUNCTION DUMP", b"BITFIELD_RO k GET u8 0",
     b"OBJECT ENCODING k", b"XINFO STREAM k", b"EXISTS k", b"CLUSTER INFO", b"HTTL k FIELDS 1 f"],
)  # fmt: skip
def test_commands_that_change_nothing(line: bytes) -> None:
    engine = Engine(rules="redis-7.4")
    engine.execute(b"SET", b"k", b"v", b"PXAT", b"5")
    engine.execute(b"RPUSH", b"list", b"a")
    before = list(engine.records())
    engine.execute(*line.split())
    assert list(engine.records()) == before


def test_unknown_and_short_commands() -> None:
    engine = Engine(rules="redis-8.0")
    for line in (b"NONSENSE", b"FUNCTION", b"FUNCTION NONSENSE x", b"CLUSTER", b"SCRIPT NONSENSE"):
        with pytest.raises(UnknownCommandError):
            engine.execute(*line.split())
    for line in (b"SET k", b"GET", b"FUNCTION DELETE", b"SFLUSH 1", b"INCR"):
        with pytest.raises(ArityError):
            engine.execute(*line.split())
