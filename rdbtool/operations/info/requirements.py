"""What a server has to have to load a file, beside its version: modules and function libraries.

A module is known by the name of its type, nine characters that stand in front of its values and its data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rdbtool.core.functions import read_header
from rdbtool.core.servers import BUILT_IN, first_with


class ModuleNeed(NamedTuple):
    """A module that owns ``keys`` values and ``aux`` pieces of data beside the keys; ``name`` is that of its type.

    ``built_in`` names the first server that has it without a module, None where none has.
    """

    name: str
    keys: int
    aux: int
    built_in: str | None


class LibraryNeed(NamedTuple):
    """A function library: its name and engine, None where its first line does not say."""

    name: str | None
    engine: str | None


class NeedsOfFile(NamedTuple):
    """The modules and function libraries that a server needs, or that a file brings."""

    modules: tuple[ModuleNeed, ...] = ()
    libraries: tuple[LibraryNeed, ...] = ()


def needs_of(modules: Mapping[str, tuple[int, int]], libraries: Iterable[bytes]) -> NeedsOfFile:
    """Return the needs: ``modules`` maps types to (values, data beside the keys), ``libraries`` are sources."""
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
