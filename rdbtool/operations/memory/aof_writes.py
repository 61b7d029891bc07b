"""Write statistics of an AOF: commands and bytes by command, prefix and minute, and hot keys, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rdbtool._codec.sinks.key_stats import KeyStats
from rdbtool.core.commands import COMMANDS, CONTAINERS
from rdbtool.core.errors import json_bytes
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, NamedTuple
from rdbtool.engine.keyspec import command_name, keys_of
from rdbtool.reader.aof.batches import CommandBatch, read_time, selected_db

if TYPE_CHECKING:
    from rdbtool.core.progress import Progress
    from rdbtool.dataset.replayed import ReplayedDataset
    from rdbtool.reader.aof.reader import AofReader

#: The most names of unknown commands to count separately.
_NAMES: Final = 1000

#: The most keys to count separately, before the less frequent half is dropped.
_KEYS: Final = 1 << 17

#: The most prefixes and keys in a result.
_PREFIXES: Final = 200
_HOTTEST: Final = 20

#: The name for further unknown commands.
OTHERS: Final = b"(others)"


class CommandCount(NamedTuple):
    """Calls of a command, and their bytes in the AOF."""

    name: bytes
    calls: int
    size: int


class PrefixCount(NamedTuple):
    """Commands by the first key that they name; ``path`` as in ``Prefix``."""

    path: bytes
    depth: int
    calls: int
    size: int


class Minute(NamedTuple):
    """Commands in a minute (in Unix minutes), by the timestamp annotations."""

    minute: int
    calls: int
    size: int


class HotKey(NamedTuple):
    """A key and how many commands name it: at least ``calls``, and at most ``error`` more."""

    db: int
    key: bytes
    calls: int
    error: int


class AofStats(NamedTuple):
    """Write statistics of an AOF.

    In bytes, ``size`` is that of all commands, ``whole`` that of all files, and ``rewritten`` that of the base file
    after a rewrite, None if not requested. Commands before the first timestamp annotation belong to no minute.
    """

    calls: int
    size: int
    whole: int
    rewritten: int | None
    commands: tuple[CommandCount, ...]
    prefixes: tuple[PrefixCount, ...]
    minutes: tuple[Minute, ...]
    hottest: tuple[HotKey, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``stats --json`` prints."""
        return {
            "calls": self.calls,
            "size": self.size,
            "whole": self.whole,
            "rewritten": self.rewritten,
            "commands": [row._asdict() | {"name": json_bytes(row.name)} for row in self.commands],
            "prefixes": [
                {"prefix": json_bytes(row.path), "depth": row.depth, "calls": row.calls, "size": row.size}
                for row in self.prefixes
            ],
            "minutes": [row._asdict() for row in self.minutes],
            "hottest": [row._asdict() | {"key": json_bytes(row.key)} for row in self.hottest],
        }


