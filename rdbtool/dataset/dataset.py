"""The protocol of datasets: anything with a header, aux fields and keys that can be fed to a sink.

An open RDB and open JSON lines are fed once; an RDB or JSON lines at a path (``FileDataset``), an engine
(``EngineDataset``) and a replayed AOF (``ReplayedDataset``) any number of times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rdbtool._codec.feeder import Feeder
from rdbtool.core.light_typing import TYPE_CHECKING, Protocol
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
    """Keys of all databases, and the data outside the keys.

    ``aux`` and ``functions`` are those met so far: after ``read_preamble`` all that precede the first key, and all of
    them after the dataset was fed. ``repeatable``: it can be fed again.
    """

    repeatable: bool

    @property
    def kind(self) -> str:
        """Its kind: ``rdb`` or ``jsonl`` (an open reader), ``file`` or ``aof``."""

    @property
    def name(self) -> str:
        """Its name in errors."""

    @property
    def size(self) -> int | None:
        """Its size in bytes, None if unknown."""

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
        """The sizes of the databases, None if the file announces them."""

    @property
    def choice(self) -> RulesChoice:
        """The default server rules."""

    @property
    def doubt(self) -> UncertainError | None:
        """What makes the keys uncertain, or their order."""

    @property
    def obstacle(self) -> UncertainError | None:
        """What prevents rewriting or converting the dataset."""

    @property
    def remarks(self) -> Sequence[str]:
        """Remarks for every command that reads the dataset."""

    @property
    def extent(self) -> Extent | None:
        """Where the replay stopped, and what it skipped; None unless it is an AOF."""

    def read_preamble(self) -> list[Item]:
        """Return what precedes the first key. It is fed with the rest as well."""

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> Totals:
        """Feed ``sink`` with everything, but only the keys that ``selection`` matches; return what was read so far."""

    def records(self, *, selection: Selection | None = None, progress: Progress | None = None) -> Iterator[KeyRecord]:
        """Yield the keys that ``selection`` matches."""

    def close(self) -> None:
        """Close what is open, and free what was kept for reading again."""
