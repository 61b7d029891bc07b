"""Whole files: the state the server reported, the same bytes built again, and every byte named in a trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from state import FIXTURES, assert_state, load_expected

from rdbtool.grammar import (
    FileState,
    MemoryStream,
    Node,
    build_record,
    parse_record,
    read_header,
    read_item,
    trace_header,
    trace_item,
)
from rdbtool.io.source import crc64
from rdbtool.model import End, Header, Item, KeyRecord

FILES = sorted(FIXTURES.glob("*/*.rdb"))
SERVER_FILES = [path for path in FILES if (path.parent / "default.expected.json.gz").exists()]


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def read_file(data: bytes) -> Iterator[tuple[Item | KeyRecord | None, bytes, FileState]]:
    """Yield each item, the bytes it was read from, and the state before it."""
    stream = MemoryStream(data)
    header = read_header(stream)
    state = FileState.of(header)
    state.crc_at = lambda stop: crc64(data[:stop])
    item: Item | KeyRecord | None = None
    while not isinstance(item, End):
        start = stream.tell()
        before = FileState(header.magic, header.version, templates=dict(state.templates))
        item = read_item(stream, state)
        yield item, data[start : stream.tell()], before
    assert stream.left() == 0


def test_there_are_files() -> None:
    assert len({path.parent.name for path in SERVER_FILES}) >= 8
    assert len(FILES) > len(SERVER_FILES)


@pytest.mark.parametrize("path", SERVER_FILES, ids=_name)
def test_a_file_holds_what_its_server_said(path: Path) -> None:
    records = [item for item, _, _ in read_file(path.read_bytes()) if isinstance(item, KeyRecord)]
    assert_state(records, load_expected(path.parent / "default.expected.json.gz"))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_file_is_built_as_it_was(path: Path) -> None:
    for item, data, state in read_file(path.read_bytes()):
        assert build_record(parse_record(data, state)) == data, item


@pytest.mark.parametrize("path", [path for path in FILES if path.stem in {"lru", "lfu"}], ids=_name)
def test_eviction_data_is_read(path: Path) -> None:
    records = [item for item, _, _ in read_file(path.read_bytes()) if isinstance(item, KeyRecord)]
    if path.stem == "lru":
        assert all(record.idle_s is not None and record.freq is None for record in records)
    else:
        assert all(record.freq is not None and record.idle_s is None for record in records)


@pytest.mark.parametrize("max_children", [None, 5])
@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_trace_names_every_byte_once(path: Path, max_children: int | None) -> None:
    data = path.read_bytes()
    stream = MemoryStream(data)
    header = trace_header(stream)
    assert header.error is None
    assert isinstance(header.item, Header)
    state = FileState.of(header.item)
    leaves = list(_leaves(header.node))
    items = []
    while not items or not isinstance(items[-1], End):
        trace = trace_item(stream, state, max_children=max_children)
        assert trace.error is None
        assert trace.node.stop == stream.tell()
        leaves += _leaves(trace.node)
        items.append(trace.item)
    at = 0
    for leaf in leaves:
        assert leaf.start == at < leaf.stop, leaf.name
        at = leaf.stop
    assert at == len(data)
    assert items == [item for item, _, _ in read_file(data)]


def _leaves(node: Node) -> Iterator[Node]:
    """Yield the leaves that lie in the file; check that children tile their parent."""
    if not node.children:
        yield node
        return
    inflated = node.children[0].inner and not node.inner
    at = 0 if inflated else node.start
    for child in node.children:
        assert child.inner == (node.inner or inflated)
        assert child.start == at < child.stop, (node.name, child.name)
        at = child.stop
        for leaf in _leaves(child):
            if not leaf.inner:
                yield leaf
    if inflated:
        yield node
    else:
        assert at == node.stop, node.name
    assert (node.left_out == 0) == all(child.name != "…" for child in node.children)
