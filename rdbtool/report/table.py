"""Keys as a table, written row by row.

Widths follow from the screen and are fixed before the first row, so that no key has to be buffered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rdbtool.model import KeyRecord
from rdbtool.report.formatting import preview, show_bytes, show_size, show_ttl
from rdbtool.report.screen import Screen, fit, fit_right

_DB, _TYPE, _SIZE, _TTL = 3, 6, 9, 9
_GAPS = 5 * 2
_LEAST_KEY, _LEAST_PREVIEW = 12, 10

_TYPE_STYLES = {
    "string": "green",
    "list": "cyan",
    "set": "magenta",
    "zset": "yellow",
    "hash": "blue",
    "stream": "bright_cyan",
    "array": "bright_green",
    "module": "red",
}


def write_table(
    records: Iterable[KeyRecord], write: Callable[[bytes], object], *, now_ms: int, is_terminal: bool
) -> None:
    """Write one row per record: db, key, type, size (elements or bytes), TTL, preview."""
    screen = Screen(is_terminal=is_terminal)
    rest = max(screen.width - _DB - _TYPE - _SIZE - _TTL - _GAPS, _LEAST_KEY + _LEAST_PREVIEW)
    key_width = max(rest * 2 // 5, _LEAST_KEY)
    preview_width = rest - key_width
    title = (
        f"{fit_right('db', _DB)}  {fit('key', key_width)}  {fit('type', _TYPE)}  {fit_right('size', _SIZE)}  "
        f"{fit_right('ttl', _TTL)}  value"
    )
    write(f"{screen.paint(title, 'bold')}\n".encode())
    for record in records:
        kind, ttl = record.kind, show_ttl(record.expire_at_ms, now_ms)
        cells = (
            fit_right(str(record.db), _DB),
            fit(show_bytes(record.key, key_width, bare=True), key_width),
            screen.paint(fit(kind, _TYPE), _TYPE_STYLES[kind]),
            fit_right(show_size(record), _SIZE),
            screen.paint(fit_right(ttl, _TTL), "red" if ttl == "expired" else ""),
            fit(preview(record.value, preview_width), preview_width).rstrip(),
        )
        write(("  ".join(cells).rstrip() + "\n").encode())
