"""For any bytes at all: items or one of our errors, the same from a pipe as from memory, and no memory for lies."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from specimen import specimen
from state import FIXTURES
from whole import whole

from rdbtool.core.errors import FormatError, InputError, RdbToolError, describe_error
from rdbtool.core.rdb_types import REDIS, VALKEY, VALUE_TYPES, VERSIONS
from rdbtool.grammar import FileState, MemoryStream, parse_value, read_header, read_item, trace_item
from rdbtool.model import End, Item, KeyRecord

MEBIBYTE = 1 << 20


class Pipe:
    """A Bytestream that does not know its size and remembers the largest read."""

    def __init__(self, data: bytes) -> None:
        self._memory = MemoryStream(data)
        self.largest = 0

    def read(self, size: int, /) -> bytes:
        self.largest = max(self.largest, size)
        return self._memory.read(size)

    def tell(self) -> int:
        return self._memory.tell()

    def seek(self, at: int, /) -> None:
        self._memory.seek(at)

    def left(self) -> int | None:
        return None


def outcome(
    stream: MemoryStream | Pipe, magic: str = REDIS
) -> tuple[list[Item | KeyRecord | None], RdbToolError | None]:
    state = FileState(magic, VERSIONS[magic][1])
    items: list[Item | KeyRecord | None] = []
    try:
        while not items or not isinstance(items[-1], End):
            items.append(read_item(stream, state))
    except RdbToolError as error:
        return items, error
    return items, None


@given(st.binary(max_size=80), st.sampled_from([REDIS, VALKEY]))
def test_any_bytes_give_items_or_an_error_of_ours(data: bytes, magic: str) -> None:
    items, error = outcome(MemoryStream(data), magic)
    assert error is not None or isinstance(items[-1], End)
    if isinstance(error, FormatError):
        assert 0 <= error.at <= len(data)
        assert describe_error(error)


@given(st.sampled_from(VALUE_TYPES), st.binary(max_size=60))
def test_any_bytes_as_a_value_give_a_value_or_an_error_of_ours(row: object, data: bytes) -> None:
    assert isinstance(row, type(VALUE_TYPES[0]))
    try:
        parsed = parse_value(row.code, row.magic or REDIS, data, templates={0: (b"f",)})
    except RdbToolError:
        return
    again = parse_value(row.code, row.magic or REDIS, parsed.build(), templates={0: (b"f",)})
    assert whole(again.value) == whole(parsed.value)


def damaged(seed: int, count: int) -> Iterator[bytes]:
    """Yield small real files, each with a few bytes changed, left out or cut off."""
    chance = random.Random(seed)
    files = [path.read_bytes() for path in sorted((FIXTURES / "small").glob("*.rdb"))]
    for number in range(count):
        data = bytearray(chance.choice(files))
        at = chance.randrange(9, len(data))
        if number % 3 == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif number % 3 == 1:
            del data[at : at + chance.choice((1, 2, 4))]
        else:
            del data[at:]
        yield bytes(data)


def test_damaged_files_give_items_or_an_error_of_ours_the_same_from_a_pipe() -> None:
    errors = 0
    for data in damaged(1, 600):
        header = read_header(MemoryStream(data))
        known, unknown = MemoryStream(data), Pipe(data)
        known.seek(9)
        unknown.seek(9)
        items, error = outcome(known, header.magic)
        piped_items, piped_error = outcome(unknown, header.magic)
        assert piped_items == items
        assert type(piped_error) is type(error)
        if isinstance(error, FormatError):
            errors += 1
            assert isinstance(piped_error, FormatError)
            assert piped_error.start == error.start
            trace_at = FileState(header.magic, VERSIONS[header.magic][1])
            stream = MemoryStream(data)
            stream.seek(9)
            trace = trace_item(stream, trace_at)
            while trace.error is None:
                trace = trace_item(stream, trace_at)
            assert isinstance(trace.error, FormatError)
            assert (trace.error.code, trace.error.at, trace.error.where) == (error.code, error.at, error.where)
    assert errors > 300


@pytest.mark.parametrize(
    "text",
    [
        "00 01 61 81 7FFFFFFFFFFFFFFF",  # a string of 2^63 bytes
        "00 81 FFFFFFFFFFFFFFFF",
        "01 01 61 81 FFFFFFFFFFFFFFFF",  # so many elements
        "0F 01 61 80 FFFFFFFF",
        "18 01 61 0000000000000000 80 FFFFFFFF",
        "1C 01 61 80 FFFFFFFF 00",
        "00 01 61 C3 81 00FFFFFFFFFFFFFF 81 FFFFFFFFFFFFFFFF",
        "00 01 61 C3 80 3FFFFFFF 80 3FFFFFFF",
        "F2 00 81 FFFFFFFFFFFFFFFF",
        "0A 01 61 11 11000000 0A000000 0100 00 80 FFFFFFFF FF",
        "14 01 61 0D 0D000000 0100 F0 FFFFFFFF 01 FF",
    ],
)
@pytest.mark.parametrize("make", [MemoryStream, Pipe])
def test_a_lying_length_costs_no_memory(make: type[MemoryStream | Pipe], text: str) -> None:
    stream = make(specimen(text) + bytes(100))
    tracemalloc.start()
    try:
        _, error = outcome(stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(error, FormatError)
    assert peak < MEBIBYTE
    if isinstance(stream, Pipe):
        assert stream.largest <= MEBIBYTE


def test_a_long_string_comes_through_a_pipe_in_pieces() -> None:
    data = bytes(range(256)) * (3 * 4096 + 1)
    pipe = Pipe(specimen("00 01 61") + b"\x80" + len(data).to_bytes(4, "big") + data + b"\xff" + bytes(8))
    items, error = outcome(pipe)
    assert error is None
    assert isinstance(items[0], KeyRecord)
    assert items[0].value.data == data  # type: ignore[union-attr]
    assert pipe.largest <= MEBIBYTE


def test_a_pipe_counts_what_follows_the_end_by_reading_on() -> None:
    items, _ = outcome(Pipe(b"\xff" + bytes(8) + bytes(3 * MEBIBYTE)))
    assert isinstance(items[0], End)
    assert items[0].trailing == 3 * MEBIBYTE


def test_a_source_that_fails_is_not_taken_for_damage() -> None:
    class Failing(Pipe):
        def read(self, size: int, /) -> bytes:
            if self.tell() >= 3:
                raise InputError("the disk is gone")
            return super().read(size)

    _, error = outcome(Failing(specimen("18 01 61 0000000000000000 00")))
    assert isinstance(error, InputError)


def test_explaining_a_large_damaged_blob_keeps_little_in_memory() -> None:
    """A listpack of 60,000 entries whose last entry is wrong: far less than one Container (about 1 kB) an entry."""
    entries = b"\x07\x01" * 60_000
    blob = (len(entries) + 9).to_bytes(4, "little") + b"\xff\xff" + entries + b"\xf7\x01\xff"
    data = b"\x14\x01k\x80" + len(blob).to_bytes(4, "big") + blob
    tracemalloc.start()
    try:
        _, error = outcome(MemoryStream(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(error, FormatError)
    assert (error.code, error.at, error.where.path) == ("RDB202", len(data) - 3, "value.entry[60000]")
    assert peak < 12 * len(data)
