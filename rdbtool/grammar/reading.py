"""The input of the constructs: bounds-checked, with path and position.

A ``Reading`` is between an input and the constructs. It never requests more than the input has left, so a wrong length
costs nothing; it knows the path to the current field, for refusals; and it reports every field to a tracer, if there is
one. A blob has a ``Reading`` of its own that shares path and tracer. Offsets of an uncompressed blob are file offsets;
those of a compressed one count from the beginning of the decompressed data (``inner``).
"""

from __future__ import annotations

from rdbtool.core.errors import Cause
from rdbtool.core.light_typing import Protocol
from rdbtool.core.limits import limits
from rdbtool.grammar.refusal import RefusalError, more_bytes

#: Bytes requested at once if the input does not know its size.
_PIECE = 1 << 20

#: Bytes read to distinguish truncated from oversized data, if the input does not know its size.
_TRIED = 64 << 20


class Bytestream(Protocol):
    """The grammar's input. Offsets are absolute, in bytes from the beginning of the file."""

    def read(self, size: int, /) -> bytes:
        """Return the next ``size`` bytes; fewer only at the end of the data."""

    def tell(self) -> int:
        """Return the offset of the next byte."""

    def seek(self, at: int, /) -> object:
        """Move to an offset. The grammar itself only moves forward by reading."""

    def left(self) -> int | None:
        """Return how many bytes are left, or None if unknown (a pipe)."""


class MemoryStream:
    """A Bytestream over bytes in memory. ``base`` is the offset of the first one."""

    __slots__ = ("_base", "_data", "_position")

    def __init__(self, data: bytes | memoryview, base: int = 0) -> None:
        self._data = data
        self._base = base
        self._position = 0

    def read(self, size: int, /) -> bytes:
        """Return the next ``size`` bytes, fewer at the end."""
        piece = self._data[self._position : self._position + size]
        self._position += len(piece)
        return piece if type(piece) is bytes else bytes(piece)

    def tell(self) -> int:
        """Return the offset of the next byte, starting at ``base``."""
        return self._base + self._position

    def seek(self, at: int, /) -> None:
        """Move to an offset (kept within the data)."""
        self._position = min(max(at - self._base, 0), len(self._data))

    def left(self) -> int:
        """Return how many bytes are left."""
        return len(self._data) - self._position


class Tracing(Protocol):
    """Receives every field: see ``trace.py``."""

    def open(self, name: str, at: int, *, inner: bool, index: int | None = None) -> None:
        """Begin a field; items of a sequence have an index."""

    def close(self, at: int, value: object) -> None:
        """End the innermost open field."""

    def leaf(self, name: str, start: int, stop: int, value: object, *, inner: bool) -> None:
        """Add a part without parts of its own to the open field."""

    def reopen(self, name: str) -> None:
        """Add parts to the previous leaf, until ``seal``."""

    def seal(self, value: object) -> None:
        """End what ``reopen`` began; its range is unchanged."""


class ParsePosition:
    """The position of a parse: the path to the current field, the key, and what is known of the file.

    It stays unchanged when a construct refuses, so that the handler can read it.
    """

    __slots__ = ("defined", "key", "kind", "max_blob", "max_inflate", "path", "tracer", "value_at", "value_stop")

    def __init__(
        self,
        tracer: Tracing | None = None,
        max_inflate: int | None = None,
        defined: dict[int, tuple[bytes, ...]] | None = None,
    ) -> None:
        self.path: list[tuple[str, int | None]] = []
        self.key: bytes | None = None
        self.value_at: int | None = None
        self.value_stop: int | None = None
        self.kind: str | None = None
        self.tracer = tracer
        most = limits()
        self.max_inflate = most.string if max_inflate is None else max_inflate
        self.max_blob = min(self.max_inflate, most.blob)
        self.defined = {} if defined is None else defined

    def describe_path(self) -> str:
        """Return the path as text, such as ``value.node[3].entry[7]``."""
        return ".".join(name if index is None else f"{name}[{index}]" for name, index in self.path)


