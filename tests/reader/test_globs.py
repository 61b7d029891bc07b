"""Glob patterns match what KEYS matches."""

import random
import time

import pytest

from rdbtool.reader.globs import compile_glob

SERVER_PATTERNS, SERVER_KEYS = b"abc-]^[[\\*?*\n\x80\xff", b"abc-]^[\\*?\n\x80\xff"


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


@pytest.mark.parametrize(
    "pattern",
    [
        b"*" * 40 + b"x",
        b"*a*a*a*a*a*a*a*a*a*b",
        b"*a" * 200 + b"b",
        b"*a?" * 100 + b"*b*",
        b"*[a-z]*" * 50 + b"[^a]",
        b"*aaaaaaaaaaaaaaaaaaaab*c",
    ],
)
def test_many_stars_are_not_slow(pattern):
    compiled = compile_glob(pattern)
    begin = time.process_time()
    assert not compiled.search(b"a" * 10_000)
    assert time.process_time() - begin < 0.5


@pytest.mark.parametrize(
    ("pattern", "matched", "not_matched"),
    [
        (b"*ab*ab", [b"abab", b"ab ab", b"abcabab"], [b"ab", b"aab", b"abab "]),
        (b"a*a", [b"aa", b"aba"], [b"a"]),
        (b"*a*", [b"a", b"bab"], [b"", b"b"]),
        (b"**", [b"a"], [b""]),
        (b"***", [b"a"], [b""]),
        (b"[a-\xff]", [b"\xff", b"a", b"\0"], [b"b", b"\xfe"]),
        (b"[\x80-\xff]", [b"\x80", b"\xc0", b"\xff"], [b"a"]),
    ],
)
def test_accidents_and_overlaps(pattern, matched, not_matched):
    test_patterns(pattern, matched, not_matched)


@pytest.mark.server
def test_a_server_agrees(redis_server):
    choose = random.Random(7)

    def text(letters, least, most):
        return bytes(choose.choice(letters) for _ in range(choose.randint(least, most)))

    keys = {b""} | {text(SERVER_KEYS, 1, 6) for _ in range(500)}
    for key in keys:
        redis_server.client("SET", key, 1)
    for _ in range(1500):
        pattern = text(SERVER_PATTERNS, 0, 8)
        compiled = compile_glob(pattern)
        assert {key for key in keys if compiled.search(key)} == set(redis_server.client("KEYS", pattern)), pattern