class HotKeys:
    """Counts keys, and drops the less frequent half when there are too many (Misra-Gries)."""

    def __init__(self, room: int = _KEYS) -> None:
        self._room = room
        self._counts: dict[tuple[int, bytes], list[int]] = {}
        self._forgotten = 0

    def add(self, db: int, key: bytes) -> None:
        """Count a key once."""
        found = self._counts.get((db, key))
        if found is not None:
            found[0] += 1
            return
        if len(self._counts) >= self._room:
            self._forget()
        self._counts[db, key] = [1, self._forgotten]

    def _forget(self) -> None:
        counts = sorted(count + error for count, error in self._counts.values())
        self._forgotten = max(counts[len(counts) // 2], self._forgotten)
        self._counts = {place: found for place, found in self._counts.items() if found[0] + found[1] > self._forgotten}

    def hottest(self, number: int) -> tuple[HotKey, ...]:
        """Return the keys with the most commands, most first."""
        rows = sorted(self._counts.items(), key=lambda each: (-each[1][0], each[0]))[:number]
        return tuple(HotKey(db, key, calls, error) for (db, key), (calls, error) in rows)


class _Counter:
    """Counts batches of commands."""

    def __init__(self, tree: KeyStats, rename_commands: Mapping[str, str] | None, databases: int) -> None:
        self.calls = self.size = 0
        self.by_name: dict[bytes, list[int]] = {}
        self.minutes: dict[int, list[int]] = {}
        self.keys = HotKeys()
        self.tree = tree
        self._renamed = {new.upper().encode(): name.upper().encode() for new, name in (rename_commands or {}).items()}
        self._databases = databases
        self._plain: dict[bytes, list[int]] = {}
        self._db = 0
        self._part = -1
        self._minute: int | None = None

    def add(self, batch: CommandBatch) -> None:
        """Count the commands of a batch."""
        if batch.part != self._part:
            self._part, self._db = batch.part, 0
        times = {index: found for index, text in batch.annotations if (found := read_time(text)) is not None}
        offsets = [*batch.offsets, batch.stop]
        for index, argv in enumerate(batch.argvs):
            if index in times:
                self._minute = times[index] // 60
            self._count(argv, offsets[index + 1] - offsets[index])
        if len(batch.argvs) in times:
            self._minute = times[len(batch.argvs)] // 60

    def _count(self, argv: tuple[bytes, ...], size: int) -> None:
        self.calls += 1
        self.size += size
        # Most commands are called by few names, and have one key in front: nothing about those is looked up twice.
        counted = self._plain.get(argv[0])
        if counted is not None and len(argv) > 1:
            named: Sequence[bytes] = argv[1:2]
        else:
            counted, named = self._look_up(argv)
        counted[0] += 1
        counted[1] += size
        if self._minute is not None:
            counted = self.minutes.setdefault(self._minute, [0, 0])
            counted[0] += 1
            counted[1] += size
        if named:
            self.tree.add(self._db, named[0], memory=size)
            for key in named:
                self.keys.add(self._db, key)

    def _look_up(self, argv: tuple[bytes, ...]) -> tuple[list[int], list[bytes]]:
        """Return the counts of a command, and the keys that it names."""
        written = argv[0]
        name = written.upper()
        if name in self._renamed:
            name = self._renamed[name]
            argv = (name, *argv[1:])
        counted = self.by_name.get(name) or self._counts_of(argv)
        row = COMMANDS.get(name)
        if row is not None and row.keys == "1" and name not in CONTAINERS:
            self._plain[written] = counted
        self._db = selected_db(argv, self._db, self._databases)
        return counted, keys_of(argv)

    def _counts_of(self, argv: tuple[bytes, ...]) -> list[int]:
        name = command_name(argv)
        if len(self.by_name) >= _NAMES and name not in COMMANDS:
            name = OTHERS
        return self.by_name.setdefault(name, [0, 0])


def count_commands(
    reader: AofReader,
    tree: KeyStats,
    *,
    databases: int = 16,
    rename_commands: Mapping[str, str] | None = None,
    rewritten: int | None = None,
    progress: Progress | None = None,
) -> AofStats:
    """Count the commands of an AOF, up to damage if there is any; ``tree`` takes their keys.

    ``rewritten`` is the size of the AOF after a rewrite, None if not requested. Raises the errors of reading.
    """
    counter = _Counter(tree, rename_commands, databases)
    for batch in reader.batches(on_fault="stop", progress=progress):
        if isinstance(batch, CommandBatch):
            counter.add(batch)
    names = sorted(counter.by_name.items(), key=lambda each: (-each[1][1], each[0]))
    return AofStats(
        calls=counter.calls,
        size=counter.size,
        whole=sum(row.size for row in reader.parts if row.size is not None),
        rewritten=rewritten,
        commands=tuple(CommandCount(name, *counts) for name, counts in names),
        prefixes=tuple(
            PrefixCount(tree.prefix + row[2], row[1], row[6], row[7]) for row in counter.tree.branches(_PREFIXES)
        ),
        minutes=tuple(Minute(minute, *counts) for minute, counts in sorted(counter.minutes.items())),
        hottest=counter.keys.hottest(_HOTTEST),
    )


def rewritten_size(dataset: ReplayedDataset) -> int:
    """Return the size in bytes of the base file that a rewrite of a dataset would write, with compression.

    Raises UncertainError or FormatError if the dataset is uncertain.
    """
    from rdbtool.dataset.forms import BY_NAME, SinkOptions  # noqa: PLC0415 - for AOFs only
    from rdbtool.writer.dataset_writer import DatasetWriter  # noqa: PLC0415 - likewise

    settled = dataset.settled()
    target = settled.target()
    make = BY_NAME["rdb"].make_sink
    assert make is not None
    options = SinkOptions(target=target, sizes=settled.sizes, role="base")
    writer = DatasetWriter(settled, lambda write: make(write, options), target, allow_loss=True)
    writer.write(lambda data: None, fingerprint=False)  # noqa: ARG005 - only the size is needed
    return writer.bytes
