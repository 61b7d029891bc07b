"""Verdicts as JSON: one object, whose ``sources`` stand in the order of the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from rdbtool.core.errors import clean
from rdbtool.core.findings import Finding
from rdbtool.operations.validate.batch import Judged, code_of, exit_code
from rdbtool.operations.validate.verdict import Verdict
from rdbtool.report.findings import json_bytes
from rdbtool.report.summary import aux_pairs, rules_json


def verdicts_json(judged: Sequence[Judged], *, strict: bool) -> str:
    """Return the report on all sources."""
    report = {
        "schema": 1,
        "strict": strict,
        "exit_code": exit_code(judged, strict=strict),
        "sources": [_source(row, strict=strict) for row in judged],
    }
    return json.dumps(report) + "\n"


def _source(judged: Judged, *, strict: bool) -> dict[str, Any]:
    verdict: Verdict = judged.verdict
    header = verdict.header
    return {
        "source": _name(verdict.source),
        "kind": verdict.kind,
        "answer": verdict.answer,
        "exit_code": code_of(judged, strict=strict),
        "error": None if verdict.error is None else clean(verdict.error),
        **rules_json(verdict.choice),
        "level": verdict.level,
        "size": verdict.bytes,
        "magic": None if header is None else header.magic,
        "version": None if header is None else header.version,
        "aux": aux_pairs(verdict.aux),
        "checksum": verdict.checksum,
        "parts": [_name(part) for part in verdict.parts],
        "keys": verdict.keys if verdict.is_counted else None,
        "dbs": [{"db": db, "keys": keys, "expires": expires} for db, (keys, expires) in sorted(verdict.by_db.items())]
        if verdict.is_counted
        else None,
        "digest": verdict.digest,
        "counts": verdict.counts,
        "findings": [_finding(finding) for finding in verdict.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
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
    """Return the name of a file, which may be no text."""
    return json_bytes(os.fsencode(name))
