"""Server passwords from a file, the environment or a prompt, not from arguments, which process lists show."""

from __future__ import annotations

import os
from contextvars import ContextVar
from pathlib import Path

from rdbtool.core.errors import InputError
from rdbtool.core.light_tools import Applied
from rdbtool.core.light_typing import Final
from rdbtool.live.address import Secrets

#: Environment variables that may hold a password; the first one set is used.
VARIABLES: Final = ("RDBTOOL_PASSWORD", "REDISCLI_AUTH")

_file: Final[ContextVar[str | None]] = ContextVar("password_file", default=None)


def password_from(password_file: str) -> Applied:
    """Read the password of servers that are opened in a ``with`` block from the first line of a file."""
    return Applied((_file, password_file))


def find_secrets(password_file: str | None, *, username: str | None = None) -> Secrets:
    """Return the password from the first line of a file, else from the environment, else none.

    A ``password_file`` of None is the one of ``password_from``. Raises InputError if the file cannot be read or its
    first line is empty.
    """
    password_file = password_file or _file.get()
    if password_file is not None:
        try:
            text = Path(password_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise InputError(f"cannot read the password in {password_file}: {reason}") from error
        password = text.split("\n", 1)[0].removesuffix("\r")
        if not password:
            raise InputError(f"no password in {password_file}: its first line is empty")
        return Secrets(username, password)
    found = next((os.environ[name] for name in VARIABLES if os.environ.get(name)), None)
    return Secrets(username, found)
