"""The data types of validation: options (Checks), findings so far (Gathered), and the answer (Verdict)."""

from __future__ import annotations

import os

from rdbtool.core.errors import (
    Finding,
    FormatError,
    RdbToolError,
    UnsupportedError,
    clean,
    describe_error,
    json_bytes,
    what_servers_do,
)
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from rdbtool.core.rdb_types import ChecksumState
from rdbtool.core.servers import DEFAULT, Rules, RulesChoice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdbtool.core.servers import Product
    from rdbtool.engine.replay.places import Places
    from rdbtool.model import Aux, Header

Level = Literal["server", "deep"]
Kind = Literal["rdb", "aof", "jsonl", "unknown"]
Answer = Literal["valid", "invalid", "unsupported", "unanswered"]

#: Findings kept per input; all of them are counted.
KEPT: Final = 1000

#: The default server rules for inputs that could not be read.
UNREAD: Final = RulesChoice(DEFAULT, "inferred", "nothing that was read")

SEVERITIES: Final = ("error", "warning", "note")

#: Exit codes of a verdict; for several inputs, the first of these that occurs.
EXIT_CODES: Final = {"invalid": 1, "unsupported": 4, "unanswered": 3, "valid": 0}


class Checks(NamedTuple):
    """Options of a validation.

    ``deep`` reports everything at its own severity; ``server`` asks whether the server of ``rules`` would load the
    input: what it refuses is an error, everything else a note. ``rules`` None: the writer's, else Redis 7.2's.
    ``replay``: execute AOFs, too. ``now_ms`` is the time (Unix ms, 0: unknown), ``databases`` the number of databases
    of the server. ``places`` says where the execution of AOFs stops and what it skips; an AOF is still checked whole.
    ``rename_commands`` maps renamed commands of an AOF to their original names.
    """

    level: Level = "deep"
    rules: Rules | None = None
    replay: bool = True
    now_ms: int = 0
    databases: int = 16
    places: Places | None = None
    rename_commands: Mapping[str, str] | None = None

    @property
    def choice(self) -> RulesChoice:
        """The server rules before anything was read."""
        return UNREAD if self.rules is None else RulesChoice(self.rules, "named")


class Verdict(NamedTuple):
    """The answer on one input.

    ``findings`` are the first thousand, errors first kept, in file order; ``counts`` are all of them by severity.
    ``by_db`` maps a db to (keys, keys with an expiry). ``bytes`` is the size of the input, None if unknown.
    ``checksum`` is, of an AOF, that of its snapshot. ``digest`` is set only if requested. ``error`` says why there is
    no answer. ``header`` and ``aux`` are those of the RDB. Not ``is_counted``: an AOF was not replayed to its end, so
    its contents are unknown. ``product`` is the writer if it is neither Redis nor Valkey. Not ``is_whole``: the RDB is
    damaged, and ``keys`` counts the readable ones.
    """

    source: str
    kind: Kind
    findings: tuple[Finding, ...]
    counts: dict[str, int]
    keys: int
    by_db: dict[int, tuple[int, int]]
    bytes: int | None
    checksum: ChecksumState
    choice: RulesChoice
    level: Level
    answer: Answer
    parts: tuple[str, ...] = ()
    header: Header | None = None
    aux: tuple[Aux, ...] = ()
    digest: str | None = None
    error: str | None = None
    is_counted: bool = True
    is_whole: bool = True
    product: Product | None = None

    @property
    def rules(self) -> Rules:
        """The server rules that apply."""
        return self.choice.rules

    def is_clean(self, *, strict: bool = False) -> bool:
        """Whether the input is valid, with ``strict`` also without warnings."""
        return self.answer == "valid" and not (strict and self.counts["warning"])

    def exit_code(self, *, strict: bool = False) -> int:
        """Return the exit code of ``validate``; ``strict``: a warning counts as an error."""
        code = EXIT_CODES[self.answer]
        return 1 if code == 0 and not self.is_clean(strict=strict) else code

    def to_dict(self, *, strict: bool = False) -> dict[str, Any]:
        """Return the object for ``validate --json``; ``strict`` is for its exit code."""
        return {"schema": 1, **self.source_dict(strict=strict)}

    def source_dict(self, *, strict: bool) -> dict[str, Any]:
        """Return the input as one of those in ``validate --json``."""
        from rdbtool.operations.json_shapes import aux_pairs, rules_json  # noqa: PLC0415 - for JSON only

        header = self.header
        dbs = [{"db": db, "keys": keys, "expires": expires} for db, (keys, expires) in sorted(self.by_db.items())]
        return {
            "source": _name(self.source),
            "kind": self.kind,
            "answer": self.answer,
            "exit_code": self.exit_code(strict=strict),
            "error": None if self.error is None else clean(self.error),
            **rules_json(self.choice),
            "level": self.level,
            "size": self.bytes,
            "magic": None if header is None else header.magic,
            "version": None if header is None else header.version,
            "aux": aux_pairs(self.aux),
            "checksum": self.checksum,
            "parts": [_name(part) for part in self.parts],
            "keys": self.keys if self.is_counted else None,
            "dbs": dbs if self.is_counted else None,
            "digest": self.digest,
            "counts": self.counts,
            "findings": [_finding_dict(finding) for finding in self.findings],
        }


