"""Rules of keys: names, expiry, eviction data."""

from __future__ import annotations

from typing import Final

from rdbtool.operations.validate.checks.rule import Rule, always, never, whole

RULES: Final[dict[str, Rule]] = {
    "duplicate-key": Rule(
        "RDB301", "error", lambda _: "expected each key once, but it stood further up already", whole, always
    ),
    "empty-key": Rule("RDB302", "note", lambda _: "a key with an empty name", whole, never),
    "expire-not-positive": Rule(
        "RDB303",
        "warning",
        lambda row: f"expected a time after 1970, but the key expires at {row.facts[0]} ms",
        whole,
        never,
    ),
    "expire-far": Rule(
        "RDB304",
        "warning",
        lambda row: f"expected a time before the year 10000, but the key expires at {row.facts[0]} ms",
        whole,
        never,
    ),
    "idle-and-freq": Rule(
        "RDB305",
        "warning",
        lambda row: f"expected an idle time or a frequency, but the key has both: {row.facts[0]} s and {row.facts[1]}",
        whole,
        never,
    ),
}
