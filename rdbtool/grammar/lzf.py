"""LZF (format F2), the compression inside a STR: decompressed by the library, explained by walking.

``scan_lzf`` walks the operations of a stream; it is used only after the library refuses one, to find the faulty byte.
"""

from __future__ import annotations

from collections.abc import Iterator

from rdbtool.core.errors import LimitError
from rdbtool.grammar.reading import Reading
from rdbtool.grammar.refusal import RefusalError, more_bytes
from rdbtool.io.lzf import LzfError, inflate


def scan_lzf(packed: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield (start, stop, size, distance) of each operation; distance 0 is a literal run, else a back reference.

    Raises RefusalError if the stream is truncated or refers to before its beginning.
    """
    at = produced = 0
    while at < len(packed):
        start, control = at, packed[at]
        at += 1
        if control < 0x20:  # 000xxxxx: x + 1 literal bytes
            size, distance = control + 1, 0
            at += size
        else:  # xxxyyyyy [len] low: size x + 2, distance y:low + 1
            size = (control >> 5) + 2
            if size == 9:  # 111yyyyy: one more byte of size
                size += packed[at] if at < len(packed) else 0
                at += 1
            distance = ((control & 0x1F) << 8 | (packed[at] if at < len(packed) else 0)) + 1
            at += 1
        if at > len(packed):
            raise RefusalError(
                "RDB104", "compression", len(packed), more_bytes(at - len(packed)), "end of the compressed data"
            )
        if distance > produced:
            raise RefusalError(
                "RDB104", "compression", start, f"a back reference of at most {produced} bytes", f"one of {distance}"
            )
        produced += size
        yield start, at, size, distance


def inflate_string(stream: Reading, at: int, packed: bytes, size: int) -> bytes:
    """Return the ``size`` bytes that ``packed``, at offset ``at``, decompresses to."""
    try:
        return inflate(packed, size, limit=stream.place.max_inflate)
    except LimitError as error:
        raise LimitError(f"at {at:#x}: {error}") from None
    except LzfError as error:
        refused = _find_fault(packed, size)
        if refused is None:
            raise stream.refuse("RDB104", "compression", at, error.expected, error.found) from None
        raise stream.refuse(refused.code, refused.cause, at + refused.at, refused.expected, refused.found) from None


def _find_fault(packed: bytes, size: int) -> RefusalError | None:
    produced = 0
    try:
        for start, _, count, _ in scan_lzf(packed):
            produced += count
            if produced > size:
                return RefusalError(
                    "RDB104", "compression", start, f"data that decompresses to {size} bytes", f"at least {produced}"
                )
    except RefusalError as refused:
        return refused
    return None
