"""Function libraries and scripts: what can be read from their source without compiling it.

A library is Lua code after a first line such as ``#!lua name=mylib``. Nothing is compiled or executed, so only certain
facts are returned: engine, name, and that a source cannot register a function.
"""

from __future__ import annotations

from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.patterns import pattern

if TYPE_CHECKING:
    import re

_WORD: Final = pattern(rb"""(?:"[^"\\]*"|'[^'\\]*'|[^\s"'])+""")
_QUOTES: Final = pattern(rb"[\"']")
_NAME: Final = pattern(rb"[A-Za-z0-9_]+")

#: Lua comments, and strings that may contain what looks like a comment.
_COMMENT_OR_STRING: Final = pattern(
    rb"""(?s)--\[(?P<level>=*)\[.*?\](?P=level)\]|--[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
    rb"""|\[(?P<quotes>=*)\[.*?\](?P=quotes)\]""",
)

#: The only function by which a library registers functions.
_REGISTERS: Final = b"register_function"

#: How it could be reached under another name: the table that holds it, unless for a literal field name, and functions
#: that turn text into names or code.
_WAYS_AROUND: Final = pattern(
    rb"\b(?:redis|server)\b(?!\s*\.\s*[A-Za-z_])|\b(?:_G|_ENV|[gs]etfenv|load|loadstring|dofile|require|debug)\b"
)


class LibraryHeader(NamedTuple):
    """The engine of a library, and the library's name."""

    engine: bytes
    name: bytes


def read_header(code: bytes) -> LibraryHeader:
    """Parse the first line of a library. Raises ValueError with the message of a server that refuses it."""
    if not code.startswith(b"#!"):
        raise ValueError("Missing library metadata")
    line, newline, _ = code.partition(b"\n")
    words = _WORD.findall(line)
    if not newline or _WORD.sub(b"", line).strip():
        raise ValueError("Invalid library metadata")
    words = [_QUOTES.sub(b"", word) for word in words]
    name = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise ValueError(f"Invalid metadata value given: {word.decode('utf-8', 'backslashreplace')}")
        if name is not None:
            raise ValueError("Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise ValueError("Library name was not given")
    if _NAME.fullmatch(name) is None:
        raise ValueError(
            "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"
        )
    return LibraryHeader(words[0][2:], name)


def registers_nothing(code: bytes) -> bool:
    """Return True if a Lua library certainly registers no function, which every server refuses.

    False if it does or may: ``register_function`` occurs outside comments, or a name could be composed.
    """
    body = _COMMENT_OR_STRING.sub(_without_comment, code.partition(b"\n")[2])
    return _REGISTERS not in body and _WAYS_AROUND.search(body) is None


def _without_comment(match: re.Match[bytes]) -> bytes:
    return b" " if match[0].startswith(b"--") else match[0]


def script_digest(script: bytes) -> bytes:
    """Return the name that servers give to a script: its SHA-1 in hex."""
    import hashlib  # noqa: PLC0415 - OpenSSL takes long to load, and few AOFs have scripts

    return hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()
