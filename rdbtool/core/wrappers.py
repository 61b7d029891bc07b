"""Archives, encodings and other files that are mistaken for server files: detected by their first bytes.

Each has the command that unwraps it. Compressed files are decompressed on the fly (``rdbtool.io.decompress``); archives
and encodings are only named.
"""

from __future__ import annotations

import binascii
import re
import shlex
from collections.abc import Iterator

from rdbtool.core.light_typing import Final, NamedTuple


class Wrapper(NamedTuple):
    """A kind of file. ``kind`` is its name, ``signature`` matches its first bytes.

    ``unwrap`` is the command that writes the contents to standard output, ``{}`` being the file, and ``piped`` the one
    that reads the file from standard input. Empty if there is no such command, or no contents.
    """

    kind: str
    signature: re.Pattern[bytes]
    unwrap: str = ""
    piped: str = ""


#: Commands that decompress standard input, or the file appended to them.
INFLATERS: Final[dict[str, str]] = {
    "gzip": "gzip -dc",
    "zstd": "zstd -dc -M2048MB",
    "lz4": "lz4 -dc",
    "xz": "xz -dc",
    "bzip2": "bzip2 -dc",
}


def _bytes(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL)


def _filter(kind: str, signature: bytes, command: str) -> Wrapper:
    return Wrapper(kind, _bytes(signature), f"{command} {{}}", command)


def _compressed(kind: str, signature: bytes, codec: str) -> Wrapper:
    return _filter(kind, signature, INFLATERS[codec])


def _other(kind: str, signature: bytes) -> Wrapper:
    return Wrapper(kind, _bytes(signature))


_AGE: Final = "age -d -i KEY"
_GPG: Final = "gpg -d"
_OPENSSL: Final = "openssl enc -d -CIPHER -pbkdf2"

#: The beginning of a web page, in any case, possibly after blanks and a byte order mark.
_PAGE: Final = rb"(?i:(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|\?xml|!--|error>))"

