"""Keys as a table, written row by row.

Widths follow from the screen and are fixed before the first row, so that no key has to be buffered.
"""

from __future__ import annotations

from collections.abc import Callable

from rdbtool._codec.encode.table import Table
from rdbtool.core.errors import RdbToolError
from rdbtool.core.light_typing import TYPE_CHECKING
from rdbtool.core.rdb_types import KINDS
from rdbtool.report.formatting import show_bytes, show_ttl
from rdbtool.report.screen import Screen, fit, fit_right

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool.core.progress import Progress
    from rdbtool.dataset.dataset import Dataset

_DB, _TYPE, _SIZE, _TTL = 3, 6, 9, 9
_GAPS = 5 * 2
_LEAST_KEY, _LEAST_PREVIEW = 12, 10

_TYPE_STYLES = {
    "string": "green",
    "list": "bright_blue",
    "set": "magenta",
    "zset": "yellow",
    "hash": "blue",
    "stream": "bright_magenta",
    "array": "bright_green",
    "module": "red",
}


def write_table(
    dataset: Dataset,
    write: Callable[[bytes], object],
    *,
    now_ms: int,
    is_terminal: bool,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> None:
    """Write one row per key: db, key, type, size (elements or bytes), TTL, preview.

    Raises what the dataset raises, after the rows of the keys before it.
    """
    screen = Screen(is_terminal=is_terminal)
    rest = max(screen.width - _DB - _TYPE - _SIZE - _TTL - _GAPS, _LEAST_KEY + _LEAST_PREVIEW)
    key_width = max(rest * 2 // 5, _LEAST_KEY)
    preview_width = rest - key_width
    title = (
        f"{fit_right('db', _DB)}  {fit('key', key_width)}  {fit('type', _TYPE)}  {fit_right('size', _SIZE)}  "
        f"{fit_right('ttl', _TTL)}  value"
    )
    write(f"{screen.paint(title, 'bold')}\n".encode())

    def ttl(expire_at_ms: int) -> str:
        left = show_ttl(expire_at_ms, now_ms)
        return screen.paint(fit_right(left, _TTL), "red" if left == "expired" else "")

    sink = Table(
        write,
        key_width=key_width,
        width=preview_width,
        key_style=screen.paint("\0", "name").split("\0"),
        kinds=[screen.paint(fit(kind, _TYPE), _TYPE_STYLES[kind]) for kind in KINDS],
        show=show_bytes,
        fit=fit,
        ttl=ttl,
        at_once=is_terminal,
    )
    try:
        dataset.feed(sink, selection=selection, progress=progress)
    except RdbToolError:
        sink.flush()
        raise
    sink.close()
