"""Arithmetic of INCRBYFLOAT and HINCRBYFLOAT: the x87 ``long double`` in integers, exact to the last bit.

Servers read both numbers into 80 bits (64 of them mantissa), add, and print with C's ``%.17Lf``, without
trailing zeros. A finite number is ``mantissa * 2 ** exponent`` here, as a pair of ints. The decimal
module turns long digits into ints and back, because it has no limit of digits.
"""

from __future__ import annotations

import re
from decimal import Decimal

from rdbtool.core.light_typing import Final, NamedTuple
from rdbtool.engine.command_errors import NOT_A_FLOAT, CommandError

NOT_FINITE: Final = "ERR increment would produce NaN or Infinity"

_MANTISSA_BITS: Final = 64
_MIN_EXPONENT: Final = -16445
_MAX_BITS: Final = 16384

#: Texts of this length and more do not fit into the buffer of a server.
_MAX_TEXT: Final = 5 * 1024

#: Decimal exponents beyond this overflow, or underflow, whatever the digits are.
_MAX_DECIMAL: Final = 20_000
_MAX_BINARY: Final = 100_000

_PLACES: Final = 17
_SCALE: Final = 10**_PLACES

_DECIMAL: Final = re.compile(rb"([+-]?)(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?")
_HEX: Final = re.compile(rb"([+-]?)0[xX](?:([0-9a-fA-F]+)\.?([0-9a-fA-F]*)|\.([0-9a-fA-F]+))(?:[pP]([+-]?\d+))?")
_INFINITY: Final = re.compile(rb"([+-]?)inf(?:inity)?", re.IGNORECASE)


class LongDouble(NamedTuple):
    """``mantissa * 2 ** exponent``; ``exponent`` is None for an infinity, whose sign the mantissa has."""

    mantissa: int
    exponent: int | None

    @property
    def is_infinite(self) -> bool:
        """Whether it is an infinity of either sign."""
        return self.exponent is None


def add(first: bytes, second: bytes) -> bytes:
    """Return the sum of two numbers as the text that a server stores.

    Raises CommandError if one is not a number, or if the sum is not finite.
    """
    if first.isdigit() and second.isdigit() and len(first) < 18 and len(second) < 18:
        return b"%d" % (int(first) + int(second))
    return show(plus(read(first), read(second)))


def read(text: bytes, error: str = NOT_A_FLOAT) -> LongDouble:
    """Return the number that C's strtold reads: decimal, hexadecimal or ``inf``.

    Raises CommandError with ``error`` for anything else, for NaN, and where the number overflows or
    underflows to zero.
    """
    if len(text) < _MAX_TEXT:
        number = None
        if (match := _DECIMAL.fullmatch(text)) is not None:
            number = _read_decimal(match[2], match[3] or b"0")
        elif (match := _HEX.fullmatch(text)) is not None:
            number = _read_hex(match[2] or b"", match[3] or match[4] or b"", match[5] or b"0")
        elif (match := _INFINITY.fullmatch(text)) is not None:
            number = LongDouble(1, None)
        if number is not None and match is not None:
            return LongDouble(-number.mantissa, number.exponent) if match[1] == b"-" else number
    raise CommandError(error)


def plus(first: LongDouble, second: LongDouble) -> LongDouble:
    """Return the sum, rounded to nearest even. Raises CommandError if it is not finite."""
    if first.exponent is None or second.exponent is None:
        raise CommandError(NOT_FINITE)
    low = min(first.exponent, second.exponent)
    exact = (first.mantissa << (first.exponent - low)) + (second.mantissa << (second.exponent - low))
    number = _round(abs(exact) << max(low, 0), 1 << max(-low, 0))
    if number is None:
        raise CommandError(NOT_FINITE)
    return LongDouble(-number.mantissa, number.exponent) if exact < 0 else number


def show(number: LongDouble) -> bytes:
    """Return a finite number as servers store it: at most 17 places, no trailing zeros, no ``-0``."""
    if number.exponent is None:
        raise CommandError(NOT_FINITE)
    magnitude = abs(number.mantissa) * _SCALE
    exponent = number.exponent
    units = magnitude << exponent if exponent >= 0 else _divide(magnitude, 1 << -exponent)
    whole, places = divmod(units, _SCALE)
    digits = format(Decimal(whole), "f")
    if places:
        digits += f".{places:0{_PLACES}}".rstrip("0")
    return (f"-{digits}" if number.mantissa < 0 and units else digits).encode()


def _read_decimal(digits: bytes, exponent: bytes) -> LongDouble | None:
    if not digits.strip(b"0."):
        return LongDouble(0, 0)
    power = _read_exponent(exponent)
    if abs(power) > _MAX_DECIMAL:
        return None
    numerator, denominator = Decimal(f"{digits.decode()}e{power}").as_integer_ratio()
    return _nonzero(_round(numerator, denominator))


def _read_hex(whole: bytes, fraction: bytes, exponent: bytes) -> LongDouble | None:
    mantissa = int(whole + fraction, 16)
    if not mantissa:
        return LongDouble(0, 0)
    power = _read_exponent(exponent) - 4 * len(fraction)
    if abs(power) > _MAX_BINARY:
        return None
    return _nonzero(_round(mantissa << max(power, 0), 1 << max(-power, 0)))


def _read_exponent(text: bytes) -> int:
    """Return an exponent; one with very many digits is cut to a number that is as hopeless."""
    digits = text.lstrip(b"+-").lstrip(b"0")
    number = int(digits[:9] or b"0")
    return -number if text.startswith(b"-") else number


def _nonzero(number: LongDouble | None) -> LongDouble | None:
    return number if number is not None and number.mantissa else None


def _round(numerator: int, denominator: int) -> LongDouble | None:
    """Return the nearest number of 64 bits to a fraction >= 0; None if that overflows."""
    exponent = max(numerator.bit_length() - denominator.bit_length() - _MANTISSA_BITS, _MIN_EXPONENT)
    above, below = numerator << max(-exponent, 0), denominator << max(exponent, 0)
    if above >> _MANTISSA_BITS >= below:  # the estimate is right or one too low
        exponent += 1
        below <<= 1
    mantissa = _divide(above, below)
    return LongDouble(mantissa, exponent) if mantissa.bit_length() + exponent <= _MAX_BITS else None


def _divide(numerator: int, denominator: int) -> int:
    """Return the quotient of integers >= 0, rounded to nearest, ties to even."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient & 1))
