"""A finding: one thing that is worth telling about a source, and where it stands."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """``code`` is stable (``rdbtool.core.codes``); ``severity`` is ``error``, ``warning`` or ``note``.

    ``part`` names the file, ``offset`` is in bytes within it, ``number`` counts commands from 1 over the whole
    log. ``server`` says what a server does about it. ``kind`` is the logical type of the key's value, and ``path``
    the way inside it, such as ``member[3]`` or ``group "g".pending[1]``.
    """

    code: str
    severity: str
    part: str
    offset: int
    message: str
    server: str = ""
    number: int | None = None
    db: int | None = None
    key: bytes | None = None
    kind: str | None = None
    path: str = ""


def what_servers_do(code: str) -> str:
    """Return what a server does about a file with this finding."""
    from rdbtool.core.codes import BY_CODE  # noqa: PLC0415 - the table is large, and most sources have no findings

    return BY_CODE[code].server
