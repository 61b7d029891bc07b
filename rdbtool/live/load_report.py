"""What became of a load."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rdbtool.core.errors import json_bytes, json_name
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from rdbtool.core.errors import Loss

#: Keys that a report names of a kind; all are counted.
NAMED: Final = 100


class Differing(NamedTuple):
    """A key that the server does not have as the file has it: it is ``missing``, or has other data."""

    db: int
    key: bytes
    missing: bool


class LoadCheck(NamedTuple):
    """The result of a verification: keys that are the ``same``, and that are ``differing``; the first are ``named``.

    ``expired`` counts keys that the server does not have any more because their expiry time has passed.
    """

    same: int
    differing: int
    expired: int
    named: tuple[Differing, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the object for ``load --json``."""
        return {
            "same": self.same,
            "differing": self.differing,
            "expired": self.expired,
            "keys": [{"db": row.db, "key": json_bytes(row.key), "missing": row.missing} for row in self.named],
        }


class Rejected(NamedTuple):
    """A key that the server refused, and its error reply."""

    db: int
    key: bytes
    reply: str


@dataclass(frozen=True)
class LoadedReport:
    """The result of a load: how many keys were ``loaded``, ``existed`` and were kept, or were ``rejected``.

    ``form`` is ``restore`` or ``commands``; ``functions`` counts libraries and scripts; ``resumed`` is how often the
    connection was reopened; ``losses`` is what the server cannot hold. ``existing`` and ``refused`` name the first
    hundred keys of each. ``check`` is the result of the verification, None without one.
    """

    source: str
    target: str
    server: str
    form: str
    loaded: int
    existed: int
    rejected: int
    functions: int
    resumed: int
    seconds: float
    existing: tuple[tuple[int, bytes], ...]
    refused: tuple[Rejected, ...]
    losses: tuple[Loss, ...]
    is_dry: bool = False
    is_fine_to_exist: bool = False
    check: LoadCheck | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every key was loaded, or kept as asked, and the verification, if any, found no difference."""
        is_verified = self.check is None or self.check.differing == 0
        return is_verified and self.rejected == 0 and (self.existed == 0 or self.is_fine_to_exist)

    def with_check(self, check: LoadCheck) -> LoadedReport:
        """Return a copy with the result of a verification."""
        return replace(self, check=check)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``load --json`` prints."""
        return {
            "schema": 1,
            "source": json_name(self.source),
            "target": self.target,
            "server": self.server,
            "form": self.form,
            "dry_run": self.is_dry,
            "loaded": self.loaded,
            "existed": self.existed,
            "rejected": self.rejected,
            "functions": self.functions,
            "resumed": self.resumed,
            "seconds": round(self.seconds, 3),
            "existing": [{"db": db, "key": json_bytes(key)} for db, key in self.existing],
            "refused": [{"db": row.db, "key": json_bytes(row.key), "reply": row.reply} for row in self.refused],
            "losses": [loss.to_dict() for loss in self.losses],
            "verification": None if self.check is None else self.check.to_dict(),
        }