WRAPPERS: Final[tuple[Wrapper, ...]] = (
    Wrapper("a tar archive", _bytes(rb".{257}ustar[ \0]"), "tar -xOf {}", "tar -xO"),
    Wrapper("a zip archive", _bytes(rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"), "unzip -p {}", "funzip"),
    Wrapper("a 7z archive", _bytes(rb"7z\xbc\xaf\x27\x1c"), "7z x -so {}"),
    Wrapper("a RAR archive", _bytes(rb"Rar!\x1a\x07"), "unrar p -inul {}"),
    Wrapper("a cpio archive", _bytes(rb"0707(?:07|01|02)|\xc7\x71|\x71\xc7"), "bsdtar -xOf {}", "bsdtar -xO"),
    Wrapper("an ar archive", _bytes(rb"!<arch>\n"), "ar p {}"),
    _filter("an age file, encrypted", rb"age-encryption\.org/v1\n", _AGE),
    _filter("an age file, encrypted", rb"-----BEGIN AGE ENCRYPTED FILE-----", _AGE),
    _filter("an OpenPGP message, encrypted or signed", rb"-----BEGIN PGP (?:MESSAGE|SIGNED)", _GPG),
    # A packet of an encrypted session key of version 3 or 6, or of a passphrase's of version 4 to 6.
    _filter("an OpenPGP message, encrypted", rb"[\x84\xc1].[\x03\x06]|\x85..\x03|[\x8c\xc3].[\x04-\x06]", _GPG),
    Wrapper("a file that openssl encrypted", _bytes(rb"Salted__"), f"{_OPENSSL} -in {{}}", _OPENSSL),
    Wrapper(
        "a file that openssl encrypted, in base64", _bytes(rb"U2FsdGVkX1"), f"{_OPENSSL} -a -in {{}}", f"{_OPENSSL} -a"
    ),
    _other("a volume that LUKS encrypted", rb"LUKS\xba\xbe|SKUL\xba\xbe"),
    _compressed("a gzip file", rb"\x1f\x8b", "gzip"),
    _compressed("a zstd file", rb"\x28\xb5\x2f\xfd", "zstd"),
    _compressed("an lz4 file", rb"\x04\x22\x4d\x18", "lz4"),
    _compressed("an xz file", rb"\xfd7zXZ\0", "xz"),
    _compressed("a bzip2 file", rb"BZh[1-9]1AY&SY", "bzip2"),
    _filter("a file of an old lz4", rb"\x02\x21\x4c\x18", "lz4 -dc"),
    _filter("an lzma file", rb"\x5d\0\0.{2}(?:\xff{8}|.{5}\0{3})", "xz -dc"),
    _filter("an lzip file", rb"LZIP\x01", "lzip -dc"),
    _filter("an lzop file", rb"\x89LZO\0\r\n\x1a\n", "lzop -dc"),
    _filter("a file that compress wrote", rb"\x1f\x9d", "uncompress -c"),
    _filter("a framed snappy file", rb"\xff\x06\0\0sNaPpY", "snzip -dc"),
    _filter("a zlib stream", rb"\x78[\x01\x5e\x9c\xda]", "pigz -dc"),
    _other("a PNG picture", rb"\x89PNG\r\n\x1a\n"),
    _other("a JPEG picture", rb"\xff\xd8\xff"),
    _other("a GIF picture", rb"GIF8[79]a"),
    _other("a WebP picture", rb"RIFF....WEBP"),
    _other("a TIFF picture", rb"II\*\0|MM\0\*"),
    _other("a bitmap picture", rb"BM.{4}\0{4}.{4}[\x0c-\x80]\0{3}"),
    _other("an audio or video file", rb"RIFF....(?:AVI |WAVE)|.{4}ftyp|\x1a\x45\xdf\xa3|OggS\0|ID3[\x02-\x04]|fLaC"),
    _other("a PDF document", rb"%PDF-"),
    _other("a PostScript document", rb"%!PS"),
    _other("an old office document", rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    _other("an SQLite database", rb"SQLite format 3\0"),
    _other("a dump of PostgreSQL", rb"PGDMP"),
    _other("a Parquet file", rb"PAR1"),
    _other("an Avro file", rb"Obj\x01"),
    _other("an ORC file", rb"ORC[\x08-\x12]"),
    _other("an HDF5 file", rb"\x89HDF\r\n\x1a\n"),
    _other("an ELF program", rb"\x7fELF[\x01\x02][\x01\x02]\x01"),
    _other("a Windows program", rb"MZ.{58}.{2}\0\0"),
    _other("a Mach-O program", rb"[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe\0"),
    _other("a WebAssembly program", rb"\0asm\x01\0\0\0"),
    _other("a script", rb"#![ \t]*/"),
    _other("an HTML or XML page, maybe a server's error page", _PAGE),
    _other("a single JSON document", rb"\s*\[[\s\"{\[\d-]"),
    _other("a squashfs image", rb"hsqs"),
    _other("a qcow2 image", rb"QFI\xfb"),
    _other("a UTF-16 text", rb"\xff\xfe[^\0]\0|\xfe\xff\0[^\0]"),
    _other("a nodes.conf of a cluster", rb"[0-9a-f]{40} \S+:\d+@\d+|vars currentEpoch "),
    _other("a text of an INFO command", rb"\s*# Server\r?\n"),
    _other("a server's log", rb"\d+:[MSCXR] \d\d \w{3} (?:\d{4} )?\d\d:\d\d:\d\d"),
)

_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\r\n]+=*\s*")
_HEX: Final = re.compile(rb"(?:[0-9a-fA-F]{2}[\r\n]*)+")
_DUMPED: Final = re.compile(rb"0+: +((?:[0-9a-fA-F]{2,4} +)+)")

#: First bytes of supported files, after unwrapping: RDB, AOF, compressed, JSON lines, manifest.
_CONTENT: Final = re.compile(
    rb'REDIS0|VALKEY|VCS\x01|\*\d|\$\d|#TS:|\{"|file |\x1f\x8b\x08|\x28\xb5\x2f\xfd|\x04"M\x18|\xfd7zXZ|BZh\d'
)

#: Bytes of a text that are decoded to look inside.
_SAMPLE: Final = 64


def recognise_wrapper(head: bytes) -> Wrapper | None:
    """Return the wrapper that a file beginning with ``head`` (1 KiB is enough) looks like, None for none."""
    return next((row for row in WRAPPERS if row.signature.match(head)), None) or next(_encoded(head), None)


def describe_wrapper(wrapper: Wrapper, name: str, *, is_file: bool, compression: str | None) -> str:
    """Describe a wrapper and how to unwrap it; ``is_file``: ``name`` is the path of a file."""
    inside = "" if compression is None else f" inside of {compression}"
    text = f"{name}: it looks like {wrapper.kind}{inside}"
    if not wrapper.unwrap:
        return f"{text}, not like an RDB, an AOF, a manifest or JSON lines"
    file = shlex.quote(name)
    inflater = None if compression is None else INFLATERS.get(compression.removeprefix("vcs+"))
    if is_file and (inflater is None or wrapper.unwrap.startswith("tar ")):
        command = wrapper.unwrap.format(file)
    elif not wrapper.piped:
        return f"{text}: write what is inside to a file and give that"
    elif inflater is None:
        command = wrapper.piped
    else:
        command = f"{inflater} {file} | {wrapper.piped}" if is_file else f"{inflater} | {wrapper.piped}"
    return f"{text}: {command} | rdbtool … -"


def _encoded(head: bytes) -> Iterator[Wrapper]:
    """Yield what the text at the beginning encodes, if that is a supported format."""
    base64 = _BASE64.match(head)
    if base64 is not None and base64.end() == len(head):
        text = bytes(byte for byte in head[: 2 * _SAMPLE] if byte not in b"\r\n=")
        if _CONTENT.match(binascii.a2b_base64(text[: len(text) // 4 * 4])):
            yield _filter("base64", rb"", "base64 -d")
    if _HEX.match(head):
        text = bytes(byte for byte in head[:_SAMPLE] if byte not in b"\r\n")
        if _is_content_in_hex(text):
            yield _filter("hexadecimal digits", rb"", "xxd -r -p")
    dumped = _DUMPED.match(head)
    if dumped is not None and _is_content_in_hex(dumped[1].replace(b" ", b"")):
        yield _filter("a hexadecimal dump", rb"", "xxd -r")


def _is_content_in_hex(text: bytes) -> bool:
    digits = re.match(rb"(?:[0-9a-fA-F]{2})*", text)
    return digits is not None and _CONTENT.match(binascii.unhexlify(digits[0])) is not None
