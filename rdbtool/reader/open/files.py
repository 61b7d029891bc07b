"""Format detection, by content: never by name, unless the file is empty.

An RDB begins with its magic, an AOF with ``*`` and a digit or with an annotation, a manifest with a line of its
grammar, and JSON lines with a brace; inline commands are an AOF, too. An RDB preamble written by a server is marked by
an aux field; if a user appended an AOF to another RDB, the end of the file shows it. Directories are opened by their
manifest.

The files of an AOF are one, or those that a manifest names, in loading order.
"""

from __future__ import annotations

import os
import stat

from rdbtool._codec.decode.window import Window
from rdbtool.core.errors import (
    Finding,
    FormatError,
    InputError,
    LimitError,
    Remedy,
    UnknownFormatError,
    UnsupportedError,
    WrapperError,
)
from rdbtool.core.light_typing import TYPE_CHECKING, BinaryIO, Final, Literal, NamedTuple, NoReturn
from rdbtool.core.location import Where
from rdbtool.core.patterns import pattern
from rdbtool.io.source import Source, is_directory, open_source
from rdbtool.reader.open.windows import Framing, enter_framing, open_window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rdbtool.core.manifest import Entry, Manifest

Kind = Literal["rdb", "aof", "multipart", "jsonl"]

#: Bytes of the beginning that are examined: aux fields, or the first line of a manifest after its comments.
HEAD_SIZE: Final = 4096

#: Bytes of the end of a file that are examined.
ENDING_SIZE: Final = 64 << 10

#: The default directory of a multi-part AOF, and the single-file AOF of older servers.
LOG_DIRECTORY: Final = "appendonlydir"
SINGLE_LOG: Final = "appendonly.aof"

_RDB: Final = (b"REDIS", b"VALKEY")

#: The line before an argument.
_SIZE: Final = pattern(rb"\$(\d{1,9})\r\n")


def detect(target: str | os.PathLike[str] | BinaryIO | bytes) -> Kind:
    """Return the format of a path, ``-``, bytes or a binary stream. A pipe is consumed: see ``open_any``.

    DUMP payloads are not included: they are verified when they are opened. Raises UnknownFormatError for an unsupported
    format, InputError if the file cannot be read as it is.
    """
    if is_directory(target):
        return "multipart" if find_log(target).suffix == ".manifest" else "aof"
    with open_source(target) as source:
        window = open_window(source, HEAD_SIZE)
        framing = enter_framing(window)
        head = window.peek(window.at, HEAD_SIZE)
        return detect_source(source, head, framing) or refuse_source(source, head)


def detect_source(source: Source, head: bytes, framing: Framing | None = None) -> Kind | None:
    """Return the format of an open input that begins with ``head`` (HEAD_SIZE bytes). Raises what ``detect`` does.

    ``framing`` is what a master sent before that. None: unsupported, unless it is a DUMP payload.
    """
    if framing is not None and begins_rdb(head):
        return "aof" if framing.has_stream(source) else "rdb"
    return detect_content(head, source.ending(ENDING_SIZE), source.name)


def refuse_source(source: Source, head: bytes) -> NoReturn:
    """Raise the error for an open input in an unsupported format; see ``refuse_unknown``."""
    refuse_unknown(head, source.name, is_file=isinstance(source.again, str), compression=source.compression)


def detect_content(head: bytes, ending: bytes = b"", name: str = "") -> Kind | None:
    """Return the format of what begins with ``head`` (HEAD_SIZE bytes) and ends with ``ending``, empty if unknown.

    ``name`` decides for an empty input. None: unsupported.
    """
    if begins_rdb(head):
        return "aof" if _says_preamble(head) or _ends_in_command(ending) else "rdb"
    from rdbtool.core.manifest import looks_like_manifest  # noqa: PLC0415 - not for RDBs

    if looks_like_manifest(head):
        return "multipart"
    if begins_log(head) or is_empty_log(head, name):
        return "aof"
    if head.lstrip(b" \t\r\n").startswith(b"{"):
        return "jsonl"
    from rdbtool.reader.aof.inline import begins_inline  # noqa: PLC0415 - rarely needed: the table of commands

    return "aof" if begins_inline(head) else None


def refuse_unknown(head: bytes, name: str, *, is_file: bool = True, compression: str | None = None) -> NoReturn:
    """Raise UnknownFormatError for an unsupported format, InputError if it is known how to unwrap it."""
    refuse_wrapped(head, name, is_file=is_file, compression=compression)
    found = f"begins with {head[:16]!r}" if head else "is empty"
    message = f"{name}: not a file that rdbtool reads (RDB, AOF, manifest, JSON lines): it {found}"
    raise UnknownFormatError(message, head[:16])


