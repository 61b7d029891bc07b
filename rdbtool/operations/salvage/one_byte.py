"""Find the single damaged byte of data with a known CRC-64: where it is, and what it was.

The CRC is linear: the XOR of the actual and the expected checksum is the checksum of the XOR of the data, that is of
one byte followed by NUL bytes. Each NUL byte advances the CRC register by one step, and a step can be reversed. So the
position is the number of reverse steps until the register holds a single byte. Steps are taken in leaps that meet
(baby-step giant-step): the work is the square root of the size. The chance that another byte fits is one in 2**56 for
each byte of the data.
"""

from __future__ import annotations

from functools import cache

from rdbtool._codec.damaged_byte import search
from rdbtool._codec.decode.skip_scan import checksum_behind
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.io.source import crc64

if TYPE_CHECKING:
    from rdbtool.operations.salvage.input import Stock

#: Range of the single steps in bytes; more would take too much memory.
_MOST_STEPS: Final = 1 << 18
_FEWEST_STEPS: Final = 1 << 10

_BYTES: Final = range(256)
_BITS: Final = range(64)
_TOP: Final = 56
_TRAILER: Final = 8


class DamagedByte(NamedTuple):
    """A byte at offset ``at`` and what to XOR it with."""

    at: int
    change: int


def find_in_rdb(stock: Stock, stop: int) -> DamagedByte | None:
    """Return the damaged byte of an RDB that ends at ``stop`` with its checksum, None if it is not a single byte."""
    stored = stock.read(stop - _TRAILER, _TRAILER) if stop > _TRAILER else b""
    if not any(stored):
        return None
    difference = stock.checksum(stop - _TRAILER) ^ int.from_bytes(stored, "little")
    # The damaged byte may be one of the checksum.
    places = [place for place in range(_TRAILER) if difference >> 8 * place & 0xFF]
    if len(places) == 1:
        return DamagedByte(stop - _TRAILER + places[0], difference >> 8 * places[0])
    return find_damaged_byte(difference, stop - _TRAILER) if difference else None


def find_damaged_byte(difference: int, size: int) -> DamagedByte | None:
    """Return the damaged byte of ``size`` bytes, None if it is not a single byte.

    ``difference`` is the checksum of the bytes XOR the expected one.
    """
    table, origin = _tables()
    steps = _FEWEST_STEPS
    while steps < _MOST_STEPS and steps * steps < size << 8:
        steps <<= 1
    found = search(difference, size, steps, table, origin, _power_of_step(steps))
    return None if found is None else DamagedByte(*found)


@cache
def _tables() -> tuple[list[int], list[int]]:
    """Return the checksum of each byte, and the byte by the highest eight bits of its checksum."""
    table = [crc64(bytes([byte])) for byte in _BYTES]
    origin = [0] * 256
    for byte in _BYTES:
        origin[table[byte] >> _TOP] = byte
    return table, origin


def _power_of_step(power: int) -> list[int]:
    """Return the effect of a number of steps on each bit of the register."""
    # A step is that of a NUL byte, and NUL bytes alone have the checksum 0.
    return [checksum_behind(1 << bit, 0, power) for bit in _BITS]
