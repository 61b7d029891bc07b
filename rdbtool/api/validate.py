"""``rdbtool.validate``: whether a file is valid, and whether a server would load it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, Unpack

from rdbtool.api.arguments import (
    ReplayOptions,
    Source,
    check_flags,
    choice_of,
    count_of,
    parsed,
    replaying_of,
    source_of,
    takes,
)
from rdbtool.core.servers import Rules
from rdbtool.operations.validate.batch import validate_input
from rdbtool.operations.validate.verdict import Checks, Verdict

if TYPE_CHECKING:
    from rdbtool.operations.validate.expectations import Policies


@takes(ReplayOptions)
def validate(
    source: Source,
    *,
    level: Literal["server", "deep"] = "deep",
    replay: bool = True,
    databases: int = 16,
    retry: int = 0,
    min_keys: int | None = None,
    max_age: timedelta | str | None = None,
    min_version: str | int | None = None,
    expect_digest: str | None = None,
    expect_keys: str | Iterable[str] | None = None,
    **options: Unpack[ReplayOptions],
) -> Verdict:
    """Read every byte of a file and return the verdict: ``answer``, ``findings`` and counts. Damage is not raised.

    ``level`` ``"deep"`` reports everything; ``"server"`` asks whether the server of ``rules`` would load the file: what
    it does not refuse is a note. ``replay`` False: commands of an AOF are checked, not executed. ``databases`` is the
    number of databases of the server. ``retry``: maximum number of retries, a second apart, while there is no answer.
    Policies: ``min_keys``, ``max_age`` (a timedelta, or text such as ``26h``), ``min_version`` (an RDB version or a
    server), ``expect_digest``, ``expect_keys`` (such as ``db0=1000..``).
    """
    target = source_of(source)
    choice_of("level", level, ("server", "deep"))
    check_flags(replay=replay)
    policies = policies_of(min_keys, max_age, min_version, expect_digest, expect_keys)
    how = replaying_of(options)
    if not replay and policies is not None and policies.counts_keys:
        raise ValueError("replay: counting the keys of an AOF needs the replay")
    if not replay and how.places is not None:
        raise ValueError("replay: the place to stop at needs the replay")
    checks = Checks(
        level=level,
        rules=None if how.rules is None else Rules.parse(how.rules),
        replay=replay,
        now_ms=how.now_ms,
        databases=count_of("databases", databases, 1) or 1,
        places=how.places,
        rename_commands=how.rename_commands,
    )
    retries = count_of("retry", retry) or 0
    return validate_input(target, checks, policies, how.progress, retries=retries).verdict


def policies_of(
    min_keys: int | None,
    max_age: timedelta | str | None,
    min_version: str | int | None,
    expect_digest: str | None,
    expect_keys: str | Iterable[str] | None,
) -> Policies | None:
    """Return the policies, None if none are given. Raises ValueError, TypeError."""
    if all(given is None for given in (min_keys, max_age, min_version, expect_digest, expect_keys)):
        return None
    from rdbtool.operations.validate.expectations import (  # noqa: PLC0415 - most checks have none
        Policies,
        Range,
        parse_age,
        parse_digest,
        parse_version,
    )

    texts = [expect_keys] if isinstance(expect_keys, str) else list(expect_keys or ())
    ranges = [parsed("expect_keys", Range.parse, row) for text in texts for row in text.split(",")]
    age = max_age // timedelta(seconds=1) if isinstance(max_age, timedelta) else parsed("max_age", parse_age, max_age)
    version = str(min_version) if isinstance(min_version, int) else min_version
    return Policies(
        count_of("min_keys", min_keys),
        age,
        parsed("min_version", parse_version, version),
        parsed("expect_digest", parse_digest, expect_digest),
        tuple(wanted for wanted in ranges if wanted is not None),
    )
