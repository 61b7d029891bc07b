"""The manifest of a multi-part AOF (format C4): its files and their order.

A line names a file by pairs of words, quoted as in a shell. The rules are exactly those of servers, and each has its
own error code; offsets are those of the faulty line. Manifests are written as servers write them. The named files are
not looked at.
"""

from __future__ import annotations

import os

from rdbtool.core.errors import Cause, FormatError
from rdbtool.core.light_typing import TYPE_CHECKING, Final, Literal, NamedTuple
from rdbtool.core.location import Where
from rdbtool.core.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["base", "history", "incr"]

#: Maximum bytes of a line, with its newline.
MAX_LINE: Final = 1024

_KINDS: Final[dict[bytes, Kind]] = {b"b": "base", b"h": "history", b"i": "incr"}
_NEEDED: Final = (b"file", b"seq", b"type")

_BLANKS: Final = b" \t\n\v\f\r"
_ENDS_WORD: Final = b" \t\n\r"
_ESCAPES: Final = {b"n"[0]: 10, b"r"[0]: 13, b"t"[0]: 9, b"b"[0]: 8, b"a"[0]: 7}
_HEX: Final = pattern(rb"\\x([0-9a-fA-F]{2})")
_NUMBER: Final = pattern(rb"[ \t\n\v\f\r]*([+-]?\d+)")

#: As servers write: the order of the kinds, the characters of a name that needs no quotes, escapes in quotes.
_ORDER: Final = {"base": 0, "history": 1, "incr": 2}
_SAFE: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+@%,:=~")
_WRITTEN: Final = {b"\n"[0]: b"\\n", b"\r"[0]: b"\\r", b"\t"[0]: b"\\t", b'"'[0]: b'\\"', b"\\"[0]: b"\\\\"}


class Entry(NamedTuple):
    """One line: a file of the AOF.

    ``start_offset`` and ``end_offset`` are replication offsets (Redis 8), not file offsets. ``line`` counts from 1.
    """

    name: str
    seq: int
    kind: Kind
    start_offset: int | None
    end_offset: int | None
    line: int
    at: int


class Manifest(NamedTuple):
    """A manifest read from ``path``; ``entries`` are in the order of its lines."""

    path: str
    entries: tuple[Entry, ...]

    @property
    def base(self) -> Entry | None:
        """The base file, if there is one."""
        return next((entry for entry in self.entries if entry.kind == "base"), None)

    @property
    def incrs(self) -> tuple[Entry, ...]:
        """The incr files, in loading order."""
        return tuple(entry for entry in self.entries if entry.kind == "incr")

    @property
    def history(self) -> tuple[Entry, ...]:
        """Files of earlier AOFs, which are not loaded and may be missing."""
        return tuple(entry for entry in self.entries if entry.kind == "history")

    @property
    def loaded(self) -> tuple[Entry, ...]:
        """The files of the dataset, in loading order."""
        return (*((self.base,) if self.base else ()), *self.incrs)


def read_manifest(data: bytes, path: str | os.PathLike[str] = "") -> Manifest:
    """Read a manifest; ``path`` is its file. Raises FormatError MAN0xx where servers refuse to start."""
    source = os.fspath(path)
    if not data:
        where = Where(source)
        raise FormatError("MAN001", "empty", 0, "at least one line", "end of file", file_kind="manifest", where=where)
    reader = _Lines(source)
    at = number = 0
    while at < len(data):
        number += 1
        # Lines are read as servers do: an overlong comment ends where they stop reading it.
        stop = data.find(b"\n", at, at + MAX_LINE) + 1 or min(at + MAX_LINE, len(data))
        line = data[at:stop]
        if line[:1] != b"#":
            reader.read(line, at, number)
        at = stop
    return Manifest(source, tuple(reader.entries))


def looks_like_manifest(head: bytes) -> bool:
    """Return whether the first line of ``head`` that is neither comment nor blank is a manifest line, valid or not.

    The whole line is checked: a line that merely contains the word ``file`` is not enough.
    """
    for line in head.splitlines(keepends=True):
        if line[:1] == b"#" or not line.strip(_BLANKS):
            continue
        keys = {word.lower() for word in (split_words(line) or [])[::2]}
        return len(keys.intersection(_NEEDED)) > 1
    return False


def split_words(line: bytes) -> list[bytes] | None:
    """Split a line into unquoted words; None if a quote is not closed or not followed by a blank."""
    words = []
    at = 0
    while at < len(line):
        if line[at] in _BLANKS:
            at += 1
            continue
        word = bytearray()
        while at < len(line) and line[at] not in _ENDS_WORD:
            if line[at] in b"\"'":
                end = _read_quoted(line, at, word)
                if end is None or (end < len(line) and line[end] not in _BLANKS):
                    return None
                at = end
                break
            word.append(line[at])
            at += 1
        words.append(bytes(word))
    return words


