"""What a dataset is: anything with a header, aux fields and keys that can be fed to a sink.

An open RDB and open JSON lines are fed once; an RDB or JSON lines at a path (``FileDataset``), an engine
(``EngineDataset``) and an AOF that was replayed (``ReplayedDataset``) as often as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from rdbtool._codec.feeder import Feeder
from rdbtool.core.progress import Progress

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.core.errors import UncertainError
    from rdbtool.core.servers import RulesChoice
    from rdbtool.engine.replay.stops import Extent
    from rdbtool.model import Aux, FunctionLibrary, Header, Item, KeyRecord
    from rdbtool.reader.rdb import Totals

#: Numbers of keys, and of keys with an expiry, by db.
Sizes = dict[int, tuple[int, int]]


class Dataset(Feeder, Protocol):
    """Keys of all databases, and what stands beside them.

    ``aux`` and ``functions`` are those that were met: all that stand in front of the first key once ``read_preamble``
    was called, and all of them once the dataset was fed. ``repeatable``: it can be fed again.
    """

    repeatable: bool

    @property
    def kind(self) -> str:
        """What it is: ``rdb`` or ``jsonl`` (an open reader), ``file`` or ``aof``."""

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def size(self) -> int | None:
        """Its size in bytes, None where nobody knows."""

    @property
    def header(self) -> Header:
        """Magic and RDB version."""

    @property
    def aux(self) -> list[Aux]:
        """The aux fields."""

    @property
    def functions(self) -> list[FunctionLibrary]:
        """The function libraries."""

    @property
    def sizes(self) -> Sizes | None:
        """The sizes of the databases, None where it is for the file to announce them."""

    @property
    def choice(self) -> RulesChoice:
        """Whose rules apply where nobody names them."""

    @property
    def doubt(self) -> UncertainError | None:
        """What makes the keys uncertain, their order among it."""

    @property
    def obstacle(self) -> UncertainError | None:
        """What stops whatever rewrites or converts the dataset."""

    @property
    def remarks(self) -> Sequence[str]:
        """What everything that reads the dataset has to tell."""

    @property
    def extent(self) -> Extent | None:
        """Where the replay stopped, and what it skipped; None for what is no AOF."""

    def read_preamble(self) -> list[Item]:
        """Return what stands in front of the first key. It is fed as well, with the rest."""

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> Totals:
        """Feed everything to ``sink``, of the keys those that ``selection`` takes; return what was read so far."""

    def records(self, *, selection: Selection | None = None, progress: Progress | None = None) -> Iterator[KeyRecord]:
        """Yield the keys that ``selection`` takes."""

    def close(self) -> None:
        """Close what is open, and forget what was kept for reading again."""
