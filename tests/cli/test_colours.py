"""Colours mean the same in every command, and colour changes nothing but the colours."""

from __future__ import annotations

import re

import pytest
from command import FIXTURES, environment, run

from rdbtool._entry import run as run_line

DEFAULT = FIXTURES / "redis-7.0.15" / "default.rdb"
NEWEST = FIXTURES / "redis-8.0.6" / "default.rdb"
AOF = FIXTURES / "redis-7.0.15" / "aof-timestamps"
DAMAGED = FIXTURES / "damaged" / "damaged-middle.aof"

BOLD_GREEN, BOLD_RED, BOLD_YELLOW, BOLD, CYAN = "1;32", "1;31", "1;33", "1", "36"

CASES = [
    (("info", DEFAULT), "out", [(BOLD_GREEN, "correct"), (CYAN, str(DEFAULT))]),
    (("replay", DAMAGED), "out", [(BOLD_RED, "damaged"), (CYAN, str(DAMAGED))]),
    (("replay", DAMAGED), "err", [(BOLD_RED, "rdbtool:"), (BOLD, "AOF101")]),
    (("repair", "--dry-run", DAMAGED), "out", [(BOLD_RED, "lost"), (BOLD, "REP001"), (BOLD_RED, "lost 63 bytes")]),
    (
        ("history", "--until", "n:729", AOF, "s:0"),
        "out",
        [(BOLD_RED, "deleted"), (BOLD_GREEN, "created"), (CYAN, "s:0")],
    ),
    (("convert", NEWEST, "-", "--to", "rdb", "--target", "redis-7.2"), "err", [(CYAN, '"hfe:ht"')]),
    (
        ("convert", NEWEST, "-", "--to", "rdb", "--target", "redis-7.2", "--allow-loss"),
        "err",
        [(BOLD_RED, "lost"), (CYAN, '"hfe:ht"'), (BOLD_YELLOW, "not read back")],
    ),
    (("diff", DEFAULT, DEFAULT), "out", [(BOLD_GREEN, "no difference: 61 keys in both")]),
    (("validate", "-q", DAMAGED), "err", [(BOLD_RED, "BAD"), (BOLD, "AOF101")]),
    (("validate", DAMAGED), "out", [(BOLD_GREEN, "next"), (BOLD_RED, "error")]),
    (("memory", "-f", "table", DEFAULT), "out", [(CYAN, "str:long")]),
    (("dump", "-f", "table", DEFAULT), "out", [(CYAN, "str:long")]),
]


@pytest.mark.parametrize(("words", "stream", "painted"), CASES, ids=lambda value: value[0] if value else "")
def test_what_is_painted_and_that_only_paint_is_added(words, stream, painted, capfdbinary, monkeypatch):
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain = run(*words)
    monkeypatch.setenv("FORCE_COLOR", "1")
    code = run_line([str(word) for word in words])
    coloured = capfdbinary.readouterr()
    assert code == plain.code
    expected = plain.out if stream == "out" else plain.err.encode()
    shown = getattr(coloured, stream)
    assert re.sub(rb"\x1b\[[0-9;]*m", b"", shown) == expected
    for style, text in painted:
        assert re.search(rf"\x1b\[{style}m{re.escape(text)} *\x1b\[0m".encode(), shown), (style, text)