def _read_quoted(line: bytes, at: int, word: bytearray) -> int | None:
    """Append quoted text to ``word``; return the index after the closing quote, None if it is missing."""
    quote = line[at]
    at += 1
    while at < len(line):
        byte = line[at]
        if byte == quote:
            return at + 1
        if quote == b'"'[0] and byte == b"\\"[0] and at + 1 < len(line):
            code = _HEX.match(line, at)
            word.append(int(code[1], 16) if code else _ESCAPES.get(line[at + 1], line[at + 1]))
            at += 4 if code else 2
        elif line[at : at + 2] == b"\\'":
            word += b"'"
            at += 2
        else:
            word.append(byte)
            at += 1
    return None


class _Lines:
    """Checks lines that are not comments, in order."""

    def __init__(self, source: str) -> None:
        self.entries: list[Entry] = []
        self._has_base = False
        self._last_incr = 0
        self._where = Where(source)
        self._at = 0

    def read(self, line: bytes, at: int, number: int) -> None:
        """Check a line (with its newline) by itself and against those before it, and add its entry."""
        self._at = at
        self._where = self._where._replace(path=f"line {number}")
        fields = self._fields(line)
        for key in _NEEDED:
            if key not in fields:
                raise self._fault("MAN006", "member", f"the key {key.decode()}", "a line without it")
        kind = _KINDS.get(fields[b"type"][:1])
        if kind is None:
            raise self._fault("MAN009", "type", "the type b, h or i", repr(fields[b"type"])[1:])
        name = fields[b"file"]
        if name in {b"", b".", b".."} or b"/" in name or b"\\" in name or b"\0" in name:
            raise self._fault("MAN007", "name", "the bare name of a file in this directory", repr(name)[1:])
        seq = _to_number(fields[b"seq"])
        if not seq:
            raise self._fault("MAN008", "range", "a sequence number other than 0", repr(fields[b"seq"])[1:])
        if kind == "base":
            if self._has_base:
                raise self._fault("MAN010", "twice", "one base file", "a second one")
            self._has_base = True
        if kind == "incr":
            if seq <= self._last_incr:
                raise self._fault("MAN011", "order", f"a sequence number above {self._last_incr}", str(seq))
            self._last_incr = seq
        start, end = (_to_number(fields[key]) if key in fields else None for key in (b"startoffset", b"endoffset"))
        self.entries.append(Entry(os.fsdecode(name), seq, kind, start, end, number, at))

    def _fields(self, line: bytes) -> dict[bytes, bytes]:
        """Return the pairs of a line by lower-case key; the last duplicate counts."""
        if not line.endswith(b"\n"):
            found = f"{len(line)} bytes and no newline" if len(line) == MAX_LINE else "end of file without one"
            raise self._fault("MAN002", "line-end", f"a newline within {MAX_LINE} bytes", found)
        if b"\0" in line:
            raise self._fault("MAN002", "encoding", "a line of text", "a NUL byte")
        if not line.strip(b" \t\r\n"):
            raise self._fault("MAN003", "empty", "a file, or a comment", "a blank line")
        words = split_words(line)
        if words is None:
            raise self._fault("MAN004", "syntax", "closed quotes followed by a blank", _show(line))
        if len(words) % 2 or len(words) < 2 * len(_NEEDED):
            raise self._fault("MAN005", "count", "at least six words in pairs", f"{len(words)} of them")
        return {key.lower(): value for key, value in zip(words[::2], words[1::2], strict=True)}

    def _fault(self, code: str, cause: Cause, expected: str, found: str) -> FormatError:
        return FormatError(code, cause, self._at, expected, found, file_kind="manifest", where=self._where)


def _to_number(text: bytes) -> int:
    """Return the number at the start of a text, as C's atoll: 0 if there is none, saturated at 64 bits."""
    match = _NUMBER.match(text)
    return max(-(1 << 63), min(int(match[1]), (1 << 63) - 1)) if match else 0


def _show(line: bytes, limit: int = 60) -> str:
    shown = repr(line[:limit].rstrip(b"\r\n"))[1:]
    return shown if len(line) <= limit else shown + "…"


def format_manifest(entries: Iterable[Entry]) -> bytes:
    """Return the bytes of a manifest; names are quoted where servers require it. The order within a kind is kept."""
    return b"".join(_format(entry) for entry in sorted(entries, key=lambda entry: _ORDER[entry.kind]))


def _format(entry: Entry) -> bytes:
    line = b"file %b seq %d type %b" % (_quote(os.fsencode(entry.name)), entry.seq, entry.kind[:1].encode())
    if entry.start_offset is not None:
        line += b" startoffset %d" % entry.start_offset
    if entry.end_offset is not None:
        line += b" endoffset %d" % entry.end_offset
    return line + b"\n"


def _quote(name: bytes) -> bytes:
    if name and _SAFE.issuperset(name):
        return name
    quoted = b"".join(
        _WRITTEN.get(byte) or (bytes([byte]) if 0x20 <= byte < 0x7F else b"\\x%02x" % byte) for byte in name
    )
    return b'"%b"' % quoted
