"""Validate several inputs, with policies, timing and retries.

A file that changes during the read gives no answer, so it is retried after a pause. While a server rewrites an AOF,
files can vanish between the reading of its manifest and theirs; that looks like a missing file and is retried too.
"""

from __future__ import annotations

import os
import stat
import time

from rdbtool.core.cores import at_most, processes
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.limits import limited, table_memory
from rdbtool.core.progress import Progress
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import EXIT_CODES, Checks, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from rdbtool.operations.validate.expectations import Policies
    from rdbtool.reader.open.dispatch import Target


#: Bytes of all files together from which on several processes read them.
_LARGE: Final = 16 << 20


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


def validate_all(
    targets: Sequence[str],
    checks: Checks,
    policies: Policies | None = None,
    *,
    progress: Callable[[], AbstractContextManager[Progress | None]],
    retries: int = 0,
) -> list[Validated]:
    """Validate several inputs; large ones at once, in as many processes as there are cores for.

    ``progress`` makes a progress bar for an input that is alone, or None.
    """
    count = min(processes(), len(targets))
    if count > 1 and sum(map(_size, targets)) >= _LARGE:
        from rdbtool.core.forks import map_forked  # noqa: PLC0415 - for several large files only

        # What several processes share: an input has one core where there are as many inputs as cores.
        cores, memory = max(1, processes() // count), table_memory() // count

        def validate_one(target: str) -> Validated:
            with at_most(cores), limited(memory=memory):
                return validate_input(target, checks, policies, retries=retries)

        files = [target for target in targets if _size(target)]
        done = dict(zip(files, map_forked(validate_one, files, count), strict=True))
    else:
        done = {}
    validated = []
    for target in targets:
        if target in done:
            validated.append(done[target])
            continue
        with progress() as bar:
            validated.append(validate_input(target, checks, policies, bar, retries=retries))
    return validated


def _size(target: str) -> int:
    """Return the size of a regular file, 0 for other inputs, such as a directory, whose files are many."""
    try:
        status = os.stat(target)  # noqa: PTH116 - pathlib takes 2 ms to import
    except (OSError, ValueError):
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def exit_code(validated: Iterable[Validated], *, strict: bool) -> int:
    """Return the exit code for several inputs: 1 beats 4 beats 3 beats 0."""
    codes = {code_of(row, strict=strict) for row in validated}
    return next(code for code in EXIT_CODES.values() if code in codes)


def code_of(validated: Validated, *, strict: bool) -> int:
    """Return the exit code for one input."""
    return validated.verdict.exit_code(strict=strict)
