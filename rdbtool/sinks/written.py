"""Conversions and rewrites as text and JSON: what was written, and what was lost or left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from rdbtool.errors import Loss
from rdbtool.sinks.extent import skipped_json, stop_json
from rdbtool.sinks.findings import json_bytes
from rdbtool.writer.losses import describe_loss, sum_up

if TYPE_CHECKING:
    from rdbtool.analysis.convert import Converted
    from rdbtool.analysis.rewrite import Rewritten

#: Losses that are named one by one; the others are summed up by kind.
_NAMED: Final = 20


def converted_line(done: Converted) -> str:
    """Return one line about a conversion."""
    checked = "verified" if done.is_verified else "not read back"
    raised = " (the data needs this version)" if done.is_raised else ""
    what = done.form if done.form == "jsonl" else f"{done.form}, {done.target}{raised}"
    return f"{done.destination}: {what}: {done.keys:,} keys, {done.bytes:,} bytes, {checked}{_stop(done)}"


def rewritten_line(done: Rewritten) -> str:
    """Return one line about a rewrite."""
    before = "?" if done.bytes_before is None else f"{done.bytes_before:,}"
    raised = " (the data needs this version)" if done.is_raised else ""
    base = f"RDB, {done.target}" if done.encoding == "rdb" else f"commands, {done.target}"
    return (
        f"{done.destination}: {done.commands:,} commands, {before} bytes → {done.keys:,} keys, {done.bytes:,} bytes, "
        f"{base}{raised}, verified{_stop(done)}"
    )


def _stop(done: Converted | Rewritten) -> str:
    return "".join(f"; {line}" for line in done.extent.lines()) if done.extent is not None else ""


def remark_lines(done: Converted | Rewritten, *, notes: bool = True) -> Iterator[str]:
    """Yield a line for each loss (beyond the first ones, for each kind), and each note unless they are not wanted."""
    losses, error_replies = done.losses, done.error_replies
    yield from done.remarks
    lost = [loss for loss in losses if loss.severity == "loss"]
    for loss in lost[:_NAMED]:
        yield f"lost: {describe_loss(loss)}"
    for loss in sum_up(lost[_NAMED:]):
        yield f"lost: {describe_loss(loss)} and others"
    if notes:
        for loss in sum_up(loss for loss in losses if loss.severity == "note"):
            yield f"note: {describe_loss(loss)}"
    if notes and error_replies:
        some = "command was" if error_replies == 1 else "commands were"
        yield f"note: {error_replies:,} {some} answered with an error, which changes nothing: see rdbtool replay"


def converted_json(done: Converted) -> dict[str, Any]:
    """Return the JSON report of a conversion."""
    return {
        "schema": 1,
        "source": done.source,
        "destination": done.destination,
        "form": done.form,
        **_common(done),
        "verified": done.is_verified,
    }


def rewritten_json(done: Rewritten) -> dict[str, Any]:
    """Return the JSON report of a rewrite."""
    return {
        "schema": 1,
        "source": done.source,
        "destination": done.destination,
        "rules": str(done.rules),
        "parts": done.parts,
        "commands": done.commands,
        "bytes_before": done.bytes_before,
        **_common(done),
        "verified": True,
        "backup": done.backup,
    }


def _common(done: Converted | Rewritten) -> dict[str, Any]:
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
        "losses": _losses_json(done.losses, "loss"),
        "notes": _losses_json(done.losses, "note"),
        "error_replies": done.error_replies,
        "remarks": list(done.remarks),
        "stopped_at": stop_json(done.extent),
        "skipped": skipped_json(done.extent),
    }


def _losses_json(losses: Iterable[Loss], severity: str) -> list[dict[str, Any]]:
    return [
        {
            "what": loss.what,
            "times": loss.times,
            "db": loss.db,
            "key": None if loss.key is None else json_bytes(loss.key),
            "needs_rdb": loss.needs,
        }
        for loss in losses
        if loss.severity == severity
    ]
