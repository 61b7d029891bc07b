"""The names of function libraries, with the replies of servers to those that have none."""

from __future__ import annotations

from rdbtool.core.functions import read_header
from rdbtool.engine.command_errors import CommandError


def parse_shebang(code: bytes) -> tuple[bytes, bytes]:
    """Return engine and library name from the first line of a library, ``#!lua name=mylib``. Raises CommandError."""
    try:
        return read_header(code)
    except ValueError as error:
        raise CommandError(f"ERR {error}") from None


def library_name(code: bytes) -> bytes:
    """Return the name that a library's first line gives it. Raises CommandError."""
    return parse_shebang(code)[1]
