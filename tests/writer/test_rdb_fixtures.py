"""Files of servers, rewritten: the same data, the same bytes where servers have one way to write, and Redis agrees."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from codec.driving import BY_SERVER, FILES, FIXTURES, Trickle, name_of, read_into, records_of
from sampling import sample
from server import Server, Tools
from writer.saving import TARGETS, fingerprint, name_of_target, read_back, rebuilt_values, saved, stored_values

from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.filters.target import TargetFilter
from rdbtool._codec.replay_record import feed_item, feed_record
from rdbtool._codec.sink import Null
from rdbtool._codec.sinks.digest import Digest
from rdbtool.core.errors import LossError
from rdbtool.core.servers import Target
from rdbtool.model import Aux, FunctionLibrary, Header, KeyRecord, ModuleAux, ResizeDb, SlotImport
from rdbtool.reader.rdb import open_rdb

#: The one file that its own version cannot hold: servers write such libraries no more, and refuse them.
PRE_RELEASE = FIXTURES / "small" / "redis-7.0-rc-function.rdb"

#: Files of other products, of which targets do not hold all.
OF_PRODUCTS = {"keydb-6.3-member-expiries", "redis-enterprise-7.4-marks"}
WHOLE = [path for path in FILES if path != PRE_RELEASE and path.stem not in OF_PRODUCTS]

#: Values that a server would not write like this today: what their history left behind, and forced encodings.
HISTORY = {b"s:mixed", b"list:plain"}


def items_of(source: Any) -> list[tuple[Any, ...]]:
    """Return what stands between the records and is data, without its place in the file."""
    with open_rdb(source) as reader:
        return [
            tuple(item[:-1])
            for item in reader.items()
            if isinstance(item, (Aux, FunctionLibrary, ModuleAux, SlotImport, ResizeDb))
        ]


@pytest.mark.parametrize("path", WHOLE, ids=name_of)
def test_same_records_at_the_same_version(path: Path) -> None:
    data, written = saved(path)
    found, expected = read_back(data), records_of(path)
    assert found == expected
    assert written.keys == len(expected)
    assert [loss for loss in written.losses if loss.severity == "loss"] == []
    assert fingerprint(data) == fingerprint(path)
    assert data[:9] == path.read_bytes()[:9]
    assert items_of(data) == items_of(path)


@pytest.mark.parametrize("path", BY_SERVER, ids=name_of)
def test_order_of_members_is_kept(path: Path) -> None:
    """Servers write packed values in an order of their own already."""
    found, expected = read_back(saved(path)[0]), records_of(path)
    assert [repr(record.value) for record in found] == [repr(record.value) for record in expected]


@pytest.mark.parametrize("path", WHOLE, ids=name_of)
def test_checksum(path: Path) -> None:
    with open_rdb(saved(path)[0]) as reader:
        reader.feed(Null())
        assert reader.end is not None
        assert bool(reader.end.checksum) == (reader.header.version >= 5)
    with open_rdb(saved(path, checksum=False)[0]) as reader:
        reader.feed(Null())
        assert reader.end is not None
        assert reader.end.checksum == (0 if reader.header.version >= 5 else None)


@pytest.mark.parametrize("path", BY_SERVER, ids=name_of)
def test_same_bytes_as_the_server(path: Path) -> None:
    """Every value that is not compressed; with compression off that is all of them."""
    plain = path.stem == "nolzf"
    theirs = stored_values(path.read_bytes())
    ours = stored_values(saved(path, compress=not plain)[0])
    assert list(ours) == list(theirs)
    differing = set()
    for place, (record, value) in theirs.items():
        assert ours[place].record.type_code == record.type_code
        if ours[place].value != value and (plain or b"\xc3" not in value):
            differing.add(place[1])
    assert differing <= HISTORY
    assert plain or sum(b"\xc3" not in value for _, value in theirs.values()) > 30


GRAMMAR_FILES = [path for path in FILES if path.stem not in ("nocrc", "nolzf", "lru", "lfu")]


@pytest.mark.parametrize(
    ("path", "target", "compress"),
    sample(product(GRAMMAR_FILES, TARGETS[5:], [True, False]), 60, each=lambda row: row[:1]),
    ids=lambda value: name_of(value) if isinstance(value, Path) else str(value),
)
def test_same_bytes_as_the_grammar(path: Path, target: Target, compress: bool) -> None:
    """Before RDB 6 numbers in ziplists had fewer forms, which the grammar reads but does not build."""
    data, _ = saved(path, target, allow_loss=True, compress=compress)
    for record, value, rebuilt in rebuilt_values(data):
        assert value == rebuilt, record.key


def test_a_function_of_a_release_candidate_is_refused() -> None:
    with pytest.raises(LossError, match="release candidate"):
        saved(PRE_RELEASE)
    data, written = saved(PRE_RELEASE, allow_loss=True)
    assert read_back(data) == records_of(PRE_RELEASE)
    assert {(loss.what, loss.severity, loss.key) for loss in written.losses} == {
        ("a function library of a release candidate", "loss", None)
    }


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_same_bytes_whoever_reads(path: Path) -> None:
    """The codec with other windows, the grammar, and finished records give what the codec gives at once."""
    data = path.read_bytes()
    whole = saved(path, allow_loss=True)[0]
    at_once = 7 if len(data) < 60_000 else 707
    for size in (at_once, 4096):
        assert saved(Trickle(data, lambda size=size: size), allow_loss=True)[0] == whole  # type: ignore[misc]
    assert saved(path, backend="grammar", allow_loss=True)[0] == whole
    pieces: list[bytes] = []
    with open_rdb(path) as reader:
        magic, version = reader.header
        rdb = Rdb(pieces.append, magic=magic, version=version)
        sink = TargetFilter(rdb, magic=magic, version=version, allow_loss=True)
        for item in reader.items():
            if isinstance(item, KeyRecord):
                feed_record(item, sink)
            elif not isinstance(item, Header):
                feed_item(item, sink)
    sink.close()
    sink.close()
    assert b"".join(pieces) == whole


# Redis itself


@pytest.mark.server
@pytest.mark.parametrize("target", TARGETS[:10], ids=name_of_target)
def test_redis_check_rdb_accepts(redis_tools: Tools, tmp_path: Path, target: Target) -> None:
    """Of each form, some files."""
    for path in sample([path for path in FILES if path.stem not in ("nocrc", "nolzf")], 8):
        data, written = saved(path, target, allow_loss=True)
        (tmp_path / "dump.rdb").write_bytes(data)
        done = subprocess.run(
            [redis_tools.check_rdb, str(tmp_path / "dump.rdb")], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{name_of(path)}: {done.stdout}"
        assert f"[info] {written.keys} keys read" in done.stdout


@pytest.mark.server
@pytest.mark.parametrize("path", [path for path in BY_SERVER if path.stem == "default"], ids=name_of)
def test_redis_loads_and_saves_the_same(
    start_server: Callable[..., AbstractContextManager[Server]], tmp_path: Path, path: Path
) -> None:
    """A server that loads what was written for it reports our digest of the source, and saves the same records."""
    target = Target.parse("redis-7.0")
    data, written = saved(path, target, allow_loss=True)
    assert {loss.what for loss in written.losses if loss.severity == "loss"} <= {"field expiries"}
    (tmp_path / "dump.rdb").write_bytes(data)
    with start_server(files={"dump.rdb": tmp_path / "dump.rdb"}, config={"databases": "64"}) as server:
        assert server.digest() == read_into(path, Digest("redis-7.0")).hexdigest()
        by_server = {(record.db, record.key): record for record in records_of(server.save())}
    ours = {(record.db, record.key): record for record in read_back(data)}
    for record in by_server.values():
        assert record == ours.pop((record.db, record.key))
    assert ours == {}


@pytest.mark.server
@pytest.mark.parametrize("target", TARGETS[:10], ids=name_of_target)
def test_redis_loads_every_version(
    start_server: Callable[..., AbstractContextManager[Server]], tmp_path: Path, target: Target
) -> None:
    data, _ = saved(FIXTURES / "redis-8.0.6" / "default.rdb", target, allow_loss=True)
    (tmp_path / "dump.rdb").write_bytes(data)
    with start_server(files={"dump.rdb": tmp_path / "dump.rdb"}, config={"databases": "64"}) as server:
        assert server.digest() == read_into(data, Digest("redis-7.0")).hexdigest()
        assert server.client("DBSIZE") != 0
