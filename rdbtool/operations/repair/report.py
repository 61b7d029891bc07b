"""Options and result of a repair."""

from __future__ import annotations

from collections.abc import Mapping

from rdbtool.core.errors import json_bytes, json_name
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Literal, NamedTuple
from rdbtool.core.rdb_types import ChecksumState

if TYPE_CHECKING:
    from rdbtool.core.servers import Rules
    from rdbtool.operations.salvage.input import Lost


class RepairOptions(NamedTuple):
    """Options of a repair.

    ``keep_damaged`` is a path for the lost bytes, one range after another. ``databases``: drop records of other
    databases, None: of none. ``rules`` and ``now_ms`` (Unix ms) are for the digest. ``rename_commands`` maps renamed
    commands of an AOF to their original names. ``drop_unknown``: drop commands that no server has.
    """

    keep_damaged: str | None = None
    force: bool = False
    databases: int | None = None
    rules: str | None = None
    now_ms: int = 0
    rename_commands: Mapping[str, str] | None = None
    max_inflate: int | None = None
    drop_unknown: bool = False


class Repaired(NamedTuple):
    """The result of a repair: ``keys`` and ``functions`` of RDBs and ``commands`` of AOFs kept, ``bytes`` written.

    ``foreign`` are names of commands that no server has: renamed ones, or a module's. They are kept, and their effect
    is unknown. ``doubts`` are assumptions that cannot be verified. ``lost`` names what is missing or changed in the
    result. ``digest`` is that of the result by ``rules``, None if there is none, for the reason in ``undigested``.
    ``destination`` is None if nothing was written: in a dry run, or because nothing is left.
    """

    source: str
    destination: str | None
    kind: Literal["rdb", "aof", "aof-dir"]
    parts: tuple[str, ...]
    keys: int
    functions: int
    commands: int
    bytes: int
    lost: tuple[Lost, ...]
    checksum: ChecksumState
    digest: str | None
    rules: Rules | None
    undigested: str | None
    foreign: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def is_saved(self) -> bool:
        """Whether anything is left, or nothing was damaged."""
        is_any = self.keys or self.functions or self.commands
        return bool(is_any or not any(not lost.is_kept for lost in self.lost))

    @property
    def is_certain(self) -> bool:
        """Whether everything kept was verified, without assumptions."""
        return not self.foreign and not self.doubts

    def to_dict(self) -> dict[str, Any]:
        """Return the object of ``repair --json``."""
        return {
            "schema": 1,
            "source": json_name(self.source),
            "destination": None if self.destination is None else json_name(self.destination),
            "kind": self.kind,
            "parts": [json_name(part) for part in self.parts],
            "keys": self.keys,
            "functions": self.functions,
            "commands": self.commands,
            "foreign": list(self.foreign),
            "doubts": list(self.doubts),
            "bytes": self.bytes,
            "checksum": self.checksum,
            "digest": self.digest,
            "rules": None if self.rules is None else str(self.rules),
            "verified": self.destination is not None,
            "bytes_lost": sum(lost.size for lost in self.lost if not lost.is_kept),
            "findings": [
                {
                    "code": lost.code,
                    "severity": "warning" if lost.is_kept else "error",
                    "part": json_name(lost.part),
                    "offset": lost.start,
                    "size": lost.size,
                    "db": lost.db,
                    "key": None if lost.key is None else json_bytes(lost.key),
                    "message": lost.message,
                    "kept": lost.is_kept,
                }
                for lost in self.lost
            ],
        }
