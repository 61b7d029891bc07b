"""Limits on the size of a value: rdbtool's own; larger values may still be valid.

Servers load strings of any size (``proto-max-bulk-len`` bounds clients, not files), so a limit protects against hostile
input only. It is read when a file is opened, by grammar and codec alike, and set in one place for everything read in
the meantime: outputs that are read back, payloads, files of an AOF.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final, NamedTuple

from rdbtool.core.patterns import pattern

_UNITS: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE: Final = pattern(r"([0-9]{1,15})(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE)


class Limits(NamedTuple):
    """Maximum bytes of a ``string``, and of a ``blob``: packed elements, which are held whole."""

    string: int = 512 << 20
    blob: int = 64 << 20


_current: Final[ContextVar[Limits]] = ContextVar("limits", default=Limits())  # noqa: B039 - it never changes


def limits() -> Limits:
    """Return the limits for what is opened now."""
    return _current.get()


@contextlib.contextmanager
def limited(max_value: int | str | None) -> Iterator[None]:
    """Read strings and packed blobs of up to ``max_value`` in a ``with`` block: bytes, or text such as ``2GiB``.

    None keeps the limits. Raises ValueError for an invalid size.
    """
    if max_value is None:
        yield
        return
    size = parse_size(max_value) if isinstance(max_value, str) else max_value
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"max_value: expected a number of bytes or text, found {max_value!r}")
    if size < 1:
        raise ValueError(f"expected at least 1 byte, found {size}")
    token = _current.set(Limits(size, size))
    try:
        yield
    finally:
        _current.reset(token)


def parse_size(text: str) -> int:
    """Return the number of bytes in ``1048576``, ``64k``, ``512MB`` or ``2GiB``; units are powers of 1024."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a valid size such as 1048576, 64MiB or 2GiB")
    return int(match[1]) * _UNITS[(match[2] or "").lower()]
