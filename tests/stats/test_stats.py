"""``rdbtool stats``: totals are those of SQL over ``memory -f csv``; limits, growth, AOFs, the screen."""

import base64
import csv
import io
import json
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest
from command import FIXTURES, NOW, run

import rdbtool
from rdbtool._codec.sinks.command_counts import HotKeys
from rdbtool.reader.aof.batches import CommandBatch
from rdbtool.reader.open.dispatch import open_any
from rdbtool.report.screen import Screen, width_of
from rdbtool.report.stats import BY, stats_text

SNAPSHOTS = sorted(FIXTURES.glob("*/default.rdb"))
AOF = FIXTURES / "redis-7.0.15/aof-timestamps"
RDB = FIXTURES / "redis-7.0.15/default.rdb"
DAY = int(time.time()) // 86_400

pytestmark = pytest.mark.filterwarnings("error")


def stats(*arguments):
    done = run("stats", "--json", "--now", NOW, *arguments)
    assert done.out, done.err
    return json.loads(done.out)


@pytest.fixture
def database():
    # Python 3.13 and newer complain if nobody closes it.
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


def fill(database, path, *options):
    """Make the table ``keys`` of what ``memory -f csv`` prints."""
    text = run("memory", "-f", "csv", "--now", NOW, *options, path).out.decode()
    names, *rows = csv.reader(io.StringIO(text))
    database.execute(f"CREATE TABLE keys ({', '.join(names)})")
    database.executemany(f"INSERT INTO keys VALUES ({', '.join('?' * len(names))})", rows)


@pytest.mark.parametrize("path", [SNAPSHOTS[DAY % len(SNAPSHOTS)], AOF], ids=["rdb", "aof"])
def test_totals_equal_sql_over_memory(path, database):
    found = stats(path)
    fill(database, path)
    keys, memory, allocated = database.execute(
        "SELECT count(*), sum(size_in_bytes), sum(allocated) FROM keys"
    ).fetchone()
    assert (found["totals"]["keys"], found["totals"]["memory"], found["totals"]["allocated"]) == (
        keys,
        memory,
        allocated,
    )
    assert found["totals"]["used_memory"] == allocated + found["totals"]["tables"]
    root = found["prefixes"][0]
    assert (root["keys"], root["memory"], root["allocated"]) == (keys, memory, allocated)
    by_type = database.execute(
        "SELECT type, encoding, count(*), sum(size_in_bytes), sum(num_elements), max(CAST(len_largest_element AS INT)) "
        "FROM keys GROUP BY type, encoding"
    )
    wanted = {row[:2]: row[2:] for row in by_type}
    assert {
        (row["type"], row["encoding"]): (row["keys"], row["memory"], row["elements"], row["largest"])
        for row in found["types"]
    } == wanted
    by_db = dict(database.execute("SELECT CAST(database AS INT), sum(size_in_bytes) FROM keys GROUP BY database"))
    assert {row["db"]: row["memory"] for row in found["dbs"]} == by_db
    top = [row[0] for row in database.execute("SELECT CAST(size_in_bytes AS INT) FROM keys ORDER BY 1 DESC LIMIT 10")]
    assert [row["memory"] for row in found["largest"]["memory"]] == top
    never = database.execute("SELECT count(*), sum(size_in_bytes) FROM keys WHERE expiry = ''").fetchone()
    assert (found["expiry"][0]["keys"], found["expiry"][0]["memory"]) == never
    # Prefixes in which nothing is folded, by how the keys begin.
    for row in found["prefixes"]:
        prefix = row["prefix"]
        if isinstance(prefix, str) and prefix.endswith(":") and "*" not in prefix and prefix != "bin:":
            begun = database.execute("SELECT count(*), sum(size_in_bytes) FROM keys WHERE key GLOB ?", [prefix + "*"])
            assert (row["keys"], row["memory"]) == begun.fetchone(), prefix


def test_other_servers_are_those_of_rules():
    compared = stats("--compare", "redis-8.2,valkey-9.1", "--compare", "redis-4.0", RDB)["compared"]
    assert [row["server"] for row in compared] == ["redis-8.2", "valkey-9.1", "redis-4.0"]
    for row in compared:
        assert row["totals"] == stats("--rules", row["server"], RDB)["totals"]


def test_several_files_are_one_dataset():
    both, one, other = stats(RDB, AOF), stats(RDB), stats(AOF)
    assert both["totals"] == {name: one["totals"][name] + other["totals"][name] for name in one["totals"]}
    assert [row["totals"]["keys"] for row in both["sources"]] == [one["totals"]["keys"], other["totals"]["keys"]]


