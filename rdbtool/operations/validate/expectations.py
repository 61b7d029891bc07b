"""Policies of a backup check beyond validity: how many keys, how old, which version, which data.

Policies are checked on valid inputs; a missed policy is an error like any other. If the input lacks what a policy
needs, that is an error too: a requested check is never skipped silently.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from rdbtool.core.errors import Finding, InputError, RdbToolError, UncertainError, describe_error, what_servers_do
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple, Self
from rdbtool.core.servers import Rules, writer_of
from rdbtool.operations.validate.verdict import Answer, Checks, Gathered, Verdict

if TYPE_CHECKING:
    from rdbtool.reader.open.dispatch import Target

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

#: Allowed difference of two machines' clocks in seconds.
_CLOCK_ERROR: Final = 300

# Compiled on first use: most checks have no policy.
_AGE: Final = r"(\d{1,9})([smhd])"
_RANGE: Final = r"(?:db)?(\d{1,9})=(?:(\d{1,18})|(\d{1,18})?\.\.(\d{1,18})?)"
_DIGEST: Final = r"[0-9a-f]{40}"


class Range(NamedTuple):
    """The expected number of keys of a database, both ends included; ``most`` None: no maximum."""

    db: int
    least: int
    most: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``db0=1000..``, ``db0=..5``, ``db3=10..20`` or ``db1=7``. Raises ValueError for anything else."""
        match = re.fullmatch(_RANGE, text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a valid range such as db0=1000.. or db1=10..20")
        if match[2] is not None:
            return cls(int(match[1]), int(match[2]), int(match[2]))
        least, most = int(match[3] or 0), None if match[4] is None else int(match[4])
        if most is not None and most < least:
            raise ValueError(f"{text!r} is an empty range")
        return cls(int(match[1]), least, most)

    def __str__(self) -> str:
        if self.most is None:
            return f"at least {self.least:,}"
        return f"{self.least:,}" if self.least == self.most else f"{self.least:,} to {self.most:,}"


class Policies(NamedTuple):
    """The policies for an input; None and empty: no policy.

    ``max_age`` is in seconds. ``min_version`` is an RDB version, or a server: then the writer has to be that server or
    a later one of its family. ``digest`` is the output of DEBUG DIGEST, in lower case.
    """

    min_keys: int | None = None
    max_age: int | None = None
    min_version: int | Rules | None = None
    digest: str | None = None
    ranges: tuple[Range, ...] = ()

    @property
    def counts_keys(self) -> bool:
        """Whether the key counts are needed, for an AOF by a replay."""
        return self.min_keys is not None or self.digest is not None or bool(self.ranges)


def parse_age(text: str) -> int:
    """Return ``26h``, ``90m``, ``3600s`` or ``7d`` in seconds. Raises ValueError for anything else."""
    match = re.fullmatch(_AGE, text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is not a valid length of time such as 90m, 26h or 7d")
    return int(match[1]) * _UNITS[match[2]]


def parse_version(text: str) -> int | Rules:
    """Parse ``11`` or ``rdb-11`` (an RDB version), or a server such as ``redis-7.0``. Raises ValueError."""
    match = re.fullmatch(r"(?:rdb-)?(\d{1,4})", text.strip().lower())
    if match is not None:
        return int(match[1])
    try:
        return Rules.parse(text)
    except ValueError as error:
        raise ValueError(f"{error}; an RDB version is a number such as 11") from None


def parse_digest(text: str) -> str:
    """Return 40 hex digits in lower case. Raises ValueError for anything else."""
    lower = text.strip().lower()
    if re.fullmatch(_DIGEST, lower) is None:
        raise ValueError(f"{text!r} is not a valid digest: 40 hex digits, as DEBUG DIGEST prints them")
    return lower


def apply_policies(verdict: Verdict, policies: Policies, target: Target, checks: Checks) -> Verdict:
    """Return the verdict on ``target`` (as in ``validate``) with missed policies added, if it is valid so far.

    ``checks`` are those of the verdict. For the digest the input is read once more; if that fails, the verdict is
    ``unanswered``. Never raises because of the input.
    """
    if verdict.answer != "valid" or policies == Policies():
        return verdict
    gathered = Gathered()
    digest = None
    if policies.counts_keys and not verdict.is_counted:
        words = "how many keys it holds is not known: it was not replayed"
        return verdict._replace(answer="unanswered", error=f"{verdict.source}: {words}")
    try:
        if policies.digest is not None:
            digest, doubt = _digest(verdict, target, checks)
            if doubt is not None:
                message = f"the digest is uncertain: {describe_error(doubt, with_remedy=False)}"
                gathered.add(Finding("CHK014", "error", verdict.source, 0, message, what_servers_do("CHK014")))
        for code, message in _check(verdict, policies, target, checks.now_ms, digest):
            gathered.add(Finding(code, "error", verdict.source, 0, message, what_servers_do(code)))
    except RdbToolError as error:
        return verdict._replace(answer="unsupported" if error.exit_code == 4 else "unanswered", error=str(error))
    counts = {severity: verdict.counts[severity] + gathered.counts[severity] for severity in verdict.counts}
    findings = gathered.kept() + verdict.findings
    answer: Answer = "invalid" if gathered.counts["error"] else verdict.answer
    return verdict._replace(findings=findings, counts=counts, answer=answer, digest=digest)


def _check(
    verdict: Verdict, policies: Policies, target: Target, now_ms: int, digest: str | None
) -> Iterator[tuple[str, str]]:
    """Yield (code, message) of each missed policy."""
    if policies.min_keys is not None and verdict.keys < policies.min_keys:
        yield "CHK011", f"expected at least {policies.min_keys:,} keys, found {verdict.keys:,}"
    if policies.max_age is not None:
        message = _check_age(verdict, policies.max_age, target, now_ms)
        if message is not None:
            yield "CHK012", message
    if policies.min_version is not None:
        message = _check_version(verdict, policies.min_version)
        if message is not None:
            yield "CHK013", message
    if policies.digest is not None and digest != policies.digest:
        yield "CHK014", f"expected the digest {policies.digest}, found {digest} (rules {verdict.rules})"
    for wanted in policies.ranges:
        keys = verdict.by_db.get(wanted.db, (0, 0))[0]
        if keys < wanted.least or (wanted.most is not None and keys > wanted.most):
            yield "CHK015", f"expected {wanted} keys in db {wanted.db}, found {keys:,}"


def _check_age(verdict: Verdict, max_age: int, target: Target, now_ms: int) -> str | None:
    moment, what = _saved_at(verdict, target)
    if moment is None:
        return f"expected an age of at most {_show_age(max_age)}, found no time: {what}"
    age = now_ms / 1000 - moment
    if age < -_CLOCK_ERROR:
        return f"expected an age of at most {_show_age(max_age)}, found {what} {_show_age(-age)} in the future"
    if age > max_age:
        return f"expected an age of at most {_show_age(max_age)}, found {_show_age(age)} by {what}"
    return None


def _saved_at(verdict: Verdict, target: Target) -> tuple[float | None, str]:
    """Return when the data was saved (Unix seconds) and the source of that time; None and why it is unknown.

    An RDB file has the time in its aux field ctime. An AOF continues after its snapshot, so its file times count.
    """
    ctime = next((row.value for row in verdict.aux if row.key == b"ctime"), b"")
    if verdict.kind == "rdb" and ctime.isdigit() and len(ctime) <= 12:
        return int(ctime), "its ctime"
    if target == "-" or not isinstance(target, str | os.PathLike):
        return None, f"{verdict.source} has none"
    path = Path(target)
    paths = [path]
    if verdict.kind == "aof" and verdict.parts:
        # The files are beside the manifest, after which the verdict is named.
        beside = Path(verdict.source).parent
        paths = [beside / part for part in verdict.parts if (beside / part).exists()] or paths
    try:
        return max(inner.stat().st_mtime for inner in paths), "the time of its last change"
    except OSError as error:
        raise InputError(f"{os.fspath(target)} changed while it was read: {error.strerror}") from None


def _check_version(verdict: Verdict, wanted: int | Rules) -> str | None:
    header = verdict.header
    if isinstance(wanted, int):
        if header is None:
            return f"expected RDB version {wanted} or later, found no RDB"
        found = header.version
        return None if found >= wanted else f"expected RDB version {wanted} or later, found {found}"
    writer = writer_of(verdict.aux)
    if writer is None:
        return f"expected a file written by {wanted} or later, found no writer named"
    release = writer.release or (Rules.newest(writer.family) if writer.is_newer else None)
    if writer.family != wanted.family or release is None:
        return f"expected a file written by {wanted} or later, found {writer.field} {writer.text}"
    return None if release >= wanted else f"expected a file written by {wanted} or later, found {release}"


def _digest(verdict: Verdict, target: Target, checks: Checks) -> tuple[str, UncertainError | None]:
    """Return the digest, and what makes it uncertain."""
    from rdbtool.dataset.loading import open_keys  # noqa: PLC0415 - likewise
    from rdbtool.operations.info.digest import compute_digest  # noqa: PLC0415 - rarely asked for

    if target == "-" or not isinstance(target, str | os.PathLike | bytes):
        raise InputError(f"the digest needs a second pass, and {verdict.source} can be read only once: give a file")
    # Inferred rules are inferred again: under them, an error reply means an unknown effect.
    rules = str(verdict.rules) if verdict.choice.origin == "named" else None
    now_ms, rename = checks.now_ms, checks.rename_commands
    with open_keys(target, rules=rules, now_ms=now_ms, places=checks.places, rename_commands=rename) as keys:
        return compute_digest(keys, rules, now_ms=now_ms).digest, keys.doubt


def _show_age(seconds: float) -> str:
    for unit in "dhm":
        if seconds >= 2 * _UNITS[unit]:
            return f"{seconds / _UNITS[unit]:.1f}{unit}".replace(".0", "")
    return f"{seconds:.0f}s"
