"""Rules about files, keys and streams that need no corrupt value; bounds; sources that give no answer."""

from __future__ import annotations

import io
import os
import random
import struct
from pathlib import Path
from typing import NamedTuple

import pytest
from validate.builders import (
    consumer,
    entry_of,
    group,
    length,
    listpack,
    node,
    rdb,
    record,
    stream,
    string,
)  # fmt: skip
from validate.payloads import PAYLOADS

from rdbtool._codec.sinks.check import FLAGS, PER_RECORD
from rdbtool.core.codes import BY_CODE
from rdbtool.core.rdb_types import BACKENDS
from rdbtool.core.servers import Rules
from rdbtool.operations.validate.checks.record_rules import RULES
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import KEPT, Checks


def aux(name: bytes, value: bytes) -> bytes:
    return b"\xfa" + string(name) + string(value)


def text(key: bytes = b"k") -> bytes:
    return entry_of(0, string(b"v"), key)


def expires(at_ms: int) -> bytes:
    return b"\xfc" + struct.pack("<q", at_ms)


def library(code: bytes) -> bytes:
    return b"\xf5" + string(code)


def of_stream(**lies: object) -> bytes:
    return entry_of(19, stream((node(record(b"v")),), **lies), b"s")  # type: ignore[arg-type]


def of_group(data: bytes) -> bytes:
    return entry_of(19, stream((node(record(b"v")),), (data,)), b"s")


class Case(NamedTuple):
    name: str
    data: bytes
    code: str
    severity: str
    offset: int
    path: str = ""
    checks: Checks = Checks()


BARE = rdb(text())
LUA = b"#!lua name=lib\nredis.register_function('f', function() return 1 end)"
NO_FUNCTION = b"#!lua name=lib\n-- register_function\nreturn 1"

