"""The search for a damaged byte by its effect on a CRC-64: see rdbtool.operations.salvage.one_byte."""

from collections.abc import Sequence

def search(
    difference: int, size: int, width: int, table: Sequence[int], origin: Sequence[int], leap: Sequence[int]
) -> tuple[int, int] | None:
    """Return the offset of the damaged byte of ``size`` bytes, and what it is XORed with; None if it is not one byte.

    ``difference`` is the checksum XOR the expected one. ``width``: single steps, and the steps of a leap. ``table`` has
    the checksum of each byte, ``origin`` the byte by the highest eight bits of its checksum, ``leap`` the effect of a
    leap on each bit.
    """
