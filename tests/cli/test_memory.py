"""``rdbtool memory``: its forms, filters and limits."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from command import FIXTURES, NOW, run

import rdbtool
from rdbtool._codec.encode.memory_lines import COLUMNS

SOURCE = FIXTURES / "redis-7.0.15/default.rdb"
FILES = [SOURCE, FIXTURES / "valkey-9.1.2/default.rdb", FIXTURES / "redis-8.0.6/default.rdb"]


def csv_rows(*words):
    done = run("memory", "-f", "csv", "--raw", *words)
    assert (done.code, done.err) == (0, "")
    return list(csv.DictReader(io.StringIO(done.out.decode(), newline="")))


def json_rows(*words):
    done = run("memory", "-f", "jsonl", *words)
    assert (done.code, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.mark.parametrize("source", FILES)
def test_csv_and_jsonl_and_python_say_the_same(source):
    rows = list(rdbtool.memory(source))
    assert [row.to_dict() for row in rows] == json_rows(source)
    told = csv_rows(source)
    assert len(rows) == len(told) > 40
    for row, cells in zip(rows, told, strict=True):
        assert (row.db, row.type, row.encoding) == (int(cells["database"]), cells["type"], cells["encoding"])
        sizes = ("size_in_bytes", "allocated", "serialized", "num_elements", "len_largest_element")
        assert [int(cells[name]) for name in sizes] == [
            row.memory,
            row.allocated,
            row.serialized,
            row.elements,
            row.largest,
        ]
        assert cells["expire_at_ms"] == ("" if row.expire_at_ms is None else str(row.expire_at_ms))
        assert (cells["idle_s"], cells["freq"]) == tuple("" if x is None else str(x) for x in (row.idle_s, row.freq))
        if row.expire_at_ms is not None:
            moment = datetime.fromisoformat(cells["expiry"]).replace(tzinfo=UTC)
            assert round(moment.timestamp() * 1000) == row.expire_at_ms


def test_the_columns_of_rdbtools_come_first():
    header = run("memory", "-f", "csv", SOURCE).out.splitlines()[0].decode()
    assert header == ",".join(COLUMNS)
    assert header.startswith("database,type,key,size_in_bytes,encoding,num_elements,len_largest_element,expiry,")


def test_elements_and_sizes_are_those_of_the_records():
    records = {(record.db, record.key): record for record in rdbtool.open(SOURCE)}
    for row in rdbtool.memory(SOURCE):
        record = records.pop((row.db, row.key))
        assert row.serialized == record.stop - record.start
        if row.type == "hash":
            assert row.elements == len(record.value)
            assert row.largest == max(len(word) for pair in record.value.fields for word in pair[:2])
        elif row.type in {"list", "set"}:
            assert row.elements == len(record.value)
            assert row.largest == max(map(len, record.value))
        elif row.type == "string":
            assert (row.elements, row.largest) == (1, len(record.value.data))
    assert not records


def test_the_largest_come_first_in_every_form():
    by_size = sorted(json_rows(SOURCE), key=lambda row: -row["memory"])[:5]
    sizes = [row["memory"] for row in by_size]
    assert [row["memory"] for row in json_rows("--largest", "5", SOURCE)] == sizes
    assert [int(row["size_in_bytes"]) for row in csv_rows("-l", "5", SOURCE)] == sizes
    whole = json.loads(run("memory", "--json", "-l", "5", SOURCE).out)
    assert [row["memory"] for row in whole["keys"]] == sizes
    assert whole["totals"] == rdbtool_totals(SOURCE).to_dict()
    table = run("memory", "-f", "table", "-l", "5", "--now", NOW, SOURCE).out.decode().splitlines()
    assert len(table) == 1 + 5 + 3
    assert table[0].split()[0] == "memory"


def rdbtool_totals(source, **options):
    keys = rdbtool.memory(source, **options)
    rows = list(keys)
    totals = keys.totals
    assert totals.keys == len(rows)
    assert (totals.memory, totals.allocated) == (sum(row.memory for row in rows), sum(row.allocated for row in rows))
    return totals


def test_filters_choose_rows_and_totals():
    assert {row["type"] for row in json_rows("-t", "hash", SOURCE)} == {"hash"}
    assert rdbtool_totals(SOURCE, type="hash").keys == len(json_rows("-t", "hash", SOURCE))
    large = json_rows("--bytes", "1KiB", SOURCE)
    assert large == [row for row in json_rows(SOURCE) if row["memory"] >= 1024] != []
    never = json_rows("--no-ttl", SOURCE)
    assert never == [row for row in json_rows(SOURCE) if row["expire_at_ms"] is None] != json_rows(SOURCE)


def test_another_server_and_another_allocator_take_other_memory():
    own = rdbtool_totals(SOURCE)
    assert rdbtool_totals(SOURCE, rules="valkey-9.1").used_memory < own.used_memory
    assert rdbtool_totals(SOURCE, allocator="jemalloc-distro").used_memory > own.used_memory
    assert rdbtool_totals(SOURCE, cluster=True, rules="redis-8.0").tables > own.tables


def test_a_release_that_was_not_measured_is_said():
    done = run("memory", "--rules", "redis-8.4", "-f", "jsonl", SOURCE)
    assert done.code == 0
    assert "calculated as for redis-8.2" in done.err


def test_an_aof_takes_what_its_rewrite_takes(tmp_path):
    log = FIXTURES / "redis-7.0.15/aof-plain"
    target = tmp_path / "same.rdb"
    assert run("convert", "-q", log, target).code == 0
    packed = {(row["db"], str(row["key"])): row for row in json_rows(target)}
    for row in json_rows(log):
        twin = packed.pop((row["db"], str(row["key"])))
        for name in ("type", "encoding", "elements", "largest"):
            assert row[name] == twin[name], (row, twin)
        assert abs(row["memory"] - twin["memory"]) <= 0.02 * twin["memory"] + 64, (row, twin)
    assert not packed


def test_json_lines_and_pipes_are_read():
    lines = run("dump", "-f", "jsonl", SOURCE).out
    done = run("memory", "-f", "jsonl", "-", stdin=lines)
    assert done.code == 0
    assert len(done.out.splitlines()) == len(json_rows(SOURCE))
    assert run("memory", "-f", "jsonl", "-", stdin=SOURCE.read_bytes()).out == run("memory", "-f", "jsonl", SOURCE).out


def test_what_precedes_damage_is_printed():
    data = SOURCE.read_bytes()
    done = run("memory", "-f", "jsonl", "-", stdin=data[: len(data) // 2])
    assert done.code == 1
    assert 0 < len(done.out.splitlines()) < len(json_rows(SOURCE))


@pytest.mark.parametrize("key", [b'"quoted",', b"=1+1", b"\x00\xff", b"caf\xc3\xa9", b"\x1b[2J", b"", b"k" * 9000])
def test_keys_are_spelled_as_dump_spells_them(key, tmp_path):
    path = tmp_path / "one.rdb"
    engine = rdbtool.Engine()
    engine.execute(b"SET", key, b"v")
    rdbtool.save(engine, path)
    assert csv_cells("memory", path, "key") == csv_cells("dump", path, "key")
    assert (
        json.loads(run("memory", path).out)["key"]
        == json.loads(run("dump", "--keys-only", "-f", "jsonl", path).out)["key"]
    )


def csv_cells(command, path, column):
    text = run(command, "-f", "csv", path).out.decode()
    return [row[column] for row in csv.DictReader(io.StringIO(text, newline=""))]


@pytest.mark.parametrize(
    "words",
    [["-f", "xml"], ["--allocator", "tcmalloc"], ["--bytes", "many"], ["--rules", "redis-9"], ["--raw", "-f", "table"]],
)
def test_wrong_usage(words):
    assert run("memory", *words, SOURCE).code == 2
