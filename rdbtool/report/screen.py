"""What a screen can show: its width, its colours, and text cut to a number of columns.

rich knows terminals (NO_COLOR, TERM, the number of colours, wide characters); the lines themselves
are put together here, because rich's own tables and consoles hold or measure everything first.
"""

from __future__ import annotations

import sys
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.style import Style

#: The width of what does not go to a terminal, in columns.
PLAIN_WIDTH: Final = 100


class Screen:
    """A target for lines of text: ``width`` in columns, and styles that are empty where there is no colour."""

    def __init__(self, *, is_terminal: bool) -> None:
        console = Console(file=sys.stdout) if is_terminal else None
        self.width = console.width if console else PLAIN_WIDTH
        self._colours = console._color_system if console and not console.no_color else None  # noqa: SLF001
        self._styles: dict[str, Style] = {}

    def paint(self, text: str, style: str) -> str:
        """Return the text with the escape codes of a rich style, or as it is."""
        if self._colours is None or not style:
            return text
        if style not in self._styles:
            self._styles[style] = Style.parse(style)
        return self._styles[style].render(text, color_system=self._colours)


def fit(text: str, width: int) -> str:
    """Return the text in exactly ``width`` columns: padded, or cut with an ellipsis."""
    if text.isascii():
        return text.ljust(width) if len(text) <= width else text[: max(width - 1, 0)] + "…"
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, max(width - 1, 0)) + "…"


def fit_right(text: str, width: int) -> str:
    """Return a short ASCII text at the right of ``width`` columns, uncut."""
    return text.rjust(width)
