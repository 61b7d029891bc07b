"""The parts of a log: one file, or those that a manifest names, in the order in which they are loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple

from rdbtool._codec.decode.window import Window
from rdbtool.core.errors import FormatError, LimitError
from rdbtool.core.location import Where
from rdbtool.core.manifest import Entry, Manifest, read_manifest
from rdbtool.io.source import Source, open_source
from rdbtool.reader.open.detect import HEAD_SIZE, begins_rdb
from rdbtool.reader.open.windows import open_window

PartKind = Literal["base", "incr", "single"]
PartFormat = Literal["rdb", "resp", "rdb+resp", "empty"]

#: Bytes. The manifest of a log that was rewritten a million times would be smaller.
_LARGEST_MANIFEST: Final = 64 << 20


class Part:
    """A file of a log. ``number`` is its sequence number; ``size`` is in bytes, None where nobody knows.

    ``format`` is what is known by now: that commands follow an RDB shows when it was read.
    ``start_offset`` and ``end_offset`` are the manifest's replication offsets.
    """

    # No dataclass: that module alone takes 6 ms to import.
    __slots__ = ("end_offset", "format", "kind", "name", "number", "path", "size", "start_offset")

    def __init__(  # noqa: PLR0917 - the fields of a record
        self,
        name: str,
        path: str | None,
        kind: PartKind,
        number: int,
        size: int | None,
        format: PartFormat,  # noqa: A002 - the attribute's name
        start_offset: int | None = None,
        end_offset: int | None = None,
    ) -> None:
        self.name = name
        self.path = path
        self.kind = kind
        self.number = number
        self.size = size
        self.format = format
        self.start_offset = start_offset
        self.end_offset = end_offset


class OpenPart(NamedTuple):
    """A part that is being read."""

    source: Source
    window: Window

    def head(self) -> bytes:
        """Return the first HEAD_SIZE bytes; nothing is consumed."""
        return self.window.peek(self.window.at, HEAD_SIZE)

    def format(self) -> PartFormat:
        """Return what the part begins with; nothing is consumed."""
        head = self.head()
        if not head:
            return "empty"
        return "rdb" if begins_rdb(head) else "resp"


def open_part(
    target: str | os.PathLike[str] | BinaryIO | bytes, *, name: str | None = None, max_inflate: int
) -> OpenPart:
    """Open a file of a log. Raises InputError."""
    source = open_source(target, name=name)
    return OpenPart(source, open_window(source, max_inflate))


def load_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read the manifest at ``path``. Raises FormatError MAN0xx, InputError."""
    data = bytearray()
    with open_source(path) as source:
        piece = memoryview(bytearray(1 << 16))
        while count := source.readinto(piece):
            data += piece[:count]
            if len(data) > _LARGEST_MANIFEST:
                raise LimitError(f"{source.name}: a manifest of more than {_LARGEST_MANIFEST} bytes")
        source.check_unchanged()
    return read_manifest(bytes(data), path)


def list_parts(manifest: Manifest) -> list[Part]:
    """Return the files that a manifest says are loaded, in that order.

    Raises FormatError MAN012 for one that is missing, InputError for one that cannot be read.
    """
    return [_examine(entry, manifest) for entry in manifest.loaded]


def find_part(parts: list[Part], source: str) -> int:
    """Return the index of the part that is read from the source of this name."""
    return next(index for index, part in enumerate(parts) if source in (part.path, part.name))


def _examine(entry: Entry, manifest: Manifest) -> Part:
    path = Path(manifest.path).parent / entry.name
    kind: PartKind = "base" if entry.kind == "base" else "incr"
    if _is_missing(path):
        where = Where(manifest.path, path=f"line {entry.line}")
        expected = f"the {kind} file {path}"
        raise FormatError("MAN012", "reference", entry.at, expected, "no such file", file_kind="manifest", where=where)
    part = open_part(path, max_inflate=HEAD_SIZE)
    with part.source:
        return Part(
            entry.name,
            str(path),
            kind,
            number=entry.seq,
            size=part.source.size,
            format=part.format(),
            start_offset=entry.start_offset,
            end_offset=entry.end_offset,
        )


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        # Opening it says what is wrong.
        return False
    return False
