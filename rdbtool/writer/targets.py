"""What to write: a server's release, or an RDB version, and so magic, version and forms (format A1, A2).

A target is named as users name servers (``redis-6.2``, ``valkey-9``) or formats (``rdb-9``). Where releases of
one version write alike, the version says all; the release is kept for the places where they do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple, Self

from rdbtool.errors import Loss
from rdbtool.model import Aux, Header
from rdbtool.rules import Rules
from rdbtool.types import REDIS, VALKEY, VERSIONS

#: The RDB version that a release of Redis writes: the first release of each, newest first.
_REDIS: Final = (
    ((8, 10), 15),
    ((8, 8), 14),
    ((8, 6), 13),
    ((7, 4), 12),
    ((7, 2), 11),
    ((7, 0), 10),
    ((5, 0), 9),
    ((4, 0), 8),
    ((3, 2), 7),
    ((2, 6), 6),
    ((2, 4), 2),
    ((0, 0), 1),
)

#: The newest releases that are known. Those behind them may write anything.
_NEWEST: Final = {"redis": (8, 10), "valkey": (9, 1)}

#: The first release of Valkey with a magic of its own; those before write what Redis 7.2 does.
_OWN_MAGIC: Final = (9, 0)

#: What is written where nothing says otherwise: all servers since 7.2 read it, Valkey's too.
_COMMON: Final = 11

_FORMAT: Final = re.compile(r"rdb-(\d{1,3})")


class Target(NamedTuple):
    """A format to write: magic, RDB version, and the server it is for, if one was named."""

    magic: str
    version: int
    release: Rules | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``redis-6.2``, ``valkey-9``, ``valkey-8.1.2`` or ``rdb-9``. Raises ValueError for anything else."""
        match = _FORMAT.fullmatch(text.strip().lower())
        if match is None:
            return cls.of_release(Rules.parse(text))
        version = int(match[1])
        for magic, (low, high) in VERSIONS.items():
            if low <= version <= high:
                return cls(magic, version)
        raise ValueError(f"{text!r}: no such RDB version is known")

    @classmethod
    def of_release(cls, release: Rules) -> Self:
        """Return what a server writes. Raises ValueError for one that is newer than any known."""
        number = release.major, release.minor
        if number > _NEWEST[release.family]:
            newest = Rules(release.family, *_NEWEST[release.family])
            raise ValueError(f"{release} is newer than {newest}, the newest release that is known")
        if release.family == "valkey":
            return cls(VALKEY, 80, release) if number >= _OWN_MAGIC else cls(REDIS, _COMMON, release)
        return cls(REDIS, next(version for first, version in _REDIS if number >= first), release)

    def raised_for(self, losses: Iterable[Loss]) -> Self:
        """Return the oldest target, this one or a newer version of Redis, that avoids all losses that can be."""
        if self.magic != REDIS:
            return self
        needed = max((loss.needs or 0 for loss in losses if loss.severity == "loss"), default=0)
        return self if needed <= self.version else self._replace(version=needed, release=None)

    def __str__(self) -> str:
        return f"{self.magic} version {self.version}" + (f" for {self.release}" if self.release else "")


def default_target(header: Header | None, aux: Iterable[Aux] = ()) -> Target:
    """Return the form of the source: its magic, version and writer; RDB 11 where it has no RDB at all."""
    if header is None:
        return Target(REDIS, _COMMON)
    return Target(header.magic, header.version, _writer(header, aux))


def _writer(header: Header, aux: Iterable[Aux]) -> Rules | None:
    """Return the server that the aux fields name, unless it does not write what the header says."""
    for item in aux:
        family = {b"redis-ver": "redis", b"valkey-ver": "valkey"}.get(item.key.lower())
        if family is not None:
            try:
                release = Rules.parse(f"{family}-{item.value.decode('ascii', 'replace')}")
                written = Target.of_release(release)
            except ValueError:
                return None
            return release if (written.magic, written.version) == (header.magic, header.version) else None
    return None
