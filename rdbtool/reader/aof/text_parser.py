"""The line-oriented parser of AOFs: the reference, which explains every fault.

It reads one record at a time: a command or an annotation line (format C1). In strict mode, it accepts what servers
write and redis-check-aof accepts. With ``lax`` it reads as the loaders of Redis 7.0 and later do (format C2): numbers
end at the first other character, the line end may be a bare newline, the two bytes after an argument can be anything;
each deviation is kept in ``deviations`` as the error that strict mode raises.
"""

from __future__ import annotations

from rdbtool.core.errors import Cause, FormatError
from rdbtool.core.light_typing import Final, NamedTuple, Protocol
from rdbtool.core.location import Where
from rdbtool.core.manifest import split_words
from rdbtool.core.patterns import pattern
from rdbtool.reader.aof.inline import LONGEST_INLINE

#: Maximum digits of a count or size: no file is larger.
MAX_DIGITS: Final = 18

#: Maximum bytes of a line, with its end, that servers read at once.
MAX_LINE: Final = 1023

#: Size in bytes of the shortest argument, ``$0`` and two line ends.
LEAST_ARGUMENT: Final = 6

_LINE_END: Final = b"\r\n"

#: Bytes read to find the end of a line: most are short.
_PIECE: Final = 32

#: What C's strtol parses: blanks, a sign, digits.
_NUMBER: Final = pattern(rb"[ \t\n\v\f\r]*([+-]?)(\d*)")


class Lines(Protocol):
    """The parser's input. Offsets are in bytes from the beginning of the file."""

    def read(self, size: int, /) -> bytes:
        """Return the next ``size`` bytes; fewer only at the end of the data."""

    def tell(self) -> int:
        """Return the offset of the next byte."""

    def seek(self, at: int, /) -> object:
        """Move back to an offset of the current record."""

    def left(self) -> int | None:
        """Return how many bytes are left, or None if unknown (a pipe)."""


class Command(NamedTuple):
    """A command, its name first; ``start`` and ``stop`` are the byte range of its record."""

    argv: tuple[bytes, ...]
    start: int
    stop: int


class Annotation(NamedTuple):
    """A line that begins with ``#``; ``text`` is without its end."""

    text: bytes
    start: int
    stop: int


