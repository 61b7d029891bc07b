"""What docs/messages.md is made by: messages without what comes from files, on a page by codes."""

import re

import messages
import pytest
from command import FIXTURES, ROOT, run

from rdbtool.core.codes import BY_CODE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('x.rdb: at 0xe7: key "li\'st" (list)', 'PATH: at 0xN: key "TEXT" (list)'),
        ("expected 4,806 more bytes, found end of file", "expected N more bytes, found end of file"),
        ("/data/a b/x: until ts:1795 (2026-11-22T13:55:00Z)", "PATH b/x: until ts:N (TIME)"),
        ("'no\\'pe' is neither ISO 8601 nor a number", "'TEXT' is neither ISO 8601 nor a number"),
        ("Invalid value for '--db' / '-n': -1", "Invalid value for '--db' / '-n': N"),
        ("the server's name, redis-7.2 or Redis 7.2.4", "the server's name, redis-N or Redis N"),
    ],
)
def test_what_comes_from_files_is_a_placeholder(text, words):
    assert messages.template(text) == words


def test_messages_are_heard(tmp_path):
    collector = messages.Collector(tmp_path / "collected.json")
    collector.listen()
    try:
        messages.command.run("validate", FIXTURES / "damaged/cut-tail.aof")
        messages.command.run("info", "missing.rdb")
        messages.command.run("dump", "--formt", "x")
    finally:
        collector.pytest_unconfigure()
    text = messages.page(messages.json.loads(collector.path.read_text()))
    for words in ("### AOF101", "cannot open PATH: No such file", "Did you mean --format?"):
        assert words in text
    assert run("info", "missing.rdb").code == 3


def test_the_page_names_codes_that_there_are():
    page = (ROOT / "docs/messages.md").read_text()
    codes = re.findall(r"^### ([A-Z]{3}\d{3})", page, re.MULTILINE)
    assert len(set(codes)) > 100
    assert set(codes) <= set(BY_CODE)
