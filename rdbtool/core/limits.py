"""Limits of rdbtool's own: on the size of a value, though larger ones may still be valid, and on memory for keys.

Servers load strings of any size (``proto-max-bulk-len`` bounds clients, not files), so a limit protects against hostile
input only. It is read when a file is opened, by grammar and codec alike, and set in one place for everything read in
the meantime: outputs that are read back, payloads, files of an AOF. Tables of keys that would take more memory go on
in temporary files, with the same results.
"""

from __future__ import annotations

import os
from contextvars import ContextVar

from rdbtool.core.light_tools import Applied, cache, suppress
from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.core.patterns import pattern

_UNITS: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE: Final = pattern(r"(?i)([0-9]{1,15})(?:([kmgt])(?:i?b)?|b)?")


#: The most bytes of memory for a table of keys unless more are requested, and the least that one can do with.
_MOST_MEMORY: Final = 1 << 30
_LEAST_MEMORY: Final = 64 << 10

#: The memory limit of a control group in bytes.
_MEMORY_LIMITS: Final = ("/sys/fs/cgroup/memory.max",)


class Limits(NamedTuple):
    """Maximum bytes of a ``string``, and of a ``blob``: packed elements, which are held whole.

    ``memory`` is that of a table of keys, None: the default.
    """

    string: int = 512 << 20
    blob: int = 64 << 20
    memory: int | None = None


_current: Final[ContextVar[Limits]] = ContextVar("limits", default=Limits())  # noqa: B039 - it never changes


def limits() -> Limits:
    """Return the limits for what is opened now."""
    return _current.get()


def table_memory() -> int:
    """Return the bytes of memory for a table of keys: by default a quarter of this machine's, at most 1 GiB."""
    given = _current.get().memory
    return max(_LEAST_MEMORY, min(_MOST_MEMORY, _whole_memory() // 4) if given is None else given)


@cache
def _whole_memory() -> int:
    """Return the bytes of memory of this machine, or of the control group; if unknown, enough for the maximum."""
    size = 4 * _MOST_MEMORY
    with suppress(OSError, ValueError, AttributeError):
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in _MEMORY_LIMITS:
        # The file is missing without cgroup v2, and may say "max".
        with suppress(OSError, ValueError), open(name, encoding="ascii") as file:  # noqa: PTH123 - see cores
            size = min(size, int(file.read()))
    return size


def limited(max_value: int | str | None = None, *, memory: int | str | None = None) -> Applied:
    """Read strings and packed blobs of up to ``max_value`` in a ``with`` block: bytes, or text such as ``2GiB``.

    ``memory``: the size that a table of keys may take; what exceeds it is kept in temporary files (``TMPDIR``). None
    keeps a limit. Raises ValueError for an invalid size.
    """
    limits = _current.get()
    if max_value is not None:
        size = _size_of("max_value", max_value)
        limits = limits._replace(string=size, blob=size)
    if memory is not None:
        limits = limits._replace(memory=_size_of("memory", memory))
    return Applied((_current, limits))


def _size_of(name: str, given: int | str) -> int:
    size = parse_size(given) if isinstance(given, str) else given
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"{name}: expected a number of bytes or text, found {given!r}")
    if size < 1:
        raise ValueError(f"expected at least 1 byte, found {size}")
    return size


def parse_size(text: str) -> int:
    """Return the number of bytes in ``1048576``, ``64k``, ``512MB`` or ``2GiB``; units are powers of 1024."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a valid size such as 1048576, 64MiB or 2GiB")
    return int(match[1]) * _UNITS[(match[2] or "").lower()]
