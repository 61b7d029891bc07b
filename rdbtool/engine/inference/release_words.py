"""What came with which release of Redis and of Valkey: option words of commands, and RDB versions.

Words that a command has had since its own first release do not stand here. Valkey began as Redis 7.2, so a word that
is older than that is in all of its releases.
"""

from __future__ import annotations

from typing import Final

from rdbtool.core.rdb_types import REDIS, VERSIONS
from rdbtool.core.servers import COMMON_VERSION, Release, Since, first_writer


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


#: In which words a server rewrites hash fields that expire. What it writes behind that tells nothing of the kind.
REWRITTEN: Final = {
    "HPEXPIREAT": Since("HPEXPIREAT in a rewritten AOF", (7, 4), None),
    "HSETEX": Since("HSETEX in a rewritten AOF", None, (9, 0)),
}


def since_version(version: int, prefix: str = "") -> Since | None:
    """Return which servers read an RDB version, None for one that nobody knows; ``prefix`` says of what it is."""
    for magic, (first, last) in VERSIONS.items():
        if first <= version <= last:
            writer = first_writer(magic, version)
            common = (7, 2) if version <= COMMON_VERSION else None
            redis, valkey = (writer.release, common) if magic == REDIS else (None, writer.release)
            return Since(f"{prefix}RDB version {version}", redis, valkey)
    return None
