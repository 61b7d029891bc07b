"""Text output of ``memory``: the table of largest keys, and the writers of CSV and JSON lines."""

from __future__ import annotations

from collections.abc import Callable

from rdbtool._codec.encode.memory_lines import MemoryCsv, MemoryJsonl, MemoryLines
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.report.formatting import show_bytes, show_count, show_memory, show_ttl
from rdbtool.report.screen import Screen, fit, fit_right

if TYPE_CHECKING:
    from rdbtool.operations.memory.rows import LargestKeys

#: The columns before the key, and their widths.
_COLUMNS: Final = (
    ("memory", 9),
    ("allocated", 9),
    ("elements", 11),
    ("largest", 9),
    ("type", 6),
    ("encoding", 10),
    ("ttl", 9),
    ("db", 3),
)
_GAP: Final = "  "
_LEAST_KEY: Final = 12

#: Columns to keep on a narrow screen; the others are omitted.
_NEEDED: Final = ("memory", "type", "ttl")

_LEFT: Final = {"type", "encoding"}


def write_largest(found: LargestKeys, write: Callable[[bytes], object], *, now_ms: int, is_terminal: bool) -> None:
    """Write a row per key, then the totals of all keys and the server they apply to."""
    screen = Screen(is_terminal=is_terminal)
    columns = list(_COLUMNS)
    if screen.width < sum(width + len(_GAP) for _, width in columns) + _LEAST_KEY:
        columns = [column for column in columns if column[0] in _NEEDED]
    room = max(screen.width - sum(width + len(_GAP) for _, width in columns), _LEAST_KEY)

    def line(cells: dict[str, str], key: str) -> str:
        shown = [fit(cells[name], width) if name in _LEFT else fit_right(cells[name], width) for name, width in columns]
        return _GAP.join([*shown, key]).rstrip()

    lines = [screen.paint(line({name: name for name, _ in columns}, "key"), "bold")]
    for row in found.rows:
        cells = {
            "memory": ("≥" if row.at_least else "") + show_memory(row.memory),
            "allocated": ("≥" if row.at_least else "") + show_memory(row.allocated),
            "elements": f"{row.elements:,}",
            "largest": show_memory(row.largest),
            "type": row.type,
            "encoding": row.encoding,
            "ttl": show_ttl(row.expire_at_ms, now_ms),
            "db": str(row.db),
        }
        lines.append(line(cells, screen.paint(fit(show_bytes(row.key, room, bare=True), room).rstrip(), "name")))
    totals = found.totals
    used, allocated, tables = map(show_memory, (totals.used_memory, totals.allocated, totals.tables))
    all_keys = f"{show_count(totals.keys, 'key')}, {show_memory(totals.memory)} by MEMORY USAGE"
    growth = f"used_memory grows by {used}: {allocated} of keys, {tables} of tables"
    lines += ["", f"{all_keys}; {growth}", f"as after a restart; {found.choice}"]
    write(("\n".join(lines) + "\n").encode())


def open_lines(
    form: str, write: Callable[[bytes], object], *, raw: bool = False, is_terminal: bool = False
) -> Callable[[int, bool], MemoryLines]:
    """Return a factory of the ``csv`` or ``jsonl`` writer, which takes ``least`` and ``no_ttl``.

    ``raw`` and ``is_terminal`` are those of csv in ``dump``.
    """

    def make(least: int, no_ttl: bool) -> MemoryLines:  # noqa: FBT001 - a WantedKeys takes them so
        if form == "csv":
            return MemoryCsv(write, least, no_ttl, raw=raw, is_terminal=is_terminal)
        return MemoryJsonl(write, least, no_ttl)

    return make
