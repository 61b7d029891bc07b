"""Write statistics of an AOF: commands and bytes by command, prefix and minute, and hot keys, in bounded memory."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from rdbtool._codec.sinks.command_counts import Calls, CommandCounts, HotKeys
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


class _Counter:
    """Counts batches of commands."""

    def __init__(self, tree: KeyStats, rename_commands: Mapping[str, str] | None, databases: int) -> None:
        self.counts = CommandCounts(tree, HotKeys(_KEYS), self._look_up)
        self.by_name: dict[bytes, Calls] = {}
        self.minutes: dict[int, Calls] = {}
        self._renamed = {new.upper().encode(): name.upper().encode() for new, name in (rename_commands or {}).items()}
        self._databases = databases
        self._part = -1
        self._minute: Calls | None = None

    def add(self, batch: CommandBatch) -> None:
        """Count the commands of a batch."""
        if batch.part != self._part:
            self._part, self.counts.db = batch.part, 0
        offsets = array("q", batch.offsets.tobytes())
        offsets.append(batch.stop)
        begin = 0
        for index, text in batch.annotations:
            time = read_time(text)
            if time is not None:
                self.counts.count(batch.argvs, offsets, begin, index, self._minute)
                begin, self._minute = index, self.minutes.setdefault(time // 60, Calls())
        self.counts.count(batch.argvs, offsets, begin, len(batch.argvs), self._minute)

    def _look_up(self, argv: tuple[bytes, ...]) -> tuple[Calls, list[bytes]]:
        """Return the counts of a command, and the keys that it names."""
        written = argv[0]
        name = written.upper()
        if name in self._renamed:
            name = self._renamed[name]
            argv = (name, *argv[1:])
        counted = self.by_name.get(name) or self._counts_of(argv)
        row = COMMANDS.get(name)
        if row is not None and row.keys == "1" and name not in CONTAINERS:
            self.counts.plain[written] = counted
        self.counts.db = selected_db(argv, self.counts.db, self._databases)
        return counted, keys_of(argv)

    def _counts_of(self, argv: tuple[bytes, ...]) -> Calls:
        name = command_name(argv)
        if len(self.by_name) >= _NAMES and name not in COMMANDS:
            name = OTHERS
        return self.by_name.setdefault(name, Calls())


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
    names = sorted(counter.by_name.items(), key=lambda each: (-each[1].size, each[0]))
    total = counter.counts.total
    return AofStats(
        calls=total.calls,
        size=total.size,
        whole=sum(row.size for row in reader.parts if row.size is not None),
        rewritten=rewritten,
        commands=tuple(CommandCount(name, counts.calls, counts.size) for name, counts in names),
        prefixes=tuple(PrefixCount(tree.prefix + row[2], row[1], row[6], row[7]) for row in tree.branches(_PREFIXES)),
        minutes=tuple(
            Minute(minute, counts.calls, counts.size)
            for minute, counts in sorted(counter.minutes.items())
            if counts.calls
        ),
        hottest=tuple(HotKey(*row) for row in counter.counts.keys.hottest(_HOTTEST)),
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
