"""What servers said of their memory after a restart from a file, and what is calculated from the file.

The files and answers are in fixtures/memory; how they were made, fixtures/README.md says.
"""

import gzip
import io
import json

import pytest
from command import FIXTURES

from rdbtool._codec.sinks.key_rows import KeyRows
from rdbtool._codec.sinks.key_sizes import KeyObserver
from rdbtool._codec.sinks.memory import MemorySink
from rdbtool.core.memory_models import memory_model_of
from rdbtool.core.servers import Rules
from rdbtool.reader.rdb import open_rdb

SERVERS = sorted(path.name.removesuffix(".rdb.gz") for path in (FIXTURES / "memory").glob("*.rdb.gz"))

#: Which malloc the recorded servers ran with.
ALLOCATORS = {
    "redis-7.0.15-debian": "jemalloc-distro",
    "redis-8.0.6-debian": "jemalloc-distro-5.3.1",
    "valkey-9.1.2-debian": "jemalloc-distro-5.3.1",
}


def answers_of(name):
    return json.loads(gzip.decompress((FIXTURES / f"memory/{name}.json.gz").read_bytes()))


def rules_of(name):
    family, version = name.split("-")[:2]
    return Rules.parse(f"{family}-{'.'.join(version.split('.')[:2])}")


def growth_of(answers):
    return int(answers["info_memory"]["used_memory"]) - answers["empty"]["used_memory"]


def measure(file, rules, allocator, observer):
    sink = MemorySink(memory_model_of(rules)[0], observer, allocator)
    with open_rdb(io.BytesIO(gzip.decompress((FIXTURES / f"memory/{file}.rdb.gz").read_bytes()))) as reader:
        reader.feed(sink)
    return sink.totals()


def is_random(rules, row):
    """Whether what the server says of a key hangs on chance, or is only estimated."""
    _, _, kind, encoding, *_, _ = row
    if rules.family == "valkey":
        tables = kind == "set" if rules.release < (8, 1) else True
        return encoding == "skiplist" or (encoding == "hashtable" and tables)
    return encoding == "skiplist"


@pytest.mark.parametrize("name", SERVERS)
def test_memory_is_what_the_server_answered(name):
    rules, answers = rules_of(name), answers_of(name)
    rows = KeyRows()
    totals = measure(name, rules, ALLOCATORS.get(name, "jemalloc"), rows)
    told = {(db, key): row for db, key, *row in answers["keys"]}
    errors = []
    for row in rows.rows:
        db, key, kind, encoding, memory = row[:5]
        its_kind, its_encoding, expires, usage = told.pop((db, key.decode()))
        if kind not in {"stream", "module"}:
            assert (kind, encoding) == (its_kind, its_encoding), key
        assert (row[9] is not None) == expires
        errors.append(abs(memory - usage) / usage)
        if not is_random(rules, row):
            assert abs(memory - usage) <= 1, (key, kind, encoding, memory, usage)
    assert not told
    errors.sort()
    assert errors[len(errors) * 95 // 100] <= (0.005 if rules.family == "redis" else 0.015)
    growth = growth_of(answers)
    assert abs(totals["used_memory"] - growth) <= 0.005 * growth
    assert totals["used_memory"] == totals["allocated"] + totals["tables"]


#: Those whose data is the same, and what each of them made of it.
TWINS = [name for name in SERVERS if "stream" in (its := set(answers_of(name)["features"])) and "hexpire" not in its]


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("file", TWINS)
def test_used_memory_of_another_server_with_the_same_data(file, name):
    growth = growth_of(answers_of(name))
    used = measure(file, rules_of(name), ALLOCATORS.get(name, "jemalloc"), KeyObserver())["used_memory"]
    assert abs(used - growth) <= 0.005 * growth


def test_two_runs_say_the_same():
    first, second = KeyRows(), KeyRows()
    name = "valkey-9.1.2-debian"
    assert measure(name, rules_of(name), "jemalloc", first) == measure(name, rules_of(name), "jemalloc", second)
    assert first.rows == second.rows
