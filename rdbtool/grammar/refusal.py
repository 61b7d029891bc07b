"""Conversion of a construct's refusal to one of our errors.

Constructs raise ``RefusalError``, which has code and offset; ``as_our_error`` adds what only the record loop knows (db,
key, where the record began) and is the only place where a ConstructError becomes a FormatError.
"""

from __future__ import annotations

from construct import ConstructError

from rdbtool.core.errors import Cause, FormatError
from rdbtool.core.location import Where


class RefusalError(ConstructError):  # type: ignore[misc]  # construct has no type information
    """A construct found bytes that no server writes.

    ``at`` is a file offset, or (from a ``scan_*`` function) one from the beginning of the blob; ``inner_at`` is set if
    the byte is in a decompressed string and ``at`` is that string's offset. ``field`` is the faulty header field if it
    is not the one being read.
    """

    def __init__(
        self,
        code: str,
        cause: Cause,
        at: int,
        expected: str,
        found: str,
        *,
        inner_at: int | None = None,
        field: str = "",
    ) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.code = code
        self.cause = cause
        self.at = at
        self.expected = expected
        self.found = found
        self.inner_at = inner_at
        self.field = field


def more_bytes(count: int) -> str:
    """Return what is missing if data ends too early."""
    return f"{count} more byte{'' if count == 1 else 's'}"


def as_our_error(error: ConstructError, at: int, start: int, where: Where) -> FormatError:
    """Return the FormatError for a refusal. ``at`` is the position for constructs that do not know it."""
    if isinstance(error, RefusalError):
        return FormatError(
            error.code,
            error.cause,
            error.at,
            error.expected,
            error.found,
            file_kind="rdb",
            start=start,
            where=where._replace(inner_at=error.inner_at),
        )
    expected = "bytes that the format allows here"
    return FormatError("RDB101", "unreadable", at, expected, str(error), file_kind="rdb", start=start, where=where)