CASES = [
    Case("key twice", rdb(text(), text()), "RDB301", "error", 14),
    Case("long key twice", rdb(text(b"k" * 300), text(b"k" * 300)), "RDB301", "error", 9 + 305),
    Case("empty key", rdb(text(b"")), "RDB302", "note", 9),
    Case("expiry 0", rdb(expires(0), text()), "RDB303", "warning", 9),
    Case("expiry below 0", rdb(expires(-5), text()), "RDB303", "warning", 9),
    Case("expiry after 9999", rdb(expires(1 << 60), text()), "RDB304", "warning", 9),
    Case("idle and freq", rdb(b"\xf8\x05\xf9\x07", text()), "RDB305", "warning", 9),
    Case("db 16", rdb(b"\xfe\x10", text()), "RDB306", "error", 9),
    Case("db 4 of 4", rdb(b"\xfe\x04", text()), "RDB306", "error", 9, checks=Checks(databases=4)),
    Case("first id", rdb(of_stream(first=(7, 7))), "RDB325", "warning", 9),
    Case("deleted behind the last id", rdb(of_stream(deleted=(7, 7))), "RDB326", "warning", 9),
    Case("added less", rdb(of_stream(added=0)), "RDB327", "warning", 9),
    Case("read more", rdb(of_group(group(b"g", read=9))), "RDB332", "note", 9, 'group "g"'),
    Case("group behind", rdb(of_group(group(b"g", last=(9, 9)))), "RDB333", "note", 9, 'group "g"'),
    Case(
        "pending behind",
        rdb(of_group(group(b"g", ((9, 9),), (consumer(b"c", (9, 9)),)))),
        "RDB337",
        "warning",
        9,
        'group "g".pending[0]',
    ),
    Case("library without header", rdb(library(b"return 1")), "RDB341", "error", 9),
    Case("library without name", rdb(library(b"#!lua\nreturn 1")), "RDB341", "error", 9),
    Case("library of another engine", rdb(library(b"#!js name=lib\n1")), "RDB341", "warning", 9),
    Case("library not compiled", rdb(library(LUA)), "RDB344", "note", 9),
    Case("library without functions", rdb(library(NO_FUNCTION)), "RDB345", "error", 9),
    Case("library twice", rdb(library(LUA), library(LUA)), "RDB342", "error", 9 + len(library(LUA))),
    Case("announced keys", rdb(b"\xfb\x05\x00", text()), "RDB351", "note", 9),
    Case("announced expiries", rdb(b"\xfb\x01\x01", text()), "RDB351", "note", 9),
    Case("slot", rdb(b"\xf4\x01\x02\x00", text(), version=12), "RDB352", "note", 9),
    Case("module", rdb(entry_of(7, length(1) + b"\0", b"m")), "RDB353", "note", 0),
    Case("module needed", rdb(entry_of(7, length(1) + b"\0", b"m")), "RDB357", "note", 9),
    Case("bits", rdb(aux(b"redis-bits", b"48"), text()), "RDB354", "note", 9),
    Case("binary aux", rdb(aux(b"mine", b"\xff\x00"), text()), "RDB354", "note", 9),
    Case("future", rdb(aux(b"ctime", b"2000"), text()), "RDB355", "note", 9, checks=Checks(now_ms=1_000_000)),
    Case("slot-info", rdb(aux(b"slot-info", b"1,2"), text()), "RDB356", "error", 9),
    Case("checksum disabled", BARE[:-8] + bytes(8), "RDB361", "warning", 14),
    Case("no checksum", b"REDIS0003" + text() + b"\xff", "RDB361", "warning", 14),
    Case("trailing", BARE + b"more", "RDB362", "warning", len(BARE)),
    Case("version", rdb(text(), version=12), "RDB363", "error", 0, checks=Checks(rules=Rules("redis", 7, 0))),
    Case("checksum wrong", BARE[:-1] + bytes([BARE[-1] ^ 0xFF]), "RDB004", "error", 15),
    Case("version damaged", b"REDIS0002" + BARE[9:], "RDB003", "error", 15),
    Case("version with a letter", b"REDIS00a0" + BARE[9:], "RDB002", "error", 5),
    Case("cut", BARE[:-9], "RDB101", "error", len(BARE) - 9),
    Case("no bytes", b"", "RDB001", "error", 0),
    Case("another format", b"\x7fELF" + bytes(60), "RDB001", "error", 0),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule(case: Case, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdbtool.reader.backends.default_backend", backend)
    verdict = validate(case.data, case.checks, name="x")
    # Libraries and values of modules give a note of their own, besides.
    always = {"RDB344", "RDB353", "RDB357"} - {case.code}
    rows = [(row.code, row.severity, row.offset, row.path) for row in verdict.findings if row.code not in always]
    assert rows == [(case.code, case.severity, case.offset, case.path)]
    assert verdict.answer == ("invalid" if case.severity == "error" else "valid")
    assert verdict.counts[case.severity] == 1 or case.code in {"RDB353", "RDB357"}
    assert verdict.is_clean() == (case.severity != "error")
    assert verdict.is_clean(strict=True) == (case.severity == "note")


def test_the_same_key_in_two_databases_is_sound() -> None:
    verdict = validate(rdb(b"\xfe\x00", text(), b"\xfe\x01", text()))
    assert (verdict.findings, verdict.by_db) == ((), {0: (1, 0), 1: (1, 0)})


def test_sound_values_are_sound() -> None:
    packed = string(listpack(b"a", 1, b"b", 1, b"c", b"2.5", b"d", b"inf"))
    expiring = struct.pack("<q", 5) + string(listpack(b"f", b"v", 5, b"g", b"w", 9, b"h", b"x", 0))
    owned = group(b"g", ((1, 1),), (consumer(b"c", (1, 1)), consumer(b"d")))
    data = rdb(
        aux(b"ctime", b"1700000000"),
        library(LUA),
        entry_of(17, packed, b"zset"),
        entry_of(25, expiring, b"hash"),
        of_group(owned),
        version=12,
    )
    assert [row.code for row in validate(data).findings] == ["RDB344"]


#: Vector sets as Redis 8.0.6 wrote them: 8 bits and attributes, no quantisation, 1 bit, a projection.
VECTOR_SETS = {
    "q8": (
        "81bde72da2bb1eb40002030202025001020205016205077b2278223a317d0503203f7f02100202028001000003020102200201"
        "02813c1b25000000000002000210020002000210020002000210020002813f5f74824092a476050161050005032a557f020702"
        "01028001000000020102200202"
        "02813c1b25000000000002813f4d41b2406f775100"
    ),
    "noquant": (
        "81bde72da2bb1eb400020302020250000200050162050c9be8a13e00000000e8dc723f02070202028001000000020102200201"
        "02813e1e8fe8000000000280404a62c2050161050c77d6883e77d6083fb2414d3f020a02010280010000010201022002020281"
        "3e1e8fe8000000000200021002000280406f775100"
    ),
    "bin": (
        "81bde72da2bb1eb400024046020102500202000501610510ffffffffffffffff3f000000000000000206020102800100000002"
        "0002200200028043aae05d00"
    ),
    "reduced": (
        "81bde72da2bb1eb40002020201025001020102050528"
        "2ef9e43e2ef9e43e2ef9e43e2ef9e43e2ef9e43e2ef9e43e2ef9e4be2ef9e43e2ef9e4be2ef9e43e"
        "05016105027f190206020102800100000002000220020002813f7b075540dae9e600"
    ),
}


@pytest.mark.parametrize("name", VECTOR_SETS)
def test_vector_sets_of_a_server_are_sound(name: str) -> None:
    value = bytes.fromhex(VECTOR_SETS[name])
    verdict = validate(rdb(entry_of(7, value, b"v"), version=12))
    assert (verdict.answer, [row.code for row in verdict.findings]) == ("valid", ["RDB353", "RDB357"])
    newer = validate(rdb(entry_of(7, value, b"v"), version=12), Checks(rules=Rules("redis", 8, 0)))
    assert [row.code for row in newer.findings] == ["RDB353"]


def test_what_follows_damage_in_compressed_data_is_judged_too() -> None:
    """The length of the compressed data says where it ends."""
    broken = b"\xc3\x02\x05\x20\x05"
    values = {
        0: broken,
        1: length(2) + string(b"a") + broken,
        3: length(1) + broken + b"\xfe",
        4: length(1) + string(b"f") + broken,
        5: length(1) + broken + bytes(8),
        10: broken,
        14: length(1) + broken,
        18: length(1) + length(2) + broken,
    }
    data = rdb(*(entry_of(code, value, b"k%d" % code) for code, value in values.items()), text(), text())
    verdict = validate(data)
    assert [row.code for row in verdict.findings] == ["RDB104"] * len(values) + ["RDB301"]
    assert [row.key for row in verdict.findings[:-1]] == [b"k%d" % code for code in values]
    assert (verdict.keys, verdict.checksum) == (len(values) + 2, "correct")


def test_a_large_collection_with_one_duplicate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind every size at which the set of what was seen grows."""
    for count in (8, 9, 33, 129, 513, 2_049, 8_193, 40_000):
        members = [b"%d" % number for number in range(count)] + [b"0"]
        value = length(len(members)) + b"".join(map(string, members))
        [finding] = validate(rdb(entry_of(2, value, b"set"))).findings
        assert (finding.code, finding.path) == ("RDB311", f"member[{count}]")


def test_many_keys_with_duplicates() -> None:
    dice = random.Random(5)
    names = [b"key:%d" % number for number in range(30_000)]
    again = dice.sample(names, 20)
    data = rdb(*(text(name) for name in names + again))
    verdict = validate(data)
    assert sorted(row.key for row in verdict.findings if row.key) == sorted(again)
    assert {row.code for row in verdict.findings} == {"RDB301"}


def test_findings_of_a_record_and_of_a_file_are_bounded() -> None:
    members = string(b"m") * 500
    one = rdb(entry_of(2, length(500) + members, b"set"))
    verdict = validate(one)
    assert (len(verdict.findings), verdict.counts["error"]) == (PER_RECORD, 499)
    verdict = validate(rdb(*[text()] * 5_000))
    assert (len(verdict.findings), verdict.counts["error"]) == (KEPT, 4_999)


def test_errors_are_kept_before_notes() -> None:
    verdict = validate(rdb(*[aux(b"redis-bits", b"1")] * 3_000, expires(0), text(), text()))
    codes = [row.code for row in verdict.findings]
    assert codes[-2:] == ["RDB303", "RDB301"]
    assert verdict.counts == {"error": 1, "warning": 1, "note": 3_000}


def test_every_flag_has_a_rule_and_every_rule_a_code() -> None:
    assert set(RULES) == set(FLAGS)
    assert all(rule.code in BY_CODE for rule in RULES.values())
    tested = {case.code for case in CASES} | {payload.code for payload in PAYLOADS}
    rules = {code for code in BY_CODE if code.startswith("RDB3")}
    # Idempotent producers, arrays, release candidates: see the fixtures and below. Other products: see tests/products.
    assert rules - tested == {"RDB317", "RDB338", "RDB343", "RDB364", "RDB365"}


def test_duplicate_indexes_of_arrays_and_producers() -> None:
    item = length(3) + length(1) + struct.pack("<q", 1)
    [finding] = validate(rdb(entry_of(28, length(2) + length(0) + item * 2, b"a"), version=14)).findings
    assert (finding.code, finding.path) == ("RDB317", "item[1]")
    producers = b"\x01\x01" + length(2) + (string(b"p") + length(0)) * 2 + b"\0\0"
    data = stream((node(record(b"v")),), version=3) + producers
    [finding] = validate(rdb(entry_of(26, data, b"s"), version=13)).findings
    assert (finding.code, finding.path) == ("RDB338", 'producer "p"')


def test_no_answer(tmp_path: Path) -> None:
    verdict = validate(tmp_path / "missing.rdb")
    assert (verdict.answer, verdict.kind) == ("unanswered", "unknown")
    assert "missing.rdb" in str(verdict.error)
    verdict = validate(b"REDIS0099" + bytes(20), name="new.rdb")
    assert verdict.answer == "unsupported"


def test_a_file_that_changes_gives_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(rdb(*(text(b"%d" % number + b"x" * 200) for number in range(40_000))))

    def change(_: int) -> None:
        with path.open("ab") as file:
            file.write(b"!")
        os.utime(path, (1, 1))

    assert validate(path, progress=change).answer == "unanswered"


def test_json_lines_are_judged() -> None:
    lines = (
        b'{"rdb":{"magic":"REDIS","version":11}}\n'
        b'{"db":0,"key":"k","type":"set","encoding":"listpack","expire_at_ms":null,"value":["a","a"]}\n'
    )
    verdict = validate(io.BytesIO(lines), name="keys.jsonl")
    assert (verdict.kind, verdict.answer, [row.code for row in verdict.findings]) == ("jsonl", "invalid", ["RDB311"])
