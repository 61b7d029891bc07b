"""The least server that has everything an AOF uses, where nobody named the server that wrote it.

Commands, words and payloads came with releases of Redis or Valkey. Each that is newer than all before raises the oldest
server of either family that may have written the AOF, or leaves only one family.
"""

from __future__ import annotations

from typing import Final

from rdbtool.core.products import Product
from rdbtool.core.servers import (
    DEFAULT,
    FIRST_WITH_PARTS,
    RELEASES,
    Rules,
    RulesChoice,
    Since,
    VersionedHeader,
    release_since,
)
from rdbtool.engine.inference.release_words import since_version

#: What applies where an AOF begins without an RDB that tells more.
UNNAMED: Final = RulesChoice(DEFAULT, "inferred", "an AOF that names no server")

#: What tells of a server beside commands.
MANIFEST: Final = Since("a manifest", FIRST_WITH_PARTS.release)
TIMES: Final = Since("annotated times", FIRST_WITH_PARTS.release)


class UnmetNeedError(Exception):
    """What a command uses was not met before. Nothing was executed; it can be once ``since`` was met."""

    def __init__(self, since: Since) -> None:
        super().__init__(since.name)
        self.since = since


class ServerNeeds:
    """What an AOF was seen to use.

    ``least`` has the oldest server of each family that has all of it; a family that lacks any of it is not there.
    ``conflict`` words what no server has together with the rest: it is not counted in, and is executed as the server
    of the rules would. ``product`` is whose rules apply where a command gives a product away that made the AOF.
    """

    def __init__(self) -> None:
        self.product: RulesChoice | None = None
        self.least = {family: Rules.oldest(family) for family in RELEASES}
        self.conflict: str | None = None
        self._raised_by: dict[str, str] = {}
        self._excluded_by: dict[str, str] = {}
        self._met: set[str] = set()

    def has_met(self, since: Since) -> bool:
        """Return whether something was used before."""
        return since.name in self._met

    def require(self, since: Since) -> None:
        """Raise UnmetNeedError where something is used for the first time."""
        if since.name not in self._met:
            raise UnmetNeedError(since)

    def meet(self, since: Since, place: str) -> None:
        """Take note of the first use of something; ``place`` says where it is, such as ``at 0x32``."""
        if since.name in self._met:
            return
        self._met.add(since.name)
        reason = f"{since.name} {place}".rstrip()
        firsts = {family: release_since(family, getattr(since, family)) for family in self.least}
        left = {family: first for family, first in firsts.items() if first is not None}
        if not left:
            self.conflict = self.conflict or reason
            return
        for family in self.least.keys() - left:
            self._excluded_by[family] = reason
        for family, first in left.items():
            if first > self.least[family]:
                self._raised_by[family] = reason
                # What tells both is one reason.
                self._excluded_by = {other: self._join(said, reason) for other, said in self._excluded_by.items()}
        self.least = {family: max(first, self.least[family]) for family, first in left.items()}

    @staticmethod
    def _join(said: str, reason: str) -> str:
        return said if said == reason else f"{said}, {reason}"

    def meet_snapshot(self, header: VersionedHeader) -> None:
        """Take note of the version of the RDB in front of an AOF."""
        since = since_version(header.version)
        if since is not None:
            self.meet(since, "")

    def meet_product(self, product: Product, name: str, place: str) -> None:
        """Take note of the first command that only a product has."""
        if self.product is None:
            reason = f"{name} {place}".rstrip()
            self.product = RulesChoice(Rules.parse(product.base), "inferred", f"{reason}, a command of {product.name}")

    def choose(self, start: RulesChoice) -> RulesChoice:
        """Return whose rules apply: ``start``, or the least server where that is newer, or of the other family.

        Where a file does not name its writer, the product that a command gives away comes before ``start``.
        """
        if self.product is not None and not start.is_known:
            start = self.product
        family = start.rules.family
        if family in self.least and start.rules >= self.least[family]:
            choice = start
        else:
            chosen = family if family in self.least else next(iter(self.least))
            reason = self._raised_by.get(chosen, "") if family == chosen else self._excluded_by[family]
            others = (least for name, least in self.least.items() if name != chosen and name in self._raised_by)
            choice = RulesChoice(self.least[chosen], "inferred", reason, is_least=True, other=next(others, None))
        if self.conflict is None:
            return choice
        return choice._replace(origin="inferred", reason=f"{choice.reason}; {self.conflict} is of no such server")
