"""An AOF as a dataset: what the engine holds after the replay, and how certain that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal, Self

from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import SCRIPT_AUX
from rdbtool.core.servers import Target, default_target
from rdbtool.engine.export.engine_dataset import EngineDataset, script_fields
from rdbtool.reader.rdb import Totals
from rdbtool.writer.rdb import raise_target

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.engine.replay.loader import Loaded
    from rdbtool.model import KeyRecord


#: A dataset that commands led to is not the one that a replica had at this place of its master's stream.
_REPLICATION: Final = frozenset({b"repl-stream-db", b"repl-id", b"repl-offset"})


class ReplayedDataset(EngineDataset):
    """What an AOF leads to. ``name`` and ``size`` (bytes, None: unknown) are those of the AOF.

    ``doubt``, ``obstacle`` and ``remarks`` are those of ``loaded``. Where damage ended the AOF early, the keys that
    precede it are handed out first, and then the fault is raised.
    """

    #: What kind of dataset this is, beside those of the readers.
    kind: Literal["aof"] = "aof"

    def __init__(self, loaded: Loaded, name: str, size: int | None) -> None:
        engine = loaded.replay.engine
        fields = [field for field in loaded.aux if field.key != SCRIPT_AUX]
        super().__init__(engine, loaded.header, [*fields, *script_fields(engine)], loaded.module_aux)
        self.loaded = loaded
        self.name = name
        self.size = size
        self.choice = loaded.choice
        self.doubt = loaded.doubt
        self.obstacle = loaded.obstacle
        self.remarks = loaded.remarks
        self.extent = loaded.extent

    @property
    def names_version(self) -> bool:
        """Whether the AOF begins with an RDB, which has a version."""
        return any(part.format in {"rdb", "rdb+resp"} for part in self.loaded.parts)

    def settled(self) -> Self:
        """Return the dataset as one that is written elsewhere: nothing in it says where a replica stood.

        Raises where it is uncertain: the damage (FormatError), or a command of unknown effect (UncertainError).
        """
        if self.loaded.fault is not None:
            raise self.loaded.fault
        if self.obstacle is not None:
            raise self.obstacle
        settled = type(self)(self.loaded, self.name, self.size)
        settled.aux = [field for field in self.aux if field.key not in _REPLICATION]
        return settled

    def refuse_doubt(self) -> None:
        """Raise UncertainError where anything makes the dataset uncertain, be it an order only."""
        if self.doubt is not None:
            raise self.doubt

    def target(self) -> Target:
        """Return what its RDB was written for; without one the oldest server of ours that holds the data."""
        if self.names_version:
            return default_target(self.header, self.aux)
        return raise_target(default_target(None), self.doubtful(), commands=True)

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> Totals:
        """Feed everything to ``sink``, then raise the fault that ended the AOF, if one did. See ``EngineDataset``."""
        totals = super().feed(sink, selection=selection, progress=progress)
        if self.loaded.fault is not None and (selection is None or not selection.is_full):
            raise self.loaded.fault
        return totals

    def records(self, *, selection: Selection | None = None, progress: Progress | None = None) -> Iterator[KeyRecord]:
        """Yield the keys that ``selection`` takes, then raise the fault that ended the AOF, if one did."""
        yield from super().records(selection=selection, progress=progress)
        if self.loaded.fault is not None and (selection is None or not selection.is_full):
            raise self.loaded.fault

    def __iter__(self) -> Iterator[KeyRecord]:
        return self.records()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open: the AOF was read before."""
