"""Servers as inputs: a URL given in place of a file is read as a snapshot of the server.

The snapshot is an unnamed file in the temporary directory, which disappears when the process ends. A URL that is opened
several times in one process is the same snapshot. The password comes from the environment.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import Final
from rdbtool.live.address import SCHEMES, scheme_of, show_url
from rdbtool.live.connection import RECEIVED, Endpoint
from rdbtool.live.replica import open_replica
from rdbtool.live.secrets import find_secrets

#: Whether an unlinked open file can be opened again.
_HAS_DESCRIPTORS: Final = Path("/proc/self/fd").is_dir()

#: Snapshots by URL: the path by which each is opened.
_taken: Final[dict[str, str]] = {}
_held: Final[list[int]] = []


def snapshot_path(url: str) -> str:
    """Return the path of a snapshot of the server, taken on the first call. Raises InputError."""
    path = _taken.get(url)
    if path is None:
        if scheme_of(url) not in SCHEMES:
            raise InputError(f"{show_url(url)} is not the address of one server; capture reads clusters")
        path = _taken[url] = _take(url)
    return path


def _take(url: str) -> str:
    endpoint = Endpoint.of_url(url, find_secrets(None))
    replica = open_replica(endpoint)
    descriptor, path = tempfile.mkstemp(prefix="rdbtool-", suffix=".rdb")
    is_whole = False
    try:
        transfer = replica.transfer()
        view = memoryview(bytearray(RECEIVED))
        while count := transfer.readinto(view):
            rest = view[:count]
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        is_whole = True
    except OSError as error:
        raise InputError(f"cannot keep a snapshot of {endpoint.name} in {path}: {error.strerror or error}") from error
    finally:
        replica.close()
        if _HAS_DESCRIPTORS or not is_whole:
            Path(path).unlink(missing_ok=True)
        if not is_whole:
            os.close(descriptor)
    if _HAS_DESCRIPTORS:
        _held.append(descriptor)
        return f"/proc/self/fd/{descriptor}"
    os.close(descriptor)
    atexit.register(Path(path).unlink, missing_ok=True)
    return path
