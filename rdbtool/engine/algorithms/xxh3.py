"""XXH3 of 64 bits, seed 0: the digest of a string that IFDEQ and IFDNE compare (Redis 8.4)."""

from __future__ import annotations

import struct

from rdbtool.core.light_typing import Final

_MASK: Final = (1 << 64) - 1

_PRIME32_1: Final = 0x9E3779B1
_PRIME32_2: Final = 0x85EBCA77
_PRIME32_3: Final = 0xC2B2AE3D
_PRIME64_1: Final = 0x9E3779B185EBCA87
_PRIME64_2: Final = 0xC2B2AE3D27D4EB4F
_PRIME64_3: Final = 0x165667B19E3779F9
_PRIME64_4: Final = 0x85EBCA77C2B2AE63
_PRIME64_5: Final = 0x27D4EB2F165667C5
_PRIME_MX1: Final = 0x165667919E3779F9
_PRIME_MX2: Final = 0x9FB21C651E98DF25

_SECRET: Final = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8"
    "fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb17"
    "0ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)

_STRIPE: Final = 64
_STRIPES_A_BLOCK: Final = (len(_SECRET) - _STRIPE) // 8
_LANES: Final = struct.Struct("<8Q")


def xxh3_64(data: bytes) -> int:
    """Return the hash as an unsigned number."""
    size = len(data)
    if size <= 16:
        return _short(data, size)
    if size <= 128:
        total = size * _PRIME64_1
        for pair in range((size - 1) // 32 + 1):
            total += _mix(data, 16 * pair, 32 * pair) + _mix(data, size - 16 * (pair + 1), 32 * pair + 16)
        return _avalanche(total)
    if size <= 240:
        total = size * _PRIME64_1 + sum(_mix(data, 16 * i, 16 * i) for i in range(8))
        rest = sum(_mix(data, 16 * i, 16 * (i - 8) + 3) for i in range(8, size // 16))
        return _avalanche(_avalanche(total) + rest + _mix(data, size - 16, 119))
    return _long(data, size)


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _fold(left: int, right: int) -> int:
    product = left * right
    return (product & _MASK) ^ (product >> 64)


def _mix(data: bytes, at: int, secret_at: int) -> int:
    return _fold(_u64(data, at) ^ _u64(_SECRET, secret_at), _u64(data, at + 8) ^ _u64(_SECRET, secret_at + 8))


def _avalanche(number: int) -> int:
    number &= _MASK
    number = (number ^ (number >> 37)) * _PRIME_MX1 & _MASK
    return number ^ (number >> 32)


def _avalanche_xxh64(number: int) -> int:
    number = (number ^ (number >> 33)) * _PRIME64_2 & _MASK
    number = (number ^ (number >> 29)) * _PRIME64_3 & _MASK
    return number ^ (number >> 32)


def _rotate(number: int, count: int) -> int:
    return (number << count | number >> (64 - count)) & _MASK


def _short(data: bytes, size: int) -> int:
    """Return the hash of at most 16 bytes."""
    if size > 8:
        low = _u64(data, 0) ^ _u64(_SECRET, 24) ^ _u64(_SECRET, 32)
        high = _u64(data, size - 8) ^ _u64(_SECRET, 40) ^ _u64(_SECRET, 48)
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return _avalanche(size + swapped + high + _fold(low, high))
    if size >= 4:
        word = int.from_bytes(data[:4], "little") << 32 | int.from_bytes(data[-4:], "little")
        word ^= _u64(_SECRET, 8) ^ _u64(_SECRET, 16)
        word ^= _rotate(word, 49) ^ _rotate(word, 24)
        word = word * _PRIME_MX2 & _MASK
        word = (word ^ ((word >> 35) + size)) * _PRIME_MX2 & _MASK
        return word ^ (word >> 28)
    if size:
        word = data[0] << 16 | data[size >> 1] << 24 | data[-1] | size << 8
        flip = int.from_bytes(_SECRET[:4], "little") ^ int.from_bytes(_SECRET[4:8], "little")
        return _avalanche_xxh64(word ^ flip)
    return _avalanche_xxh64(_u64(_SECRET, 56) ^ _u64(_SECRET, 64))


def _long(data: bytes, size: int) -> int:
    """Return the hash of more than 240 bytes."""
    lanes = [_PRIME32_3, _PRIME64_1, _PRIME64_2, _PRIME64_3, _PRIME64_4, _PRIME32_2, _PRIME64_5, _PRIME32_1]
    scramble = _LANES.unpack_from(_SECRET, len(_SECRET) - _STRIPE)
    for stripe in range((size - 1) // _STRIPE):
        step = stripe % _STRIPES_A_BLOCK
        if stripe and not step:
            lanes = [(lane ^ lane >> 47 ^ key) * _PRIME32_1 & _MASK for lane, key in zip(lanes, scramble, strict=True)]
        _accumulate(lanes, data, stripe * _STRIPE, 8 * step)
    if (size - 1) // _STRIPE % _STRIPES_A_BLOCK == 0:
        lanes = [(lane ^ lane >> 47 ^ key) * _PRIME32_1 & _MASK for lane, key in zip(lanes, scramble, strict=True)]
    _accumulate(lanes, data, size - _STRIPE, len(_SECRET) - _STRIPE - 7)
    keys = _LANES.unpack_from(_SECRET, 11)
    total = size * _PRIME64_1
    for pair in range(0, 8, 2):
        total += _fold(lanes[pair] ^ keys[pair], lanes[pair + 1] ^ keys[pair + 1])
    return _avalanche(total)


def _accumulate(lanes: list[int], data: bytes, at: int, secret_at: int) -> None:
    words, keys = _LANES.unpack_from(data, at), _LANES.unpack_from(_SECRET, secret_at)
    for lane, (word, key) in enumerate(zip(words, keys, strict=True)):
        keyed = word ^ key
        lanes[lane ^ 1] = (lanes[lane ^ 1] + word) & _MASK
        lanes[lane] = (lanes[lane] + (keyed & 0xFFFFFFFF) * (keyed >> 32)) & _MASK
