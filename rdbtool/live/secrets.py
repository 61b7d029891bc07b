"""Where passwords come from: a file, the environment, or a prompt; never from an argument that process lists show."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from rdbtool.core.errors import InputError
from rdbtool.live.address import Secrets

#: Environment variables that may hold a password; the first that is set counts.
VARIABLES: Final = ("RDBTOOL_PASSWORD", "REDISCLI_AUTH")


def find_secrets(password_file: str | None, *, username: str | None = None) -> Secrets:
    """Return the password in a file (its first line), else that of the environment, else none.

    Raises InputError where the file cannot be read, or is empty.
    """
    if password_file is not None:
        try:
            text = Path(password_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise InputError(f"cannot read the password in {password_file}: {reason}") from error
        password = text.split("\n", 1)[0].removesuffix("\r")
        if not password:
            raise InputError(f"the first line of {password_file} is empty, and no password")
        return Secrets(username, password)
    found = next((os.environ[name] for name in VARIABLES if os.environ.get(name)), None)
    return Secrets(username, found)
