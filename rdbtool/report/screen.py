"""Terminal capabilities: width, colours, and text fitted to columns.

rich detects terminals (NO_COLOR, FORCE_COLOR, TERM, number of colours, wide characters) and is imported only for
colours or wide characters. Lines are assembled here, because rich's tables and consoles buffer or measure everything
first.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.style import Style

#: Width in columns of output that does not go to a terminal.
PLAIN_WIDTH: Final = 100

#: Styles, in rich's notation, of what means the same in every command. Each is readable on a light and a dark
#: background.
STYLES: Final = {
    "good": "bold green",
    "bad": "bold red",
    "warning": "bold yellow",
    "note": "bold blue",
    "code": "bold",
    "name": "cyan",
    "aside": "dim",
}

#: Words for success and failure.
WORD_STYLES: Final = {
    "OK": "good",
    "BAD": "bad",
    "UNREAD": "warning",
    "UNKNOWN": "warning",
    "error": "bad",
    "warning": "warning",
    "note": "note",
}


class Screen:
    """Output for lines of text: ``width`` in columns, and styles that are empty without colour.

    ``plain_width`` is the width if the output is not a terminal.
    """

    def __init__(self, *, is_terminal: bool, plain_width: int = PLAIN_WIDTH) -> None:
        self.width = plain_width
        self._colours = None
        self._styles: dict[str, Style] = {}
        if is_terminal or os.environ.get("FORCE_COLOR"):
            from rich.console import Console  # noqa: PLC0415 - only where there may be colours

            console = Console(file=sys.stdout)
            self._colours = None if console.no_color else console._color_system  # noqa: SLF001
            if is_terminal:
                self.width = console.width

    def paint(self, text: str, style: str) -> str:
        """Return the text with the escape codes of a style from ``STYLES`` or of rich, unchanged without colour."""
        if self._colours is None or not style:
            return text
        if style not in self._styles:
            from rich.style import Style  # noqa: PLC0415 - as above

            self._styles[style] = Style.parse(STYLES.get(style, style))
        return self._styles[style].render(text, color_system=self._colours)


def width_of(text: str) -> int:
    """Return how many columns a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - only for what is not ASCII

    return cell_len(text)


def fit(text: str, width: int) -> str:
    """Return the text in exactly ``width`` columns: padded, or shortened with an ellipsis."""
    if text.isascii():
        return text.ljust(width) if len(text) <= width else text[: max(width - 1, 0)] + "…"
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - only for what is not ASCII

    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, max(width - 1, 0)) + "…"


def fit_right(text: str, width: int) -> str:
    """Return a short ASCII text right-aligned in ``width`` columns, never shortened."""
    return text.rjust(width)
