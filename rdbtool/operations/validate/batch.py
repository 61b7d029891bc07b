"""Judging sources one after another, for whoever wants an answer: with policies, time taken, and patience.

A file that changes while it is read gives no answer; patience means to wait and look again. A log that a server
rewrites loses files between the reading of its manifest and theirs, which looks like a file that is missing, so that is
looked at again too.
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


class Judged(NamedTuple):
    """A verdict and the seconds that it took."""

    verdict: Verdict
    seconds: float

    def is_good(self, *, strict: bool) -> bool:
        """Whether the source is valid, with ``strict`` without a warning as well."""
        return self.verdict.is_clean(strict=strict)


def judge(
    target: Target,
    checks: Checks,
    policies: Policies | None = None,
    progress: Progress | None = None,
    *,
    retries: int = 0,
    pause: float = 1.0,
) -> Judged:
    """Judge ``target`` (a path, ``-``, bytes or a stream); while there is no answer, try up to ``retries`` times more.

    ``pause`` is the time between two tries in seconds. Raises nothing that a source can cause.
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
    return Judged(verdict, time.monotonic() - began)


def exit_code(judged: Iterable[Judged], *, strict: bool) -> int:
    """Return the exit code for several sources: 1 beats 4 beats 3 beats 0."""
    codes = {code_of(row, strict=strict) for row in judged}
    return next(code for code in EXIT_CODES.values() if code in codes)


def code_of(judged: Judged, *, strict: bool) -> int:
    """Return the exit code for one source."""
    return judged.verdict.exit_code(strict=strict)