def refuse_wrapped(head: bytes, name: str, *, is_file: bool = True, compression: str | None = None) -> None:
    """Raise InputError for an archive, an encoding, a picture …, with how to unwrap it."""
    from rdbtool.core.wrappers import describe_wrapper, recognise_wrapper  # noqa: PLC0415 - nearly never needed

    wrapper = recognise_wrapper(head)
    if wrapper is not None:
        raise WrapperError(describe_wrapper(wrapper, name, is_file=is_file, compression=compression))


def refuse_jsonl(name: str) -> NoReturn:
    """Raise UnsupportedError for callers that need the bytes of an RDB or the commands of an AOF."""
    raise UnsupportedError(
        f"{name}: expected an RDB file or an AOF, found JSON lines",
        remedy=Remedy(": rdbtool convert SRC x.rdb makes an RDB file", ": rdbtool.convert makes an RDB file"),
    )


def begins_rdb(head: bytes) -> bool:
    """Whether an RDB begins here."""
    return head.startswith(_RDB)


def begins_log(head: bytes) -> bool:
    """Whether commands, or annotations before commands, begin here."""
    if head.startswith(b"#TS:"):
        return True
    lines = head.splitlines(keepends=True)
    first = next((line for line in lines if line[:1] != b"#"), b"*" if lines else b"")
    return first == b"*" or (first.startswith(b"*") and first[1:2].isdigit())


def is_empty_log(head: bytes, name: str) -> bool:
    """Whether an empty input is an AOF without commands, which only its name can tell."""
    return not head and name.endswith(".aof")


def find_log(directory: str | os.PathLike[str]) -> Path:
    """Return the manifest in a directory, or in its only subdirectory with one, or else its single-file AOF.

    Raises FormatError MAN013 if only its manifest is missing, InputError if there is none, or more than one.
    """
    from pathlib import Path  # noqa: PLC0415 - it takes 2 ms, and a single file needs none

    path = Path(directory)
    try:
        orphan = find_orphan(path)
        if orphan is not None:
            from rdbtool.reader.open.lost_manifest import no_manifest  # noqa: PLC0415 - for damage only

            raise no_manifest(orphan)
        found = _manifests(path) or _manifests(path / LOG_DIRECTORY)
        if not found:
            found = [manifest for inner in sorted(path.iterdir()) if inner.is_dir() for manifest in _manifests(inner)]
        if not found and (path / SINGLE_LOG).is_file():
            return path / SINGLE_LOG
    except OSError as error:
        raise InputError(f"cannot open {directory}: {error.strerror or error}") from None
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(manifest.relative_to(path)) for manifest in found[:5])
        raise InputError(f"cannot open {directory}: it has {len(found)} manifests, give one of them: {names}")
    other = next((f", give the file in it, such as {path / rdb.name}" for rdb in _rdbs(path)), "")
    raise InputError(f"cannot open {directory}: it is a directory without a manifest{other}")


def find_orphan(path: Path) -> Path | None:
    """Return the missing manifest of a directory with AOF files, or of its subdirectory; None if none is missing.

    Raises InputError if several AOFs have none, or the directory cannot be read.
    """
    try:
        if _manifests(path) or _manifests(path / LOG_DIRECTORY):
            return None
        from rdbtool.reader.open.lost_manifest import find_orphans  # noqa: PLC0415 - for damage only

        found = find_orphans(path) or find_orphans(path / LOG_DIRECTORY)
        if not found and not (path / SINGLE_LOG).is_file():
            inner = [inner for inner in sorted(path.iterdir()) if inner.is_dir()]
            if not any(map(_manifests, inner)):
                found = [orphan for directory in inner for orphan in find_orphans(directory)]
    except OSError as error:
        raise InputError(f"cannot open {path}: {error.strerror or error}") from None
    if len(found) > 1:
        names = ", ".join(orphan.name for orphan in found[:5])
        raise InputError(f"cannot open {path}: it has files of {len(found)} AOFs, but not their manifests: {names}")
    return found[0] if found else None


