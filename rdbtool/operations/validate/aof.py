"""Validation of an AOF: framing, snapshot, commands, the files beside the manifest, replay.

The AOF is read once without building commands: framing faults are skipped if valid commands follow, so that damage in
the middle and what follows it are both reported; command names are counted on the way and checked afterwards. The
snapshot is checked like any RDB. Then, unless disabled, the AOF is opened again and replayed up to its first damage,
and the engine's findings on commands are added. Input that can be read only once is executed on the way.
"""

from __future__ import annotations

from rdbtool.core.commands import FIRST_WORDS
from rdbtool.core.errors import Finding, FormatError, InputError, RdbToolError, UnsupportedError, what_servers_do
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.core.progress import Progress, begin_pass
from rdbtool.core.servers import Product, RulesChoice
from rdbtool.engine.inference.least_server import MANIFEST, TIMES, UNNAMED, ServerNeeds
from rdbtool.operations.validate.aof_commands import (
    Grader,
    check_commands,
    check_manifest,
    check_times,
    find_product,
    list_uses,
)
from rdbtool.operations.validate.aof_damage import check_deviations, check_faults
from rdbtool.operations.validate.verdict import Checks, Gathered, Verdict, place_finding, unanswered
from rdbtool.reader.aof.batches import CommandBatch
from rdbtool.reader.aof.command_stats import Call, Uses
from rdbtool.reader.aof.reader import AofReader, Strays
from rdbtool.reader.aof.tail import Tail
from rdbtool.reader.open.files import find_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdbtool.operations.validate.aof_replay import LiveReplay, Replayed
    from rdbtool.reader.rdb import RdbReader


#: Engine findings that are reported here per name or per part instead.
_TOLD_ELSEWHERE: Final = frozenset({"CMD201", "CMD202", "CMD206"})


def validate_log(reader: AofReader, checks: Checks, progress: Progress | None = None) -> Verdict:
    """Check an open AOF of which nothing was read; it is read to its end but not closed.

    Never raises because of the input: every fault is part of the verdict.
    """
    return _Validation(reader, checks).run(progress)