class LineParser:
    """Reads records from ``stream``. ``source`` is the file name in errors. ``inline``: allow inline commands, too.

    ``deviations`` holds the deviations accepted in lax mode since the list was last cleared.
    """

    def __init__(self, stream: Lines, source: str = "", *, lax: bool = False, inline: bool = False) -> None:
        self.lax = lax
        self._inline = inline
        self.deviations: list[FormatError] = []
        self._stream = stream
        self._where = Where(source)
        self._start = 0

    def read(self, number: int) -> Command | Annotation | None:
        """Read the next record; None at the end. ``number`` is the command's number in errors, counted from 1.

        Raises FormatError AOF101 if the data ends inside the record, and another AOF1xx for bytes that no server
        writes.
        """
        self._start = self._stream.tell()
        self._where = self._where._replace(record=number, path="")
        line = self._line()
        if not line:
            return None
        if line[:1] == b"#":
            return self._annotation(line)
        if line[:1] != b"*" and self._inline:
            return self._read_inline()
        if line[:1] != b"*":
            expected = "'*' (a command) or '#' (an annotation)"
            raise self._fault("AOF102", "encoding", self._start, expected, _show(line))
        argc = self._number(line, self._start, "the number of arguments", bits=32)
        if argc < 1:
            raise self._fault("AOF104", "count", self._start + 1, "at least one argument", _show(line[1:]))
        return self._arguments(argc)

    def _read_inline(self) -> Command | None:
        """Read a line that is a command; None: it is blank. The caller has skipped blank lines before."""
        self._stream.seek(self._start)
        line = self._line()
        if not line.endswith(b"\n"):
            self._stream.seek(self._start)
            text = self._stream.read(LONGEST_INLINE)
            line = text[: text.find(b"\n") + 1] or text
            self._stream.seek(self._start + len(line))
        words = split_words(line) if len(line) < LONGEST_INLINE else None
        if words is None:
            expected = f"arguments with closed quotes on a line of less than {LONGEST_INLINE} bytes"
            raise self._fault("AOF111", "syntax", self._start, expected, _show(line))
        return Command(tuple(words), self._start, self._start + len(line)) if words else None

    def _arguments(self, argc: int) -> Command:
        left = self._stream.left()
        # Not preallocated: a count may be wrong.
        whole = left is None or argc <= left // LEAST_ARGUMENT or self.lax
        argv: list[bytes] = []
        for index in range(argc):
            self._where = self._where._replace(path=f"argument {index + 1} of {argc}")
            argument = self._argument()
            if whole:
                argv.append(argument)
        if len(argv) < argc:
            raise self._ended(_more_bytes(argc * LEAST_ARGUMENT - (left or 0)))
        return Command(tuple(argv), self._start, self._stream.tell())

    def _argument(self) -> bytes:
        at = self._stream.tell()
        line = self._line()
        if not line:
            raise self._ended("an argument")
        if line[:1] != b"$":
            raise self._fault("AOF105", "encoding", at, "'$' and the size of an argument", _show(line))
        size = self._number(line, at, "the size of an argument", bits=64)
        if size < 0:
            found = f"{_show(line[1:])}: servers crash on it"
            raise self._fault("AOF103", "range", at + 1, "the size of an argument", found)
        left = self._stream.left()
        if left is not None and size > left:
            self._stream.seek(self._stream.tell() + left)
            raise self._ended(_more_bytes(size - left))
        data = self._stream.read(size)
        if len(data) < size:
            raise self._ended(_more_bytes(size - len(data)))
        at = self._stream.tell()
        end = self._stream.read(2)
        if end != _LINE_END:
            self._line_end(end, at)
        return data

    def _line_end(self, found: bytes, at: int) -> None:
        """Check the two bytes after an argument."""
        short = len(found) < 2
        if short and (self.lax or _LINE_END.startswith(found)):
            raise self._ended("the line end after an argument")
        self._deviate("AOF107", "line-end", at, "\\r\\n after the argument", _show(found))

    def _annotation(self, line: bytes) -> Annotation:
        if line[-1:] != b"\n" and len(line) == MAX_LINE:
            # Servers skip as much as they read at once; the rest of the line is a record to them.
            self._deviate("AOF108", "size", self._start, f"an annotation of at most {MAX_LINE} bytes", "a longer line")
        elif line[-1:] != b"\n" and not self.lax:
            raise self._ended("the end of an annotation")
        elif line[-2:] != _LINE_END:
            at = self._stream.tell() - len(line[-1:])
            self._deviate("AOF106", "line-end", at, "\\r\\n at the end of an annotation", _show(line[-1:]))
        return Annotation(line.rstrip(b"\r\n") if self.lax else line[:-2], self._start, self._stream.tell())

    def _line(self) -> bytes:
        """Read a line up to its newline, MAX_LINE bytes or the end of the data."""
        at = self._stream.tell()
        line = self._stream.read(_PIECE)
        stop = line.find(b"\n") + 1
        if not stop and len(line) == _PIECE:
            line += self._stream.read(MAX_LINE - _PIECE)
            stop = line.find(b"\n") + 1
        if stop:
            line = line[:stop]
            self._stream.seek(at + stop)
        return line

    def _number(self, line: bytes, at: int, what: str, *, bits: int) -> int:
        """Return the number after the type character of a line that begins at ``at``."""
        digits = len(line) - 1 - len(line[1:].lstrip(b"0123456789"))
        after = line[1 + digits :]
        if 0 < digits <= MAX_DIGITS and after == _LINE_END:
            return int(line[1 : 1 + digits])
        if digits > MAX_DIGITS:
            self._deviate("AOF103", "number", at + 1, f"{what} in at most {MAX_DIGITS} digits", _show(line[1:]))
        elif len(line) < MAX_LINE and (not after or (digits and after == b"\r")):
            # The data ends here, and all of it could be the beginning of a number.
            if not self.lax or len(line) == 1:
                raise self._ended(f"the end of {what}")
        elif digits and after[:1] in {b"\r", b"\n"}:
            # For a longer line, the first wrong byte is at fault.
            wrong = 1 + digits + (after[:1] == b"\r")
            self._deviate("AOF106", "line-end", at + wrong, f"\\r\\n after {what}", _show(line[wrong:]))
        else:
            self._deviate("AOF103", "number", at + 1 + digits, f"{what} in decimal digits", _show(line[1 + digits :]))
        return _c_number(line[1:], bits)

    def _deviate(self, code: str, cause: Cause, at: int, expected: str, found: str) -> None:
        fault = self._fault(code, cause, at, expected, found)
        if not self.lax:
            raise fault
        self.deviations.append(fault)

    def _fault(self, code: str, cause: Cause, at: int, expected: str, found: str) -> FormatError:
        where = self._where
        return FormatError(code, cause, at, expected, found, file_kind="aof", start=self._start, where=where)

    def _ended(self, expected: str) -> FormatError:
        return self._fault("AOF101", "cut", self._stream.tell(), expected, "end of file")


def _c_number(text: bytes, bits: int) -> int:
    """Return what strtol makes of a text, stored in an integer of ``bits`` bits."""
    match = _NUMBER.match(text)
    assert match is not None
    # Digits beyond 64 bits change nothing: it saturates.
    digits = match[2].lstrip(b"0")[:20]
    number = int(digits or b"0")
    number = max(-number, -1 << 63) if match[1] == b"-" else min(number, (1 << 63) - 1)
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def _more_bytes(count: int) -> str:
    return f"{count} more byte{'' if count == 1 else 's'}"


def _show(data: bytes, limit: int = 24) -> str:
    """Format bytes for an error."""
    shown = repr(data[:limit])[1:]
    return shown if len(data) <= limit else shown + "…"
