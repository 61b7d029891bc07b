"""An engine's keys as a source: it tells a sink of everything, as often as it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rdbtool._codec.feed import feed_header, feed_item, feed_record
from rdbtool.model import Aux, FunctionLibrary, Header, KeyRecord
from rdbtool.span import Span

if TYPE_CHECKING:
    from rdbtool._codec.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.engine.engine import Engine

#: A progress report for every so many keys: it is where a caller looks at the world outside.
_KEYS_PER_REPORT = 4096


class EngineState:
    """The keys and functions of an engine, under a header and aux fields that are given."""

    def __init__(self, engine: Engine, header: Header, aux: Sequence[Aux] = ()) -> None:
        self.engine = engine
        self.header = header
        self.aux = list(aux)

    @property
    def functions(self) -> list[FunctionLibrary]:
        """The function libraries that the engine holds."""
        return [FunctionLibrary(code, released=True, span=Span(-1, -1)) for code in self.engine.functions.values()]

    @property
    def sizes(self) -> dict[int, tuple[int, int]]:
        """The numbers of keys, and of keys with an expiry, by db."""
        return {index: (len(db.keys), len(db.expires)) for index, db in self.engine.dbs.items() if db.keys}

    def records(self, *, selection: Selection | None = None) -> Iterator[KeyRecord]:
        """Yield the keys that ``selection`` takes."""
        for record in self.engine.records():
            if selection is None or selection.take(record):
                yield record
                if selection is not None and selection.is_full:
                    return

    def feed(
        self, sink: Sink, *, selection: Selection | None = None, progress: Callable[[int], object] | None = None
    ) -> None:
        """Tell ``sink`` of everything. ``progress`` is called now and then with 0: there are no bytes to count."""
        feed_header(self.header.magic, self.header.version, sink)
        for aux in self.aux:
            feed_item(aux, sink)
        for library in self.functions:
            feed_item(library, sink)
        for index, record in enumerate(self.records(selection=selection)):
            feed_record(record, sink)
            if progress is not None and index % _KEYS_PER_REPORT == 0:
                progress(0)
