"""An engine's keys as a source: it tells a sink of everything, as often as it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rdbtool._codec.replay_record import feed_header, feed_item, feed_record
from rdbtool.core.location import NOWHERE
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import SCRIPT_AUX
from rdbtool.engine.engine import Engine
from rdbtool.engine.export.events import tell_db
from rdbtool.engine.export.key_records import is_plain
from rdbtool.model import Aux, FunctionLibrary, Header, Item, KeyRecord, ModuleAux

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink


def script_fields(engine: Engine) -> list[Aux]:
    """Return the scripts that were loaded into an engine, as an RDB has them: aux fields called lua."""
    return [Aux(SCRIPT_AUX, script, NOWHERE) for script in engine.kept_scripts.values()]


class EngineState:
    """The keys and functions of an engine, under a header and aux fields that are given.

    ``module_aux`` is what modules kept beside the keys of the snapshot.
    """

    def __init__(
        self, engine: Engine, header: Header, aux: Sequence[Aux] = (), module_aux: Sequence[ModuleAux] = ()
    ) -> None:
        self.engine = engine
        self.header = header
        self.aux = list(aux)
        self.module_aux = tuple(module_aux)

    @property
    def functions(self) -> list[FunctionLibrary]:
        """The function libraries that the engine holds."""
        return self.engine.libraries

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

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> None:
        """Tell ``sink`` of everything. ``progress`` is called now and then with 0: there are no bytes to count."""
        feed_header(self.header.magic, self.header.version, sink)
        items: list[Item] = [*self.aux, *self.module_aux, *self.functions]
        for item in items:
            feed_item(item, sink)
        if selection is None:
            for index, db in sorted(self.engine.dbs.items()):
                tell_db(index, db.keys, db.expires, sink, progress)
            return
        for record in self.records(selection=selection):
            feed_record(record, sink)

    def doubtful(self) -> EngineState:
        """Return the same without the keys that every target holds: those of plain types whose parts never expire."""
        rest = Engine(rules=self.engine.rules)
        rest.functions = self.engine.functions
        for index, db in self.engine.dbs.items():
            kept = rest.database(index)
            for key, data in db.keys.items():
                if not is_plain(data):
                    kept.put(key, data)
        return EngineState(rest, self.header, self.aux, self.module_aux)