class _Validation:
    """One run of ``validate_log``."""

    def __init__(self, reader: AofReader, checks: Checks) -> None:
        self.reader = reader
        self.checks = checks
        self.parts = reader.parts
        self.gathered = Gathered()
        renamed: dict[bytes, bytes] = {}
        if checks.rename_commands:
            from rdbtool.engine.replay.replay_options import Renames  # noqa: PLC0415 - the engine takes a while

            renamed = Renames(checks.rename_commands).names
        self.uses = Uses(renamed)
        self.product: Product | None = None
        #: The offset after the RDB of a part, by the index of the part.
        self.ends: dict[int, int] = {}
        self.snapshot: Verdict | None = None
        #: Executes what cannot be opened again.
        self.live: LiveReplay | None = None
        self.choice = checks.choice
        #: An RDB of the AOF could not be read to its end.
        self.is_broken = False
        #: The AOF was replayed up to its end or its first damage.
        self.is_counted = False
        self.keys = 0
        self.by_db: dict[int, tuple[int, int]] = {}
        self.faults: list[tuple[FormatError, Tail]] = []
        self.strays: list[Strays] = []
        self.deviations: list[FormatError] = []
        self.deviation_count = 0

    def run(self, progress: Progress | None) -> Verdict:
        if self.checks.replay and (self.reader.path is None or not self.reader.is_repeatable):
            from rdbtool.operations.validate.aof_replay import LiveReplay  # noqa: PLC0415 - the engine takes a while

            self.live = LiveReplay(self.checks)
        will_read_again = self.checks.replay and self.live is None
        try:
            begin_pass(progress, "checking", self.reader.name, self.reader.size, left=int(will_read_again))
            self._read(progress)
        except RdbToolError as error:
            return self._verdict(error)
        failure = None
        self.choice = self._choose_rules()
        if self.checks.replay:
            # The replay knows the server rules best.
            try:
                self._replay(progress)
            except RdbToolError as error:
                failure = error
        self._check_what_was_read()
        return self._verdict(failure)

    # ---- reading ---------------------------------------------------------------------------------

    def _read(self, progress: Progress | None) -> None:
        """Read all parts; a damaged RDB ends only its own part."""
        reader = self.reader
        while True:
            reader.lax = self.checks.level == "server"
            reader.known = FIRST_WORDS | frozenset(self.uses.renamed)
            reader.uses = self.uses
            broken = self._read_parts(reader, progress)
            reader.close()
            self._remember(reader)
            if broken is None or broken + 1 == len(self.parts):
                return
            before, reader = reader, AofReader(self.parts, manifest=reader.manifest, backend=reader.backend)
            reader.first_part, reader.count = broken + 1, before.count

    def _read_parts(self, reader: AofReader, progress: Progress | None) -> int | None:
        """Read up to the end; return the index of the part whose RDB cannot be read, None if all can."""
        for piece in self._pieces(reader, progress):
            if isinstance(piece, CommandBatch):
                if self.live is not None and not reader.faults and not self.is_broken:
                    self.live.run(piece, self.parts)
                continue
            index = find_part(self.parts, piece.source.name)
            if not self._check_snapshot(piece, index):
                return index
        return None

    def _pieces(self, reader: AofReader, progress: Progress | None) -> Iterator[RdbReader | CommandBatch]:
        """Return the pieces of an AOF, without its commands unless they are executed."""
        if self.live is None:
            return reader.snapshots(on_fault="skip", progress=progress)
        return reader.batches(on_fault="skip", progress=progress)

    def _check_snapshot(self, rdb: RdbReader, index: int) -> bool:
        """Check an RDB of the AOF by the rules for RDBs; return whether it could be read to its end."""
        from rdbtool.operations.validate.rdb import validate_rdb  # noqa: PLC0415 - most of what a plain log does not need

        name = self.parts[index].name
        verdict = validate_rdb(rdb, self.checks, None, also=None if self.live is None else self.live.records)
        for finding in verdict.findings:
            self.gathered.add(finding._replace(part=name))
        for severity, count in verdict.counts.items():
            # Those that were only counted.
            self.gathered.counts[severity] += count - sum(row.severity == severity for row in verdict.findings)
        if self.snapshot is None:
            self.snapshot = verdict
        if verdict.answer in {"unsupported", "unanswered"}:
            raise (UnsupportedError if verdict.answer == "unsupported" else InputError)(verdict.error or "")
        self.keys += verdict.keys
        self.by_db |= verdict.by_db
        if rdb.end is None:
            self.is_broken = True
            return False
        self.ends[index] = rdb.end.span.stop
        if self.live is not None:
            self.live.load(rdb, verdict, self.parts)
        if self.parts[index].kind == "incr":
            severity = "note" if self.checks.level == "server" else "warning"
            message = "the incr file begins with an RDB"
            self.gathered.add(Finding("AOF204", severity, name, 0, message, what_servers_do("AOF204")))
        return True

    def _remember(self, reader: AofReader) -> None:
        """Keep the results of a reader: a second one may follow for the parts after a damaged RDB."""
        self.faults += reader.faults
        self.strays += reader.strays
        self.deviations += reader.deviations
        self.deviation_count += reader.deviation_count
        tail = reader.tail
        if tail is not None and tail.size is not None and self.parts and self.parts[tail.part].size is None:
            self.parts[tail.part].size = tail.at + tail.size

    # ---- rules -----------------------------------------------------------------------------------

    def _check_what_was_read(self) -> None:
        is_named = self.snapshot is not None and self.snapshot.choice.origin == "file"
        grader = Grader(
            self.choice.rules,
            is_server_level=self.checks.level == "server",
            is_asked_for=self.checks.rules is not None,
            writer=self.snapshot.rules if is_named and self.snapshot is not None else None,
        )
        add = self.gathered.add
        for finding in self.reader.around:
            add(finding._replace(severity="error") if self.checks.level == "server" else finding)
        if self.reader.manifest is not None:
            for finding in check_manifest(self.reader.manifest, grader):
                add(finding)
        for finding in check_faults(self.faults, self.parts, self.ends, grader):
            add(finding)
        for finding, times in check_deviations(self.deviations, self.deviation_count, self.parts):
            add(finding, times)
        for stray in self.strays:
            more = f", the first of {stray.times:,}" if stray.times > 1 else ""
            message = f"a MULTI inside a transaction, or an EXEC outside one{more}"
            server = what_servers_do("CMD206")
            severity = grader.severity("warning", refused=False)
            add(Finding("CMD206", severity, self.parts[stray.part].name, stray.at, message, server), stray.times)
        for finding, times in check_times(self.uses, self.parts, grader):
            add(finding, times)
        for finding, times in check_commands(self.uses, self.parts, grader):
            add(finding, times)

    def _choose_rules(self) -> RulesChoice:
        """Return the server rules, as far as command names tell: a later server may have continued an AOF."""
        found = find_product(self.uses)
        if found is not None:
            self.product = found[0]
        elif self.snapshot is not None:
            self.product = self.snapshot.product
        if self.checks.rules is not None:
            return self.checks.choice
        needs = ServerNeeds()
        if self.snapshot is not None and self.snapshot.header is not None:
            needs.record_snapshot(self.snapshot.header)
        if self.reader.manifest is not None:
            needs.record(MANIFEST, "")
        if self.uses.annotations:
            needs.record(TIMES, "")
        for row, call in list_uses(self.uses):
            needs.record(row.since, self._place(call))
        if found is not None:
            product, name, first = found
            needs.record_product(product, name, self._place(first))
        return needs.choose(UNNAMED if self.snapshot is None else self.snapshot.choice)

    def _place(self, call: Call) -> str:
        part = f" of {self.parts[call.part].name}" if len(self.parts) > 1 else ""
        return f"at {call.at:#x}{part}"

    # ---- replay ----------------------------------------------------------------------------------

    def _replay(self, progress: Progress | None) -> None:
        if self.is_broken:
            self._report_unfinished("the base file is corrupt, so no command was executed")
            return
        if self.live is not None:
            replayed = self.live.end(self.reader, self.parts, self.faults)
        else:
            from rdbtool.operations.validate.aof_replay import replay_again  # noqa: PLC0415 - the engine takes a while

            begin_pass(progress, "replaying", self.reader.name, self.reader.size)
            replayed = replay_again(self.reader, self.checks, progress)
        if replayed.failure is not None:
            self._report_unfinished(replayed.failure)
            return
        if replayed.missed is not None:
            self.gathered.add(place_finding(replayed.missed, self.reader.name, "error"))
            return
        for line in replayed.extent.lines():
            self.gathered.add(place_finding(line, self.reader.name, "note"))
        self.choice = replayed.choice or self.choice
        self._take_findings(replayed)
        self.by_db = replayed.by_db
        self.keys = sum(keys for keys, _ in self.by_db.values())
        self.is_counted = True
        # What follows the place to stop is out of scope.
        tail = self.faults[0][1] if self.faults and replayed.extent.stopped is None else None
        if tail is not None and (tail.next_good is not None or tail.part + 1 < len(self.parts)):
            name = self.parts[tail.part].name
            self._report_unfinished(f"commands after the damage at {tail.at:#x} were not executed", name, tail.at)

    def _take_findings(self, replayed: Replayed) -> None:
        kept: dict[tuple[str, str], int] = {}
        for finding in replayed.findings:
            what = finding.severity, finding.code
            kept[what] = kept.get(what, 0) + 1
            if finding.code not in _TOLD_ELSEWHERE:
                self.gathered.add(self._graded(finding))
        # The engine keeps some findings and counts the rest.
        for (severity, code), count in replayed.kinds.items():
            if code not in _TOLD_ELSEWHERE:
                self.gathered.counts[self._grade(severity)] += count - kept.get((severity, code), 0)

    def _graded(self, finding: Finding) -> Finding:
        return finding._replace(severity=self._grade(finding.severity))

    def _grade(self, severity: str) -> str:
        # A server goes on loading, whatever the reply; unknown data is reported separately.
        if self.checks.level == "server":
            return "note"
        return "warning" if severity == "error" else severity

    def _report_unfinished(self, message: str, part: str = "", at: int = 0) -> None:
        server = what_servers_do("AOF205")
        self.gathered.add(Finding("AOF205", "note", part or self.parts[0].name, at, message, server))

    # ---- verdict ---------------------------------------------------------------------------------

    def _verdict(self, error: RdbToolError | None = None) -> Verdict:
        names = tuple(part.name for part in self.parts)
        checks, gathered, snapshot = self.checks, self.gathered, self.snapshot
        verdict = unanswered(self.reader.name, "aof", checks, self.choice, error or RdbToolError(""))
        if error is None:
            verdict = verdict._replace(answer=gathered.answer, error=None)
        return verdict._replace(
            findings=gathered.kept((self.reader.name, *names)),
            counts=dict(gathered.counts),
            keys=self.keys,
            by_db=self.by_db,
            bytes=self.reader.size,
            checksum="none" if snapshot is None else snapshot.checksum,
            parts=names,
            header=None if snapshot is None else snapshot.header,
            aux=() if snapshot is None else snapshot.aux,
            is_counted=self.is_counted,
            product=self.product,
        )
