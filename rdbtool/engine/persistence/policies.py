"""When to save or to rewrite: values that decide by counters.

Nothing here reads a clock or a file. The owner of an engine counts, asks ``is_due`` now and then, and acts; so a
policy is tried out with numbers alone. The rules are those of the servers' ``save`` and ``auto-aof-rewrite-*``.
"""

from __future__ import annotations

from rdbtool.core.light_typing import NamedTuple, Protocol

_SECOND_MS = 1000


class Counters(NamedTuple):
    """What policies decide by.

    ``now_ms`` and ``last_save_ms`` (the last save or rewrite) are Unix ms, ``changes`` counts the writes since then.
    ``memory`` is what the data takes, ``log_size`` the current log and ``base_size`` the AOF just after its last
    rewrite, all in bytes.
    """

    now_ms: int
    last_save_ms: int = 0
    changes: int = 0
    memory: int = 0
    log_size: int = 0
    base_size: int = 0


class Policy(Protocol):
    """Anything that decides."""

    def is_due(self, counters: Counters) -> bool:
        """Whether it is time."""


class Manual(NamedTuple):
    """Never by itself."""

    def is_due(self, counters: Counters) -> bool:  # noqa: ARG002 - a policy's signature
        """Return False."""
        return False


class SavePoint(NamedTuple):
    """``save 900 1``: at least ``changes`` writes, and more than ``seconds`` since the last save.

    As on a server both moments count as whole seconds.
    """

    seconds: int = 900
    changes: int = 1

    def is_due(self, counters: Counters) -> bool:
        """Whether enough has changed for long enough."""
        passed = counters.now_ms // _SECOND_MS - counters.last_save_ms // _SECOND_MS
        return counters.changes >= self.changes and passed > self.seconds


class MemoryThreshold(NamedTuple):
    """The data takes ``bytes`` or more, and something changed since the last save."""

    bytes: int

    def is_due(self, counters: Counters) -> bool:
        """Whether the data is large and not saved."""
        return counters.memory >= self.bytes and counters.changes > 0


class LogGrowth(NamedTuple):
    """``auto-aof-rewrite-percentage`` and ``-min-size``: the AOF is larger than ``minimum`` bytes, and has grown by
    ``percentage`` or more since its last rewrite. A percentage of 0 means never.
    """  # noqa: D205 - one sentence

    percentage: int = 100
    minimum: int = 64 << 20

    def is_due(self, counters: Counters) -> bool:
        """Whether the AOF has grown enough. One that was empty grew by more than can be said."""
        if self.percentage <= 0 or counters.log_size <= self.minimum:
            return False
        return counters.log_size * 100 // (counters.base_size or 1) - 100 >= self.percentage


class Any:
    """Due when one of several policies is."""

    __slots__ = ("policies",)

    def __init__(self, *policies: Policy) -> None:
        self.policies = policies

    def is_due(self, counters: Counters) -> bool:
        """Whether one of them is due; without any, never."""
        return any(policy.is_due(counters) for policy in self.policies)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Any) and self.policies == other.policies

    def __hash__(self) -> int:
        return hash(self.policies)

    def __repr__(self) -> str:
        return f"Any({', '.join(map(repr, self.policies))})"
