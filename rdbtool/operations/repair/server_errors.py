"""What servers refuse of a readable RDB: the errors of the rules, with their offsets."""

from __future__ import annotations

from rdbtool._codec.replay_record import feed_record
from rdbtool._codec.sinks.check import Check
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.model import Aux, FunctionLibrary
from rdbtool.operations.validate.checks import file_rules as files
from rdbtool.operations.validate.checks.record_rules import RULES

if TYPE_CHECKING:
    from rdbtool._codec.sinks.check import Flagged
    from rdbtool.model import Item, KeyRecord
    from rdbtool.operations.validate.checks.file_rules import Remark
    from rdbtool.operations.validate.checks.rule import Rule

#: The flag of a duplicate key, which concerns two records.
DOUBLE: Final = "duplicate-key"


class Refused(NamedTuple):
    """What servers refuse: the code of the finding, its text, and, for items that are not records, where it ends."""

    code: str
    message: str
    stop: int | None = None


class Refusals(files.ItemJudge):
    """Collects refusals: ``refused`` by the offset of the record or item.

    ``repeated`` are duplicate keys (with their db), which concern two records. ``libraries`` are the offsets of
    function libraries.
    """

    def __init__(self) -> None:
        super().__init__(lambda: 0, 1 << 64, 0)
        self.refused: dict[int, Refused] = {}
        self.repeated: set[tuple[int, bytes]] = set()
        self.libraries: list[int] = []
        self._at_hand: Aux | FunctionLibrary | None = None

    def on_flagged(self, row: Flagged) -> None:
        """Check a row of the ``Check`` sink."""
        rule = RULES[row.flag]
        if row.flag == DOUBLE:
            self.repeated.add((row.db, row.key))
        elif rule.severity == "error":
            self.refused.setdefault(row.start, Refused(rule.code, _words(rule, row)))

    def on_item(self, item: Item) -> None:
        """Check an item."""
        self._at_hand = item if isinstance(item, Aux | FunctionLibrary) else None
        if isinstance(item, FunctionLibrary):
            self.libraries.append(item.span.start)
        super().on_item(item)

    def say(self, remark: Remark) -> None:
        """Add a fault of the current item, if servers refuse it."""
        if remark.severity == "error" and self._at_hand is not None:
            span = self._at_hand.span
            self.refused[span.start] = Refused(remark.code, remark.message, span.stop)


def find_refusal(record: KeyRecord) -> Refused | None:
    """Return what servers refuse of a rebuilt record, None if nothing."""
    refusals = Refusals()
    check = Check(on_row=refusals.on_flagged)
    feed_record(record, check)
    check.close()
    return next(iter(refusals.refused.values()), None)


def _words(rule: Rule, row: Flagged) -> str:
    path = rule.path(row)
    return f"{path}: {rule.words(row)}" if path else rule.words(row)
