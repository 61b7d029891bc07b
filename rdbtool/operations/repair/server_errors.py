"""What servers refuse of an RDB that can be read: the rules' errors, and where they stand.

What is judged is told in pieces, each with offsets of its own, so that a finding waits until its piece is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rdbtool._codec.sinks.check import Check
from rdbtool.model import Aux, FunctionLibrary
from rdbtool.operations.validate.checks import files
from rdbtool.operations.validate.rdb import RULES

if TYPE_CHECKING:
    from rdbtool._codec.sinks.check import Flagged
    from rdbtool.core.location import Span
    from rdbtool.model import Item
    from rdbtool.operations.validate.checks.rule import Rule

#: The flag of a key that stands twice: a matter of two records.
DOUBLE: Final = "duplicate-key"


class Refused(NamedTuple):
    """What servers refuse: the code of the finding, its words, and, for what is no record, where it ends."""

    code: str
    message: str
    stop: int | None = None


def error_flags(check: Check) -> set[str]:
    """Return what a sink flagged and servers refuse."""
    return {flag for flag, _, _ in check.counts if RULES[flag].severity == "error"}


class Flags:
    """Takes from ``check`` what it flagged for something that servers refuse, but for keys that stand twice."""

    def __init__(self, check: Check) -> None:
        self.refused: dict[int, Refused] = {}
        self._check = check
        self._done = 0

    def move(self, shift: int) -> None:
        """Take what was flagged at offsets that are smaller by ``shift``."""
        for row in self._check.flagged[self._done :]:
            rule = RULES[row.flag]
            if rule.severity == "error" and row.flag != DOUBLE:
                self.refused.setdefault(row.start + shift, Refused(rule.code, _words(rule, row)))
        self._done = len(self._check.flagged)


class Items:
    """Hears what stands beside the records: ``refused`` is what servers refuse, ``functions`` counts libraries."""

    def __init__(self) -> None:
        self.refused: dict[int, Refused] = {}
        self.functions = 0
        self._judge = files.ItemJudge(lambda: 0, 1 << 64, 0)
        self._waiting: list[tuple[Span, str, str]] = []

    def hear(self, item: Item) -> None:
        """Judge an item."""
        before = len(self._judge.remarks)
        self._judge.hear(item)
        self.functions += isinstance(item, FunctionLibrary)
        if isinstance(item, Aux | FunctionLibrary):
            for remark in self._judge.remarks[before:]:
                if remark.severity == "error":
                    self._waiting.append((item.span, remark.code, remark.message))

    def move(self, shift: int) -> None:
        """Take what was heard for something at offsets that are smaller by ``shift``."""
        for span, code, message in self._waiting:
            self.refused[span.start + shift] = Refused(code, message, span.stop + shift)
        self._waiting.clear()


def _words(rule: Rule, row: Flagged) -> str:
    path = rule.path(row)
    return f"{path}: {rule.words(row)}" if path else rule.words(row)
