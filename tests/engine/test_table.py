"""The command table is whole, agrees with a server, and each of its commands has a handler in its family."""

import functools
import inspect
import re
import subprocess
import sys

import pytest
from command import environment

from rdbtool.core.commands import AOF_WORDS, COMMANDS, CONTAINERS, FAMILIES, FIRST_WORDS, TRANSACTION
from rdbtool.core.servers import RELEASES, Rules
from rdbtool.engine.handlers import HANDLERS, command, load_families
from rdbtool.engine.keyspec import keys_of

load_families()

#: Commands of a release of Valkey that is not in the table of releases yet.
UNRELEASED = {"INCREX"}

#: Where other releases take fewer, or more, arguments than Redis 7.0.
OTHER_ARITIES = {
    b"CLUSTER REPLICATE", b"COMMAND GETKEYS", b"COMMAND GETKEYSANDFLAGS", b"SCRIPT DEBUG", b"ZRANK", b"ZREVRANK",
}  # fmt: skip

#: What older releases write into an AOF, and PFCOUNT, which stores a cardinality.
WRITTEN = {b"EVAL", b"EVALSHA", b"FCALL", b"PFCOUNT", b"SCRIPT FLUSH", b"SCRIPT LOAD"}


def test_every_command_has_a_handler():
    assert {row.name.encode() for row in COMMANDS.values()} == COMMANDS.keys()
    assert {name.encode() for name in HANDLERS} == COMMANDS.keys() - TRANSACTION


def test_handlers_stand_in_their_family():
    """Handlers that a decorator wraps tell their module by what they wrap."""
    for name, handler in HANDLERS.items():
        inner = inspect.unwrap(handler)
        module = (inner.func if isinstance(inner, functools.partial) else inner).__module__
        assert module == f"rdbtool.engine.commands.{COMMANDS[name.encode()].family}", name


def test_a_handler_needs_a_row_of_its_own():
    with pytest.raises(ValueError, match="FROB has no row"):
        command("FROB")
    with pytest.raises(ValueError, match="GET has a handler already"):
        command("GET")


def test_the_table_is_whole_before_a_family_is_imported():
    code = (
        "import sys; from rdbtool.core.commands import COMMANDS; print(len(COMMANDS), 'rdbtool.engine' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout.split() == [str(len(COMMANDS)), "False"]


def test_rows_are_sound():
    for row in COMMANDS.values():
        assert row.arity != 0
        assert abs(row.arity) >= len(row.name.split())
        assert row.family in {*FAMILIES, "transactions"}
        firsts = {"redis": row.since.redis, "valkey": row.since.valkey} if row.name not in UNRELEASED else {}
        assert all(first is None or first <= max(RELEASES[family]) for family, first in firsts.items())
        assert not (row.keys and "sweeps" in row.flags)
        assert not ("inert" in row.flags and "write" in row.flags)


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("SET k v", "k"),
        ("set k v", "k"),
        ("DEL a b", "a b"),
        ("MSET a 1 b 2", "a b"),
        ("BLPOP a b 0", "a b"),
        ("BITOP AND d a b", "d a b"),
        ("MSETEX 2 a 1 b 2 EX 5", "a b"),
        ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b"),
        ("EVAL script 1 k v", "k"),
        ("LMPOP 2 a b LEFT", "a b"),
        ("SORT a BY x STORE d", "a d"),
        ("XREADGROUP GROUP g c STREAMS a b > >", "a b"),
        ("MIGRATE h 1 k 0 1", "k"),
        ("XGROUP CREATE s g $", "s"),
        ("GET k", ""),
        ("FLUSHALL", ""),
        ("FROB k", ""),
    ],
)
def test_keys_stand_where_the_table_says(words, keys):
    assert keys_of(words.encode().split()) == keys.encode().split()


def test_sets_of_names_come_from_the_table():
    assert {b"XGROUP", b"CLUSTER", b"COMMAND"} <= CONTAINERS <= FIRST_WORDS
    assert {b"SET", b"MULTI", b"EXEC", b"SELECT", b"XGROUP", b"PUBLISH", b"RREPLAY"} <= AOF_WORDS <= FIRST_WORDS
    assert not AOF_WORDS & {b"GET", b"PING", b"SAVE", b"TIME", b"SHUTDOWN"}
    assert {b"MULTI", b"EXEC", b"DISCARD"} == TRANSACTION


def flat(rows):
    for row in rows:
        yield row
        yield from flat(row[9])


def test_a_server_has_the_same_table(redis_server):
    rules = Rules.parse(redis_server.tools.rules)
    if rules.release >= (8, 0):
        pytest.skip("its modules' commands, which are in the table as a part of the server, tell no arities")
    theirs = {row[0].upper().replace(b"|", b" "): row for row in flat(redis_server.client("COMMAND"))}
    ours = {name: row for name, row in COMMANDS.items() if rules.has(row.since.redis, row.since.valkey)}
    assert ours.keys() - CONTAINERS == theirs.keys() - CONTAINERS
    for name, row in ours.items():
        _, arity, flags, first, last, step, *_ = theirs[name]
        assert row.arity == arity or name in OTHER_ARITIES, name
        assert ("write" in row.flags) == (b"write" in flags) or name in WRITTEN, name
        if re.fullmatch("[0-9:-]+", row.keys):
            positions = [*map(int, row.keys.split(":"))]
            positions += positions[:1] if len(positions) == 1 else []
            assert (first, last, step) == (*positions, 1)[:3], name
        elif not row.keys and b"write" in flags:
            assert first == 0, name
