"""JSON shapes shared by results: bytes, findings, places, counts, aux fields.

A result's ``to_dict`` is built from these; a command prints it, and the API returns it.
"""

from __future__ import annotations

from rdbtool.core.errors import FormatError, Loss, json_bytes, json_name
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Protocol
from rdbtool.core.servers import RulesChoice
from rdbtool.model.items import Aux

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rdbtool.core.errors import Finding
    from rdbtool.core.servers import Target
    from rdbtool.engine.replay.stops import Extent
    from rdbtool.operations.info.requirements import NeedsOfFile
    from rdbtool.reader.rdb import Totals


def finding_json(error: FormatError, part: str) -> dict[str, Any]:
    """Return an error in the file ``part`` as a finding."""
    return {
        "code": error.code,
        "severity": "error",
        "part": json_name(part),
        "offset": error.at,
        "db": error.where.db,
        "key": None if error.where.key is None else json_bytes(error.where.key),
        "message": f"expected {error.expected}, found {error.found}",
    }


def command_finding_json(finding: Finding) -> dict[str, Any]:
    """Return a finding about a command."""
    key = None if finding.key is None else json_bytes(finding.key)
    return finding._asdict() | {"part": json_name(finding.part), "key": key}


def losses_json(losses: Iterable[Loss], severity: str) -> list[dict[str, Any]]:
    """Return the losses of a severity."""
    return [loss.to_dict() for loss in losses if loss.severity == severity]


def stop_json(extent: Extent | None) -> dict[str, Any] | None:
    """Return the place where a replay stopped, None if it reached the end.

    ``left_out`` counts the commands that were not executed; it is a minimum unless ``all_counted``.
    """
    stopped = None if extent is None else extent.stopped
    if stopped is None:
        return None
    return {
        "part": json_name(stopped.part),
        "offset": stopped.offset,
        "number": stopped.number,
        "command": stopped.command or None,
        "in_transaction": stopped.in_transaction,
        "left_out": stopped.left_out,
        "all_counted": stopped.is_counted,
    }


def skipped_json(extent: Extent | None) -> list[dict[str, Any]]:
    """Return the commands that were skipped."""
    return [] if extent is None else [row._asdict() | {"part": json_name(row.part)} for row in extent.skipped]


def rules_json(choice: RulesChoice) -> dict[str, Any]:
    """Return the server rules, who determined them (``named``, ``file`` or ``inferred``), and why."""
    return {"rules": str(choice.rules), "rules_origin": choice.origin, "rules_reason": choice.reason or None}


def totals_json(totals: Totals) -> dict[str, Any]:
    """Return the counts of keys."""
    return {
        "keys": totals.keys,
        "expires": totals.expires,
        "dbs": [{"db": db, "keys": keys, "expires": expires} for db, (keys, expires) in sorted(totals.by_db.items())],
        "types": {kind: count for kind, count in sorted(totals.by_kind.items()) if count},
    }


def needs_json(needs: NeedsOfFile) -> dict[str, Any]:
    """Return what a server needs besides its version."""
    return {
        "modules": [module._asdict() for module in needs.modules],
        "libraries": [library._asdict() for library in needs.libraries],
    }


def aux_pairs(aux: Iterable[Aux]) -> list[list[Any]]:
    """Return the aux fields."""
    return [[json_bytes(row.key), json_bytes(row.value)] for row in aux]


class WrittenData(Protocol):
    """What was written for a target: see ``Converted``."""

    @property
    def encoding(self) -> str: ...  # noqa: D102
    @property
    def target(self) -> Target: ...  # noqa: D102
    @property
    def keys(self) -> int: ...  # noqa: D102
    @property
    def bytes(self) -> int: ...  # noqa: D102
    @property
    def losses(self) -> list[Loss]: ...  # noqa: D102
    @property
    def fingerprint(self) -> str | None: ...  # noqa: D102
    @property
    def is_raised(self) -> bool: ...  # noqa: D102
    @property
    def error_replies(self) -> int: ...  # noqa: D102
    @property
    def remarks(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def extent(self) -> Extent | None: ...  # noqa: D102


def written_json(done: WrittenData) -> dict[str, Any]:
    """Return the members that results of writing for a target share."""
    release = done.target.release
    return {
        "encoding": done.encoding,
        "target": {
            "magic": done.target.magic,
            "version": done.target.version,
            "release": None if release is None else str(release),
            "raised": done.is_raised,
        },
        "keys": done.keys,
        "bytes": done.bytes,
        "fingerprint": done.fingerprint,
        "losses": losses_json(done.losses, "loss"),
        "notes": losses_json(done.losses, "note"),
        "error_replies": done.error_replies,
        "remarks": list(done.remarks),
        "stopped_at": stop_json(done.extent),
        "skipped": skipped_json(done.extent),
    }
