"""Validate several inputs, with policies, timing and retries.

A file that changes during the read gives no answer, so it is retried after a pause. While a server rewrites an AOF,
files can vanish between the reading of its manifest and theirs; that looks like a missing file and is retried too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from rdbtool.core.progress import Progress
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import EXIT_CODES, Checks, Verdict

if TYPE_CHECKING:
    from rdbtool.operations.validate.expectations import Policies
    from rdbtool.reader.open.dispatch import Target


class Validated(NamedTuple):
    """A verdict and the time taken in seconds."""

    verdict: Verdict
    seconds: float

    def is_good(self, *, strict: bool) -> bool:
        """Whether the input is valid, with ``strict`` also without warnings."""
        return self.verdict.is_clean(strict=strict)


def validate_input(
    target: Target,
    checks: Checks,
    policies: Policies | None = None,
    progress: Progress | None = None,
    *,
    retries: int = 0,
    pause: float = 1.0,
) -> Validated:
    """Validate ``target`` (a path, ``-``, bytes or a stream); without an answer, retry up to ``retries`` times.

    ``pause`` is the time between attempts in seconds. Never raises because of the input.
    """
    began = time.monotonic()
    looked_again = False
    while True:
        verdict = validate(target, checks, progress)
        if policies is not None:
            from rdbtool.operations.validate.expectations import apply_policies  # noqa: PLC0415 - most checks have none

            verdict = apply_policies(verdict, policies, target, checks)
        if target == "-" or not isinstance(target, str | os.PathLike):
            break
        if not looked_again and any(finding.code == "MAN012" for finding in verdict.findings):
            looked_again = True
            continue
        if verdict.answer != "unanswered" or retries <= 0:
            break
        retries -= 1
        time.sleep(pause)
    return Validated(verdict, time.monotonic() - began)


def exit_code(validated: Iterable[Validated], *, strict: bool) -> int:
    """Return the exit code for several inputs: 1 beats 4 beats 3 beats 0."""
    codes = {code_of(row, strict=strict) for row in validated}
    return next(code for code in EXIT_CODES.values() if code in codes)


def code_of(validated: Validated, *, strict: bool) -> int:
    """Return the exit code for one input."""
    return validated.verdict.exit_code(strict=strict)
