"""What is dropped on the way from an input to an output: by request, or because of a key filter.

A part is what ``--drop`` calls it: functions, scripts, aux, module-aux, groups, or module:NAME for everything that the
module with the type NAME owns. With a key filter, only keys are kept, unless functions are requested. Neither counts as
a loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rdbtool._codec.filters.drop import Drop
from rdbtool.core.errors import CollisionError, RdbToolError
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import WRITER_AUX

if TYPE_CHECKING:
    from rdbtool._codec.feeder import Feeder
    from rdbtool._codec.filters.expiries import Expiry
    from rdbtool._codec.filters.relocate import Relocate
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.core.progress import Progress
    from rdbtool.operations.convert.reshaping import Reshaping

#: The parts that can be dropped, besides ``module:NAME``.
PARTS: Final = ("functions", "scripts", "aux", "module-aux", "groups")

_MODULE: Final = "module:"

#: Length of a module's type name in bytes.
_NAME_SIZE: Final = 9

#: What "functions" includes: code, and module data outside the keys.
_FUNCTIONS: Final = frozenset({"functions", "scripts", "module-aux"})

#: Everything outside the keys.
_BESIDE: Final = _FUNCTIONS | {"aux", "slot-imports"}


class Leaving(NamedTuple):
    """What to drop: ``parts`` and the data of the types ``modules`` by request, ``beside`` because of a key filter."""

    parts: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, drop: Iterable[str] = (), *, functions: bool | None = None, has_filter: bool = False) -> Leaving:
        """Parse the names given to ``--drop``. ``functions`` None: keep unless keys are filtered. Raises ValueError."""
        parts, modules = set(), set()
        for text in drop:
            name = text.removeprefix(_MODULE)
            if name != text:
                if len(name) != _NAME_SIZE:
                    raise ValueError(f"{name!r} is not the name of a module's type, which has {_NAME_SIZE} characters")
                modules.add(name)
            elif text in PARTS:
                parts.add(text)
            else:
                raise ValueError(f"must be one of {', '.join(PARTS)}, module:NAME, not {text!r}")
        if functions is False:
            parts |= _FUNCTIONS
        beside = _BESIDE - parts if has_filter and not functions else frozenset[str]()
        return cls(frozenset(parts), frozenset(modules), beside)

    def without(self, *parts: str) -> Leaving:
        """Return the same without reporting parts that the output has no place for."""
        return self._replace(beside=self.beside.difference(parts))


class Left(NamedTuple):
    """What was dropped, counted by part: by request, and because of a key filter."""

    dropped: dict[str, int]
    beside: dict[str, int]


class FilterChain:
    """Drops parts, reshapes keys, and counts what was dropped."""

    def __init__(self, leaving: Leaving, reshaping: Reshaping | None = None) -> None:
        self.leaving = leaving
        self.reshaping = reshaping
        self._requested: list[Drop | Expiry] = []
        self._beside: list[Drop] = []
        self._relocate: Relocate | None = None

    def feed(
        self, source: Feeder, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None
    ) -> object:
        """Feed ``sink`` with what is not dropped of ``source``. Raises CollisionError, and what reading raises."""
        try:
            fed = source.feed(self.wrap(sink), selection=selection, progress=progress)
        except CollisionError:
            raise
        except RdbToolError:
            # A collision before it comes first.
            self._look_up()
            raise
        self._look_up()
        return fed

    def _look_up(self) -> None:
        if self._relocate is not None:
            self._relocate.look_up()

    def wrap(self, sink: Sink) -> Sink:
        """Return a sink that passes on to ``sink`` what is not dropped."""
        parts, modules, beside = self.leaving
        if self.reshaping is not None:
            sink, self._relocate, expiry = self.reshaping.wrap(sink)
            if expiry is not None:
                self._requested.append(expiry)
        if beside:
            sink = Drop(sink, parts=beside, kept_aux=WRITER_AUX)
            self._beside.append(sink)
        if parts or modules:
            sink = Drop(sink, parts=parts, modules=modules)
            self._requested.append(sink)
        return sink

    @property
    def left(self) -> Left:
        """What was dropped so far."""
        return Left(_sum(self._requested), _sum(self._beside))


class FilteredFeeder:
    """An input fed through a ``FilterChain``; see ``Feeder``."""

    def __init__(self, source: Feeder, chain: FilterChain) -> None:
        self._source = source
        self._chain = chain

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> object:
        """Feed ``sink`` with everything that is not dropped."""
        return self._chain.feed(self._source, sink, selection=selection, progress=progress)


def _sum(drops: Iterable[Drop | Expiry]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for drop in drops:
        counts.update(drop.dropped)
    return dict(sorted(counts.items()))
