"""Commands and option words by the releases that have them: facts of the servers, and what is inferred from them.

The releases are those that the servers' own command tables name as ``since``. Each word was tried on servers of both
families, from Redis 2.8 to 8.6 and Valkey 8.0 to 9.1; the installed one is asked again.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
import server
from aof.logs import command

from rdbtool.core.servers import RELEASES, Rules
from rdbtool.engine import CommandError, Engine
from rdbtool.engine.command_errors import UnknownCommandError
from rdbtool.engine.inference.least_server import WORDS
from rdbtool.engine.replay.loader import Loaded, replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.reader.aof.reader import open_aof


class Fact(NamedTuple):
    """A command, what has to be there before, and the first releases that take it; None: none of the family does.

    ``is_ignored``: servers before that do not look at the word when they load an AOF, as it is beyond their arity.
    """

    line: str
    redis: str | None
    valkey: str | None = "7.2"
    before: tuple[str, ...] = ()
    is_ignored: bool = False


STREAM = ("XADD x 1-1 a b",)
GROUP = (*STREAM, "XGROUP CREATE x g 0")
STRING = ("SET k v",)
HASH = ("HSET h f v",)
PLACE = ("GEOADD g 1 1 a",)

FACTS = [
    Fact("SET k v EX 10", "2.6"),
    Fact("SET k v NX", "2.6"),
    Fact("SET k v KEEPTTL", "6.0"),
    Fact("SET k v GET", "6.2"),
    Fact("SET k v PXAT 99999999999999", "6.2"),
    Fact("SET k v NX GET", "7.0"),
    Fact("SET k v XX GET", "6.2"),
    Fact("SET k w IFEQ v", "8.4", "8.1", STRING),
    Fact("SET k w IFNE x", "8.4", None, STRING),
    Fact("SET k w IFDNE 0123456789abcdef", "8.4", None, STRING),
    Fact("EXPIRE k 10 NX", "7.0", before=STRING, is_ignored=True),
    Fact("PEXPIREAT k 99999999999999 GT", "7.0", before=STRING, is_ignored=True),
    Fact("FLUSHALL ASYNC", "4.0", is_ignored=True),
    Fact("FLUSHDB SYNC", "6.2", is_ignored=True),
    Fact("LPOP l 2", "6.2", before=("RPUSH l a b",), is_ignored=True),
    Fact("SPOP s 2", "3.2", before=("SADD s a b",)),
    Fact("ZADD z CH 1 a", "3.0"),
    Fact("ZADD z XX GT 1 a", "6.2"),
    Fact("GEOADD g NX 1 1 a", "6.2"),
    Fact("GEORADIUS g 1 1 10 km STORE d", "3.2", before=PLACE),
    Fact("GEORADIUS g 1 1 10 KM STORE d", "7.0", before=PLACE),
    Fact("GEORADIUS g 1 1 10 km COUNT 1 ANY", "6.2", before=PLACE),
    Fact("GEOSEARCHSTORE d g BYPOLYGON 3 0 0 2 0 0 2", None, "9.0", PLACE),
    Fact("XADD x MAXLEN 5 1-1 a b", "5.0"),
    Fact("XADD x MINID 1-1 1-1 a b", "6.2"),
    Fact("XADD x NOMKSTREAM 1-1 a b", "6.2"),
    Fact("XADD x 1-* a b", "7.0"),
    Fact("XADD x KEEPREF 1-1 a b", "8.2", None),
    Fact("XADD x MAXLEN 5 ACKED 1-1 a b", "8.2", None),
    Fact("XTRIM x MINID 1-1", "6.2", before=STREAM),
    Fact("XTRIM x MAXLEN 5 DELREF", "8.2", None, STREAM),
    Fact("XGROUP CREATE x g 0 MKSTREAM", "5.0"),
    Fact("XGROUP CREATE x g 0 ENTRIESREAD 0", "7.0", before=STREAM),
    Fact("XGROUP SETID x g 0 ENTRIESREAD 0", "7.0", before=GROUP),
    Fact("XGROUP CREATECONSUMER x g c", "6.2", before=GROUP),
    Fact("XSETID x 2-1 ENTRIESADDED 3 MAXDELETEDID 0-0", "7.0", before=STREAM, is_ignored=True),
    Fact("XDELEX x IDS 1 1-1", "8.2", None, STREAM),
    Fact("XCFGSET x IDMP-DURATION 5", "8.6", None, STREAM),
    Fact("BITOP DIFF d a b", "8.2", None, ("SET a a", "SET b b")),
    Fact("HPEXPIREAT h 4102444800000 FIELDS 1 f", "7.4", "9.0", HASH),
    Fact("HEXPIRE h 10 XX GT FIELDS 1 f", None, "9.0", HASH),
    Fact("HSETEX h FNX FIELDS 1 f v", "8.0", "9.0"),
    Fact("HSETEX h NX FIELDS 1 f v", None, "9.1"),
    Fact("HGETDEL h FIELDS 1 f", "8.0", "9.1", HASH),
    Fact("MSETEX 1 k v NX EX 10", "8.4", "9.1"),
    Fact("DELIFEQ k v", None, "9.0", STRING),
    Fact("DELEX k", "8.4", None, STRING),
    Fact("COPY k l", "6.2", before=STRING),
    Fact("UNLINK k", "4.0", before=STRING),
    Fact("FUNCTION FLUSH", "7.0"),
]


def load(*lines: str, rules: str | None = None) -> Loaded:
    with open_aof(b"".join(command(*line.split()) for line in lines)) as reader:
        return replay_log(reader, Options(rules=None if rules is None else Rules.parse(rules)))


def release(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


def line_of(fact: Fact) -> str:
    return fact.line


@pytest.mark.parametrize("fact", FACTS, ids=line_of)
def test_the_least_server_is_inferred(fact: Fact) -> None:
    loaded = load(*fact.before, fact.line)
    assert loaded.replay.findings == []
    wanted = {}
    for family, first in (("redis", fact.redis), ("valkey", fact.valkey)):
        if first is not None:
            wanted[family] = f"{family}-{first}"
    assert {family: str(least) for family, least in loaded.least.items()} == wanted
    # Redis 7.2, unless that is too old, or none.
    if fact.redis is None:
        assert str(loaded.rules) == wanted["valkey"]
    else:
        assert loaded.rules == max(Rules.parse(wanted["redis"]), Rules.parse("redis-7.2"))
    assert not loaded.choice.is_known


@pytest.mark.parametrize("fact", FACTS, ids=line_of)
def test_a_server_that_was_named_refuses_what_it_does_not_have(fact: Fact) -> None:
    for family, first in (("redis", fact.redis), ("valkey", fact.valkey)):
        for number in RELEASES[family]:
            engine = Engine(rules=Rules(family, *number))
            try:
                for line in fact.before:
                    engine.execute(*line.encode().split())
            except UnknownCommandError:
                continue
            if first is not None and number >= release(first):
                engine.execute(*fact.line.encode().split())
            elif not fact.is_ignored:
                with pytest.raises(CommandError):
                    engine.execute(*fact.line.encode().split())


def test_what_is_beyond_an_old_arity_is_not_looked_at() -> None:
    """Redis before the release runs the command without the word: it does not compare arities while it loads."""
    loaded = load("SET k v", "PEXPIREAT k 5", "PEXPIREAT k 7 NX", rules="redis-6.2")
    assert loaded.replay.engine.db.expires == {b"k": 7}
    loaded = load("SET k v", "PEXPIREAT k 5", "PEXPIREAT k 7 NX", rules="redis-7.0")
    assert loaded.replay.engine.db.expires == {b"k": 5}
    loaded = load("RPUSH l a b c", "LPOP l 2", rules="redis-6.0")
    assert list(loaded.replay.engine.db.keys[b"l"]) == [b"b", b"c"]  # type: ignore[arg-type]
    assert load("SET k v", "FLUSHALL ASYNC", rules="redis-3.2").replay.engine.db.keys == {}
    assert load("SET k v", "FLUSHALL SYNC", rules="redis-5.0").replay.counts == {"CMD203": 1}


def test_every_word_of_the_table_has_a_fact_or_a_relative() -> None:
    """A new row needs a fact: words of one release stand for each other."""
    tried = {
        (words[0] if words[0] != "XGROUP" else " ".join(words[:2]), fact.redis, fact.valkey)
        for fact in FACTS
        for words in [fact.line.split()]
    }
    kin = {"EXPIREAT": "EXPIRE", "PEXPIRE": "EXPIRE", "RPOP": "LPOP", "FLUSHDB": "FLUSHALL", "FLUSHALL": "FLUSHDB",
           "GEORADIUSBYMEMBER": "GEORADIUS", "GEOSEARCHSTORE": "GEORADIUS", "XTRIM": "XADD"}  # fmt: skip
    for name, words in WORDS.items():
        if name in (b"RESTORE", b"RESTORE-ASKING"):
            # Their payloads are in the tests of RESTORE.
            continue
        for since in words.values():
            releases = tuple(
                None if number is None else "{}.{}".format(*number) for number in (since.redis, since.valkey)
            )
            own = name.decode()
            if since.redis == (8, 6):
                # XADD with IDMP takes its ID from the server's clock.
                continue
            assert (own, *releases) in tried or (kin.get(own), *releases) in tried, since


@pytest.mark.server
def test_the_installed_server_takes_and_refuses_the_same(redis_server: server.Server) -> None:
    client = redis_server.client
    for fact in FACTS:
        client("FLUSHALL")
        try:
            for line in fact.before:
                client(*line.split())
            client(*fact.line.split())
            takes = True
        except server.ServerError:
            takes = False
        first = None if fact.redis is None else release(fact.redis)
        assert takes == (first is not None and redis_server.tools.version[:2] >= first), fact.line