def test_growth_of_a_file_since_itself_is_nothing():
    found = stats("--since", RDB, "--bytes", "1", RDB)
    assert found["growth"]["totals"] == found["totals"]
    assert found["growth"]["keys"] == []
    assert all(row["memory"] == row["old_memory"] for row in found["prefixes"])


def test_growth_names_large_keys(tmp_path):
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    head = '{"rdb":{"magic":"REDIS","version":11}}'

    def line(key, size):
        return json.dumps({"db": 0, "key": key, "type": "string", "value": "x" * size})

    old.write_text("\n".join([head, line("gone", 5000), line("same", 6000), line("shrunk", 7000), line("grown", 10)]))
    new.write_text("\n".join([head, line("new", 5000), line("same", 6000), line("shrunk", 20), line("grown", 9000)]))
    keys = {row["key"]: row for row in stats("--since", old, "--bytes", "4KiB", new)["growth"]["keys"]}
    assert set(keys) == {"gone", "new", "shrunk", "grown"}
    assert keys["gone"]["memory"] is None
    assert keys["new"]["old_memory"] is None
    assert keys["shrunk"]["memory"] < 200 < 7000 < keys["shrunk"]["old_memory"]
    assert keys["grown"]["old_memory"] < 200 < 9000 < keys["grown"]["memory"]
    text = run("stats", "--since", old, "--bytes", "4KiB", new).out.decode()
    assert "gone" in text
    assert run("stats", "--since", old, "--max-growth", "1%", new).code == 1
    assert run("stats", "--since", new, "--max-growth", "1%", old).code == 0


@pytest.mark.parametrize(
    ("option", "code"),
    [
        (["--max-key", "1000"], "CHK021"),
        (["--max-elements", "100"], "CHK022"),
        (["--max-no-ttl", "10%"], "CHK023"),
        (["--max-memory", "100KiB"], "CHK024"),
    ],
)
def test_limits(option, code):
    done = run("stats", "--json", *option, RDB)
    assert done.code == 1
    findings = json.loads(done.out)["findings"]
    assert {row["code"] for row in findings} == {code}
    assert f"title={code}::" in run("stats", "-f", "github", *option, RDB).out.decode()
    junit = run("stats", "-f", "junit", *option, RDB).out.decode()
    assert f'type="{code}"' in junit
    assert '<testsuite name="rdbtool stats"' in junit
    assert 'classname="rdbtool.stats"' in junit
    assert code in run("stats", *option, RDB).out.decode()
    kept = {"--max-key": "1GiB", "--max-elements": "100000", "--max-no-ttl": "100%", "--max-memory": "1TiB"}
    fine = run("stats", "--json", option[0], kept[option[0]], RDB)
    assert (fine.code, json.loads(fine.out)["findings"]) == (0, [])


def test_keys_above_a_limit_are_counted_and_the_largest_named(database):
    found = json.loads(run("stats", "--json", "--max-key", "30", "--top", "1", RDB).out)
    fill(database, RDB)
    above = database.execute("SELECT count(*) FROM keys WHERE CAST(size_in_bytes AS INT) > 30").fetchone()[0]
    assert len(found["largest"]["memory"]) == 1
    assert len(found["findings"]) == 21
    assert found["findings"][-1]["message"].startswith(f"{above - 20} more keys")


@pytest.mark.parametrize(
    "words",
    [
        ["--max-growth", "10%"],
        ["--max-no-ttl", "10"],
        ["--by", "size"],
        ["--sep", ""],
        ["--rules", "redis-99"],
        ["--compare", "x"],
        ["--json", "-f", "junit"],
        ["-", "--since", "-"],
    ],
)
def test_wrong_usage(words):
    done = run("stats", RDB, *words)
    assert (done.code, done.out) == (2, b"")


def test_filters_choose_what_is_counted():
    found = stats("-t", "hash", "-n", "0", RDB)
    assert {row["type"] for row in found["types"]} == {"hash"}
    assert [row["db"] for row in found["dbs"]] == [0]


