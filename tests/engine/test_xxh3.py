"""XXH3 of sizes on both sides of every border of the algorithm; the right values were asked of the C library."""

import pytest

from rdbtool.engine.algorithms.xxh3 import xxh3_64

DATA = bytes(at * 7 % 251 for at in range(3000))

KNOWN = {
    0: 0x2D06800538D394C2,
    1: 0xC44BDFF4074EECDB,
    3: 0xC3489259E968AD9E,
    4: 0xD3D60C1519014E89,
    8: 0xB88DEE77F6BF6980,
    9: 0x03688DCAD730D826,
    16: 0x9DA23836ADF2BE1E,
    17: 0xF34C3C9CF5A112D1,
    64: 0xFAECD52EFFBB854F,
    128: 0x4C659B745F435148,
    129: 0xB85222B83902B6E5,
    240: 0xD6DFBF67B0675B54,
    241: 0xC614C8C3575348C1,
    512: 0x95E4FDA72852917F,
    1024: 0xF22EF3DC84FF47EA,
    1025: 0x43F869A83769A435,
    3000: 0xB3EACB6E81DD90F0,
}


@pytest.mark.parametrize("size", KNOWN)
def test_known_values(size):
    assert xxh3_64(DATA[:size]) == KNOWN[size]
