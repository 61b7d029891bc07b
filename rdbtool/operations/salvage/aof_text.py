"""AOFs damaged by a text program: line ends changed, or bytes read as Latin-1 and written as UTF-8.

The change applies to every byte, so it can be undone; the sizes of the arguments prove it. A value in which only some
line ends were changed cannot be restored by its size: that is damage. So is a value with U+FFFD, which replaces unknown
bytes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from rdbtool.core.light_typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container

    from rdbtool.operations.salvage.input import Stock

#: The byte order mark that some editors prepend to UTF-8.
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

#: U+FFFD as UTF-8.
REPLACEMENT: Final = b"\xef\xbf\xbd"

#: Bytes of a line examined, bytes read at once, and bytes around the first damage that may disprove a mode.
_LINE: Final = 1 << 10
_BLOCK: Final = 1 << 16
_SAMPLE: Final = 1 << 16

#: Bytes at the beginning of a part that show its line ends, and bytes searched at once.
_HEAD: Final = 1 << 12
_PIECE: Final = 1 << 14

#: Bytes that may be read in vain: this many, plus half the size of the file.
_IN_VAIN: Final = 1 << 18

_COUNT: Final = re.compile(rb"\*(\d{1,9})(\r{0,2}\n)")
_SIZE: Final = re.compile(rb"\$(\d{1,18})(\r{0,2}\n)")
_NOTE: Final = re.compile(rb"#([^\r\n]{0,1000})(\r{0,2}\n)")
_BEGINNING: Final = re.compile(rb"\*\d{1,9}(\r{0,2}\n)\$\d{1,9}\1[A-Za-z]")
_FRAMING: Final = re.compile(rb"\n[$*]\d{1,18}\r{0,2}\n")
_LONE_LF: Final = re.compile(rb"(?<!\r)\n")

#: The end of a size and all of its argument: what is in a value whose end is the end of another one.
_ARGUMENT: Final = re.compile(rb"(\d{1,18})\r?\n(.*)", re.DOTALL)

#: Size in bytes of the shortest argument, an empty one.
_LEAST_ARGUMENT: Final = 4

#: Consecutive changed records that cannot be chance.
_SURE: Final = 2

#: Where Windows-1252 differs from Latin-1.
_WINDOWS: Final = {
    ord(text): byte
    for byte in range(0x80, 0xA0)
    if (text := bytes([byte]).decode("cp1252", errors="replace")) != "\N{REPLACEMENT CHARACTER}"
}


class TextMode(NamedTuple):
    """The change: the line end of the structure, how to restore values, and its ``name``."""

    name: str
    end: bytes
    ends: Literal["to CRLF", "to LF", "as they are"]
    is_utf8: bool = False


_CRLF, _LF, _DOUBLE = b"\r\n", b"\n", b"\r\r\n"
_UTF8: Final = "Latin-1 became UTF-8"
_MODES: Final = (
    TextMode("CRLF became LF", _LF, "to CRLF"),
    TextMode("LF became CRLF", _CRLF, "to LF"),
    TextMode("LF became CRLF", _DOUBLE, "to LF"),
    TextMode(_UTF8, _CRLF, "as they are", is_utf8=True),
    TextMode(f"CRLF became LF and {_UTF8}", _LF, "to CRLF", is_utf8=True),
    TextMode(f"LF became CRLF and {_UTF8}", _CRLF, "to LF", is_utf8=True),
    TextMode(f"LF became CRLF and {_UTF8}", _DOUBLE, "to LF", is_utf8=True),
)


class Restored(NamedTuple):
    """The original ``data`` of a record, and its range in the file; ``argv`` is empty for an annotation."""

    argv: tuple[bytes, ...]
    data: bytes
    start: int
    stop: int

    @property
    def is_evidence(self) -> bool:
        """Whether the record was changed, and is not merely two records whose ends were joined by damage.

        The joint of ``$6 p`` and ``$3 MAX`` leaves ``$6 p3 MAX``, whose size fits with a line end of one byte.
        """
        if len(self.data) == self.stop - self.start:
            return False
        return not any(_ends_in_argument(word) for word in self.argv)


def _ends_in_argument(word: bytes) -> bool:
    match = _ARGUMENT.search(word)
    if match is None:
        return False
    size = str(len(match[2])).encode()
    return match[1].endswith(size)


class TextRestorer:
    """Reads records of ``stock`` as they were before a text program changed them.

    ``mode`` is the change to the last one; ``known`` are the names to search for (upper case).
    """

    def __init__(self, stock: Stock, begin: int, known: Container[bytes]) -> None:
        self.mode: TextMode | None = None
        self._stock = stock
        self._blocks = Blocks(stock)
        self.known = known
        self._sample = b""
        self._is_proven = False
        self._left = stock.size // 2 + _IN_VAIN
        self._begin = begin

    def read(self, at: int) -> Restored | None:
        """Return the record at ``at``, None if no mode explains it. Sets ``mode``."""
        if self._left <= 0:
            return None
        line = self._blocks.read(at, _LINE)
        found = _COUNT.match(line) or _NOTE.match(line)
        if found is None:
            return None
        last = self.mode
        for mode in _MODES if last is None else (last, *_MODES):
            if mode.end != found[2] or (last is not None and last.is_utf8 and not mode.is_utf8):
                continue
            if not self._can_be(mode, at):
                continue
            loaded = self._blocks.loaded
            record = read_record(self._blocks, at, mode)
            if record is not None:
                self.mode = mode
                return record
            self._left -= self._blocks.loaded - loaded
        return None

    def prove(self, mode: TextMode, changed: int, start: int, stop: int) -> bool:
        """Whether the records between two offsets, ``changed`` of which are telling, prove the mode.

        If the line ends of the structure are unchanged, a single size that fits may be chance, caused by the next
        damage.
        """
        enough = _SURE if stop < self._stock.size else 1
        if mode.end == _CRLF and changed < enough and not self._is_proven:
            self.mode = None
            self._left -= stop - start
            return False
        self._is_proven = True
        return True

    def reaches(self, at: int, beyond: int) -> bool:
        """Whether a mode explains the record at ``at``, and the record ends after ``beyond``."""
        mode = self.mode
        record = self.read(at)
        self.mode = mode
        return record is not None and record.stop > beyond

    def find(self, at: int, stop: int) -> int | None:
        """Return where between two offsets a command with a known name begins that a mode explains, None: nowhere."""
        if self.mode is None:
            head = _BEGINNING.search(self._stock.read(self._begin, _HEAD))
            if head is None or head[1] == _CRLF:
                return None
        while at < stop and self._left > 0:
            data = self._blocks.read(at, min(_PIECE, stop - at))
            self._left -= len(data)
            if not data:
                break
            for match in _BEGINNING.finditer(data):
                mode = self.mode
                record = self.read(at + match.start())
                if record is not None and record.argv[0].upper() in self.known:
                    return record.start
                self.mode = mode
            at += max(len(data) - _LINE, 1) if len(data) == _PIECE else len(data)
        return None

    def _can_be(self, mode: TextMode, at: int) -> bool:
        """Whether a mode is consistent with the bytes around: it applies to every byte."""
        if mode.end != _CRLF:
            return True
        if not self._sample:
            start = max(self._begin, at - _SAMPLE)
            # The window may begin or end inside a character.
            self._sample = self._stock.read(start, at - start + _SAMPLE).lstrip(bytes(range(0x80, 0xC0)))
        if mode.ends == "to LF" and _LONE_LF.search(self._sample) is not None:
            return False
        if not mode.is_utf8:
            return True
        try:
            self._sample.decode()
        except UnicodeDecodeError as error:
            return error.start >= len(self._sample) - 3
        return True


class Blocks:
    """The bytes of ``stock``, read in blocks; ``loaded`` counts them."""

    def __init__(self, stock: Stock) -> None:
        self.size = stock.size
        self.loaded = 0
        self._stock = stock
        self._block = b""
        self._at = 0

    def read(self, at: int, size: int) -> bytes:
        """Return up to ``size`` bytes at offset ``at``, fewer only at the end."""
        size = max(0, min(size, self.size - at))
        if not self._at <= at <= at + size <= self._at + len(self._block):
            if size > _BLOCK // 4:
                self.loaded += size
                return self._stock.read(at, size)
            self._at = at
            self._block = self._stock.read(at, _BLOCK)
            self.loaded += len(self._block)
        return self._block[at - self._at : at - self._at + size]


def read_record(stock: Blocks, at: int, mode: TextMode) -> Restored | None:
    """Return the record at ``at`` as it was before the change ``mode``, None if it was not changed that way."""
    line = stock.read(at, _LINE)
    note = _NOTE.match(line)
    if note is not None and note[2] == mode.end:
        return Restored((), b"#" + note[1] + _CRLF, at, at + note.end())
    count = _COUNT.match(line)
    if count is None or count[2] != mode.end:
        return None
    argc = int(count[1])
    if not 0 < argc <= (stock.size - at) // _LEAST_ARGUMENT:
        return None
    begin, place = at, at + count.end()
    argv: list[bytes] = []
    for index in range(argc):
        size = _SIZE.match(stock.read(place, 32))
        if size is None or size[2] != mode.end:
            return None
        follows = b"$" if index + 1 < argc else b"*#"
        found = _read_value(stock, place + size.end(), int(size[1]), mode, follows)
        if found is None:
            return None
        value, place = found
        argv.append(value)
    data = b"*%d\r\n" % argc + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv)
    return Restored(tuple(argv), data, begin, place)


def restore(stock: Stock, start: int, stop: int, mode: TextMode) -> Iterator[Restored]:
    """Yield the records in a range, all of which ``mode`` explains."""
    blocks = Blocks(stock)
    while start < stop:
        record = read_record(blocks, start, mode)
        assert record is not None
        yield record
        start = record.stop


def _read_value(stock: Blocks, at: int, size: int, mode: TextMode, follows: bytes) -> tuple[bytes, int] | None:
    """Return the value of ``size`` bytes at ``at`` and where the next line begins, None if the size is ambiguous."""
    left = stock.size - at
    if size > 2 * left:
        return None
    found: set[tuple[bytes, int]] = set()
    if not mode.is_utf8 and size <= left and _is_end(stock, at + size, mode, follows):
        value = stock.read(at, size)
        found.add((value, at + size))
        if b"\n" not in value:
            return value, at + size + len(mode.end)
    raw = stock.read(at, size * (3 if mode.is_utf8 else 1) * (2 if mode.ends == "to LF" else 1) + 1)
    # Line ends within a value may have been CR LF originally.
    for how in (mode, mode._replace(ends="as they are")) if mode.is_utf8 else (mode,):
        other = _convert(raw, size, how)
        if other is None or _FRAMING.search(other[0] + mode.end) is not None:
            # It includes what follows it, up to a line end.
            continue
        if _is_end(stock, at + other[1], mode, follows):
            found.add((other[0], at + other[1]))
    if len(found) != 1:
        return None
    value, stop = found.pop()
    return value, stop + len(mode.end)


def _is_end(stock: Blocks, at: int, mode: TextMode, follows: bytes) -> bool:
    """Whether a line end is at ``at``, followed by the beginning of a record or argument, or by the end of the file."""
    after = stock.read(at, len(mode.end) + 1)
    if not after.startswith(mode.end):
        return False
    byte = after[len(mode.end) :]
    return byte in follows if byte else b"*" in follows


def _convert(raw: bytes, size: int, mode: TextMode) -> tuple[bytes, int] | None:
    """Return the original first ``size`` bytes of ``raw``, and the number of bytes of ``raw`` that they became."""
    if mode.is_utf8:
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            text = raw[: error.start].decode()
    else:
        text = raw.decode("latin-1")
    count = _count(text, size, mode)
    if count is None:
        return None
    text = text[:count]
    used = len(text.encode()) if mode.is_utf8 else count
    if mode.ends == "to CRLF":
        text = text.replace("\n", "\r\n")
    elif mode.ends == "to LF":
        text = text.replace("\r\n", "\n")
    try:
        value = (text.translate(_WINDOWS) if mode.is_utf8 else text).encode("latin-1")
    except UnicodeEncodeError:
        return None
    return (value, used) if len(value) == size else None


def _count(text: str, size: int, mode: TextMode) -> int | None:
    """Return how many characters become ``size`` bytes, None if no number does."""
    if mode.ends == "as they are":
        return size if size <= len(text) else None
    if mode.ends == "to CRLF":
        count = bisect_left(range(len(text) + 1), size, key=lambda n: n + text.count("\n", 0, n))
    else:
        count = bisect_left(range(len(text) + 1), size, key=lambda n: n - text.count("\r\n", 0, n))
        if text[count - 1 : count + 1] == "\r\n":
            count += 1
    return count if count <= len(text) else None
