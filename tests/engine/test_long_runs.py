"""Collections that thousands of commands make, and long strings: told from the file, as if they had been executed."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from convert import logs

from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.filters.target import TargetFilter
from rdbtool._codec.replay_record import feed_header, feed_record
from rdbtool._codec.sink import Sink
from rdbtool._codec.sinks.fingerprint import Fingerprint
from rdbtool.core.errors import FormatError, ReplayError
from rdbtool.core.servers import Target, server_of
from rdbtool.engine.engine import Engine
from rdbtool.engine.export.engine_dataset import EngineDataset
from rdbtool.engine.replay import streaming
from rdbtool.engine.replay.executor import Replay
from rdbtool.engine.replay.streaming import CommandsFile
from rdbtool.model import (
    HashValue,
    Header,
    KeyRecord,
    ListValue,
    PendingEntry,
    SetValue,
    StreamConsumer,
    StreamEntry,
    StreamGroup,
    StreamID,
    StringValue,
    Value,
    ZSetValue,
)
from rdbtool.model import StreamValue as Stream
from rdbtool.reader.aof.batches import CommandBatch
from rdbtool.reader.aof.reader import open_aof

#: Enough for several batches of commands.
COUNT = 30_000


def member(at: int) -> bytes:
    return b"%064d" % at


def stream(gone: tuple[int, ...] = (), **changes: object) -> Stream:
    entries = [StreamEntry(StreamID(at, 1), ((b"f", member(at)),)) for at in range(1, COUNT // 2) if at not in gone]
    busy, idle = StreamConsumer(b"busy", 1, 1), StreamConsumer(b"idle", 1, 1)
    pending = [PendingEntry(StreamID(at, 1), b"busy", 70 + at, 3) for at in (5, 6, 900, 12_000)]
    given: dict[str, object] = {
        "last_id": StreamID(COUNT, 0),
        "first_id": entries[0].id,
        "max_deleted_id": StreamID(max(gone, default=0), 1 if gone else 0),
        "entries_added": COUNT,
        "groups": [
            StreamGroup(b"a", StreamID(900, 1), 800, [busy, idle], pending),
            StreamGroup(b"b", StreamID(0, 0), None, [], []),
        ],
    }
    return Stream(entries, **{**given, **changes})  # type: ignore[arg-type]


#: Long, with sequences of UTF-8 across any limit of a piece.
TEXT = "x" + "\N{EURO SIGN}" * (1 << 19)

VALUES: dict[str, Callable[[], Value]] = {
    "string": lambda: StringValue(TEXT.encode()),
    "list": lambda: ListValue(map(member, range(COUNT))),
    "set": lambda: SetValue(map(member, range(COUNT))),
    "zset": lambda: ZSetValue((member(at), at / 8) for at in range(COUNT)),
    "hash": lambda: HashValue((member(at), b"v", None) for at in range(COUNT)),
    "some fields expire": lambda: HashValue((member(at), b"v", 99 if at == 7 else None) for at in range(COUNT)),
    "stream": stream,
    "stream without groups": lambda: stream(groups=[]),
    "entries are gone": lambda: stream(gone=(5, 900)),
}


def written(value: Value, target: Target, path: Path) -> str:
    """Write a key between two others as the commands of a target; return the fingerprint of what was let through."""
    out = io.BytesIO()
    told = Fingerprint(signed_zeros=False)
    for sink in (fit(Resp(out.write, magic=target.magic, version=target.version, release=target.release), target),
                 fit(told, target)):  # fmt: skip
        feed_header("REDIS", 12, sink)
        for key, each in ((b"a", StringValue(b"1")), (b"k", value), (b"z", StringValue(b"2"))):
            feed_record(KeyRecord(db=3, key=key, value=each, expire_at_ms=5_000_000), sink)
        sink.close()
    path.write_bytes(out.getvalue())
    return told.hexdigest()


def fit(sink: Sink, target: Target) -> TargetFilter:
    return TargetFilter(
        sink, magic=target.magic, version=target.version, release=target.release, commands=True, allow_loss=True
    )


def read_back(path: Path, target: Target) -> str:
    told = Fingerprint(signed_zeros=False)
    CommandsFile(str(path), server_of(*target)).feed(fit(told, target))
    return told.hexdigest()


@pytest.mark.parametrize("server", ["redis-5.0", "redis-7.0", "valkey-9.0"])
@pytest.mark.parametrize("made", VALUES)
def test_as_if_executed(made: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target.parse(server)
    expected = written(VALUES[made](), target, tmp_path / "x.resp")
    begun: list[bool] = []
    begin = streaming._Feeding._begin

    def spy(self: streaming._Feeding, *given: object) -> bool:
        begun.append(begin(self, *given))  # type: ignore[arg-type]
        return begun[-1]

    monkeypatch.setattr(streaming._Feeding, "_begin", spy)
    assert read_back(tmp_path / "x.resp", target) == expected
    # What changes fields one by one is executed.
    assert (True in begun) == (made != "some fields expire" or server != "valkey-9.0")
    monkeypatch.setattr(streaming._Feeding, "_begin", lambda *_: False)
    assert read_back(tmp_path / "x.resp", target) == expected


@pytest.mark.parametrize(
    "late",
    [
        logs.command("ZADD", "k", "nan", "m"),
        logs.command("ZADD", "k", "1"),
        logs.command("ZREM", "k", "m1"),
        logs.command("ZADD", "k", "XX", "7", "m1"),
        logs.command("SADD", "k", "m"),
        logs.command("DEL", "k"),
    ],
)
def test_what_is_not_plain_is_executed(late: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = b"".join(logs.command("ZADD", "k", str(at), f"m{at}" + "x" * 64) for at in range(COUNT))
    path = logs.write(tmp_path / "x.aof", plain + late)
    target = Target.parse("redis-7.2")

    def outcome() -> str:
        try:
            return read_back(path, target)
        except ReplayError as error:
            return str(error)

    found = outcome()
    monkeypatch.setattr(streaming, "find_run", lambda argvs, _: len(argvs))
    assert found == outcome()


@pytest.mark.parametrize(
    "commands",
    [
        [logs.command("SET", "k", "1"), logs.command("SET", "k", TEXT)],
        [logs.command("SET", "k", TEXT), logs.command("APPEND", "k", "x")],
        [logs.command("SET", "k", TEXT), logs.command("SET", "k", TEXT + "2")],
        [logs.command("MULTI"), logs.command("SET", "k", TEXT), logs.command("EXEC")],
        [logs.command("SET", "k", TEXT), logs.command("EXPIREAT", "k", "7000"), logs.command("SET", "l", TEXT)],
        [logs.command("SET", "k" * (1 << 19), TEXT), logs.command("SET", "l", "1")],
        [logs.command("SADD", "k", f"{at}" + "x" * 64) for at in range(COUNT)] + [logs.command("SET", "l", TEXT)],
        [logs.command("set", "k", TEXT)],
    ],
)
def test_long_strings(commands: list[bytes], tmp_path: Path) -> None:
    """Equal to what is executed from an input that can be read only once."""
    path = logs.write(tmp_path / "x.aof", b"".join(commands))
    target = Target.parse("redis-7.2")
    engine = Engine(rules=server_of(*target), databases=1)
    replay = Replay(engine, strict=True)
    with open_aof(io.BytesIO(b"".join(commands))) as reader:
        for batch in reader.batches():
            assert isinstance(batch, CommandBatch)
            replay.run(batch.argvs, batch.offsets, batch.first_number)
    expected = Fingerprint(signed_zeros=False)
    EngineDataset(engine, Header("REDIS", 11), []).feed(expected)
    assert read_back(path, target) == expected.hexdigest()


def test_what_follows_a_run_may_be_damaged(tmp_path: Path) -> None:
    run = b"".join(logs.command("SADD", "k", f"{at}" + "x" * 64) for at in range(COUNT))
    for before in (run, logs.command("SET", "k", TEXT)):
        path = logs.write(tmp_path / "x.aof", before + b"*1\r\n$x\r\n")
        with pytest.raises(FormatError, match="in decimal digits"):
            read_back(path, Target.parse("redis-7.2"))


def test_a_long_string_is_not_held_by_the_window(tmp_path: Path) -> None:
    """A check counts it; what collects it gets it; its line end is examined."""
    data = logs.command("SET", "k", TEXT) + logs.command("PING")
    path = logs.write(tmp_path / "x.aof", data)
    with open_aof(path) as reader:
        assert reader.check() == 2
    with open_aof(path) as reader:
        assert [(one.offset, one.argv) for one in reader.commands()] == [
            (0, (b"SET", b"k", TEXT.encode())),
            (len(data) - 14, (b"PING",)),
        ]
    path = logs.write(tmp_path / "y.aof", data.replace(b"\r\n*1", b"\rx*1"))
    with open_aof(path) as reader, pytest.raises(FormatError) as raised:
        reader.check()
    assert raised.value.code == "AOF107"
