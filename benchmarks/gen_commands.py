#!/usr/bin/env python3
"""Write a deterministic stream of Redis commands (RESP) to stdout: the benchmark data set.

    gen_commands.py [SCALE] > mixed.resp        # SCALE 1: 921,200 commands, about 200 MB

The stream is itself an AOF (as a multi-part `incr` file). Feed it to a server
(`redis-cli --pipe < mixed.resp`, then SAVE) for the matching RDB: 882,060 keys, about 125 MB
from Redis 7.0.
"""

import random
import sys

WORDS = [b"alpha", b"bravo", b"charlie", b"delta", b"echo", b"foxtrot", b"golf", b"hotel", b"india", b"juliet"]
FAR_MS = 4_102_444_800_000  # 2100-01-01: nothing expires while a benchmark runs


def words(count):
    return b" ".join(random.choice(WORDS) for _ in range(count))


def hexes(count):
    return random.getrandbits(count * 4).to_bytes((count + 1) // 2, "big").hex().encode()[:count]


def commands(scale):
    """All of it, or a part (a scale below 1); the order is part of the data, since one random stream feeds all."""
    yield from strings(scale)
    yield from collections(scale)
    yield from large_keys(scale)
    yield from streams(scale)


def strings(scale):
    for i in range(int(600_000 * scale)):
        key, kind = f"user:{i}:session", random.random()
        if kind < 0.3:
            yield "SET", key, random.randrange(10**9)
        elif kind < 0.6:
            yield "SET", key, hexes(40)
        elif kind < 0.9:
            yield (
                "SET",
                key,
                b'{"id": %d, "name": "%s", "email": "%s@example.com", "active": true}' % (i, words(2), hexes(8)),
            )
        else:
            yield "SET", key, words(60), "PXAT", FAR_MS + random.randrange(10**10)


def collections(scale):
    for i in range(int(100_000 * scale)):
        yield (
            "HSET",
            f"profile:{i}",
            *[x for j in range(8) for x in (f"field{j}", hexes(12) if j % 2 else random.randrange(10**6))],
        )
    for i in range(int(50_000 * scale)):
        yield "RPUSH", f"queue:{i}", *[hexes(20) for _ in range(20)]
    for i in range(int(50_000 * scale)):
        yield "SADD", f"tags:{i}", *[random.randrange(10**5) for _ in range(20)]
    for i in range(int(30_000 * scale)):
        yield "SADD", f"names:{i}", *[hexes(10) for _ in range(20)]
    for i in range(int(50_000 * scale)):
        yield "ZADD", f"board:{i}", *[x for j in range(15) for x in (random.random() * 1000, f"member:{j}")]


def large_keys(scale):
    count = int(5_000 * scale)
    for i in range(20):
        for base in range(0, count, 250):
            some = range(base, min(base + 250, count))
            yield "ZADD", f"bigz:{i}", *[x for j in some for x in (random.random() * 1e6, f"player:{j}")]
            yield "HSET", f"bigh:{i}", *[x for j in some for x in (f"f:{j}", hexes(24))]
            yield "SADD", f"bigs:{i}", *[f"s:{j}:{'x' * 20}" for j in some]


def streams(scale):
    for i in range(int(2_000 * scale)):
        for j in range(20):
            yield (
                "XADD",
                f"stream:{i}",
                f"{1_700_000_000_000 + j * 1000}-0",
                "sensor",
                j,
                "temp",
                random.random(),
                "msg",
                words(3),
            )


def encode(args):
    args = [a if isinstance(a, bytes) else str(a).encode() for a in args]
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in args)


def main():
    random.seed(7)
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
    pending = []
    for args in commands(scale):
        pending.append(encode(args))
        if len(pending) == 5_000:
            sys.stdout.buffer.write(b"".join(pending))
            pending.clear()
    sys.stdout.buffer.write(b"".join(pending))


if __name__ == "__main__":
    main()
