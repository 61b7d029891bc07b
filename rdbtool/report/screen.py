"""What a screen can show: its width, its colours, and text cut to a number of columns.

rich knows terminals (NO_COLOR, FORCE_COLOR, TERM, the number of colours, wide characters), and is imported only where
there are colours or wide characters. The lines themselves are put together here, because rich's own tables and
consoles hold or measure everything first.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.style import Style

#: The width of what does not go to a terminal, in columns.
PLAIN_WIDTH: Final = 100

#: The style of what means the same in every command, as rich names styles. None is dim or bright enough to vanish on a
#: light or a dark background.
STYLES: Final = {
    "good": "bold green",
    "bad": "bold red",
    "warning": "bold yellow",
    "note": "bold blue",
    "code": "bold",
    "name": "cyan",
    "aside": "dim",
}

#: What says that something went well or not.
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
    """A target for lines of text: ``width`` in columns, and styles that are empty where there is no colour.

    ``plain_width`` is the width of what goes elsewhere.
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
        """Return the text with the escape codes of a style, of ``STYLES`` or rich's, or as it is."""
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
    """Return the text in exactly ``width`` columns: padded, or cut with an ellipsis."""
    if text.isascii():
        return text.ljust(width) if len(text) <= width else text[: max(width - 1, 0)] + "…"
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415 - only for what is not ASCII

    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, max(width - 1, 0)) + "…"


def fit_right(text: str, width: int) -> str:
    """Return a short ASCII text at the right of ``width`` columns, uncut."""
    return text.rjust(width)
