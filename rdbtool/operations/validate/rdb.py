"""Validation of an RDB: one reading with the Check sink, and the rules for what it flagged.

Damage inside a packed value whose outer string is intact costs only that record: it is skipped, so that what follows
it, and the checksum, are checked too. Any other damage ends reading, and the rest is examined by the walk of
``repair``. A server gets no further, so at server level the rest are notes. The server rules are known only after the
aux fields; so everything is graded at the end.
"""

from __future__ import annotations

from rdbtool._codec.sinks.check import Check
from rdbtool.core.errors import (
    Finding,
    FormatError,
    InputError,
    LimitError,
    RdbToolError,
    UnsupportedError,
    what_servers_do,
)
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import ChecksumState, checksum_state
from rdbtool.core.servers import Product, Rules, product_of
from rdbtool.operations.validate.checks import file_rules as files
from rdbtool.operations.validate.checks.rule import Loading
from rdbtool.operations.validate.verdict import Checks, Gathered, Verdict, describe_fault, sentence_of
from rdbtool.reader.rdb import RdbReader

if TYPE_CHECKING:
    from rdbtool._codec.sink import Sink
    from rdbtool._codec.sinks.check import Flagged
    from rdbtool.grammar.outer import Outer
    from rdbtool.operations.validate.checks.rule import Rule
    from rdbtool.operations.validate.rdb_damage import DamageReport
    from rdbtool.operations.validate.verdict import Answer
    from rdbtool.reader.jsonl.reader import JsonlReader


#: Damaged values that are skipped; then the walk takes over.
_PASSED: Final = 100


def validate_rdb(
    reader: RdbReader,
    checks: Checks,
    progress: Progress | None = None,
    *,
    also: Sink | None = None,
    duplicates: bool = True,
) -> Verdict:
    """Check an open RDB of which nothing was read; it is read to its end.

    Never raises because of the input: every fault is part of the verdict. In an AOF the RDB is its part of it. ``also``
    receives the same records, for callers that cannot read them again. ``duplicates`` False: see ``Check``.
    """
    return _Validation(reader, checks, also, duplicates=duplicates).run(progress)


def validate_jsonl(
    reader: JsonlReader,
    checks: Checks,
    progress: Progress | None = None,
    *,
    also: Sink | None = None,
    duplicates: bool = True,
) -> Verdict:
    """Check open JSON lines: their keys like those of an RDB. ``also`` and ``duplicates``: see ``validate_rdb``."""
    return _Validation(reader, checks, also, duplicates=duplicates).run(progress)


def rule_of(flag: str) -> Rule:
    """Return the rule about records of a flag of the Check sink."""
    from rdbtool.operations.validate.checks.record_rules import RULES  # noqa: PLC0415 - few files are at fault

    return RULES[flag]


def describe_row(row: Flagged, part: str) -> Finding:
    """Return a row of the Check sink as a finding."""
    rule = rule_of(row.flag)
    return Finding(
        rule.code,
        rule.severity,
        part,
        row.start,
        rule.words(row),
        what_servers_do(rule.code),
        db=row.db,
        key=row.key,
        kind=row.kind,
        path=rule.path(row),
    )


def describe_remark(remark: files.Remark, part: str) -> Finding:
    """Return a remark on an item outside the records as a finding."""
    server = what_servers_do(remark.code)
    return Finding(remark.code, remark.severity, part, remark.offset, remark.message, server, db=remark.db)


def _both(check: Check, also: Sink) -> Sink:
    from rdbtool._codec.filters.tee import Tee  # noqa: PLC0415 - most files can be read again

    return Tee(check, also)


