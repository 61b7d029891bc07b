"""An AOF as a dataset: the engine's contents after the replay, and whether they are certain."""

from __future__ import annotations

from collections.abc import Iterator

from rdbtool.core.light_typing import TYPE_CHECKING, Final, Literal, Self
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


#: After commands were replayed, the dataset no longer matches the replication offset in the aux fields.
_REPLICATION: Final = frozenset({b"repl-stream-db", b"repl-id", b"repl-offset"})


class ReplayedDataset(EngineDataset):
    """The dataset of a replayed AOF. ``name`` and ``size`` (bytes, None: unknown) are those of the AOF.

    ``doubt``, ``obstacle`` and ``remarks`` are those of ``loaded``. If damage ended the AOF early, the keys before it
    are fed first, and then the fault is raised.
    """

    #: The kind of dataset, next to those of the readers.
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
        """Return the dataset as one that is written elsewhere: without a replication offset.

        Raises if it is uncertain: the damage (FormatError), or a command of unknown effect (UncertainError).
        """
        if self.loaded.fault is not None:
            raise self.loaded.fault
        if self.obstacle is not None:
            raise self.obstacle
        settled = type(self)(self.loaded, self.name, self.size)
        settled.aux = [field for field in self.aux if field.key not in _REPLICATION]
        return settled

    def refuse_doubt(self) -> None:
        """Raise UncertainError if anything makes the dataset uncertain, even only an order."""
        if self.doubt is not None:
            raise self.doubt

    def target(self) -> Target:
        """Return the target of its RDB; without one the oldest known server that can hold the data."""
        if self.names_version:
            return default_target(self.header, self.aux)
        return raise_target(default_target(None), self.doubtful(), commands=True)

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> Totals:
        """Feed ``sink`` with everything, then raise the fault that ended the AOF, if any. See ``EngineDataset``."""
        totals = super().feed(sink, selection=selection, progress=progress)
        if self.loaded.fault is not None and (selection is None or not selection.is_full):
            raise self.loaded.fault
        return totals

    def records(self, *, selection: Selection | None = None, progress: Progress | None = None) -> Iterator[KeyRecord]:
        """Yield the keys that ``selection`` matches, then raise the fault that ended the AOF, if any."""
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
