"""What a server needs to load a file, besides its version: modules and function libraries.

A module is identified by the name of its type, nine characters before its values and its data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rdbtool.core.functions import read_header
from rdbtool.core.light_typing import NamedTuple
from rdbtool.core.servers import BUILT_IN, first_with


class ModuleNeed(NamedTuple):
    """A module that owns ``keys`` values and ``aux`` pieces of data outside the keys; ``name`` is that of its type.

    ``built_in`` names the first server that includes it, None if none does.
    """

    name: str
    keys: int
    aux: int
    built_in: str | None


class LibraryNeed(NamedTuple):
    """A function library: its name and engine, None if its first line does not name them."""

    name: str | None
    engine: str | None


class NeedsOfFile(NamedTuple):
    """The modules that a server needs, and the function libraries of a file."""

    modules: tuple[ModuleNeed, ...] = ()
    libraries: tuple[LibraryNeed, ...] = ()


def needs_of(modules: Mapping[str, tuple[int, int]], libraries: Iterable[bytes]) -> NeedsOfFile:
    """Return the requirements: ``modules`` maps types to (values, data outside the keys), ``libraries`` are sources."""
    return NeedsOfFile(
        tuple(ModuleNeed(name, *counts, _built_in(name)) for name, counts in sorted(modules.items())),
        tuple(map(_library, libraries)),
    )


def _built_in(name: str) -> str | None:
    since = BUILT_IN.get(name)
    return None if since is None else str(first_with(since))


def _library(code: bytes) -> LibraryNeed:
    try:
        header = read_header(code)
    except ValueError:
        return LibraryNeed(None, None)
    return LibraryNeed(header.name.decode("ascii"), header.engine.decode("utf-8", "backslashreplace"))
