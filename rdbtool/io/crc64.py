"""CRC-64/Jones, the checksum at the end of an RDB file and of a DUMP payload.

The sum itself is anycrc's (several GB/s); it is imported at the first call. A call costs about a
microsecond, so feed large pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache


@cache
def _calculate() -> Callable[[bytes | bytearray | memoryview, int], int]:
    from anycrc import Model  # type: ignore[import-untyped]  # noqa: PLC0415 - lazy: it takes 12 ms

    calculate: Callable[[bytes | bytearray | memoryview, int], int] = Model("CRC64-REDIS").calc
    return calculate


def crc64(data: bytes | bytearray | memoryview, previous: int = 0) -> int:
    """Return the checksum of ``data`` appended to bytes whose checksum is ``previous`` (0: nothing before it)."""
    return _calculate()(data, previous)
