"""Grammar and codec agree on damaged records: the same items and the same error, or the same acceptance.

Single records of at most 512 bytes, taken from all fixtures and so from all servers and all types,
are damaged at random (other ones each day, see ``sampling``) and read by both. The run makes
``MUTATIONS`` inputs in ``BATCHES`` tests, so that pytest-xdist can spread them; an input takes about 0.4 ms.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from conformance.outcome import read
from sampling import IS_WHOLE, SEED

from rdbtool._codec.filters.filter import Filter
from rdbtool._codec.sink import Null, Sink
from rdbtool._codec.sinks.check import Check
from rdbtool.core.errors import RdbToolError, describe_error
from rdbtool.core.rdb_types import VALUE_TYPES, value_types
from rdbtool.model import HashTemplate, KeyRecord
from rdbtool.reader.rdb import open_rdb

FIXTURES = Path(__file__).parents[2] / "fixtures"
BATCHES = 40 if IS_WHOLE else 6
MUTATIONS = (3000 if IS_WHOLE else 2000) * BATCHES
LARGEST = 512

#: Bytes that begin or end something in one of the encodings.
TELLING = (0x00, 0x01, 0x02, 0x0D, 0x3F, 0x40, 0x7F, 0x80, 0x81, 0x82, 0xBF, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xD0, 0xE0,
           0xF0, 0xF1, 0xF4, 0xF5, 0xFC, 0xFD, 0xFE, 0xFF)  # fmt: skip


class Seed(NamedTuple):
    """A sound record, and what has to stand in front of it."""

    before: bytes
    record: bytes


@cache
def seeds() -> tuple[tuple[Seed, ...], ...]:
    """All small records of the fixtures, grouped by value type so that rare types come as often as common ones."""
    groups: dict[tuple[str, int], dict[bytes, Seed]] = {}
    for path in sorted(FIXTURES.glob("*/*.rdb")):
        data = path.read_bytes()
        with open_rdb(data) as reader:
            header, before = reader.header, data[:9]
            for item in reader.items():
                if isinstance(item, HashTemplate):
                    before += data[item.span.start : item.span.stop]
                if isinstance(item, KeyRecord) and item.stop - item.start <= LARGEST:
                    record = data[item.start : item.stop]
                    groups.setdefault((header.magic, item.type_code), {})[record] = Seed(before, record)
    return tuple(tuple(group.values()) for _, group in sorted(groups.items()))


def damage(record: bytes, dice: random.Random) -> bytes:
    """Return ``record`` after one to three random changes; it differs from ``record``."""
    changed = bytearray(record)
    while changed == record:
        for _ in range(dice.choice((1, 1, 1, 2, 3))):
            at = dice.randrange(len(changed)) if changed else 0
            match dice.randrange(8):
                case 0 | 1:
                    changed[at : at + 1] = bytes([changed[at] ^ 1 << dice.randrange(8)]) if changed else b""
                case 2:
                    changed[at : at + 1] = bytes([dice.choice(TELLING)])
                case 3:
                    changed[at : at + 1] = dice.randbytes(1)
                case 4:
                    changed[at : at + 1] = bytes([(changed[at] + dice.choice((1, -1))) % 256]) if changed else b""
                case 5:
                    del changed[at : at + dice.choice((1, 1, 2, 8))]
                case 6:
                    changed[at:at] = bytes(dice.choice(TELLING) for _ in range(dice.choice((1, 1, 2, 9))))
                case _:
                    other = dice.randrange(len(changed)) if changed else 0
                    changed[at : at + 4] = changed[other : other + 4]
    return bytes(changed)


def test_every_type_is_damaged() -> None:
    """No value type of the table is missing from the seeds."""
    present = {(seed[0].before[:5].decode(), seed[0].record) for seed in seeds()}
    assert len(present) == len(seeds())
    codes = set()
    for group in seeds():
        magic = "VALKEY" if group[0].before.startswith(b"VALKEY") else "REDIS"
        for record in open_rdb(group[0].before + group[0].record + b"\xff" + bytes(8)):
            codes.add(value_types(magic)[record.type_code].name)
    assert codes == {row.name for row in VALUE_TYPES}


@pytest.mark.parametrize("batch", range(SEED, SEED + BATCHES))
def test_same_outcome(batch: int) -> None:
    dice = random.Random(batch)
    accepted = 0
    for _ in range(MUTATIONS // BATCHES):
        seed = dice.choice(dice.choice(seeds()))
        # A zero checksum says that there is none, so that the damage reaches the structure.
        data = seed.before + damage(seed.record, dice) + b"\xff" + bytes(8)
        by_codec, by_grammar = read(data, "codec"), read(data, "grammar")
        assert by_codec.fallbacks == 0, f"declined by the codec only: {data.hex(' ')}"
        assert by_codec == by_grammar, f"{data.hex(' ')}"
        accepted += by_codec.error is None
    # The damage is neither always fatal nor always harmless: both kinds of agreement were tested.
    assert 0.05 < accepted / (MUTATIONS // BATCHES) < 0.95


def fed(data: bytes, sink: Sink) -> tuple[str | None, object, int]:
    """Feed ``sink``; return the error, what was read, and how often the codec declined what the grammar accepted."""
    with open_rdb(data, backend="codec") as reader:
        error = None
        try:
            reader.feed(sink)
        except RdbToolError as raised:
            error = f"{type(raised).__name__}: {describe_error(raised)}"
        sink.close()
        return error, reader.totals, reader.fallbacks


@pytest.mark.parametrize("batch", range(SEED, SEED + BATCHES))
def test_sinks_that_ignore_values_have_the_same_outcome(batch: int) -> None:
    """Values are checked as well where the sink receives no texts, or numbers in place of texts."""
    dice = random.Random(batch)
    flagged = 0
    for _ in range(MUTATIONS // BATCHES):
        seed = dice.choice(dice.choice(seeds()))
        data = seed.before + damage(seed.record, dice) + b"\xff" + bytes(8)
        # A filter receives every event, and the sink after it all texts.
        check, after = Check(), Check()
        expected = fed(data, Filter(after))
        assert fed(data, Null()) == expected, data.hex(" ")
        assert fed(data, check) == expected, data.hex(" ")
        assert repr(check.flagged) == repr(after.flagged), data.hex(" ")
        assert check.counts == after.counts
        flagged += bool(check.flagged)
    assert flagged > MUTATIONS // BATCHES / 200
