"""What follows the first damage of an RDB: the walk of ``salvage``, and its findings.

A valid file is read once, by its reader. Where that stops, the walk begins, over the same bytes at any offset; the same
checks apply. It is bounded: it gives up on a file full of damage.
"""

from __future__ import annotations

from rdbtool.core.errors import (
    Finding,
    FormatError,
    InputError,
    LimitError,
    UnsupportedError,
    describe_error,
    what_servers_do,
)
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.operations.salvage.input import Stock
from rdbtool.operations.salvage.rdb import Counts, Damage, Piece, RdbSalvage
from rdbtool.operations.salvage.rdb_find import CommandSearch
from rdbtool.operations.salvage.rdb_walker import Layout, Position, Walker, is_end
from rdbtool.operations.validate.verdict import KEPT, describe_fault

if TYPE_CHECKING:
    from rdbtool._codec.sinks.check import Check
    from rdbtool.core.progress import Progress
    from rdbtool.reader.rdb import RdbReader

#: Total number of places tried as records: some seconds.
_TRIALS: Final = 200_000

_MANY: Final = 1 << 30


class DamageReport(NamedTuple):
    """The rest from the first damage on: all ``damages``, the first one included, and readable keys by db.

    ``unread`` says why nothing, or no more, was examined.
    """

    damages: list[Damage]
    counts: Counts
    unread: str | None = None


def walk_on(reader: RdbReader, error: FormatError, check: Check, progress: Progress | None) -> DamageReport | None:
    """Walk over what follows ``error``, which ended reading; ``check`` receives it. None: it is at the end mark.

    Raises InputError.
    """
    at = error.readable_up_to
    target = reader.source.again
    if at is None or error.code == "RDB003":
        return DamageReport([], {})
    if target is None:
        return DamageReport([], {}, "the input can be read only once")
    try:
        stock = Stock(target, name=reader.source.name)
    except (InputError, LimitError) as failure:
        return DamageReport([], {}, describe_error(failure, with_remedy=False))
    state = reader.state()
    form = Layout(reader.header.magic, reader.header.version, state.max_inflate, embedded=reader.embedded)
    place = Position(at, state.db, dict(state.templates), state.fork, is_first=not state.records)
    damages: list[Damage] = []
    unread = None
    with stock:
        if at >= stock.size:
            return DamageReport([], {})
        if is_end(stock, form, at, stock.size):
            return None
        commands = CommandSearch(stock)
        before = _before(stock, form, place, check)
        walk = RdbSalvage(
            stock,
            form,
            place=place,
            check=check,
            before=before,
            behind=(lambda start: commands.find(start)[0]) if form.embedded else None,
            on_damage=damages.append,
            most=KEPT,
            trials=_TRIALS,
            progress=progress,
        )
        try:
            walk.run()
        except (LimitError, UnsupportedError) as failure:
            unread = describe_error(failure, with_remedy=False)
        counts = walk.totals
        if not reader.embedded:
            reader.source.check_unchanged()
    # Those before it were counted already.
    for db, (keys, expires) in () if before is None else before.counts.items():
        found = counts.get(db, (0, 0))
        counts[db] = found[0] - keys, found[1] - expires
    return DamageReport(damages, counts, unread)


def _before(stock: Stock, form: Layout, place: Position, check: Check) -> Piece | None:
    """Return the last records before a place as a piece: they may have swallowed others."""
    recent = check.recent
    if recent is None or recent[0] >= place.at:
        return None
    start = place._replace(at=recent[0], db=recent[1])
    walker = Walker(stock, form, start, stop=place.at)
    walker.step(_MANY)
    if place.at not in {walker.at, walker.view.at}:
        return None
    return Piece(start, place.at, walker.decoder.keys, 0, walker.decoder.take_counts())


def describe_damage(damage: Damage, part: str) -> Finding:
    """Return damage found by the walk as a finding."""
    if damage.fault is None:
        message = f"expected a record, found {damage.why}"
        found = Finding("RDB105", "error", part, damage.start, message, what_servers_do("RDB105"))
    else:
        found = describe_fault(damage.fault, part)
    return add_resumption(found, damage)


def add_resumption(finding: Finding, damage: Damage) -> Finding:
    """Add to a finding where reading resumed."""
    if damage.resumed is not None:
        more = f"; reading resumed at {damage.resumed:#x} ({damage.resumed - damage.start:,} bytes skipped)"
    elif damage.gave_up:
        more = "; the search for what follows was given up"
    elif finding.code == "RDB101":
        return finding
    else:
        more = "; no intact record follows"
    return finding._replace(message=finding.message + more)