class _Validation:
    """One run."""

    def __init__(
        self, reader: RdbReader | JsonlReader, checks: Checks, also: Sink | None = None, *, duplicates: bool = True
    ) -> None:
        self.reader = reader
        self.checks = checks
        self.part = reader.source.name
        self.items = files.ItemJudge(self._count, checks.databases, checks.now_ms)
        self.check = Check(self.items.on_item, duplicates=duplicates, size=reader.size)
        self.sink: Sink = self.check if also is None else _both(self.check, also)
        self.faults: list[tuple[FormatError, Outer | None]] = []
        self.gathered = Gathered()
        self.choice = checks.choice
        #: What follows the damage that ended reading, None: there was none.
        self.rest: DamageReport | None = None
        #: What was flagged before it, and which rows and remarks belong to the rest.
        self.flagged_before: dict[tuple[str, int, bool], int] | None = None
        self.rows_beyond = self.remarks_beyond = range(0)

    @property
    def rules(self) -> Rules:
        """The server rules that apply."""
        return self.choice.rules

    def run(self, progress: Progress | None) -> Verdict:
        failure: RdbToolError | None = None
        try:
            try:
                self._read(progress)
            finally:
                # Temporary files for keys may have no space left.
                self.check.close()
        except RdbToolError as error:
            failure = error
        if self.checks.rules is None:
            self.choice = self.reader.choice
        self._grade()
        return self._verdict(failure)

    def _count(self) -> int:
        return self.check.keys + sum(outer is not None for _, outer in self.faults)

    def _read(self, progress: Progress | None) -> None:
        reader = self.reader
        while True:
            try:
                reader.feed(self.sink, progress=progress)
            except FormatError as error:
                outer = None
                if isinstance(reader, RdbReader):
                    if not reader.embedded:
                        # Damage caused by a concurrent writer does not count.
                        reader.source.check_unchanged()
                    from rdbtool.operations.validate.checks.structure import PASSABLE  # noqa: PLC0415 - as above

                    if error.code in PASSABLE and len(self.faults) < _PASSED:
                        outer = reader.pass_over()
                self.faults.append((error, outer))
                if outer is None:
                    self._walk_on(error, progress)
                    return
            else:
                return

    def _walk_on(self, error: FormatError, progress: Progress | None) -> None:
        """Examine what follows the damage that ended reading."""
        if not isinstance(self.reader, RdbReader):
            return
        from rdbtool.operations.validate.rdb_damage import walk_on  # noqa: PLC0415 - few files are damaged

        # Keys that wait for their look-up are before the damage.
        self.check.close()
        self.flagged_before = dict(self.check.counts)
        rows, remarks = len(self.check.flagged), len(self.items.remarks)
        self.items.interrupt()
        self.rest = walk_on(self.reader, error, self.check, progress)
        self.check.close()
        self.rows_beyond = range(rows, len(self.check.flagged))
        self.remarks_beyond = range(remarks, len(self.items.remarks))

    # ---- grading ---------------------------------------------------------------------------------

    def _grade(self) -> None:
        for error, outer in self.faults:
            from rdbtool.operations.validate.checks.structure import refuses_structure  # noqa: PLC0415 - as above

            refused = outer is None or refuses_structure(self.rules, error, outer.type_code)
            finding = describe_fault(error, error.where.source or self.part)
            self._add(finding if outer is not None else self._add_resumption(finding), refused=refused)
        if self.rest is not None and self.rest.damages:
            from rdbtool.operations.validate.rdb_damage import describe_damage  # noqa: PLC0415 - as above

            for damage in self.rest.damages[1:]:
                self._add(describe_damage(damage, self.part), refused=True, beyond=True)
        reader = self.reader
        for finding in reader.around:
            self._add(finding, refused=True)
        if isinstance(reader, RdbReader):
            self.items.conclude(reader.header, reader.end, reader.totals)
            self.items.check_product(is_asked_for=self.checks.rules is not None)
            if self.checks.rules is not None:
                self.items.check_version(reader.header, self.rules)
            self.items.check_modules(self.check.modules, self.rules)
        for index, remark in enumerate(self.items.remarks):
            finding = describe_remark(remark, self.part)
            beyond = index in self.remarks_beyond
            if remark.at_server_level is not None and self.checks.level == "server" and not beyond:
                self.gathered.add(finding._replace(severity=remark.at_server_level))
            else:
                self._add(finding, refused=remark.refuses(Loading(self.rules)), beyond=beyond)
        for (severity, refuses), times in self.items.more.items():
            self.gathered.counts[self._severity(severity, refused=refuses(Loading(self.rules)))] += times
        self._grade_records()

    def _grade_records(self) -> None:
        counts = self.check.counts
        left = dict(counts if self.flagged_before is None else self.flagged_before)
        left_beyond = {place: times - left.get(place, 0) for place, times in counts.items()}
        for index, row in enumerate(self.check.flagged):
            rule = rule_of(row.flag)
            finding = describe_row(row, self.part)
            beyond = index in self.rows_beyond
            self._add(finding, refused=rule.refuses(Loading(self.rules, row.type_code, row.is_small)), beyond=beyond)
            (left_beyond if beyond else left)[row.flag, row.type_code, row.is_small] -= 1
        for rows, beyond in ((left, False), (left_beyond, True)):
            for (flag, type_code, is_small), times in rows.items():
                rule = rule_of(flag)
                refused = rule.refuses(Loading(self.rules, type_code, is_small)) and not beyond
                self.gathered.counts[self._severity(rule.severity, refused=refused)] += times

    def _severity(self, severity: str, *, refused: bool) -> str:
        if self.checks.level == "deep":
            return severity
        return "error" if refused else "note"

    def _add_resumption(self, finding: Finding) -> Finding:
        """Add to the damage that ended reading where valid records resume, or why they do not."""
        from rdbtool.operations.validate.rdb_damage import add_resumption  # noqa: PLC0415 - as above

        if self.rest is not None and self.rest.damages:
            finding = add_resumption(finding, self.rest.damages[0])
        if self.rest is not None and self.rest.unread is not None:
            what = "not all of what follows was examined" if self.rest.damages else "what follows was not examined"
            finding = finding._replace(message=f"{finding.message}; {what}: {self.rest.unread}")
        return finding

    def _add(self, finding: Finding, *, refused: bool, beyond: bool = False) -> None:
        """Add a finding. ``refused``: a server refuses the file for it; ``beyond``: it does not get that far."""
        if self.checks.level == "server":
            does = "does not get that far" if beyond else "refuses the file" if refused else "loads the file"
            refused = refused and not beyond
            product = self._product if self.checks.rules is None else None
            finding = finding._replace(
                severity=self._severity(finding.severity, refused=refused),
                server=f"{self.rules if product is None else product.name} {does}. {finding.server}",
            )
        self.gathered.add(finding)

    # ---- the verdict -----------------------------------------------------------------------------

    def _verdict(self, failure: RdbToolError | None) -> Verdict:
        reader = self.reader
        end, size, by_db = reader.end, reader.source.size, dict(reader.totals.by_db)
        for db, counts in self.rest.counts.items() if self.rest is not None else ():
            before = by_db.get(db, (0, 0))
            by_db[db] = before[0] + counts[0], before[1] + counts[1]
        return Verdict(
            source=self.part,
            kind="rdb" if isinstance(reader, RdbReader) else "jsonl",
            findings=self.gathered.kept((self.part,)),
            counts=dict(self.gathered.counts),
            keys=sum(counts[0] for counts in by_db.values()),
            by_db=by_db,
            bytes=size if size is not None else end.span.stop + end.trailing if end is not None else None,
            checksum=self._checksum(),
            choice=self.choice,
            level=self.checks.level,
            answer=self._answer(failure),
            parts=(self.part,),
            header=reader.header,
            aux=tuple(reader.aux),
            error=None if failure is None else sentence_of(failure),
            product=self._product,
            is_whole=self.rest is None,
        )

    @property
    def _product(self) -> Product | None:
        return self.reader.product if isinstance(self.reader, RdbReader) else product_of(self.reader.aux)

    def _answer(self, failure: RdbToolError | None) -> Answer:
        if isinstance(failure, InputError) and not isinstance(failure, LimitError):
            return "unanswered"  # the findings may be the fault of the disk, or of a writer
        if failure is None or self.gathered.counts["error"]:
            return self.gathered.answer
        return "unsupported" if isinstance(failure, UnsupportedError) else "unanswered"

    def _checksum(self) -> ChecksumState:
        reader = self.reader
        if not isinstance(reader, RdbReader):
            return "none"
        stored = None if reader.end is None else reader.end.checksum
        is_wrong = any(error.code == "RDB004" for error, _ in self.faults)
        return checksum_state(reader.header.version, stored, is_wrong=is_wrong)
