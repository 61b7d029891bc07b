"""What to write: a server's release, or an RDB version, and so magic, version and forms (format A1, A2).

A target is named as users name servers (``redis-6.2``, ``valkey-9``) or formats (``rdb-9``). Where releases of
one version write alike, the version says all; the release is kept for the places where they do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple, Self

from rdbtool.core.errors import Loss
from rdbtool.core.rdb_types import REDIS, VERSIONS
from rdbtool.core.servers import COMMON_VERSION, Rules, writer_of
from rdbtool.model import Aux, Header

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
        """Return what a server writes."""
        return cls(release.magic, release.rdb_version, release)

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
        return Target(REDIS, COMMON_VERSION)
    return Target(header.magic, header.version, _writer(header, aux))


def _writer(header: Header, aux: Iterable[Aux]) -> Rules | None:
    """Return the server that the aux fields name, unless it does not write what the header says."""
    writer = writer_of(aux)
    if writer is None or writer.release is None:
        return None
    release = writer.release
    return release if (release.magic, release.rdb_version) == (header.magic, header.version) else None
