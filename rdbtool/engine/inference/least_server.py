"""The least server that has everything an AOF uses, if the server that wrote it was not named.

Commands, words and payloads came with releases of Redis or Valkey. Each that is newer than all before raises the oldest
server of either family that may have written the AOF, or leaves only one family. Which words came when stands here;
words that a command has had since its own first release do not. Valkey began as Redis 7.2, so a word that is older than
that is in all of its releases.
"""

from __future__ import annotations

from rdbtool.core.light_typing import Final
from rdbtool.core.rdb_types import REDIS, VERSIONS
from rdbtool.core.servers import (
    COMMON_VERSION,
    DEFAULT,
    FIRST_WITH_PARTS,
    RELEASES,
    Product,
    Release,
    Rules,
    RulesChoice,
    Since,
    VersionedHeader,
    first_writer,
    release_since,
)

#: What applies where an AOF begins without an RDB that names its writer.
UNNAMED: Final = RulesChoice(DEFAULT, "inferred", "an AOF that names no server")

#: What indicates a server besides commands.
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
    of the rules would. ``product`` are the rules of the product that a command of it reveals as the writer of the AOF.
    """

    def __init__(self) -> None:
        self.product: RulesChoice | None = None
        self.least = {family: Rules.oldest(family) for family in RELEASES}
        self.conflict: str | None = None
        self._raised_by: dict[str, str] = {}
        self._excluded_by: dict[str, str] = {}
        self._met: set[str] = set()

    def has_recorded(self, since: Since) -> bool:
        """Return whether something was used before."""
        return since.name in self._met

    def require(self, since: Since) -> None:
        """Raise UnmetNeedError where something is used for the first time."""
        if since.name not in self._met:
            raise UnmetNeedError(since)

    def record(self, since: Since, place: str) -> None:
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
                # What indicates both is one reason.
                self._excluded_by = {other: self._join(said, reason) for other, said in self._excluded_by.items()}
        self.least = {family: max(first, self.least[family]) for family, first in left.items()}

    @staticmethod
    def _join(said: str, reason: str) -> str:
        return said if said == reason else f"{said}, {reason}"

    def record_snapshot(self, header: VersionedHeader) -> None:
        """Note the version of the RDB before an AOF."""
        since = since_version(header.version)
        if since is not None:
            self.record(since, "")

    def record_product(self, product: Product, name: str, place: str) -> None:
        """Take note of the first command that only a product has."""
        if self.product is None:
            reason = f"{name} {place}".rstrip()
            self.product = RulesChoice(Rules.parse(product.base), "inferred", f"{reason}, a command of {product.name}")

    def choose(self, start: RulesChoice) -> RulesChoice:
        """Return which server rules apply: ``start``, or the least server where that is newer, or of the other family.

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


def _words(command: str, words: str, redis: Release | None, valkey: Release | None = (7, 2)) -> dict[bytes, Since]:
    return {word.encode(): Since(f"{command} {word}", redis, valkey) for word in words.split()}


def _expiries(command: str) -> dict[bytes, Since]:
    return _words(command, "NX XX GT LT", (7, 0))


def _flushes(command: str) -> dict[bytes, Since]:
    return _words(command, "ASYNC", (4, 0)) | _words(command, "SYNC", (6, 2))


def _trims(command: str) -> dict[bytes, Since]:
    return _words(command, "MINID LIMIT", (6, 2)) | _words(command, "KEEPREF DELREF ACKED", (8, 2), None)


def _units(command: str) -> dict[bytes, Since]:
    return {b"unit in capitals": Since(f"{command} with a unit in capitals", (7, 0))}


def _restores(command: str) -> dict[bytes, Since]:
    return _words(command, "REPLACE", (3, 0)) | _words(command, "ABSTTL IDLETIME FREQ", (5, 0))


_SET: Final = (
    _words("SET", "EX PX NX XX", (2, 6))
    | _words("SET", "KEEPTTL", (6, 0))
    | _words("SET", "GET EXAT PXAT", (6, 2))
    | _words("SET", "IFEQ", (8, 4), (8, 1))
    | _words("SET", "IFNE IFDEQ IFDNE", (8, 4), None)
    # Of the two words together, the condition counts.
    | {b"NX GET": Since("SET NX GET", (7, 0))}
)

#: By command and word, both in upper case. A word in lower case stands for an argument that is no word.
WORDS: Final[dict[bytes, dict[bytes, Since]]] = {
    b"BITOP": _words("BITOP", "DIFF DIFF1 ANDOR ONE", (8, 2), None),
    b"EXPIRE": _expiries("EXPIRE"),
    b"EXPIREAT": _expiries("EXPIREAT"),
    b"FLUSHALL": _flushes("FLUSHALL"),
    b"FLUSHDB": _flushes("FLUSHDB"),
    b"GEOADD": _words("GEOADD", "NX XX CH", (6, 2)),
    b"GEORADIUS": _words("GEORADIUS", "ANY", (6, 2)) | _units("GEORADIUS"),
    b"GEORADIUSBYMEMBER": _words("GEORADIUSBYMEMBER", "ANY", (6, 2)) | _units("GEORADIUSBYMEMBER"),
    b"GEOSEARCHSTORE": _words("GEOSEARCHSTORE", "BYPOLYGON", None, (9, 0)) | _units("GEOSEARCHSTORE"),
    b"HSETEX": _words("HSETEX", "NX XX", None, (9, 1)),
    b"LPOP": _words("LPOP", "count", (6, 2)),
    b"PEXPIRE": _expiries("PEXPIRE"),
    b"PEXPIREAT": _expiries("PEXPIREAT"),
    b"RESTORE": _restores("RESTORE"),
    b"RESTORE-ASKING": _restores("RESTORE-ASKING"),
    b"RPOP": _words("RPOP", "count", (6, 2)),
    b"SET": _SET,
    b"SPOP": _words("SPOP", "count", (3, 2)),
    b"XADD": _words("XADD", "NOMKSTREAM", (6, 2))
    | _words("XADD", "ms-*", (7, 0))
    | _trims("XADD")
    | _words("XADD", "IDMP IDMPAUTO", (8, 6), None),
    b"XGROUP CREATE": _words("XGROUP CREATE", "ENTRIESREAD", (7, 0)),
    b"XGROUP SETID": _words("XGROUP SETID", "ENTRIESREAD", (7, 0)),
    b"XSETID": _words("XSETID", "ENTRIESADDED MAXDELETEDID", (7, 0)),
    b"XTRIM": _trims("XTRIM"),
    b"ZADD": _words("ZADD", "NX XX CH INCR", (3, 0)) | _words("ZADD", "GT LT", (6, 2)),
}


#: In which words a server rewrites hash fields that expire. What it writes after that shows nothing of the kind.
REWRITTEN: Final = {
    "HPEXPIREAT": Since("HPEXPIREAT in a rewritten AOF", (7, 4), None),
    "HSETEX": Since("HSETEX in a rewritten AOF", None, (9, 0)),
}


def since_version(version: int, prefix: str = "") -> Since | None:
    """Return which servers read an RDB version, None for an unknown one; ``prefix`` says of what it is."""
    for magic, (first, last) in VERSIONS.items():
        if first <= version <= last:
            writer = first_writer(magic, version)
            common = (7, 2) if version <= COMMON_VERSION else None
            redis, valkey = (writer.release, common) if magic == REDIS else (None, writer.release)
            return Since(f"{prefix}RDB version {version}", redis, valkey)
    return None
