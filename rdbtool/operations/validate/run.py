"""Validation: whether a file is valid, and whether a server would load it.

The module that checks a file is chosen by its content; the answer is always a Verdict. Damage is part of the answer,
and so is an unreadable file: only wrong arguments raise.

Structure is checked where bytes are read (codec and grammar, FormatError), which ends reading. Meaning is checked by
rules: a code, its severity, its texts, and which servers refuse it (``rdbtool.operations.validate.checks``).
"""

from __future__ import annotations

import os

from rdbtool.core.errors import (
    FileKind,
    Finding,
    FormatError,
    PlaceError,
    RdbToolError,
    UnknownFormatError,
    what_servers_do,
)
from rdbtool.core.light_typing import TYPE_CHECKING, BinaryIO, Final
from rdbtool.core.progress import Progress, begin_pass
from rdbtool.operations.validate.verdict import (
    Checks,
    Gathered,
    Kind,
    Verdict,
    describe_fault,
    place_finding,
    unanswered,
)
from rdbtool.reader.open.dispatch import open_any

if TYPE_CHECKING:
    from rdbtool.reader.aof.reader import AofReader
    from rdbtool.reader.jsonl.reader import JsonlReader
    from rdbtool.reader.rdb import RdbReader

#: The kind of an input that could not be opened, by the kind of file that the fault is in.
_KINDS: Final[dict[FileKind, Kind]] = {
    "rdb": "rdb",
    "aof": "aof",
    "manifest": "aof",
    "jsonl": "jsonl",
    "compressed": "rdb",
}


def validate(
    target: str | os.PathLike[str] | bytes | BinaryIO,
    checks: Checks | None = None,
    progress: Progress | None = None,
    *,
    name: str | None = None,
) -> Verdict:
    """Check ``target``: an RDB file, an AOF or JSON lines, ``-`` for standard input.

    ``progress`` is called with the number of bytes read; ``name`` is the input's name in the verdict.
    """
    checks = checks or Checks()
    called = name or (os.fspath(target) if isinstance(target, str | os.PathLike) else None)
    try:
        reader = open_any(target, name=name, jsonl=True)
    except RdbToolError as error:
        return _unopened(called or "the source", checks, error)
    with reader:
        return validate_reader(reader, checks, progress)


def validate_reader(
    reader: RdbReader | AofReader | JsonlReader, checks: Checks, progress: Progress | None = None
) -> Verdict:
    """Check an open input; it is read to its end, or to damage after which nothing is readable, but not closed."""
    if reader.kind == "aof":
        from rdbtool.operations.validate.aof import validate_log  # noqa: PLC0415 - the engine is for AOFs only

        return validate_log(reader, checks, progress)
    begin_pass(progress, "checking", reader.name, reader.size)
    if reader.kind == "rdb":
        from rdbtool.operations.validate.rdb import validate_rdb  # noqa: PLC0415 - for RDBs only

        verdict = validate_rdb(reader, checks, progress)
    else:
        from rdbtool.operations.validate.rdb import validate_jsonl  # noqa: PLC0415 - for JSON lines only

        verdict = validate_jsonl(reader, checks, progress)
    return verdict if checks.places is None else _refuse_places(verdict)


def _refuse_places(verdict: Verdict) -> Verdict:
    """Return the verdict on an input without commands for which places were given."""
    finding = place_finding(str(PlaceError.no_commands(verdict.source)), verdict.source, "error")
    return verdict._replace(
        findings=(finding, *verdict.findings),
        counts=verdict.counts | {"error": verdict.counts["error"] + 1},
        answer="invalid" if verdict.answer == "valid" else verdict.answer,
    )


def _unopened(source: str, checks: Checks, error: RdbToolError) -> Verdict:
    choice = checks.choice
    gathered = Gathered()
    if isinstance(error, FormatError):
        part = error.where.source or source
        kind = _KINDS[error.file_kind]
        gathered.add(describe_fault(error, part))
    elif isinstance(error, UnknownFormatError):
        part, kind = source, "unknown"
        found = f"begins with {error.head!r}" if error.head else "is empty"
        message = f"expected an RDB, an AOF, a manifest or JSON lines, but the file {found}"
        gathered.add(Finding("RDB001", "error", part, 0, message, what_servers_do("RDB001")))
    else:
        return unanswered(source, "unknown", checks, choice, error)
    return unanswered(source, kind, checks, choice, error)._replace(
        findings=gathered.kept(), counts=dict(gathered.counts), answer=gathered.answer, parts=(part,), error=None
    )
