"""Every command line of docs/coming-from.md works as the page says."""

import re
import shlex
import shutil

import pytest
from command import FIXTURES, ROOT, run

PAGE = (ROOT / "docs/coming-from.md").read_text()

#: What the files of the page are.
FILES = {
    "dump.rdb": "redis-7.0.15/default.rdb",
    "other.rdb": "redis-8.0.6/default.rdb",
    "broken.rdb": "damaged/flipped-bit.dump",
    "broken.aof": "damaged/damaged-middle.aof",
    "truncated.aof": "damaged/cut-tail.aof",
    "preamble.aof": "redis-6.2.16/aof-preamble.aof",
    "appendonlydir": "redis-7.4.1/aof-timestamps",
}


def rows():
    """Yield each command line of the tables that begins with rdbtool, and the exit code that its row states."""
    for line in PAGE.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3 and cells[1].startswith("`rdbtool "):
            code = re.match(r"Exit code (\d)", cells[2])
            yield cells[1].strip("`").partition(" | redis-cli")[0], int(code[1]) if code else 0


LINES = list(rows())


def place(directory):
    for name, source in FILES.items():
        copy = shutil.copytree if (FIXTURES / source).is_dir() else shutil.copyfile
        copy(FIXTURES / source, directory / name)


def test_every_line_is_in_a_table():
    listed = [line for line in PAGE.splitlines() if "`rdbtool " in line and line.startswith("|")]
    in_last_column = sum(line.count("`rdbtool ") > 1 for line in listed)
    assert len(LINES) == len(listed)
    assert in_last_column <= 1
    assert len(LINES) > 40


@pytest.mark.parametrize(("line", "code"), LINES, ids=[line for line, _ in LINES])
def test_line(line, code, tmp_path):
    place(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    words = shlex.split(line)
    assert words.pop(0) == "rdbtool"
    done = run(*words, cwd=tmp_path)
    assert done.code == code, done.err
    assert {path: path.read_bytes() for path in before} == before
    if "-o" in words and code == 0:
        assert (tmp_path / words[words.index("-o") + 1]).exists()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("dump", "-f", "out.json", "x"), "the -f FILE of redis-rdb-tools is -o FILE here"),
        (("validate", "--fix", "x"), "rdbtool repair"),
        (("dump", "--support-restore", "x"), "it is --restore here"),
    ],
)
def test_words_that_clash_are_named(words, hint):
    done = run(*words)
    assert done.code == 2
    assert hint in done.err


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (("-c", "json"), ("-f", "json")),
        (("--command", "justkeys"), ("-f", "keys")),
        (("-f", "protocol"), ("-f", "resp")),
        (("-c", "aof"), ("-f", "resp")),
        (("-t", "str", "-t", "sortedset"), ("-t", "string", "-t", "zset")),
        (("--not-key", ":", "--dbnum", "0"), ("-K", ":", "-n", "0")),
    ],
)
def test_words_of_others_are_accepted(theirs, ours):
    source = FIXTURES / FILES["dump.rdb"]
    done = run("dump", *theirs, source)
    assert done.code == 0
    assert done == run("dump", *ours, source)
