"""Would a server load it? The answers of ``level="server"`` against observed ones, and against a real server."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sampling import sample
from server import Server
from validate.builders import Raw, entry_of, intset, length, listpack, lp_entry, rdb, string, ziplist
from validate.payloads import LAST, PAYLOADS, Payload

from rdbtool.core.servers import Rules
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks

REDIS = Rules("redis", 8, 0)
VALKEY = Rules("valkey", 9, 1)

SOUND = rdb(LAST)
SET_TWICE = length(2) + string(b"ab") * 2
HASH_TWICE = length(2) + (string(b"f") + string(b"v")) * 2


def one(code: int, value: bytes, version: int = 11) -> bytes:
    """A file with one key."""
    return rdb(entry_of(code, value, b"key"), version=version)


#: What was observed on servers with inputs made by hand: does Redis 8.0 load the file, does Valkey 9.1?
MATRIX: dict[str, tuple[bytes, bool, bool]] = {
    "bad CRC": (SOUND[:-1] + bytes([SOUND[-1] ^ 1]), False, False),
    "CRC 0": (SOUND[:-8] + bytes(8), True, True),
    "garbage after the CRC": (SOUND + b"garbage", True, True),
    "no end mark": (SOUND[:-9], False, False),
    "short CRC": (SOUND[:-3], False, False),
    "duplicate key": (rdb(LAST, LAST), False, False),
    "SELECTDB 16": (rdb(b"\xfe\x10", LAST), False, False),
    "key without SELECTDB": (SOUND, True, True),
    "list with count byte 0xC1": (one(1, b"\xc1" + string(b"a")), True, True),
    "empty list": (one(1, length(0)), True, True),
    "empty set": (one(2, length(0)), True, True),
    "empty packed hash": (one(16, string(listpack())), True, True),
    "empty quicklist": (one(18, length(0)), True, True),
    "empty intset": (one(11, string(intset())), False, False),
    "duplicate set member": (one(2, SET_TWICE), False, False),
    "duplicate hash field in type 4": (one(4, HASH_TWICE), True, False),
    "packed hash duplicate": (one(16, string(listpack(b"f", b"v", b"f", b"w"))), True, False),
    "packed set duplicate": (one(20, string(listpack(b"a", b"a"))), True, False),
    "packed hash odd count": (one(16, string(listpack(b"f"))), True, False),
    "packed zset score nan": (one(17, string(listpack(b"m", b"nan"))), True, False),
    "packed zset unsorted": (one(17, string(listpack(b"m", 2, b"n", 1))), True, True),
    "unsorted intset": (one(11, string(intset(2, 1))), True, False),
    "wrong backlen": (one(16, string(listpack(b"f", lp_entry(b"v", back=b"\x09")))), True, False),
    "listpack cut in its header": (one(16, string(listpack(b"f", b"v")[:5])), False, False),
    "wrong count": (one(16, string(listpack(b"f", b"v", count=4))), True, False),
    "type 8": (one(8, b""), False, False),
    "type 99": (one(99, b""), False, False),
    "REDIS0012": (rdb(LAST, version=12), True, False),
    "REDIS0013": (rdb(LAST, version=13), False, False),
    "VALKEY080": (rdb(LAST, version=80, magic="VALKEY"), False, True),
    "VALKEY011": (rdb(LAST, version=11, magic="VALKEY"), False, False),
    "type 24": (one(24, struct.pack("<q", 1) + length(1) + b"\x01" + string(b"f") + string(b"v"), 12), True, False),
    # Ziplists are converted, and so looked through, by both.
    "ziplist wrong prevlen": (one(10, string(ziplist(b"a", Raw(b"\x05\x01b")))), False, False),
    "ziplist hash duplicate": (one(13, string(ziplist(b"f", b"v", b"f", b"w"))), False, False),
}


@pytest.mark.parametrize("name", MATRIX)
def test_observed_on_servers(name: str) -> None:
    data, by_redis, by_valkey = MATRIX[name]
    answers = [validate(data, Checks("server", rules)).answer for rules in (REDIS, VALKEY)]
    assert answers == ["valid" if loads else "invalid" for loads in (by_redis, by_valkey)]


@pytest.mark.parametrize("name", MATRIX)
def test_deep_finds_what_a_server_refuses(name: str) -> None:
    data, by_redis, _ = MATRIX[name]
    if not by_redis:
        assert validate(data, Checks("deep", REDIS)).answer == "invalid"


def test_a_server_that_loads_makes_notes_of_findings() -> None:
    verdict = validate(MATRIX["packed hash duplicate"][0], Checks("server", REDIS))
    assert verdict.counts == {"error": 0, "warning": 0, "note": 1}
    [finding] = verdict.findings
    assert finding.severity == "note"
    assert finding.server.startswith("redis-8.0 loads the file. ")


@pytest.mark.parametrize(
    "payload", sample((row for row in PAYLOADS if row.version <= 10), 30), ids=lambda payload: payload.name
)
def test_a_real_server_agrees(
    payload: Payload, start_server: Callable[..., AbstractContextManager[Server]], tmp_path: Path
) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(payload.file)
    try:
        with start_server(files={"dump.rdb": path}) as running:
            loads = True
            rules = Rules("redis", *running.tools.version[:2])
    except RuntimeError:
        loads, rules = False, Rules("redis", 7, 0)
    assert validate(payload.file, Checks("server", rules)).answer == ("valid" if loads else "invalid")
