"""RDB files damaged by a text program, and how to undo it.

Text programs replace line feeds by their own line ends, decode the bytes by some code page and write UTF-8, or prepend
a byte order mark. All of that can be undone, and the checksum proves it; in an RDB without checksum, lengths that lead
to its end do. A replacement character for undecodable bytes cannot be undone.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Iterator

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple
from rdbtool.core.rdb_types import VERSIONS
from rdbtool.io.source import crc64
from rdbtool.operations.salvage.input import Shown

if TYPE_CHECKING:
    from rdbtool.operations.salvage.input import Stock

#: Bytes at the beginning that show whether all bytes were changed.
_SAMPLE: Final = 1 << 16
_PIECE: Final = 1 << 18
_TRAILER: Final = 8

_CR: Final = b"\r"
_LINE_END: Final = b"\r\n"

#: Byte order marks and their encodings.
_MARKS: Final = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}

#: The character that replaces undecodable bytes.
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"

#: Code pages that may have been used to decode the bytes, the likely ones first. All of them include ASCII.
_CODE_PAGES: Final = ("latin-1", "cp1252", "cp437", "cp850", "cp1251", "mac-roman")

#: Maximum number of code pages tried, of those consistent with the beginning.
_MOST_PAGES: Final = 3

_FIRST_CONTROL: Final = 0x80
_LAST_CONTROL: Final = 0x9F

_HEADER: Final = re.compile("|".join(rf"{magic}\d{{{9 - len(magic)}}}" for magic in VERSIONS).encode())

#: The first RDB version with a byte above 0x7f directly after the header, the opcode of an aux field.
_AUX_SINCE: Final = 7
_HEADER_SIZE: Final = 9
_SEVEN_BITS: Final = 0x7F


class Conversion(NamedTuple):
    """The change to the bytes: they were decoded by ``code_page`` and written in ``encoding``.

    ``mark``: bytes prepended to the RDB. ``line_ends``: each LF became CR LF. ``is_lossy``: undecodable bytes were
    replaced.
    """

    mark: bytes = b""
    encoding: str | None = None
    code_page: str | None = None
    line_ends: bool = False
    is_lossy: bool = False

    @property
    def words(self) -> str:
        """The change, as a clause."""
        if self.is_lossy and self.encoding is not None:
            return "the file was read as text and written as UTF-8, with U+FFFD in place of each undecodable byte"
        if self.is_lossy:
            return "the file passed through a 7-bit channel, and the eighth bit of each byte is lost"
        done = []
        if self.encoding is not None:
            page = "" if self.code_page is None else f" of {_name(self.code_page)}"
            done.append(f"each byte above 0x7f was read as a character{page} and written as {self.encoding.upper()}")
        if self.line_ends:
            done.append("each LF became CR LF, as in a transfer in text mode")
        if self.mark:
            done.append("a byte order mark was put in front")
        return " and ".join(done)


def find_conversions(stock: Stock) -> list[Conversion]:
    """Return the possible changes to all bytes of an RDB, judging by its beginning, the likely ones first."""
    sample = stock.read(0, _SAMPLE)
    mark = next((mark for mark in _MARKS if sample.startswith(mark)), b"")
    begin = sample[len(mark) :]
    text = _decode(begin, _MARKS.get(mark, "utf-8"))
    if mark not in {b"", codecs.BOM_UTF8}:
        begin = b"" if text is None else text.encode("ascii", "replace")
    if _HEADER.match(begin) is None:
        return []
    is_text = text is not None and any(byte > _SEVEN_BITS for byte in sample[len(mark) :])
    if not is_text and _lacks_high_bytes(begin):
        return [Conversion(is_lossy=True)]
    encoding: str | None = None
    pages: tuple[str | None, ...] = (None,)
    if text is not None and is_text:
        # Impossible in an intact RDB: UTF-8 never has bytes like its opcodes.
        encoding = _MARKS.get(mark, "utf-8")
        if _REPLACEMENT in text:
            return [Conversion(mark, encoding, is_lossy=True)]
        pages = tuple(page for page in _CODE_PAGES if _fits(text, page))[:_MOST_PAGES]
        begin = text.encode("ascii", "replace")
    line_ends = 0 < begin.count(b"\n") == begin.count(_LINE_END)
    return [Conversion(mark, encoding, page, line_ends) for page in pages] if mark or encoding or line_ends else []


def _lacks_high_bytes(begin: bytes) -> bool:
    """Whether an RDB has no byte above 0x7f where every RDB of its version has some."""
    version = re.sub(rb"\D", b"", begin[:_HEADER_SIZE])
    return int(version) >= _AUX_SINCE and not any(byte > _SEVEN_BITS for byte in begin)


class Undone(NamedTuple):
    """An RDB before a ``conversion``, for its stock to show, or to be closed; whether its checksum proves it."""

    conversion: Conversion
    shown: Shown
    is_proven: bool


def undo(stock: Stock, conversion: Conversion) -> Undone | None:
    """Return the RDB as it was before, None if the conversion is impossible. Raises InputError."""
    if conversion.is_lossy:
        return None
    convert = None if conversion.encoding is None else _converter(conversion)
    import tempfile  # noqa: PLC0415 - few files were converted

    with tempfile.TemporaryFile() as file:
        try:
            checksum, tail = _write(_undone(stock, conversion, convert), file)
            file.flush()
        except UnicodeError:
            return None
        except OSError as error:
            raise InputError(f"cannot copy {stock.name} to a temporary file: {error.strerror or error}") from error
        shown = Shown(os.dup(file.fileno()), file.tell())
    is_proven = len(tail) == _TRAILER and any(tail) and int.from_bytes(tail, "little") == checksum
    return Undone(conversion, shown, is_proven)


def _write(pieces: Iterator[bytes], file: BinaryIO) -> tuple[int, bytes]:
    """Write pieces; return the checksum of all but their last eight bytes, and those."""
    checksum, held = 0, b""
    for piece in pieces:
        file.write(piece)
        held += piece
        checksum, held = crc64(held[:-_TRAILER], checksum), held[-_TRAILER:]
    return checksum, held


def _undone(stock: Stock, conversion: Conversion, convert: Callable[[bytes, bool], bytes] | None) -> Iterator[bytes]:
    at, held = len(conversion.mark), b""
    while at < stock.size:
        piece = stock.read(at, _PIECE)
        if not piece:
            raise InputError(f"cannot read {stock.name}: it became shorter")
        at += len(piece)
        if convert is not None:
            piece = convert(piece, at >= stock.size)
        if conversion.line_ends:
            piece = held + piece
            # Its LF may be in the next piece.
            held = _CR if piece.endswith(_CR) and at < stock.size else b""
            piece = piece.removesuffix(held).replace(_LINE_END, b"\n")
        yield piece
    yield held


def _converter(conversion: Conversion) -> Callable[[bytes, bool], bytes]:
    """Return a function that restores pieces of the file; its second argument marks the last one."""
    assert conversion.encoding is not None
    decoder = codecs.getincrementaldecoder(conversion.encoding)()
    page = conversion.code_page or "latin-1"

    def convert(piece: bytes, is_last: bool) -> bytes:  # noqa: FBT001 - as decoders have it
        return _encode(decoder.decode(piece, is_last), page)

    return convert


def _decode(sample: bytes, encoding: str) -> str | None:
    """Return the characters of the beginning of a file, None if it cannot be decoded."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return None


def _encode(text: str, page: str) -> bytes:
    """Encode characters: programs often read a byte that a code page lacks as a control character."""
    try:
        return text.encode(page)
    except UnicodeEncodeError:
        return b"".join(
            bytes([ord(one)]) if _FIRST_CONTROL <= ord(one) <= _LAST_CONTROL else one.encode(page) for one in text
        )


def _fits(text: str, page: str) -> bool:
    try:
        _encode(text, page)
    except UnicodeEncodeError:
        return False
    return True


def _name(page: str) -> str:
    return "Latin-1" if page == "latin-1" else page
