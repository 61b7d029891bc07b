"""Small sources of every kind: forty of them, each below a kilobyte, for tests that damage every bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from command import FIXTURES, run

SMALL = sorted((FIXTURES / "small").glob("*.rdb"))

#: A few keys, of all types that old versions hold too.
LINES = b"""\
{"aux":["redis-ver","7.0.15"]}
{"db":0,"key":"s","type":"string","expire_at_ms":4102444800000,"value":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
{"db":0,"key":"l","type":"list","value":["a","1","-70000"]}
{"db":0,"key":"set","type":"set","value":["x","y"]}
{"db":0,"key":"i","type":"set","value":["1","2","300"]}
{"db":3,"key":"z","type":"zset","value":[["m",1.5],["n","inf"]]}
{"db":3,"key":"h","type":"hash","value":[["f","v"],["g","7"]]}
"""
STREAM = b"""\
{"db":0,"key":"x","type":"stream","value":{"entries":[["1-1",[["a","b"]]],["2-0",[["a","c"]]]],"last_id":"2-0",\
"entries_added":2,"max_deleted_id":"0-0","groups":[{"name":"g","last_id":"1-1","entries_read":1,"consumers":\
[{"name":"c","seen_at_ms":1,"active_at_ms":1}],"pending":[["1-1","c",1,1]]}]}}
"""
OLD_TARGETS = ("rdb-1", "rdb-2", "rdb-6", "rdb-7", "rdb-8")
STREAM_TARGETS = ("rdb-9", "rdb-10", "rdb-11", "rdb-12", "valkey-9")


def command(*words: str) -> bytes:
    """Return one command as a log has it."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def log(*lines: str) -> bytes:
    """Return a log of commands, each a line of words."""
    return b"".join(command(*line.split()) for line in lines)


LOGS = {
    "strings": log("SELECT 0", "SET a 1", "APPEND a x", "INCRBY n 5", "PEXPIREAT a 4102444800000"),
    "lists": log("SELECT 0", "RPUSH l a b c", "LPOP l", "LSET l 0 z", "LTRIM l 0 1"),
    "sets": log("SELECT 1", "SADD s a b c", "SREM s a", "SINTERSTORE t s", "SMOVE s t b"),
    "zsets": log("SELECT 0", "ZADD z 1 a 2.5 b", "ZINCRBY z 1 a", "ZREM z b"),
    "hashes": log("SELECT 0", "HSET h f v g w", "HDEL h f", "HINCRBY h n 3"),
    "field-expiry": log("SELECT 0", "HSET h f v g w", "HPEXPIREAT h 4102444800000 FIELDS 1 f"),
    "streams": log("XADD x 1-1 a b", "XGROUP CREATE x g 0", "XCLAIM x g c 0 1-1 TIME 5 RETRYCOUNT 1 FORCE JUSTID"),
    "transaction": log("SELECT 0", "MULTI", "SET a 1", "DEL b", "EXEC", "SET c 2"),
    "annotated": b"#TS:1700000000\r\n" + log("SELECT 0", "SET a 1") + b"#TS:1700000009\r\n" + log("DEL a"),
    "script": log("SELECT 0", "SCRIPT LOAD return", "SET a 1", "FLUSHALL"),
    "function": command("FUNCTION", "LOAD", "#!lua name=f\nredis.register_function('g', function() return 1 end)"),
    "nul-padded": log("SELECT 0", "SET a 1") + bytes(24),
}


def make_sources(directory: Path) -> Iterator[tuple[str, Path]]:
    """Write the sources that are no fixtures into ``directory``; give all by name: a file, or a directory."""
    for path in SMALL:
        yield path.stem, path
    (directory / "plain.jsonl").write_bytes(LINES)
    (directory / "stream.jsonl").write_bytes(LINES[: LINES.index(b'{"db":3')] + STREAM)
    yield "plain-jsonl", directory / "plain.jsonl"
    for name, targets in (("plain", OLD_TARGETS), ("stream", STREAM_TARGETS)):
        for target in targets:
            yield f"{name}-{target}", convert(directory / f"{name}.jsonl", directory / f"{target}.rdb", target)
    for name, data in LOGS.items():
        (directory / f"{name}.aof").write_bytes(data)
        yield name, directory / f"{name}.aof"
    preamble = convert(directory / "plain.jsonl", directory / "preamble.aof", "redis-6.2", "--preamble")
    preamble.write_bytes(preamble.read_bytes() + LOGS["transaction"])
    yield "preamble", preamble
    for name, options in (("parts-rdb", ()), ("parts-plain", ("--no-preamble",))):
        parts = convert(directory / "plain.jsonl", directory / name, "redis-7.0", "--to", "aof-dir", *options)
        (parts / "appendonly.aof.1.incr.aof").write_bytes(LOGS["hashes"])
        yield name, parts


def convert(source: Path, destination: Path, target: str, *more: str) -> Path:
    done = run("convert", source, destination, "--target", target, "--allow-loss", "-q", *more)
    assert done.code == 0, done.err
    return destination