class Reading:
    """The input of the constructs."""

    __slots__ = ("_captured", "_code", "_inside", "_source", "_string_at", "blob", "place")

    def __init__(self, source: Bytestream, place: ParsePosition) -> None:
        self._source = source
        self._captured: bytearray | None = None
        self._code = "RDB101"
        self._inside = "file"
        self._string_at: int | None = None
        self.place = place
        self.blob = b""

    def inside(self, blob: bytes, name: str, code: str, *, data_at: int | None, string_at: int) -> Reading:
        """Return a Reading of a blob. ``data_at``: its file offset, None if compressed; ``string_at``: its STR's."""
        reading = Reading(MemoryStream(blob, data_at or 0), self.place)
        reading.blob = blob
        reading._code = code
        reading._inside = name
        reading._string_at = string_at if data_at is None else None
        return reading

    @property
    def inner(self) -> bool:
        """Whether offsets count from the beginning of a decompressed string."""
        return self._string_at is not None

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._source.tell()

    def seek(self, at: int) -> None:
        """Move to an offset."""
        self._source.seek(at)

    def left(self) -> int | None:
        """Return how many bytes are left, None if unknown."""
        return self._source.left()

    def read(self, size: int) -> bytes:
        """Return exactly ``size`` bytes. Raises RefusalError if the data ends before."""
        left = self._source.left()
        if left is not None and size > left:
            raise self._ended(size - left, self._source.tell() + left)
        if left is None and size > _PIECE:
            data = self._read_pieces(size)
        else:
            data = self._source.read(size)
            if len(data) != size:
                raise self._ended(size - len(data), self._source.tell())
        if self._captured is not None:
            self._captured += data
        return data

    def expect(self, size: int, most: int) -> None:
        """Raise RefusalError if the data ends before ``size`` bytes.

        If the size is unknown, try to read as many, but no more than the input may hold for that.
        """
        most = min(most, _TRIED)
        left = self._source.left()
        if left is not None and size > left:
            raise self._ended(size - left, self._source.tell() + left)
        at = self._source.tell()
        missing = size
        while left is None and missing > max(0, size - most):
            piece = self._source.read(min(missing, _PIECE))
            if not piece:
                raise self._ended(missing, self._source.tell())
            missing -= len(piece)
        self._source.seek(at)

    def _read_pieces(self, size: int) -> bytes:
        pieces = []
        missing = size
        while missing:
            piece = self._source.read(min(missing, _PIECE))
            if not piece:
                raise self._ended(missing, self._source.tell())
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _ended(self, missing: int, at: int) -> RefusalError:
        inside = self._inside if self._inside == "file" else f"the {self._inside}"
        return self.refuse(self._code, "cut", at, more_bytes(missing), f"end of {inside}")

    def refuse(self, code: str, cause: Cause, at: int, expected: str, found: str) -> RefusalError:
        """Return the refusal of the byte at ``at``, an offset as returned by ``tell``."""
        if self._string_at is None:
            return RefusalError(code, cause, at, expected, found)
        return RefusalError(code, cause, self._string_at, expected, found, inner_at=at)

    def rebase(self, refused: RefusalError) -> RefusalError:
        """Return a ``scan_*`` function's refusal, with offsets from the blob's beginning, with file offsets."""
        begin = self._source.tell() + (self._source.left() or 0) - len(self.blob)
        found = self.refuse(refused.code, refused.cause, begin + refused.at, refused.expected, refused.found)
        if refused.field:
            self.place.path[-1] = (refused.field, None)
        return found

    def capture(self) -> None:
        """Keep what is read from here on; ``release`` returns it."""
        self._captured = bytearray()

    def release(self) -> bytes:
        """Return what was read since ``capture`` and stop keeping it."""
        captured = bytes(self._captured or b"")
        self._captured = None
        return captured

    def begin(self, name: str) -> None:
        """Enter a field."""
        self.place.path.append((name, None))
        if self.place.tracer is not None:
            self.place.tracer.open(name, self._source.tell(), inner=self.inner)

    def end(self, value: object) -> None:
        """End a field. Not called for a refused field: then the path remains for the error."""
        self.place.path.pop()
        if self.place.tracer is not None:
            self.place.tracer.close(self._source.tell(), value)

    def begin_item(self, name: str, index: int | None = None) -> None:
        """Enter an item of the current field; in the path it replaces the field."""
        self.place.path[-1] = (name, index)
        if self.place.tracer is not None:
            self.place.tracer.open(name, self._source.tell(), inner=self.inner, index=index)

    def end_item(self, name: str, value: object = None) -> None:
        """Leave an item; ``name`` is that of the field."""
        self.place.path[-1] = (name, None)
        if self.place.tracer is not None:
            self.place.tracer.close(self._source.tell(), value)

    def mark(self, name: str, start: int, value: object) -> None:
        """Name the bytes from ``start`` to here as a part of the current field."""
        if self.place.tracer is not None:
            self.place.tracer.leaf(name, start, self._source.tell(), value, inner=self.inner)