def test_what_writes_equals_a_count():
    found = stats(AOF)["aof"]
    calls, sizes = Counter(), Counter()
    with open_any(AOF) as reader:
        for batch in reader.batches():
            if isinstance(batch, CommandBatch):
                ends = [*batch.offsets[1:], batch.stop]
                for argv, start, end in zip(batch.argvs, batch.offsets, ends, strict=True):
                    name = argv[0].upper().decode()
                    calls[name] += 1
                    sizes[name] += end - start
    counted = Counter()
    for row in found["commands"]:
        counted[row["name"].split()[0]] += row["calls"]
    assert counted == calls
    assert found["size"] == sum(sizes.values())
    assert found["calls"] == sum(calls.values())
    assert sum(row["calls"] for row in found["minutes"]) <= found["calls"]
    assert found["prefixes"][0]["calls"] <= found["calls"]
    assert 0 < found["rewritten"] < found["whole"]


@pytest.mark.parametrize("source", [AOF, FIXTURES / "cases/rules/valkey-9.1-plain"], ids=["redis", "valkey"])
def test_a_rewrite_leaves_what_is_said(tmp_path, source):
    assert run("aof-rewrite", "--preamble", "-o", tmp_path / "rewritten", source).code == 0
    base = next((tmp_path / "rewritten").glob("*.base.rdb"))
    # Aux fields of the writer differ.
    assert abs(stats(source)["aof"]["rewritten"] - base.stat().st_size) < 150


def test_hot_keys_are_found_among_many():
    rng = random.Random(DAY)
    keys = HotKeys(room=100)
    exact = Counter()
    for _ in range(20_000):
        name = b"hot%d" % rng.randrange(5) if rng.random() < 0.3 else b"%d" % rng.randrange(10_000)
        exact[name] += 1
        keys.add(0, name)
    found = keys.hottest(5)
    assert {key for _, key, _, _ in found} == {b"hot%d" % n for n in range(5)}
    for _, key, calls, error in found:
        assert calls <= exact[key] <= calls + error


def test_keys_are_counted_exactly_while_there_is_room():
    rng = random.Random(DAY)
    keys = HotKeys(room=300)
    exact = Counter()
    for _ in range(5_000):
        place = rng.randrange(3), b"k" * rng.randrange(100)
        exact[place] += 1
        keys.add(*place)
    rows = sorted(((-calls, place) for place, calls in exact.items()))
    assert keys.hottest(1000) == [(*place, -calls, 0) for calls, place in rows]
    assert keys.hottest(7) == [(*place, -calls, 0) for calls, place in rows[:7]]
    assert HotKeys(room=1).hottest(3) == []


def test_damage_is_said_after_what_precedes_it(tmp_path):
    cut = tmp_path / "cut.rdb"
    cut.write_bytes(RDB.read_bytes()[:50_000])
    done = run("stats", "--json", cut)
    assert done.code == 1
    assert 0 < json.loads(done.out)["totals"]["keys"] < stats(RDB)["totals"]["keys"]
    assert "end of file" in done.err


def test_a_tool_for_programs():
    found = rdbtool.stats(RDB, now=NOW, rules="redis-8.2", top=3)
    assert found.to_dict()["totals"] == stats("--rules", "redis-8.2", RDB)["totals"]
    assert len(found.largest["memory"]) == 3


HOSTILE = [
    b"</script><script>x:1",
    b"\x1b[31mred:\x00",
    b"k" * 10_240,
    b"\xff\xfe:1",
    b"a\nb:2",
    "漢字:ключ:9".encode(),
]


@pytest.mark.parametrize("width", [60, 80, 100, 132, 200])
def test_no_line_is_wider_than_the_screen(tmp_path, width):
    hostile = tmp_path / "hostile.jsonl"
    lines = ['{"rdb":{"magic":"REDIS","version":11}}']
    for number, key in enumerate(HOSTILE * 20):
        name = key + b"%d" % number
        try:
            text = name.decode()
        except UnicodeDecodeError:
            text = {"base64": base64.b64encode(name).decode()}
        lines.append(json.dumps({"db": number % 3, "key": text, "type": "string", "value": "v" * number}))
    hostile.write_text("\n".join(lines))
    empty = tmp_path / "empty.jsonl"
    empty.write_text('{"rdb":{"magic":"REDIS","version":11}}\n')
    for source in (hostile, empty, RDB, AOF):
        found = rdbtool.stats(source, since=RDB, compare=["valkey-9.1"], now=NOW, least=100)
        for by in (None, *BY):
            text = stats_text(found, screen=Screen(is_terminal=False, plain_width=width), by=by)
            assert all(character.isprintable() or character == "\n" for character in text)
            widest = max(map(width_of, text.splitlines()[2:]))
            assert widest <= width, max(text.splitlines()[2:], key=width_of)
