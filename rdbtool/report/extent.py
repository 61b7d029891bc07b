"""How much of an AOF was replayed, as JSON: where the replay stopped and what it skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rdbtool.core.errors import json_name

if TYPE_CHECKING:
    from rdbtool.engine.replay.stops import Extent


def stop_json(extent: Extent | None) -> dict[str, Any] | None:
    """Return the place where a replay stopped, None where it went to the end.

    ``left_out`` counts the commands that were not executed; it is the least number unless ``all_counted``.
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
