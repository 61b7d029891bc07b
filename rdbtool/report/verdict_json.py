"""Verdicts as JSON: one object, with ``sources`` in the order of the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rdbtool.operations.validate.batch import Validated, exit_code


def verdicts_json(validated: Sequence[Validated], *, strict: bool) -> str:
    """Return the report on all inputs."""
    report = {
        "schema": 1,
        "strict": strict,
        "exit_code": exit_code(validated, strict=strict),
        "sources": [row.verdict.source_dict(strict=strict) for row in validated],
    }
    return json.dumps(report) + "\n"
