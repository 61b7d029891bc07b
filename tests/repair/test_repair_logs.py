"""One damaged record of a log of a thousand costs that record, whatever the damage and wherever it is."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sampling import sample

from rdbtool.operations.repair.run import repair
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks
from rdbtool.reader.aof.reader import open_aof

Argv = tuple[bytes, ...]


def encode(argv: Argv) -> bytes:
    return b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv)


def make_commands(count: int = 1000) -> list[Argv]:
    """Return distinct commands, some with payloads that look like commands."""
    rng = random.Random(7)
    inner = encode((b"FLUSHALL", b"ASYNC"))
    values = [b"", b"short", b"x" * 250, inner, inner * 3, b"\r\n" + inner + b"\r\n", bytes(40)]
    made: list[Argv] = []
    for index in range(count):
        key, value = b"key:%d" % index, rng.choice(values)
        made.append(
            rng.choice(
                [
                    (b"SET", key, value),
                    (b"RPUSH", key, value, b"b", value),
                    (b"HSET", key, b"f", value),
                    (b"DEL", key),
                    (b"INCR", key),
                ]
            )
        )
    return made


COMMANDS = make_commands()
RECORDS = [encode(argv) for argv in COMMANDS]


def larger(record: bytearray, rng: random.Random) -> None:
    place = rng.choice([match.start(1) for match in re.finditer(rb"[$*](\d+)\r\n", record)])
    record[place:place] = b"1"


def other_digit(record: bytearray, rng: random.Random) -> None:
    place = rng.choice([match.start(1) for match in re.finditer(rb"[$*](\d+)\r\n", record)])
    record[place] = rng.choice([digit for digit in b"0123456789" if digit != record[place]])


def star(record: bytearray, rng: random.Random) -> None:
    record[0] = rng.choice(b"$#x\0\n")


def line_end(record: bytearray, rng: random.Random) -> None:
    place = rng.choice([match.start() for match in re.finditer(rb"\r\n", record)])
    record[place : place + 2] = rng.choice([b"\n\n", b"xx", b"\r\r"])


def deleted(record: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(record))
    del record[place : place + rng.randrange(1, 10)]


def inserted(record: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(record))
    record[place:place] = rng.randbytes(rng.randrange(1, 10))


def zeroed(record: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(record))
    size = min(len(record) - place, rng.randrange(1, 20))
    record[place : place + size] = bytes(size)


KINDS: list[Callable[[bytearray, random.Random], None]] = [
    larger,
    other_digit,
    star,
    line_end,
    deleted,
    inserted,
    zeroed,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_only_the_damaged_record_is_lost(kind: Callable[[bytearray, random.Random], None], tmp_path: Path) -> None:
    rng = random.Random(11)
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    unseen = 0
    cases = []
    for index in [0, 1, 998, 999, *rng.sample(range(1000), 26)]:
        record = bytearray(RECORDS[index])
        kind(record, rng)
        cases.append((index, record))
    chosen = [*cases[:4], *sample(cases[4:], 8)]
    for index, record in chosen:
        data = b"".join([*RECORDS[:index], bytes(record), *RECORDS[index + 1 :]])
        source.write_bytes(data)
        done = repair(str(source), str(result))
        assert source.read_bytes() == data
        if not done.lost:
            # A size that became the size of whole records to come, or a byte of a payload: servers see nothing either.
            with open_aof(data) as reader:
                reader.check()
            assert result.read_bytes() == data
            unseen += 1
            result.unlink()
            continue
        with open_aof(str(result)) as reader:
            kept = Counter(command.argv for command in reader.commands())
        missing = Counter(COMMANDS) - kept
        assert validate(str(result), Checks(replay=False)).answer == "valid"
        assert missing in (Counter(), Counter([COMMANDS[index]])), (index, bytes(record))
        # What a payload says is not known to be wrong; but nothing may come out of it.
        assert not [argv for argv in kept - Counter(COMMANDS) if argv[0] == b"FLUSHALL"]
        assert sum((kept - Counter(COMMANDS)).values()) <= 1
        assert done.commands == sum(kept.values())
        result.unlink()
    assert unseen < len(chosen)


def test_nul_bytes_at_the_end_are_cut(tmp_path: Path) -> None:
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    source.write_bytes(b"".join(RECORDS) + bytes(4096))
    done = repair(str(source), str(result))
    assert result.read_bytes() == b"".join(RECORDS)
    assert [(lost.code, lost.start, lost.size) for lost in done.lost] == [("REP003", len(b"".join(RECORDS)), 4096)]


def transaction(*commands: Argv) -> list[bytes]:
    return [encode((b"MULTI",)), *map(encode, commands), encode((b"EXEC",))]


@pytest.mark.parametrize(
    ("lost", "kept"),
    [
        (2, [1, 3, 4, 5, 0]),  # a command within: the rest of the transaction stays
        (1, [2, 3, 5, 0]),  # MULTI: its EXEC goes too
        (4, [2, 3, 5, 0]),  # EXEC: its MULTI goes too
    ],
)
def test_a_transaction_with_damage_inside(lost: int, kept: list[int], tmp_path: Path) -> None:
    first, last = encode((b"SET", b"k", b"v")), encode((b"SET", b"z", b"v"))
    records = [first, *transaction((b"SET", b"a", b"1"), (b"INCR", b"a")), last]
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    source.write_bytes(b"".join(b"X" + record[1:] if index == lost else record for index, record in enumerate(records)))
    repair(str(source), str(result))
    assert result.read_bytes() == b"".join(records[index] for index in sorted(kept))


def test_a_transaction_without_end_is_cut(tmp_path: Path) -> None:
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    first = encode((b"SET", b"k", b"v"))
    open_one = b"".join(transaction((b"SET", b"a", b"1"))[:-1])
    for cut in range(1, len(open_one)):
        source.write_bytes(first + open_one[:-cut])
        repair(str(source), str(result))
        assert result.read_bytes() == first
        result.unlink()


def test_annotations_and_bytes_stay(tmp_path: Path) -> None:
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    sound = b"#TS:1700000000\r\n" + RECORDS[0] + b"#TS:1700000005\r\n" + RECORDS[1].replace(b"*", b"*0", 1)
    source.write_bytes(sound + b"*2\r\n$x\r\n" + RECORDS[2])
    repair(str(source), str(result))
    assert result.read_bytes() == sound + RECORDS[2]
