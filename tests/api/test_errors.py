"""Errors name the file, and what to do about them in the words of whoever meets them: options or arguments."""

import ast
import re
from pathlib import Path

import pytest
from command import FIXTURES, ROOT, run

import rdbtool
from rdbtool.core.errors import InputError, Remedy, describe_error

RDB = FIXTURES / "redis-7.0.15" / "default.rdb"
AOF = FIXTURES / "redis-7.0.15" / "aof-preamble"
FLIPPED = FIXTURES / "damaged" / "flipped-bit.dump"
GUESSED = b"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n*3\r\n$5\r\nLPUSH\r\n$1\r\nk\r\n$1\r\nv\r\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("there.rdb").write_bytes(RDB.read_bytes())
    Path("log.aof").write_bytes(GUESSED)
    rdbtool.convert(RDB, "keys.jsonl")
    rdbtool.convert(RDB, "log/")
    return tmp_path


#: What is done, what a caller reads, and what is done in a command, with what its user reads.
ERRORS = [
    (lambda: rdbtool.convert(RDB, "there.rdb"), "there.rdb: it exists (use force=True to replace it)"),
    (lambda: rdbtool.convert(RDB, "log/"), "log/: it holds an AOF (use force=True to replace it)"),
    (lambda: rdbtool.convert("log", "log/", force=True), "it is the input (rdbtool.rewrite can, with in_place=True)"),
    (lambda: rdbtool.rewrite("log", "log/"), "log/: it contains the input (use in_place=True)"),
    (lambda: rdbtool.convert(RDB, "x/", target="redis-6.2"), "which Redis 7.0 introduced: use form='aof'"),
    (
        lambda: rdbtool.convert(RDB, "x.aof", target="redis-3.2", preamble=True),
        "reads no AOF that begins with an RDB: use preamble=False",
    ),
    (
        lambda: rdbtool.info("keys.jsonl"),
        "keys.jsonl: expected an RDB file or an AOF, found JSON lines: rdb",
    ),
    (lambda: rdbtool.convert("log.aof", "x.rdb"), "name the server that wrote the AOF, as in rules='redis-7.2'"),
    (lambda: rdbtool.diff("log.aof", "there.rdb"), "name the server that wrote the AOF, as in rules='redis-7.2'"),
    (lambda: rdbtool.save(rdbtool.Engine(), "there.rdb", force=False), "it exists (use force=True to replace it)"),
    (lambda: list(rdbtool.open(FLIPPED)), f'{FLIPPED}: at 0xe7: key "list" (list): value.node[2].data: expected LZF'),
]

WORDS = {
    ("convert", RDB, "there.rdb"): "there.rdb: it exists (use --force to replace it)",
    ("convert", "log", "log/", "--force"): "it is the input (aof-rewrite --in-place can)",
    ("convert", RDB, "x/", "--target", "redis-6.2"): "which Redis 7.0 introduced: use --to aof",
    (
        "info",
        "keys.jsonl",
    ): "expected an RDB file or an AOF, found JSON lines: rdbtool convert SRC x.rdb makes an RDB file",
    ("convert", "log.aof", "x.rdb"): "name the server that wrote the AOF with --rules",
}


@pytest.mark.parametrize(("call", "words"), ERRORS, ids=[row[1][:40] for row in ERRORS])
def test_a_caller_reads_of_arguments(call, words, here):
    with pytest.raises(rdbtool.RdbToolError) as caught:
        call()
    assert words in str(caught.value)
    assert not re.search(r"(?<!\S)\(?--[a-z]", str(caught.value))


@pytest.mark.parametrize("words", WORDS)
def test_a_user_reads_of_options(words, here):
    assert WORDS[words] in run(*words, cwd=here).err


def test_damage_names_its_code_in_one_line():
    with pytest.raises(rdbtool.FormatError) as caught:
        rdbtool.digest(FLIPPED)
    assert str(caught.value).endswith("found a stream that decompresses to 21186 bytes (RDB104)")
    assert str(caught.value).removesuffix(" (RDB104)") == describe_error(caught.value).splitlines()[0]


#: Where options are spoken of: the commands, what they print, and the pages that explain them.
SPEAKING = ("cli", "report", "core/codes")


def strings_outside_of_remedies(tree):
    """Yield the string literals that are neither documentation nor the command's words of a remedy."""
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(node.value)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Remedy":
            skipped |= set(ast.walk(node.args[0]))
    yield from (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped
    )


def test_the_library_does_not_speak_of_options():
    found = [
        f"{path}:{node.lineno}: {node.value}"
        for path in sorted((ROOT / "rdbtool").rglob("*.py"))
        if not str(path.relative_to(ROOT / "rdbtool")).startswith(SPEAKING) and path.name != "_entry.py"
        for node in strings_outside_of_remedies(ast.parse(path.read_text()))
        if re.search(r"(?<![\w-])--[a-z]", node.value)
    ]
    assert found == []


def test_a_remedy_has_lines_of_its_own():
    """Line breaks of a message are escaped, because they may come from a file's name; those of a remedy are ours."""
    error = InputError("one\ntwo", remedy=Remedy("\n  next: three", ": four"))
    assert describe_error(error) == "one\\ntwo\n  next: three"
    assert describe_error(error, with_remedy=False) == "one\\ntwo"
