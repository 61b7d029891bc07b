"""Reading arguments as servers do: strict numbers, options by name."""

from __future__ import annotations

import re
from typing import Final

from rdbtool.engine.command_errors import NOT_A_FLOAT, NOT_AN_INTEGER, CommandError

INT32_MIN: Final = -(1 << 31)
INT32_MAX: Final = (1 << 31) - 1
INT64_MIN: Final = -(1 << 63)
INT64_MAX: Final = (1 << 63) - 1

_INTEGER: Final = re.compile(rb"-?[1-9][0-9]{0,18}|0")
_FLOAT: Final = re.compile(rb"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|infinity)", re.IGNORECASE)
_HEX_FLOAT: Final = re.compile(rb"[+-]?0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?\d+)?", re.IGNORECASE)


def parse_int(text: bytes, error: str = NOT_AN_INTEGER) -> int:
    """Return a canonical int64 (no plus, no leading zeros, no spaces). Raises CommandError."""
    if _INTEGER.fullmatch(text) is not None:
        number = int(text)
        if INT64_MIN <= number <= INT64_MAX:
            return number
    raise CommandError(error)


def is_int(text: bytes) -> bool:
    """Whether ``parse_int`` takes the text."""
    return _INTEGER.fullmatch(text) is not None and INT64_MIN <= int(text) <= INT64_MAX


def parse_float(text: bytes, error: str = NOT_A_FLOAT, *, allow_hex: bool = True) -> float:
    """Return a finite or infinite double as servers read it. NaN, overflow and underflow raise CommandError.

    ``allow_hex``: C's hexadecimal form, which Redis takes and Valkey 9.1 does not.
    """
    if _FLOAT.fullmatch(text) is not None:
        number = float(text)
    elif allow_hex and _HEX_FLOAT.fullmatch(text) is not None:
        try:
            number = float.fromhex(text.decode("ascii"))
        except OverflowError:
            raise CommandError(error) from None
    else:
        raise CommandError(error)
    letters = text.lower()
    if number in (float("inf"), float("-inf")) and b"inf" not in letters:
        raise CommandError(error)
    digits, exponent = (b"123456789abcdef", b"p") if b"x" in letters else (b"123456789", b"e")
    if number == 0 and any(digit in digits for digit in letters.split(exponent)[0]):
        raise CommandError(error)
    return number
