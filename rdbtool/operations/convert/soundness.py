"""Valid data or none: what is converted has to pass validation, on its way in and read back from the output.

The tests are those of ``validate`` (the ``Check`` sink and the rules); the first error ends the conversion, with the
place in the file that was given. What a target cannot hold anyway is not tested: it is a loss, or refused as one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from rdbtool._codec.sinks.check import Check
from rdbtool.core.errors import InputError, InvalidDataError
from rdbtool.core.findings import Finding
from rdbtool.core.progress import Progress
from rdbtool.operations.validate.checks.file_rules import ItemJudge
from rdbtool.operations.validate.rdb import RULES, describe_remark, describe_row, validate_jsonl, validate_rdb
from rdbtool.operations.validate.verdict import Checks

if TYPE_CHECKING:
    from rdbtool._codec.sink import Sink
    from rdbtool._codec.sinks.check import Flagged
    from rdbtool.core.servers import Rules
    from rdbtool.dataset.forms import Form
    from rdbtool.engine.replay.loader import Loaded
    from rdbtool.model import Item

#: More databases than any server has: how many there are is a matter of its configuration.
DATABASES: Final = 1 << 62

#: What is dropped where losses are allowed: empty collections, scores that are no number, libraries of candidates.
_DROPPED: Final = frozenset({"RDB310", "RDB313", "RDB343"})

#: What is wrong with a function library: of no interest where the target has no functions.
_LIBRARIES: Final = frozenset({"RDB341", "RDB342", "RDB343", "RDB345"})


#: Bytes of an RDB file that are tested on their way into a pipe as well. Where nothing is read back, so that nothing is
#: called verified, testing more takes longer than all the rest.
_TESTED_UNREAD: Final = 16 << 20


class SourceFile(NamedTuple):
    """The file that data comes from: its ``name`` and its ``size`` in bytes, None where it is unknown.

    ``line_of`` returns the number of the line at an offset, None: it has no lines.
    """

    name: str
    size: int | None = None
    line_of: Callable[[int], int | None] | None = None

    def is_tested(self, *, is_verified: bool) -> bool:
        """Return whether the data is tested while it is written to an output that is read back, or is not."""
        return is_verified or self.line_of is not None or self.size is None or self.size <= _TESTED_UNREAD


def make_check(origin: SourceFile, *, allow_loss: bool, has_functions: bool) -> Check:
    """Return a sink that raises InvalidDataError for the first error in what it is told.

    ``allow_loss``: what the target's filter drops then is passed over. ``has_functions``: the target has functions.
    """
    passed = (_DROPPED if allow_loss else frozenset()) | (frozenset() if has_functions else _LIBRARIES)
    judge = _ItemCheck(origin, passed)

    def refuse(row: Flagged) -> None:
        rule = RULES[row.flag]
        if rule.severity == "error" and rule.code not in passed:
            raise _refusal(origin, describe_row(row, origin.name))

    return Check(judge.hear, refuse)


def read_valid(path: str, form: Form, rules: Rules, sink: Sink, progress: Progress | None) -> None:
    """Tell ``sink`` of what a file holds. Raises InvalidDataError where that is an error, and what reading raises."""
    assert form.read_back is not None
    checks = Checks(rules=rules, databases=DATABASES)
    with form.read_back(path, rules) as dataset:
        if dataset.kind == "rdb":
            verdict = validate_rdb(dataset, checks, progress, also=sink)
        elif dataset.kind == "jsonl":
            verdict = validate_jsonl(dataset, checks, progress, also=sink)
        else:
            # The server that they are for executes them all, or this raises.
            dataset.feed(sink, progress=progress)
            return
    error = next((finding for finding in verdict.findings if finding.severity == "error"), None)
    if error is not None:
        raise InvalidDataError(error._replace(part="what was written"))
    if verdict.error is not None:
        raise InputError(verdict.error)


def check_loaded(loaded: Loaded, name: str) -> None:
    """Raise InvalidDataError for the first error in the snapshot of an AOF (``name``), or in a function library."""
    for part, row in loaded.flagged:
        if RULES[row.flag].severity == "error":
            raise _refusal(SourceFile(part), describe_row(row, part))
    libraries = _ItemCheck(SourceFile(name), frozenset())
    for library in loaded.replay.engine.libraries:
        libraries.hear(library)


class _ItemCheck:
    """Refuses items other than records."""

    def __init__(self, origin: SourceFile, passed: frozenset[str]) -> None:
        self._origin = origin
        self._passed = passed
        self._items = ItemJudge(lambda: 0, DATABASES, 0)

    def hear(self, item: Item) -> None:
        self._items.hear(item)
        remarks = self._items.remarks
        for remark in remarks:
            if remark.severity == "error" and remark.code not in self._passed:
                raise _refusal(self._origin, describe_remark(remark, self._origin.name))
        remarks.clear()


def _refusal(origin: SourceFile, finding: Finding) -> InvalidDataError:
    line = None
    if origin.line_of is not None and finding.offset >= 0:
        line = origin.line_of(finding.offset)
    return InvalidDataError(finding, line=line)
