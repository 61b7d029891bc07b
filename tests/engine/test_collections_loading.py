"""What a server does with commands in a log that it would refuse from a client: it is asked to load them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import server
from duel import digest_of, replay, words_of

#: A loading server checks no number of arguments, never blocks, and ignores a command that fails.
LOG = """
RPUSH l a b c d e f
LSET l 0 x extra
LTRIM l 0 4 extra
LREM l 1 b extra
LINSERT l BEFORE c y extra
RPOPLPUSH l m extra words
LMOVE l m LEFT RIGHT extra
BLPOP none l 0
BRPOP none l 0
BLMOVE l n LEFT LEFT 0
BRPOPLPUSH n o 0
BLMPOP 0 1 l LEFT COUNT 1
BLPOP none 0
BZPOPMIN none 0
SADD s a b c
SMOVE s t a extra
ZADD z 1 a 2 b 3 c 4 d
ZREMRANGEBYRANK z 0 0 extra
ZREMRANGEBYSCORE z 4 4 extra
BZPOPMIN none z 0
BZMPOP 0 1 z MAX
ZADD z 1 e
HSET h a 1
HSETNX h b 2 extra
HINCRBY h a 5 extra
HINCRBYFLOAT h b 0.5 extra
GEOADD g 13 38 a 15 37 b
GEORADIUS g 14 37.5 200 km STORE near
SORT l ALPHA STORE sorted
""".strip().splitlines()


@pytest.mark.server
def test_a_log_made_by_hand(start_server: Callable[..., AbstractContextManager[server.Server]], tmp_path: Path) -> None:
    engine = replay(*LOG)
    (tmp_path / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    with (tmp_path / "appendonly.aof.1.incr.aof").open("wb") as file:
        for line in LOG:
            words = words_of(line)
            file.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
    with start_server(files={"appendonlydir": tmp_path}, config={"appendonly": "yes"}) as running:
        assert running.client("DBSIZE") == len(engine.db.keys)
        assert digest_of(engine, "redis-7.0") == running.digest()
