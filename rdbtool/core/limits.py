"""How large a value may be: rdbtool's own limits, which say nothing about the data.

Servers load strings of any size (``proto-max-bulk-len`` bounds clients, not files), so a limit is a bound for hostile
input and no judgement. It is asked for where a file is opened, by grammar and codec alike, and set in one place for
all that is read meanwhile: outputs that are read back, payloads, files of an AOF.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final, NamedTuple

_UNITS: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE: Final = re.compile(r"([0-9]{1,15})(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE)


class Limits(NamedTuple):
    """The most bytes of one ``string``, and of one ``blob``: packed elements, which are held whole."""

    string: int = 512 << 20
    blob: int = 64 << 20


_current: Final[ContextVar[Limits]] = ContextVar("limits", default=Limits())  # noqa: B039 - it never changes


def limits() -> Limits:
    """Return the limits for what is opened now."""
    return _current.get()


@contextlib.contextmanager
def limited(max_value: int | str | None) -> Iterator[None]:
    """Read strings and packed blobs of up to ``max_value`` in a ``with`` block: bytes, or text such as ``2GiB``.

    None: the limits stay as they are. Raises ValueError for what is no size.
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
    """Return the bytes that ``1048576``, ``64k``, ``512MB`` or ``2GiB`` stand for; units are powers of 1024."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a valid size such as 1048576, 64MiB or 2GiB")
    return int(match[1]) * _UNITS[(match[2] or "").lower()]
