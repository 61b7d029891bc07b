"""Windows over inputs, shared by all readers.

A window holds what was read and not yet consumed. It may grow up to the size of the input; a compressed input, whose
size is unknown, must justify it by the compressed bytes read.

Also detects what surrounds an RDB in a window: what a master sends before and after it, padding, another RDB.
"""

from __future__ import annotations

from rdbtool._codec.decode.window import Window
from rdbtool.core.errors import RAISE_LIMIT, Finding, LimitError, what_servers_do
from rdbtool.core.light_typing import TYPE_CHECKING, Final, Literal, NamedTuple
from rdbtool.core.patterns import pattern
from rdbtool.io.source import Source, crc64
from rdbtool.model.items import End

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Bytes that may be held per byte read of a compressed input.
_WINDOW_PER_COMPRESSED_BYTE: Final = 20


def open_window(source: Source, max_inflate: int) -> Window:
    """Return a window over an input of which nothing was read. It may always hold ``max_inflate`` bytes."""
    size = -1 if source.size is None else source.size
    reread = source.reread if source.can_reread else None
    whole = source.compressed_size
    most = -1 if whole is None else max(max_inflate, _WINDOW_PER_COMPRESSED_BYTE * whole)
    return Window(source.readinto, crc64, lambda: _limit(source, max_inflate), size, reread=reread, most=most)


def too_large(source: Source, window: Window, max_inflate: int) -> LimitError:
    """Return the error for a record that the window may not hold."""
    return LimitError(
        f"{source.name}: at {window.at:#x}: the record takes more than {_limit(source, max_inflate):,} bytes, "
        f"decompressed from {source.compressed_read:,} compressed bytes",
        remedy=RAISE_LIMIT,
    )


def _limit(source: Source, max_inflate: int) -> int:
    """Maximum bytes that may be held: the input's own size, or what a compressed input justifies."""
    read = source.compressed_read
    return 1 << 62 if read is None else max(max_inflate, _WINDOW_PER_COMPRESSED_BYTE * read)


class WindowStream:
    """A view of a window from its current item on, for reading in pieces."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._at = window.at

    def read(self, size: int, /) -> bytes:
        """Return the next ``size`` bytes, fewer only at the end of the source. Raises WindowLimitError."""
        data = self._window.peek(self._at, size)
        self._at += len(data)
        return data

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._at

    def seek(self, at: int, /) -> None:
        """Move to an offset that was not consumed."""
        self._at = at

    def left(self) -> int | None:
        """Return how many bytes are left, None if unknown."""
        return self._window.left(self._at)


#: Bytes of the mark after an RDB whose size was unknown when it was sent.
MARK_SIZE: Final = 40

#: Bytes searched for the beginning of an RDB: one newline per second, for most of a day.
_LONGEST: Final = 64 << 10

#: Bytes after the framing needed to detect it.
_BEGINNING: Final = 7

_FRAMING: Final = pattern(
    rb"(?:[\r\n]|(?:[+-]|\$ENDOFF:)[^\r\n]{0,512}\r?\n)*(?:\$(?:EOF:([0-9a-f]{40})|(\d{1,18}))\r\n)?"
)
_PARTIAL: Final = pattern(rb"(?m)^\+CONTINUE\b")
_MARK: Final = pattern(rb"[0-9a-f]{40}\Z")
_RDB: Final = pattern(rb"REDIS\d{4}|VALKEY\d{3}")


class Framing(NamedTuple):
    """What a master sent before an RDB, or before commands: ``text``.

    ``length`` is the announced size of the RDB, ``mark`` what ends it instead; either may be unknown. ``is_partial``:
    commands only, because the replica had the rest.
    """

    text: bytes
    length: int | None
    mark: bytes
    is_partial: bool

    @property
    def finding(self) -> Finding:
        """A note about it; its part is not set yet."""
        if self.is_partial:
            message = "a partial resynchronisation (+CONTINUE): what the data was before these commands is not in it"
            return Finding("SRC002", "warning", "", 0, message, what_servers_do("SRC002"))
        size = f"$EOF:{self.mark.decode()}" if self.mark else "" if self.length is None else f"${self.length}"
        message = f"what a master sent to a replica: {len(self.text)} bytes before the RDB" + (
            size and f", with {size}"
        )
        return Finding("SRC002", "note", "", 0, message, what_servers_do("SRC002"))

    def has_stream(self, source: Source) -> bool:
        """Return whether commands follow the RDB, or may follow it because the end of the input is unknown."""
        if self.length is not None:
            return source.size is None or source.size > len(self.text) + self.length
        if not self.mark:
            return False
        found = source.find(self.mark, len(self.text))
        return found is None or (found >= 0 and source.size is not None and source.size > found + MARK_SIZE)


def enter_framing(window: Window) -> Framing | None:
    """Consume what a master sent before an RDB, or before commands. None: there is none."""
    if window.peek(window.at, 1) not in {b"\r", b"\n", b"+", b"-", b"$"}:
        return None
    framing = find_framing(window.peek(window.at, _LONGEST))
    if framing is not None:
        window.skip_to(window.at + len(framing.text))
        window.restart_checksum()
    return framing


def find_framing(head: bytes) -> Framing | None:
    """Return what a master sent before the RDB, or the commands, that begin in ``head``."""
    match = _FRAMING.match(head)
    if match is None or not match.end():
        return None
    text = match[0]
    if _RDB.match(head, match.end()):
        length = None if match[2] is None else int(match[2])
        return Framing(text, length, match[1] or b"", is_partial=False)
    is_partial = _PARTIAL.search(text) is not None and head[match.end() : match.end() + 1] == b"*"
    return Framing(text, None, b"", is_partial=True) if is_partial else None


def check_rest(end: End) -> tuple[str, Literal["note", "warning"], int, str] | None:
    """Return code, severity, offset and message for what follows the end of an RDB; None: nothing does."""
    at = end.span.stop
    if not end.trailing:
        return None
    if end.padding == end.trailing:
        return "SRC003", "note", at, f"{end.trailing:,} NUL bytes after the end of the RDB, as padding"
    if not end.padding and end.trailing == MARK_SIZE and _MARK.match(end.sample):
        return (
            "SRC003",
            "note",
            at,
            f"{MARK_SIZE} bytes after the end of the RDB: the mark that ends it in replication",
        )
    if _RDB.match(end.sample):
        begin = at + end.padding
        size = end.trailing - end.padding
        return "SRC004", "warning", begin, f"a second RDB begins here, of at most {size:,} bytes, and is not read"
    return "RDB362", "warning", at, f"expected nothing after the end mark, found {end.trailing} bytes"


def rest_remarks(end: End | None, name: str) -> list[str]:
    """Return remarks on what follows the end of an RDB."""
    rest = None if end is None else check_rest(end)
    if rest is None or rest[0] != "SRC004":
        return []
    code, _, at, message = rest
    return [f"{name}: at {at:#x}: {message} ({code})"]


def framing_remarks(findings: Iterable[Finding], name: str) -> list[str]:
    """Return remarks on what was sent before the data."""
    return [f"{name}: {row.message} ({row.code})" for row in findings if row.severity != "note"]