class Gathered:
    """Findings of one input during validation: ``counts`` has all by severity, ``kept`` returns the first ones.

    Each severity has its own limit, so that a thousand notes do not crowd out the error after them.
    """

    def __init__(self) -> None:
        self.counts = dict.fromkeys(SEVERITIES, 0)
        self._kept: dict[str, list[Finding]] = {severity: [] for severity in SEVERITIES}

    def add(self, finding: Finding, times: int = 1) -> None:
        """Add a finding, which stands for ``times`` of its kind."""
        self.counts[finding.severity] += times
        kept = self._kept[finding.severity]
        if len(kept) < KEPT:
            kept.append(finding)

    def kept(self, parts: tuple[str, ...] = ()) -> tuple[Finding, ...]:
        """Return at most a thousand findings, errors first kept, ordered by part (as in ``parts``) and offset."""
        kept = [finding for severity in SEVERITIES for finding in self._kept[severity]][:KEPT]
        order = {part: index for index, part in enumerate(parts)}
        return tuple(sorted(kept, key=lambda finding: (order.get(finding.part, len(order)), finding.offset)))

    @property
    def answer(self) -> Answer:
        """The answer that the findings amount to."""
        return "invalid" if self.counts["error"] else "valid"


def describe_fault(error: FormatError, part: str) -> Finding:
    """Return an error in the bytes of ``part`` as a finding."""
    where = error.where
    return Finding(
        error.code,
        "error",
        part,
        error.at,
        f"expected {error.expected}, found {error.found}",
        what_servers_do(error.code),
        db=where.db,
        key=where.key,
        kind=where.kind,
        path=where.path,
    )


def place_finding(message: str, source: str, severity: str) -> Finding:
    """Return the error of a place where the execution of an AOF stops as a finding."""
    return Finding("CHK016", severity, source, 0, message, what_servers_do("CHK016"))


def sentence_of(error: RdbToolError) -> str:
    """Return an error as one sentence, with the option that helps."""
    return str(error) if isinstance(error, FormatError) else describe_error(error)


def unanswered(source: str, kind: Kind, checks: Checks, choice: RulesChoice, error: RdbToolError) -> Verdict:
    """Return the verdict on an input that could not be read, or whose format this release does not know."""
    answer: Answer = "unsupported" if isinstance(error, UnsupportedError) else "unanswered"
    return Verdict(
        source,
        kind,
        (),
        dict.fromkeys(SEVERITIES, 0),
        0,
        {},
        None,
        "unread",
        choice,
        checks.level,
        answer,
        error=sentence_of(error),
    )


def _finding_dict(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "part": _name(finding.part),
        "offset": finding.offset,
        "number": finding.number,
        "db": finding.db,
        "key": None if finding.key is None else json_bytes(finding.key),
        "type": finding.kind,
        "path": finding.path,
        "message": clean(finding.message),
        "server": finding.server,
    }


def _name(name: str) -> str | dict[str, str]:
    """Return the name of a file, which may not be text."""
    return json_bytes(os.fsencode(name))
