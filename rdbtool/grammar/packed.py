"""Blobs: encodings that are packed into one STR (format A11).

Each encoding has a generator that checks and walks a blob (``scan_ziplist`` and so on): offsets count from the blob's
beginning, and only the current entry is kept. ``Entries`` makes such a walk a field of a construct, and ``Blob`` puts
that construct inside a STR, which may be compressed. A compressed STR is built from its stored bytes: LZF is not
canonical.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from construct import Construct, Container, Subconstruct

from rdbtool.core.errors import Cause
from rdbtool.core.light_typing import Any, NamedTuple
from rdbtool.grammar.fields import Fields, build_part, parse_part
from rdbtool.grammar.primitives import Lzf, read_string, text, write_compressed, write_string
from rdbtool.grammar.reading import Reading
from rdbtool.grammar.refusal import RefusalError


class PackedEntry(NamedTuple):
    """An entry of a blob at ``start <= at < stop``; ``cuts`` are the offsets between its parts."""

    start: int
    stop: int
    value: Any
    cuts: tuple[int, ...]


#: Checks entry number ``index`` beyond its encoding; returns a cause and what was expected, or None.
EntryCheck = Callable[[int, PackedEntry], tuple[Cause, str] | None]


class Entries(Construct):  # type: ignore[misc]  # construct has no type information
    """The entries of a blob, up to its end mark: a list of their values, in groups of ``group``."""

    def __init__(
        self,
        scan: Callable[[bytes], Iterator[PackedEntry]],
        parts: tuple[str, ...],
        *,
        end_mark: int = 1,
        group: int = 1,
        check: EntryCheck | None = None,
        check_code: str = "",
    ) -> None:
        super().__init__()
        self.scan = scan
        self.parts = parts
        self.end_mark = end_mark
        self.group = group
        self.check = check
        self.check_code = check_code

    def _parse(self, stream: Reading, context: Any, path: str) -> list[Any]:  # noqa: ARG002 - construct's signature
        values: list[Any] = []
        try:
            self.walk(stream, values)
        except RefusalError as refused:
            raise stream.rebase(refused) from None
        return values

    def walk(self, stream: Reading, values: list[Any]) -> None:
        """Append the value of each entry to ``values`` and leave the stream at the end mark."""
        name = stream.place.path[-1][0]
        begin = stream.tell() - self.skipped(stream)
        for entry in self.entries(stream, name, begin):
            index = len(values)
            problem = self.check(index, entry) if self.check else None
            if problem:
                cause, expected = problem
                raise RefusalError(self.check_code, cause, entry.start, expected, describe_value(entry.value))
            values.append(entry.value)
        if len(values) % self.group:
            raise RefusalError("RDB211", "count", 0, f"a multiple of {self.group} entries", str(len(values)))

    def entries(self, stream: Reading, name: str, begin: int) -> Iterator[PackedEntry]:
        """Yield the entries, updating path and tracer; ``begin`` is the blob's own offset."""
        path = stream.place.path
        index = 0
        scanned = self.scan(stream.blob)
        while True:
            path[-1] = (name, index)
            try:
                entry = next(scanned)
            except StopIteration:
                break
            if stream.place.tracer is not None:
                self.trace(stream, name, entry, begin, index)
            yield entry
            index += 1
        path[-1] = (name, None)
        stream.seek(begin + len(stream.blob) - self.end_mark)

    def trace(self, stream: Reading, name: str, entry: PackedEntry, begin: int, index: int | None = None) -> None:
        """Report an entry and its parts."""
        tracer = stream.place.tracer
        assert tracer is not None
        tracer.open(name, begin + entry.start, inner=stream.inner, index=index)
        bounds = (entry.start, *entry.cuts, entry.stop)
        for part, (start, stop) in zip(self.parts, pairwise(bounds), strict=True):
            if start < stop:
                value = stream.blob[start:stop]
                tracer.leaf(part, begin + start, begin + stop, value, inner=stream.inner)
        tracer.close(begin + entry.stop, entry.value)

    @staticmethod
    def skipped(stream: Reading) -> int:
        """Return the number of blob bytes before the entries."""
        return len(stream.blob) - (stream.left() or 0)

    def _build(self, obj: Iterable[bytes], stream: Any, context: Any, path: str) -> Iterable[bytes]:  # noqa: ARG002
        for encoded in obj:
            stream.write(encoded)
        return obj


class Packed(Fields):
    """The fields of a blob. ``encode`` turns the values of its entries into a Container of all fields to build."""

    def __init__(self, encode: Callable[[list[Any]], dict[str, Any]], *fields: Any) -> None:
        super().__init__(*fields)
        self.encode = encode
        self.entries_name = next(field.name for field in fields if isinstance(field.subcon, Entries))

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        super()._build(Container(self.encode(obj[self.entries_name])), stream, context, path)
        return obj


class Blob(Subconstruct):  # type: ignore[misc]
    """A STR that holds a packed encoding. ``name`` and ``code`` are for refusals: "end of the ziplist", RDB201."""

    def __init__(self, subcon: Any, name: str, code: str, *, empty_code: str | None = None) -> None:
        super().__init__(subcon)
        self.title = name
        self.code = code
        self.empty_code = empty_code

    def _parse(self, stream: Reading, context: Any, path: str) -> Container:
        string_at = stream.tell()
        stored = read_string(stream, stream.place.max_blob, self.title)
        blob = text(stored)
        if not blob and self.empty_code:
            raise stream.refuse(self.empty_code, "empty", string_at, f"a {self.title}", "an empty string")
        data_at = stream.tell() - len(blob) if isinstance(stored, bytes) else None
        inside = stream.inside(blob, self.title, self.code, data_at=data_at, string_at=string_at)
        tracer = stream.place.tracer
        if tracer is not None:
            tracer.reopen(self.title)
        parsed = parse_part(self.subcon, inside, context, path)
        if tracer is not None:
            tracer.seal(None)
        parsed.stored = stored.packed if isinstance(stored, Lzf) else None
        parsed.size = len(blob)
        return parsed

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if obj.stored is not None:
            stream.write(write_compressed(obj.stored, obj.size))
            return obj
        inside = io.BytesIO()
        build_part(self.subcon, obj, inside, context, path)
        stream.write(write_string(inside.getvalue()))
        return obj


def describe_value(value: Any) -> str:
    """Return a short description of an entry's value for a message."""
    if isinstance(value, bytes):
        return repr(value if len(value) <= 24 else value[:24] + b"...")[1:]
    return str(value)


def entry_text(value: bytes | int) -> bytes:
    """Return the bytes of an entry: integers are decimal text."""
    return value if isinstance(value, bytes) else str(value).encode()
