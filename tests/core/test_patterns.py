"""A pattern is what re.compile would make, later."""

import re

from rdbtool.core.patterns import pattern


def test_it_is_compiled_once(monkeypatch):
    compiled = []
    monkeypatch.setattr(re, "compile", lambda *words, make=re.compile: compiled.append(words) or make(*words))
    made = pattern(rb"(?i)(A)b")
    assert compiled == []
    for _ in range(3):
        assert made.fullmatch(b"aB")[1] == b"a"
    assert compiled == [(rb"(?i)(A)b",)]
    assert made.sub(rb"\1", b"xabx") == b"xax"
    assert made.fullmatch(b"ac") is None


def test_nothing_is_made_up():
    assert not hasattr(pattern("a"), "no_such")
    assert not hasattr(pattern("a"), "__len__")
