"""Verdicts as JSON: one object, with ``sources`` in the order of the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rdbtool.operations.validate.batch import Judged, exit_code


def verdicts_json(judged: Sequence[Judged], *, strict: bool) -> str:
    """Return the report on all inputs."""
    report = {
        "schema": 1,
        "strict": strict,
        "exit_code": exit_code(judged, strict=strict),
        "sources": [row.verdict.source_dict(strict=strict) for row in judged],
    }
    return json.dumps(report) + "\n"
