"""The parts of a log: one file, or those that a manifest names, in the order in which they are loaded."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple

from rdbtool._codec.decode.window import Window
from rdbtool.core.errors import FormatError, InputError, LimitError
from rdbtool.core.location import Where
from rdbtool.core.manifest import Entry, Manifest, read_manifest
from rdbtool.io.source import Source, open_source
from rdbtool.reader.open.detect import HEAD_SIZE, begins_rdb
from rdbtool.reader.open.windows import open_window

PartKind = Literal["base", "incr", "single"]
PartFormat = Literal["rdb", "resp", "rdb+resp", "empty"]

#: Bytes. The manifest of a log that was rewritten a million times would be smaller.
_LARGEST_MANIFEST: Final = 64 << 20

#: Files of a log that stay open from the look at them until they are read, at most; and descriptors that a process
#: needs for everything else. It has a thousand or so, where nobody took them away.
_HELD: Final = 64
_RESERVED: Final = 32


class Part:
    """A file of a log. ``number`` is its sequence number; ``size`` is in bytes, None where nobody knows.

    ``format`` is what is known by now: that commands follow an RDB shows when it was read. ``source`` is the open file,
    of which nothing was consumed, until somebody takes it to read it; whoever has the parts closes what is left.
    ``start_offset`` and ``end_offset`` are the manifest's replication offsets.
    """

    # No dataclass: that module alone takes 6 ms to import.
    __slots__ = ("end_offset", "format", "kind", "name", "number", "path", "size", "source", "start_offset")

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
        self.source: Source | None = None

    def open(self, max_inflate: int) -> OpenPart:
        """Open the file to read it. Raises InputError."""
        source, self.source = self.source, None
        if source is None:
            return open_part(self.path or "", max_inflate=max_inflate)
        source.renew()
        return OpenPart(source, open_window(source, max_inflate))

    def close(self) -> None:
        """Close the file, if nobody took it."""
        if self.source is not None:
            self.source.close()
            self.source = None


class OpenPart(NamedTuple):
    """A part that is being read."""

    source: Source
    window: Window

    def head(self) -> bytes:
        """Return the first HEAD_SIZE bytes; nothing is consumed."""
        return self.window.peek(self.window.at, HEAD_SIZE)

    def format(self) -> PartFormat:
        """Return what the part begins with; nothing is consumed."""
        return _format_of(self.head())


def open_part(
    target: str | os.PathLike[str] | BinaryIO | bytes, *, name: str | None = None, max_inflate: int
) -> OpenPart:
    """Open a file of a log. Raises InputError."""
    source = open_source(target, name=name)
    return OpenPart(source, open_window(source, max_inflate))


def _format_of(head: bytes) -> PartFormat:
    if not head:
        return "empty"
    return "rdb" if begins_rdb(head) else "resp"


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
    """Return the files that a manifest says are loaded, in that order; the first ones are open.

    Raises FormatError MAN012 for one that is missing, InputError for one that cannot be read or is no regular file.
    """
    parts: list[Part] = []
    held = min(_HELD, max(0, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _RESERVED) // 2)
    try:
        for entry in manifest.loaded:
            parts.append(_examine(entry, manifest))
            if len(parts) > held:
                parts[-1].close()
    except BaseException:
        for part in parts:
            part.close()
        raise
    return parts


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
    refuse_special(path)
    source = open_source(path)
    try:
        part = Part(
            entry.name,
            str(path),
            kind,
            number=entry.seq,
            size=source.size,
            format=_format_of(source.peek(HEAD_SIZE)),
            start_offset=entry.start_offset,
            end_offset=entry.end_offset,
        )
    except BaseException:
        source.close()
        raise
    part.source = source
    return part


def refuse_special(path: Path) -> None:
    """Raise InputError for a part that is a device, a pipe or the like: it may never end."""
    try:
        mode = path.stat().st_mode
    except OSError:
        # Opening it says what is wrong.
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "a pipe or a socket"
        link = f", a link to {path.resolve()}" if path.is_symlink() else ""
        raise InputError(f"cannot read {path}: it is {kind}{link}; the files that a manifest names are regular ones")


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        # Opening it says what is wrong.
        return False
    return False
