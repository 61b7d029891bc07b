"""Glob patterns match what KEYS matches."""

import random

import pytest

from rdbtool.reader.globs import compile_glob

SERVER_PATTERNS, SERVER_KEYS = b"abc-]^[[\\*?\n", b"abc-]^[\\*?\n"


@pytest.mark.parametrize(
    ("pattern", "matched", "not_matched"),
    [
        (b"", [b""], [b"a"]),
        (b"*", [b"", b"a", b"a\nb", b"\xff"], []),
        (b"user:*", [b"user:", b"user:1"], [b"xuser:1", b"user"]),
        (b"h?llo", [b"hello", b"h\xffllo", b"h\nllo"], [b"hllo", b"heello"]),
        (b"h[ae]llo", [b"hallo", b"hello"], [b"hillo"]),
        (b"h[^e]llo", [b"hallo"], [b"hello"]),
        (b"h[b-a]llo", [b"hallo", b"hbllo"], [b"hcllo", b"h-llo"]),
        (b"h\\?llo", [b"h?llo"], [b"hello", b"h\\?llo"]),
        (b"[\\]]", [b"]"], [b"\\"]),
        (b"[]", [], [b"", b"]"]),
        (b"[ab", [b"a", b"b"], [b"[ab"]),
        (b"a\\", [b"a\\"], [b"a"]),
        (b"a.b", [b"a.b"], [b"axb"]),
        (b"a$", [b"a$"], [b"a"]),
    ],
)
def test_patterns(pattern, matched, not_matched):
    compiled = compile_glob(pattern)
    assert [key for key in matched if not compiled.search(key)] == []
    assert [key for key in not_matched if compiled.search(key)] == []


def test_many_stars_are_not_slow():
    assert not compile_glob(b"*" * 40 + b"x").search(b"a" * 10_000)


@pytest.mark.server
def test_a_server_agrees(redis_server):
    choose = random.Random(7)

    def text(letters, least, most):
        return bytes(choose.choice(letters) for _ in range(choose.randint(least, most)))

    keys = {text(SERVER_KEYS, 1, 4) for _ in range(300)}
    for key in keys:
        redis_server.client("SET", key, 1)
    for _ in range(500):
        pattern = text(SERVER_PATTERNS, 0, 7)
        compiled = compile_glob(pattern)
        assert {key for key in keys if compiled.search(key)} == set(redis_server.client("KEYS", pattern)), pattern
