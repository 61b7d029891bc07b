"""Commands with arguments that the window does not hold are read as any others."""

from __future__ import annotations

import pytest

from rdbtool.core.errors import FormatError
from rdbtool.reader.aof.command_stats import Uses
from rdbtool.reader.aof.reader import open_aof

MIB = 1 << 20
LONG = b"v" * (MIB + 1)
LONGER = bytes(range(256)) * (5 * MIB // 512)


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


SELECT = command(b"SELECT", b"0")
#: More than the window has at first, so that what follows begins anywhere in it.
FILL = b"".join(command(b"SET", b"key:%d" % number, b"x" * 900) for number in range(700))
COMMANDS = {
    "SET": [(b"SET", b"k", LONG)],
    "set": [(b"set", b"k", LONGER)],
    "an option": [(b"SET", b"k", LONG, b"PX", b"1000")],
    "a key": [(b"SET", LONG, b"v")],
    "alone": [(LONG,)],
    "elements": [(b"RPUSH", b"k", b"a", LONG, b"b", LONGER, LONG, b"c")],
    "many": [(b"RPUSH", b"k", LONG, *(b"%d" % number for number in range(30000)), LONGER)],
    "pairs": [(b"HSET", b"k", LONG, b"v", b"f", LONGER)],
    "a subcommand": [(b"XGROUP", b"CREATE", b"k", LONG, b"$"), (b"XGROUP", b"DESTROY", b"k", LONG)],
    "a transaction": [(b"MULTI",), (b"SADD", b"k", b"m", LONG), (b"EXEC",), (b"SADD", b"k", LONG, LONG)],
}


def read(source, backend: str):
    """Return the commands with their offsets, the names in use, and the fault with the place where reading goes on."""
    uses = Uses()
    with open_aof(source, backend=backend) as reader:
        reader.uses = uses
        commands = [
            (argv, at) for batch in reader.batches(on_fault="skip") for argv, at in zip(batch[0], batch[1], strict=True)
        ]
    faults = [(fault.at, fault.expected, tail) for fault, tail in reader.faults]
    return commands, reader.count, faults, reader.tail, uses.by_name


@pytest.mark.parametrize("between", [b"", FILL], ids=["at the front", "later"])
@pytest.mark.parametrize("name", COMMANDS)
def test_all_backends_and_inputs_agree(name, between, tmp_path):
    data = SELECT + between + b"".join(command(*words) for words in COMMANDS[name]) + command(b"SET", b"last", b"1")
    path = tmp_path / "log.aof"
    path.write_bytes(data)
    found = read(path, "codec")
    assert [argv for argv, _ in found[0]][-1 - len(COMMANDS[name]) : -1] == COMMANDS[name]
    assert not found[2]
    # The judge holds everything: it parses line by line.
    assert found == read(path, "grammar")
    with open_aof(path) as reader:
        assert reader.check() == len(found[0])


DAMAGE = {
    "a line end": lambda data: data.replace(LONG + b"\r\n", LONG + b"\rX", 1),
    "the next header": lambda data: data.replace(LONG + b"\r\n$", LONG + b"\r\n!", 1),
    "a size": lambda data: data.replace(b"$%d\r" % len(LONG), b"$%d\r" % (len(LONG) + 7), 1),
    "a large size": lambda data: data.replace(b"$%d\r" % len(LONGER), b"$99999999999999\r", 1),
    "a count": lambda data: data.replace(b"*6\r", b"*7\r", 1),
    "truncated": lambda data: data[: data.index(LONGER) + MIB],
    "truncated after it": lambda data: data[: data.index(LONGER) + len(LONGER) + 1],
}


@pytest.mark.parametrize("between", [b"", FILL], ids=["at the front", "later"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_has_the_same_place(damage, between, tmp_path):
    whole = command(b"RPUSH", b"k", b"a", LONG, b"b", LONGER)
    after = b"" if damage.startswith("truncated") else FILL
    data = SELECT + between + DAMAGE[damage](whole) + after
    path = tmp_path / "log.aof"
    path.write_bytes(data)
    found = read(path, "codec")
    assert found[2]
    assert found == read(path, "grammar")
    with open_aof(path) as reader, pytest.raises(FormatError) as caught:
        reader.check()
    assert caught.value.at == found[2][0][0]
