"""Terminal capabilities: width, colours, and text fitted to columns.

rich detects terminals (NO_COLOR, FORCE_COLOR, TERM, number of colours, wide characters) and is imported only for
colours or wide characters. Lines are assembled here, because rich's tables and consoles buffer or measure everything
first.
"""

from __future__ import annotations

import os
import sys

from rdbtool.core.errors import clean
from rdbtool.core.light_typing import IO, TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.style import Style

#: Width in columns of output that does not go to a terminal.
PLAIN_WIDTH: Final = 100

#: Styles, in rich's notation, of what means the same in every command. Each is readable on a light and a dark
#: background.
STYLES: Final = {
    "good": "bold green",
    "bad": "bold red",
    "warning": "bold yellow",
    "note": "bold magenta",
    "lost": "bold red",
    "next": "bold green",
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


class Styled(NamedTuple):
    """A piece of a line that has a style from ``STYLES``."""

    text: str
    style: str


#: A line of a report: its pieces from left to right.
Line = tuple[str | Styled, ...]


def emphasize(text: str, *parts: Styled) -> Line:
    """Return a text as a line in which the first occurrence of each part after the one before has its style."""
    line: list[str | Styled] = []
    for part in parts:
        before, found, after = text.partition(part.text)
        if found:
            line += [before, part]
            text = after
    return (*line, text)


def plain(line: Line) -> str:
    """Return the text of a line."""
    return "".join(piece.text if isinstance(piece, Styled) else piece for piece in line)


def name(text: str) -> Styled:
    """Return the name of a file or key, in the style that names have in every command."""
    return Styled(text, "name")


class Screen:
    """Output for lines of text: ``width`` in columns, and styles that are empty without colour.

    ``plain_width`` is the width if the output is not a terminal. ``file`` is the output, None for standard output.
    """

    def __init__(self, *, is_terminal: bool, plain_width: int = PLAIN_WIDTH, file: IO[str] | None = None) -> None:
        self.width = plain_width
        self._colours = None
        self._styles: dict[str, Style] = {}
        if is_terminal or os.environ.get("FORCE_COLOR"):
            from rich.console import Console  # noqa: PLC0415 - only where there may be colours

            console = Console(file=file or sys.stdout)
            self._colours = None if console.no_color else console._color_system  # noqa: SLF001
            if is_terminal:
                self.width = console.width

    @property
    def has_colours(self) -> bool:
        """Whether styles are shown."""
        return self._colours is not None

    def paint(self, text: str, style: str) -> str:
        """Return the text with the escape codes of a style from ``STYLES`` or of rich, unchanged without colour."""
        if self._colours is None or not style:
            return text
        if style not in self._styles:
            from rich.style import Style  # noqa: PLC0415 - as above

            self._styles[style] = Style.parse(STYLES.get(style, style))
        return self._styles[style].render(text, color_system=self._colours)

    def render(self, line: Line) -> str:
        """Return a line with its styles; what a terminal would interpret is escaped, blanks at the end are removed."""
        if self._colours is None:
            return clean(plain(line)).rstrip(" ")
        pieces = [piece if isinstance(piece, Styled) else Styled(piece, "") for piece in line]
        return "".join(self.paint(clean(piece.text), piece.style) for piece in pieces).rstrip(" ")

    def text(self, lines: Iterable[Line]) -> str:
        """Return lines with their styles and line ends."""
        return "".join(f"{self.render(line)}\n" for line in lines)


def error_screen() -> Screen:
    """Return the screen of standard error, which must not be closed."""
    return Screen(is_terminal=sys.stderr.isatty(), file=sys.stderr)


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
