"""Score texts of servers since 7.2, in plain Python: Grisu2 with exact powers of ten (format F5).

The digits are those of F. Loitsch's Grisu2 with 64-bit arithmetic and cached powers eight decades apart: they read
back to the same double, but now and then they are not the shortest that do. A dataset digest sees the difference.
"""

from __future__ import annotations

import math
import struct
from functools import cache
from typing import NamedTuple


class Scaled(NamedTuple):
    """significand * 2**exponent, 64 bits."""

    significand: int
    exponent: int

    def times(self, other: Scaled) -> Scaled:
        return Scaled((self.significand * other.significand + (1 << 63)) >> 64, self.exponent + other.exponent + 64)


def normal(significand: int, exponent: int) -> Scaled:
    shift = 64 - significand.bit_length()
    return Scaled(significand << shift, exponent - shift)


@cache
def power_of_ten(k: int) -> Scaled:
    """Return 10**k to 64 bits, to the nearest."""
    numerator, denominator = (10**k, 1) if k >= 0 else (1, 10**-k)
    exponent = numerator.bit_length() - denominator.bit_length() - 64
    while True:
        up, down = (numerator, denominator << exponent) if exponent >= 0 else (numerator << -exponent, denominator)
        rounded = (2 * up + down) // (2 * down)
        if up // down >= 1 << 64:
            exponent += 1
        elif up // down < 1 << 63:
            exponent -= 1
        else:
            return Scaled(rounded, exponent)


def cached_power(exponent: int) -> tuple[int, Scaled]:
    """Return a power that brings ``exponent`` into -60..-32: the one that a linear guess meets first."""
    index = int((-(exponent + 87) * 0.30102999566398114 + 348) // 8)
    while not -60 <= (found := exponent + power_of_ten(8 * index - 348).exponent + 64) <= -32:
        index += 1 if found < -60 else -1
    return 8 * index - 348, power_of_ten(8 * index - 348)


def digits_of(value: float) -> tuple[str, int]:
    """Return (digits, k) with value = digits * 10**k for a finite positive double."""
    bits = struct.unpack("<q", struct.pack("<d", value))[0]
    fraction, biased = bits & (1 << 52) - 1, bits >> 52
    significand, exponent = (fraction | 1 << 52, biased - 1075) if biased else (fraction, -1074)
    high = normal(2 * significand + 1, exponent - 1)
    wide = significand == 1 << 52
    low = 4 * significand - 1 if wide else 2 * significand - 1
    low <<= exponent - (2 if wide else 1) - high.exponent
    k, power = cached_power(high.exponent)
    upper = high.times(power).significand - 1
    lower = Scaled(low, high.exponent).times(power).significand + 1
    middle = normal(significand, exponent).times(power)
    one = 1 << -middle.exponent
    # Digits of `upper` until what is left of it is less than the interval; then towards `middle`.
    width, rest, gap, text, kappa = upper - lower, upper, upper - middle.significand, "", 0
    for place in range(9, -1, -1):
        digit, rest = divmod(rest, one * 10**place)
        text += str(digit) if text or digit else ""
        if rest <= width:
            unit, kappa = one * 10**place, place
            break
    else:
        while True:
            rest, width, kappa = 10 * rest, 10 * width, kappa - 1
            digit, rest = divmod(rest, one)
            text += str(digit) if text or digit else ""
            if rest < width:
                unit, gap = one, gap * 10**-kappa
                break
    last = int(text[-1])
    while rest < gap and width - rest >= unit and (rest + unit < gap or gap - rest > rest + unit - gap):
        last -= 1
        rest += unit
    return text[:-1] + str(last), kappa - k


def layout(digits: str, k: int) -> str:
    """Return digits * 10**k as format F5 says."""
    count = len(digits)
    e = k + count - 1
    if k >= 0 and abs(e) < count + 7:
        return digits + "0" * k
    if k < 0 and (k > -7 or abs(e) < 4):
        if count + k > 0:
            return f"{digits[: count + k]}.{digits[count + k :]}"
        return "0." + "0" * -(count + k) + digits
    return digits[0] + ("." + digits[1:] if count > 1 else "") + f"e{'-' if e < 0 else '+'}{abs(e)}"


def server_text(score: float) -> str:
    """Return the text of a score."""
    minus = "-" if math.copysign(1, score) < 0 else ""
    if not math.isfinite(score):
        return str(score)
    return minus + (layout(*digits_of(abs(score))) if score else "0")
