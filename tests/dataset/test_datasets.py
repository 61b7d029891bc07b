"""Datasets: what stands in front of the first key is known before it is read, and all of them are fed alike."""

import itertools
import re

import pytest
from command import FIXTURES

from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.replay_record import feed_header, feed_item, feed_record
from rdbtool.core.errors import FormatError
from rdbtool.dataset.file import open_repeatable
from rdbtool.dataset.forms import BY_NAME, CONVERTED, FORMS, PRINTED, form_of
from rdbtool.dataset.loading import open_keys
from rdbtool.model import Aux, End, FunctionLibrary, KeyRecord
from rdbtool.reader.jsonl.reader import open_jsonl
from rdbtool.reader.rdb import REPEATED_AUX, open_rdb

SERVERS = ("redis-2.8.24", "redis-5.0.14", "redis-7.0.15", "redis-8.0.6", "valkey-9.1.2")
AOF = FIXTURES / "redis-7.0.15" / "aof-plain"
RDBS = [FIXTURES / server / "default.rdb" for server in SERVERS]
RDBS.append(FIXTURES / "small" / "keydb-6.3-member-expiries.rdb")


def jsonl_of(source, **options):
    pieces = []
    sink = Jsonl(pieces.append)
    totals = source.feed(sink, **options)
    sink.close()
    return b"".join(pieces), totals


@pytest.mark.parametrize("backend", ["codec", "grammar"])
@pytest.mark.parametrize("path", RDBS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_preamble_ends_in_front_of_the_first_key(path, backend):
    with open_rdb(path, backend=backend) as whole:
        items = list(whole.items())
    before = list(itertools.takewhile(lambda item: not isinstance(item, KeyRecord), items[1:]))
    with open_rdb(path, backend=backend) as reader:
        assert reader.read_preamble() == before
        assert (reader.totals.keys, reader.end) == (0, None)
        assert reader.aux == [item for item in before if isinstance(item, Aux) and item.key not in REPEATED_AUX]
        # Asking again reads nothing, and whatever reads on begins with it.
        assert reader.read_preamble() == before
        assert list(reader.items()) == items
        assert reader.read_preamble() == []
    with open_rdb(path, backend=backend) as reader, open_rdb(path, backend=backend) as other:
        reader.read_preamble()
        assert jsonl_of(reader) == jsonl_of(other)


def test_a_preamble_may_be_all_there_is():
    data = b"REDIS0010\xfa\x09redis-ver\x067.0.15\xff" + bytes(8)
    with open_rdb(data) as reader:
        field, end = reader.read_preamble()
        assert (field.key, field.value) == (b"redis-ver", b"7.0.15")
        assert isinstance(end, End)
        assert reader.choice.rules.release == (7, 0)
        assert jsonl_of(reader)[1].keys == 0


def test_damage_in_a_preamble_is_raised():
    with open_rdb(b"REDIS0011\xfa\x09redis-ver\x067.0") as reader, pytest.raises(FormatError):
        reader.read_preamble()


def test_lines_have_a_preamble_too():
    with open_rdb(FIXTURES / "redis-7.0.15" / "default.rdb") as rdb:
        lines, totals = jsonl_of(rdb)
    with open_jsonl(lines) as reader:
        preamble = reader.read_preamble()
        assert {type(item) for item in preamble} <= {Aux, FunctionLibrary}
        assert b"redis-ver" in {item.key for item in reader.aux}
        assert reader.totals.keys == 0
        again, found = jsonl_of(reader)
        assert again == lines
        assert found.by_kind == totals.by_kind
    with open_jsonl(lines) as reader, open_jsonl(lines) as other:
        reader.read_preamble()
        assert list(reader.records(selection=Selection(limit=3))) == list(other.records(selection=Selection(limit=3)))
        assert reader.totals == other.totals


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patterns": (re.compile(b"a"),)},
        {"kinds": ["hash", "stream"]},
        {"kinds": ["zset"], "limit": 2},
        {"limit": 5},
        {"limit": 0},
        {"dbs": [0]},
        {"expired": False, "now_ms": 1 << 50},
    ],
)
def test_the_compiled_path_tells_what_records_say(options):
    """An AOF is fed by the compiled loop; records, which are made one by one, are the judge."""
    for path in (AOF, FIXTURES / "cases" / "groups", *sorted(FIXTURES.glob("*/aof-preamble.aof"))[:2]):
        with open_keys(str(path)) as keys:
            pieces = []
            sink = Jsonl(pieces.append)
            feed_header(keys.header.magic, keys.header.version, sink)
            for item in keys.read_preamble():
                feed_item(item, sink)
            records = list(keys.records(selection=Selection(**options)))
            for record in records:
                feed_record(record, sink)
            sink.close()
            selection = Selection(**options)
            found, totals = jsonl_of(keys, selection=selection)
            assert found == b"".join(pieces)
            assert totals.selected == selection.taken == len(records)
            if not options:
                assert jsonl_of(keys)[1] == totals
                assert totals.by_db == keys.sizes
                assert sum(totals.by_kind.values()) == totals.keys == len(records)


def test_a_damaged_aof_is_fed_up_to_the_damage():
    data = b"".join(b"*3\r\n$3\r\nSET\r\n$2\r\nk%d\r\n$1\r\nv\r\n" % number for number in range(3)) + b"*3\r\nnonsense"
    with open_keys(data) as keys:
        pieces = []
        sink = Jsonl(pieces.append)
        with pytest.raises(FormatError):
            keys.feed(sink)
        sink.flush()
        assert b"".join(pieces).count(b'"key"') == 3
        with pytest.raises(FormatError):
            list(keys.records())
        with pytest.raises(FormatError):
            keys.settled()
        # What precedes the damage was handed out; whoever wants no more of it is not told of the damage.
        assert jsonl_of(keys, selection=Selection(limit=2))[1].selected == 2
        assert [record.key for record in keys.records(selection=Selection(limit=3))] == [b"k0", b"k1", b"k2"]


@pytest.mark.parametrize("path", [FIXTURES / "redis-7.0.15" / "default.rdb", AOF], ids=["file", "aof"])
def test_what_is_repeatable_is_fed_again(path):
    dataset = open_repeatable(path, rules=None, now_ms=0, places=None, rename_commands=None, progress=None)
    assert dataset.repeatable
    preamble = dataset.read_preamble()
    first, totals = jsonl_of(dataset)
    assert jsonl_of(dataset) == (first, totals)
    assert len(list(dataset.records())) == totals.keys
    assert dataset.read_preamble() == preamble
    dataset.close()


def test_forms_are_one_table():
    suffixes = [suffix for form in FORMS for suffix in form.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert len(BY_NAME) == len(FORMS)
    assert {form.name for form in FORMS} == {*PRINTED, *CONVERTED}
    for form in FORMS:
        # A form that is verified is read back as itself, or consists of forms that are.
        assert form.is_verifiable == (form.read_back is not None) or len(form.encodings) == 2
        for suffix in form.suffixes:
            for choice in (PRINTED, CONVERTED):
                assert form_of(f"x{suffix.upper()}", choice) == (form.name if form.name in choice else None)


def test_directories_are_for_whole_datasets(tmp_path):
    for name in (str(tmp_path), "new/"):
        assert (form_of(name, CONVERTED), form_of(name, PRINTED)) == ("aof-dir", None)
    assert form_of("-", CONVERTED) is None
