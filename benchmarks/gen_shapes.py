#!/usr/bin/env python3
"""Write commands (RESP) to stdout that make a data set of one kind.

    gen_shapes.py SHAPE > SHAPE.resp

| shape | data |
|---|---|
| tiny | 2,000,000 strings that are numbers |
| few | a list, a hash, a set and a sorted set of 400,000 elements each |
| large | 100 strings of 1 MB of random bytes |
| text | 60,000 strings of 2.4 KB of words, which LZF packs |
| packed | 100,000 small hashes and 100,000 small lists |
| streams | 2,000 streams of 200 entries |
| integers | 50,000 sets of 100 numbers, and 500,000 strings that are numbers |
"""

import random
import sys

from gen_commands import encode, hexes, words

#: Elements of one command.
_MANY = 500


def tiny():
    for i in range(2_000_000):
        yield "SET", f"k:{i}", i


def few():
    for start in range(0, 400_000, _MANY):
        numbers = range(start, start + _MANY)
        yield "RPUSH", "list", *[hexes(16) for _ in numbers]
        yield "HSET", "hash", *[word for i in numbers for word in (f"field:{i}", hexes(12))]
        yield "SADD", "set", *[f"member:{i}" for i in numbers]
        yield "ZADD", "zset", *[word for i in numbers for word in (random.random() * 1e6, f"member:{i}")]


def large():
    for i in range(100):
        yield "SET", f"blob:{i}", random.randbytes(1_000_000)


def text():
    for i in range(60_000):
        yield "SET", f"page:{i}", words(400)


def packed():
    for i in range(100_000):
        yield "HSET", f"profile:{i}", *[word for j in range(10) for word in (f"field{j}", hexes(14))]
        yield "RPUSH", f"queue:{i}", *[hexes(20) for _ in range(16)]


def streams():
    for i in range(2_000):
        for j in range(200):
            yield (
                "XADD",
                f"events:{i}",
                f"{1_700_000_000_000 + j}-0",
                "user",
                random.randrange(10**6),
                "action",
                hexes(8),
            )


def integers():
    for i in range(50_000):
        yield "SADD", f"ids:{i}", *random.sample(range(10**6), 100)
    for i in range(500_000):
        yield "SET", f"count:{i}", random.randrange(10**12)


SHAPES = {shape.__name__: shape for shape in (tiny, few, large, text, packed, streams, integers)}


def main():
    random.seed(7)
    for command in SHAPES[sys.argv[1]]():
        sys.stdout.buffer.write(encode(command))


if __name__ == "__main__":
    main()
