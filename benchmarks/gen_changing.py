#!/usr/bin/env python3
"""Write a deterministic AOF that changes what it holds, as commands (RESP) to stdout.

    gen_changing.py KIND [SCALE] > KIND.aof

| kind | commands at scale 1 |
|---|---|
| counters | 440,000: INCR, INCRBY, DECR, HINCRBY, ZINCRBY, APPEND, SET with an expiry, EXPIRE, DEL |
| transactions | 520,000: 130,000 times MULTI, SET, HSET, EXEC |
| leaderboards | 220,000: 100,000 ZADD to one sorted set, then 60,000 times ZADD and ZREMRANGEBYRANK of the lowest |
| queues | 400,000: LPUSH, RPUSH, LPOP, RPOP, LTRIM of 1,000 lists |
| streams | 210,000: XADD to 20 streams, each cut to 1,000 entries by XTRIM, and XDEL |
| hashes | 400,000: HSET, HDEL, SADD, SREM, ZADD, ZREM of 5,000 collections each |
"""

import random
import sys

FAR_MS = 4_102_444_800_000  # 2100-01-01: nothing expires while a benchmark runs


def hexes(count):
    return random.getrandbits(count * 4).to_bytes((count + 1) // 2, "big").hex().encode()[:count]


def counters(scale):
    for _ in range(int(40_000 * scale)):
        i = random.randrange(int(20_000 * scale))
        yield "INCR", f"hits:{i}"
        yield "INCRBY", f"bytes:{i}", random.randrange(10**6)
        yield "DECR", f"left:{i % 500}"
        yield "HINCRBY", f"stats:{i % 2000}", f"field{i % 30}", random.randrange(1000)
        yield "ZINCRBY", f"top:{i % 100}", random.randrange(100), f"member:{i}"
        yield "APPEND", f"trace:{i % 3000}", b"%d," % i
        yield "SET", f"lock:{i}", hexes(16), "PXAT", FAR_MS + i
        yield "PEXPIREAT", f"hits:{i}", FAR_MS + i
        yield "SET", f"tmp:{i}", i
        yield "DEL", f"tmp:{i}"
        yield "SADD", f"seen:{i % 1000}", i


def transactions(scale):
    for i in range(int(130_000 * scale)):
        yield ("MULTI",)
        yield "SET", f"order:{i}", hexes(20)
        yield "HSET", f"cart:{i % 20_000}", f"item{i % 7}", i
        yield ("EXEC",)


def leaderboards(scale):
    count = int(100_000 * scale)
    for i in range(count):
        yield "ZADD", "board", random.randrange(10**9), f"player:{i}"
    for _ in range(int(60_000 * scale)):
        yield "ZADD", "board", random.randrange(10**9), f"player:{random.randrange(2 * count)}"
        yield "ZREMRANGEBYRANK", "board", 0, 0


def queues(scale):
    for i in range(int(80_000 * scale)):
        at = i % 1000
        yield "RPUSH", f"queue:{at}", b'{"job": %d, "hash": "%s"}' % (i, hexes(16))
        yield "LPUSH", f"recent:{at}", i, i + 1
        yield "RPUSH", f"queue:{at}", i
        yield "LPOP", f"queue:{at}"
        yield ("LTRIM", f"recent:{at}", 0, 99) if i % 2 else ("RPOP", f"recent:{at}")


def streams(scale):
    for i in range(int(100_000 * scale)):
        key = f"events:{i % 20}"
        yield "XADD", key, f"{1_700_000_000_000 + i}-0", "type", random.choice(["a", "b"]), "user", i, "note", hexes(20)
        yield "XTRIM", key, "MAXLEN", "=", 1000
        if i % 10 == 0 and i > 100:
            yield "XDEL", key, f"{1_700_000_000_000 + i - 40}-0"


def hashes(scale):
    for _ in range(int(200_000 * scale / 3)):
        i, j = random.randrange(5000), random.randrange(200)
        yield "HSET", f"profile:{i}", f"field:{j}", hexes(random.randrange(4, 24)), f"field:{j + 1}", j
        yield "HDEL", f"profile:{i}", f"field:{random.randrange(200)}"
        yield "SADD", f"tags:{i}", f"tag:{j}", j
        yield "SREM", f"tags:{i}", f"tag:{random.randrange(200)}"
        yield "ZADD", f"rank:{i}", random.random() * 1000, f"m:{j}"
        yield "ZREM", f"rank:{i}", f"m:{random.randrange(200)}"


KINDS = {kind.__name__: kind for kind in (counters, transactions, leaderboards, queues, streams, hashes)}


def main():
    kind, scale = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1
    random.seed(11)
    write = sys.stdout.buffer.write
    for command in KINDS[kind](scale):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
        write(b"*%d\r\n%b" % (len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)))


if __name__ == "__main__":
    main()
