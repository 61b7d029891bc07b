"""A file's summary as text and as JSON."""

from __future__ import annotations

from typing import Any

from rdbtool.analysis.summary import Summary
from rdbtool.sinks.findings import finding_json, json_bytes
from rdbtool.sinks.text import show_bytes, show_count, show_time
from rdbtool.types import CHECKSUM_SINCE

#: Columns of the labels at the left.
_LABEL = 14


def summary_text(summary: Summary) -> str:
    """Return the summary for people, one fact a line."""
    totals = summary.totals
    lines = [
        _line("file", _describe_file(summary)),
        _line("format", _describe_format(summary)),
        _line("checksum", _describe_checksum(summary)),
        _line("keys", _with_expires(totals.keys, totals.expires)),
    ]
    lines += [_line(f"  db {db}", _with_expires(*counts)) for db, counts in sorted(totals.by_db.items())]
    lines += [_line(f"  {kind}", f"{count:,}") for kind, count in sorted(totals.by_kind.items()) if count]
    if summary.functions:
        lines.append(_line("functions", show_count(len(summary.functions), "library", "libraries")))
        lines += [_line("", show_bytes(_first_line(library.code), bare=True)) for library in summary.functions]
    if summary.aux:
        lines.append("aux fields")
        lines += [_aux_line(aux.key, aux.value) for aux in summary.aux]
    if summary.trailing:
        lines.append(_line("after the end", show_count(summary.trailing, "byte")))
    return "\n".join(lines) + "\n"


def summary_json(summary: Summary) -> dict[str, Any]:
    """Return the summary as what ``info --json`` prints."""
    totals = summary.totals
    return {
        "schema": 1,
        "source": summary.source,
        "size": summary.size,
        "compression": summary.compression,
        "compressed_size": summary.compressed_size,
        "magic": summary.header.magic,
        "version": summary.header.version,
        "checksum": {
            "state": summary.checksum_state,
            "value": None if summary.checksum is None else f"{summary.checksum:#018x}",
        },
        "aux": [[json_bytes(aux.key), json_bytes(aux.value)] for aux in summary.aux],
        "functions": [json_bytes(library.code) for library in summary.functions],
        "keys": totals.keys,
        "expires": totals.expires,
        "dbs": [{"db": db, "keys": keys, "expires": expires} for db, (keys, expires) in sorted(totals.by_db.items())],
        "types": {kind: count for kind, count in sorted(totals.by_kind.items()) if count},
        "trailing": summary.trailing,
        "damage": None if summary.damage is None else finding_json(summary.damage, summary.source),
    }


def _line(label: str, text: str) -> str:
    return f"{label:<{_LABEL}}{text}".rstrip()


def _describe_file(summary: Summary) -> str:
    size = "size unknown" if summary.size is None else show_count(summary.size, "byte")
    if summary.compression is None:
        return f"{summary.source}, {size}"
    packed = "" if summary.compressed_size is None else f" from {summary.compressed_size:,}"
    return f"{summary.source}, {size}{packed} ({summary.compression})"


def _describe_format(summary: Summary) -> str:
    name = f"RDB {summary.header.version}"
    if summary.header.magic != "REDIS":
        name += f" of {summary.header.magic.capitalize()}"
    fields = {aux.key: aux.value for aux in summary.aux}
    for key, server in ((b"valkey-ver", "Valkey"), (b"redis-ver", "Redis")):
        if key in fields:
            return f"{name}, written by {server} {show_bytes(fields[key], bare=True)}"
    return name


def _describe_checksum(summary: Summary) -> str:
    return {
        "correct": f"{summary.checksum or 0:#018x}, correct",
        "wrong": "wrong",
        "disabled": "disabled when the file was saved",
        "none": f"none (RDB files have one since version {CHECKSUM_SINCE})",
        "unread": "not reached",
    }[summary.checksum_state]


def _with_expires(keys: int, expires: int) -> str:
    return f"{keys:,}" + (f", {expires:,} with an expiry" if expires else "")


def _aux_line(key: bytes, value: bytes) -> str:
    shown = show_bytes(value, bare=True)
    if key == b"ctime" and value.isdigit():
        shown += f" ({show_time(int(value) * 1000)})"
    label = f"  {show_bytes(key, bare=True)}"
    return f"{label:<{_LABEL + 8}}{shown}"


def _first_line(code: bytes) -> bytes:
    return code.split(b"\n", 1)[0]
