"""Names of outputs and inputs that lead nowhere: each command says so in one sentence, and writes nothing."""

import pytest
from command import FIXTURES, run

import rdbtool
from rdbtool.core.errors import InputError

RDB = FIXTURES / "redis-7.0.15" / "default.rdb"
AOF = FIXTURES / "redis-7.0.15" / "aof-preamble"

#: Command lines that write to ``loop``, a link that leads to itself.
WRITING = [
    ["dump", RDB, "-f", "json", "-o", "loop"],
    ["convert", RDB, "loop", "--to", "rdb"],
    ["convert", RDB, "loop/x.rdb"],
    ["convert", RDB, "loop/", "--to", "aof-dir"],
    ["repair", RDB, "-o", "loop"],
    ["repair", AOF, "-o", "loop"],
    ["stats", RDB, "--html", "loop"],
    ["aof-rewrite", AOF, "-o", "loop"],
]


@pytest.mark.parametrize("words", WRITING, ids=lambda words: " ".join(map(str, (words[0], *words[2:]))))
def test_a_loop_of_links_is_refused(words, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    done = run(*words, cwd=tmp_path)
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert done.err.startswith("rdbtool: cannot write to loop")
    assert [path.name for path in tmp_path.iterdir()] == ["loop"]


@pytest.mark.parametrize(
    "call",
    [
        lambda: rdbtool.repair("a\0b"),
        lambda: rdbtool.repair(RDB, "a\0b"),
        lambda: rdbtool.diff("a\0b", RDB),
        lambda: rdbtool.diff(RDB, "a\0b"),
        lambda: rdbtool.convert("a\0b", "x.rdb"),
        lambda: rdbtool.convert(RDB, "a\0b.rdb"),
        lambda: rdbtool.digest("a\0b"),
    ],
)
def test_a_name_that_no_file_can_have(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no file can have such a name"):
        call()
    assert list(tmp_path.iterdir()) == []