def _manifests(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    # Servers write a new manifest under a name with "temp-" and rename it.
    return [inner for inner in sorted(path.glob("*.manifest")) if not inner.name.startswith("temp") and inner.is_file()]


def _rdbs(path: Path) -> Iterator[Path]:
    yield from sorted(path.glob("*.rdb"))


def _says_preamble(head: bytes) -> bool:
    """Whether an aux field at the beginning of an RDB says that an AOF follows (format A8, C3)."""
    from rdbtool._codec.decode.decoder import Decoder  # noqa: PLC0415 - not for AOFs, whose check starts quickly
    from rdbtool._codec.sink import Null  # noqa: PLC0415 - likewise
    from rdbtool.model import Aux  # noqa: PLC0415 - likewise

    given = memoryview(head)
    position = 0

    def readinto(view: memoryview) -> int:
        nonlocal position
        size = min(len(view), len(given) - position)
        view[:size] = given[position : position + size]
        position += size
        return size

    items: list[object] = []
    window = Window(readinto, lambda _data, _before: 0, lambda: HEAD_SIZE, len(head))
    decoder = Decoder(window, HEAD_SIZE)
    decoder.on_item = items.append
    if decoder.read_header():
        # It stops where the head ends; the aux fields come before.
        decoder.run(Null())
    return any(isinstance(item, Aux) and item.key == b"aof-preamble" and item.value == b"1" for item in items)


def _ends_in_command(ending: bytes) -> bool:
    """Whether the last bytes are an argument as in AOFs."""
    if not ending.endswith(b"\r\n"):
        return False
    return any(size.end() + int(size[1]) + 2 == len(ending) for size in _SIZE.finditer(ending))


PartKind = Literal["base", "incr", "single"]
PartFormat = Literal["rdb", "resp", "rdb+resp", "empty"]

#: Bytes. The manifest of an AOF after a million rewrites is smaller.
_LARGEST_MANIFEST: Final = 64 << 20

#: Maximum AOF files kept open between detection and reading, and descriptors reserved for everything else. A process
#: usually has a thousand.
_HELD: Final = 64
_RESERVED: Final = 32


class Part:
    """A file of an AOF. ``number`` is its sequence number; ``size`` is in bytes, None if unknown.

    ``format`` is what is known so far: that commands follow an RDB is known only after reading it. ``source`` is the
    open file, of which nothing was consumed, until the reader takes it; the owner of the parts closes the rest.
    ``start_offset`` and ``end_offset`` are the manifest's replication offsets.
    """

    # Not a dataclass: that module alone takes 6 ms to import.
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
        """Open the file for reading. Raises InputError."""
        source, self.source = self.source, None
        if source is None:
            return open_part(self.path or "", max_inflate=max_inflate)
        source.renew()
        return OpenPart(source, open_window(source, max_inflate))

    def close(self) -> None:
        """Close the file, unless a reader took it."""
        if self.source is not None:
            self.source.close()
            self.source = None


class OpenPart(NamedTuple):
    """A part that is being read. ``framing`` is what a master sent before it, which was consumed."""

    source: Source
    window: Window
    framing: Framing | None = None

    def head(self) -> bytes:
        """Return the first HEAD_SIZE bytes; nothing is consumed."""
        return self.window.peek(self.window.at, HEAD_SIZE)

    @property
    def around(self) -> tuple[Finding, ...]:
        """Remarks on what surrounds it."""
        return () if self.framing is None else (self.framing.finding._replace(part=self.source.name),)

    def format(self) -> PartFormat:
        """Return what the part begins with; nothing is consumed."""
        return _format_of(self.head())


def open_part(
    target: str | os.PathLike[str] | BinaryIO | bytes, *, name: str | None = None, max_inflate: int
) -> OpenPart:
    """Open a file of an AOF. Raises InputError, and FormatError for damaged compressed data."""
    source = open_source(target, name=name)
    try:
        window = open_window(source, max_inflate)
        return OpenPart(source, window, enter_framing(window))
    except BaseException:
        source.close()
        raise


def _format_of(head: bytes) -> PartFormat:
    if not head:
        return "empty"
    return "rdb" if begins_rdb(head) else "resp"


def load_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read the manifest at ``path``. Raises FormatError MAN0xx, InputError."""
    from rdbtool.core.manifest import read_manifest  # noqa: PLC0415 - as above

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
    """Return the files that a manifest loads, in that order; the first ones are open.

    Raises FormatError MAN012 for a missing one, InputError for one that cannot be read or is not a regular file.
    """
    import resource  # noqa: PLC0415 - as above

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
    """Return the index of the part that is read from the input of this name."""
    return next(index for index, part in enumerate(parts) if source in (part.path, part.name))


def _examine(entry: Entry, manifest: Manifest) -> Part:
    from pathlib import Path  # noqa: PLC0415 - as above

    path = Path(manifest.path).parent / entry.name
    kind: PartKind = "base" if entry.kind == "base" else "incr"
    if _mode(path) == 0:
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
    """Raise InputError for an AOF file that is a device, a pipe or the like: it may never end."""
    mode = _mode(path)
    if mode and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "a pipe or a socket"
        link = f", a link to {path.resolve()}" if path.is_symlink() else ""
        raise InputError(f"cannot read {path}: it is {kind}{link}; files named by a manifest must be regular files")


def _mode(path: Path) -> int | None:
    """Return the ``stat`` mode of a path, 0 if it does not exist; None: opening it reports the fault."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return 0
    except OSError:
        return None
