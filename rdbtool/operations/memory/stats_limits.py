"""Limits for ``stats``: the values allowed, and findings for a dataset that exceeds them."""

from __future__ import annotations

from collections.abc import Iterator

from rdbtool.core.errors import Finding, what_servers_do
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from rdbtool._codec.sinks.key_stats import KeyStats
    from rdbtool.operations.memory.stats import LargeKey, Stats
    from rdbtool.operations.validate.verdict import Verdict

#: The most keys above a limit to name.
NAMED: Final = 20


class StatsLimits(NamedTuple):
    """The allowed values; None: unlimited.

    ``max_key`` is in bytes, ``max_no_ttl`` a share of keys, ``max_memory`` in bytes of ``used_memory``, ``max_growth``
    a share of the older dataset's.
    """

    max_key: int | None = None
    max_elements: int | None = None
    max_no_ttl: float | None = None
    max_memory: int | None = None
    max_growth: float | None = None

    @property
    def is_set(self) -> bool:
        """Whether any limit is set."""
        return any(value is not None for value in self)


def missed_limits(stats: Stats, counted: KeyStats, limits: StatsLimits) -> tuple[Finding, ...]:
    """Return a finding for each limit that is exceeded, and for up to twenty keys above a limit."""
    return tuple(_check(stats, counted, limits))


def _check(stats: Stats, counted: KeyStats, limits: StatsLimits) -> Iterator[Finding]:
    if limits.max_memory is not None and stats.totals.used_memory > limits.max_memory:
        yield _finding(
            stats, "CHK024", f"expected at most {limits.max_memory:,} bytes, found {stats.totals.used_memory:,}"
        )
    if limits.max_growth is not None and stats.growth is not None:
        before, now = stats.growth.totals.used_memory, stats.totals.used_memory
        if now - before > before * limits.max_growth:
            share = f"{100 * (now - before) / before:.1f}%" if before else "all of it"
            words = (
                f"expected growth of at most {100 * limits.max_growth:g}%, found {share} ({before:,} to {now:,} bytes)"
            )
            yield _finding(stats, "CHK025", words)
    keys, never = counted.rows, stats.no_ttl.keys
    if limits.max_no_ttl is not None and never > keys * limits.max_no_ttl:
        words = f"expected at most {100 * limits.max_no_ttl:g}% of keys, found {100 * never / keys:.1f}% ({never:,})"
        yield _finding(stats, "CHK023", words)
    yield from _large_keys(stats, "CHK021", "memory", limits.max_key, counted.above_memory)
    yield from _large_keys(stats, "CHK022", "elements", limits.max_elements, counted.above_elements)


def _large_keys(stats: Stats, code: str, by: str, most: int | None, count: int) -> Iterator[Finding]:
    unit = "bytes" if by == "memory" else by
    if most is None or not count:
        return
    named = [row for row in stats.largest[by] if getattr(row, by) > most][:NAMED]
    for row in named:
        yield _finding(stats, code, f"expected at most {most:,} {unit}, found {getattr(row, by):,}", row)
    if count > len(named):
        yield _finding(stats, code, f"{count - len(named):,} more keys have more than {most:,} {unit}")


def _finding(stats: Stats, code: str, message: str, key: LargeKey | None = None) -> Finding:
    finding = Finding(
        code, "error", stats.sources[0].source if stats.sources else "", 0, message, what_servers_do(code)
    )
    return finding if key is None else finding._replace(db=key.db, key=key.key, kind=key.kind)


def verdict_of(stats: Stats) -> Verdict:
    """Return the findings as the verdict on an input, for the reports of ``validate``."""
    from rdbtool.operations.validate.verdict import Verdict  # noqa: PLC0415 - for its reports only

    first = stats.sources[0]
    return Verdict(
        source=first.source,
        kind="aof" if first.kind == "aof" else "jsonl" if first.kind == "jsonl" else "rdb",
        findings=stats.findings,
        counts={"error": len(stats.findings), "warning": 0, "note": 0},
        keys=stats.totals.keys,
        by_db={row.db: (row.keys, row.expires) for row in stats.dbs},
        bytes=first.size,
        checksum="unread",
        choice=first.choice,
        level="deep",
        answer="invalid" if stats.findings else "valid",
    )
