"""An engine's keys as a dataset: they are fed to a sink by the compiled loop, as often as it is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rdbtool._codec.replay_record import feed_header, feed_item
from rdbtool.core.light_typing import TYPE_CHECKING
from rdbtool.core.location import NOWHERE
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import SCRIPT_AUX
from rdbtool.engine.engine import Engine
from rdbtool.engine.export.events import emit_db, select_version_dependent
from rdbtool.model import Aux, FunctionLibrary, Header, Item, KeyRecord, ModuleAux
from rdbtool.reader.rdb import Totals

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink


def script_fields(engine: Engine) -> list[Aux]:
    """Return the scripts that were loaded into an engine, as an RDB has them: aux fields called lua."""
    return [Aux(SCRIPT_AUX, script, NOWHERE) for script in engine.kept_scripts.values()]


class EngineDataset:
    """The keys and functions of an engine, under a header and aux fields that are given.

    ``module_aux`` is what modules kept beside the keys of the RDB that was loaded.
    """

    repeatable = True

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

    def read_preamble(self) -> list[Item]:
        """Return what precedes the keys. Nothing has to be read for it."""
        return [*self.aux, *self.module_aux, *self.functions]

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> Totals:
        """Feed everything to ``sink``, of the keys those that ``selection`` takes, and return what was looked at.

        ``progress`` is called now and then with 0: there are no bytes to count. The sink is not closed.
        """
        feed_header(self.header.magic, self.header.version, sink)
        for item in self.read_preamble():
            feed_item(item, sink)
        taken = 0 if selection is None else selection.taken
        by_kind: Counter[str] = Counter()
        by_db = {}
        for index, db in sorted(self.engine.dbs.items()):
            if selection is not None and selection.is_full:
                break
            keys, expires, kinds = emit_db(index, db.keys, db.expires, sink, selection, progress)
            by_kind.update(kinds)
            if keys:
                by_db[index] = keys, expires
        keys = sum(keys for keys, _ in by_db.values())
        selected = keys if selection is None else selection.taken - taken
        return Totals(keys, sum(expires for _, expires in by_db.values()), selected, dict(by_kind), by_db)

    def records(self, *, selection: Selection | None = None, progress: Progress | None = None) -> Iterator[KeyRecord]:
        """Yield the keys that ``selection`` takes."""
        del progress  # nothing is read
        for record in self.engine.records():
            if selection is None or selection.take(record):
                yield record
                if selection is not None and selection.is_full:
                    return

    def items(
        self, *, selection: Selection | None = None, progress: Progress | None = None
    ) -> Iterator[Item | KeyRecord]:
        """Yield the header and what precedes the keys, then the keys."""
        yield self.header
        yield from self.read_preamble()
        yield from self.records(selection=selection, progress=progress)

    def doubtful(self) -> EngineDataset:
        """Return the same without the keys that every target holds: those of plain types whose parts never expire."""
        rest = Engine(rules=self.engine.rules)
        rest.functions = self.engine.functions
        for index, db in self.engine.dbs.items():
            kept = rest.database(index)
            for key, data in select_version_dependent(db.keys).items():
                kept.put(key, data)
        return EngineDataset(rest, self.header, self.aux, self.module_aux)
