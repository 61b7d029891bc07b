"""Nothing of a file reaches a terminal as it is, and names of files may be any bytes."""

import csv
import io
import json
import os
import re
import shutil

import pytest
from aof.logs import command
from command import FIXTURES, run

from rdbtool.core.errors import clean, describe_key, show_name
from rdbtool.dataset.forms import PRINTED
from rdbtool.dataset.loading import open_keys
from rdbtool.operations.dump.report import DumpOptions
from rdbtool.report.dump import write_keys

HOSTILE = FIXTURES / "cases" / "leaves" / "key-with-cr.rdb"

#: What a terminal obeys: C0 but the end of a line, DEL, C1, and what turns the direction of writing.
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def keys():
    with open_keys(str(HOSTILE)) as reader:
        return [record.key for record in reader]


def on_terminal(name, **options):
    class Terminal:
        is_terminal = True
        data = b""

        def write(self, data):
            self.data += bytes(data)

    terminal = Terminal()
    with open_keys(str(HOSTILE)) as reader:
        write_keys(reader, terminal, DumpOptions(name, **options))
    return terminal.data


# ---- csv -------------------------------------------------------------------------------------------


def rows(*words):
    out = run("dump", "-f", "csv", *words, HOSTILE).out.decode()
    return list(csv.DictReader(io.StringIO(out, newline=""), strict=True)), out


def test_csv_has_a_row_for_each_key():
    found, out = rows()
    assert len(found) == len(keys())
    assert out.count("\r\n") == 1 + len(found)
    shown = [row["key"] for row in found]
    assert shown == [
        *("'+1+1", "'\r=1", "a,b", "'=cmd|' /C calc'!A0", "a\nb", "\\u202e rtl", "\\x1b[31mred\\x1b]0;title\\x07"),
        *('q"q', "\\x9b31m", "\\x7f", "'\tx", "'@SUM(A1)", "'-2+3"),
    ]
    assert not CONTROLS.search(re.sub(r"[\t\r\n]", "", out))


def test_raw_csv_is_as_it_is():
    found, _ = rows("--raw")
    assert [row["key"].encode() for row in found] == keys()
    assert run("dump", "-f", "jsonl", "--raw", HOSTILE).code == 2


def test_numbers_are_no_formulas(tmp_path):
    names = ["-5", "+3", "-1.5e-3", "-.5", "5", "-5x", "--5", "-", "=", "\uff1d1"]
    log = tmp_path / "x.aof"
    log.write_bytes(
        b"".join(command("SET", name, "-5") for name in names) + command("PEXPIREAT", "-5", "4102444800000")
    )
    out = run("dump", "-f", "csv", log).out.decode()
    found = list(csv.DictReader(io.StringIO(out, newline="")))
    plain, others = names[:5], [f"'{name}" for name in names[5:]]
    assert [row["key"] for row in found] == plain + others
    assert (found[0]["start"], found[0]["expire_at_ms"]) == ("-1", "4102444800000")


# ---- terminals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", PRINTED[:-1])
def test_no_format_shows_a_terminal_what_it_obeys(form):
    text = on_terminal(form).decode()
    if form == "table":
        text = re.sub("\x1b\\[[0-9;]*m", "", text)
    # JSON ends its lines as rdbtools does, CSV as RFC 4180 says.
    assert not CONTROLS.search(text.replace("\r\n", "\n"))


def test_keys_are_as_they_are_in_a_pipe():
    assert run("dump", "-f", "keys", HOSTILE).out == b"".join(key + b"\n" for key in keys())
    assert on_terminal("keys", escape="raw") == b"".join(key + b"\n" for key in keys())
    assert on_terminal("keys").count(b"\n") == len(keys())


def test_jsonl_is_the_same_json():
    lines = run("dump", "-f", "jsonl", HOSTILE).out.decode()
    assert not CONTROLS.search(lines)
    assert [row["key"].encode() for row in map(json.loads, lines.splitlines()) if "key" in row] == keys()


def test_jsonl_leaves_other_text_alone(tmp_path):
    names = [
        "äöü",
        "\u00a0",
        "\u00a1",
        "\u061b",
        "\u061d",
        "\u200d",
        "\u2010",
        "\u2027",
        "\u202f",
        "\u2065",
        "\u206a",
        "日本",
        "😀",
    ]
    log = tmp_path / "x.aof"
    log.write_bytes(b"".join(command("SET", name, name) for name in names))
    out = run("dump", "-f", "jsonl", log).out.decode()
    assert all(f'"{name}"' in out for name in names)


def test_one_way_to_show_bytes():
    for text in ("a\x1b[1m", "\x9b", "\u202e", "\udcff", "\n"):
        data = text.encode("utf-8", "surrogateescape")
        assert clean(text).isprintable()
        assert show_name(text).isprintable()
        assert describe_key(data).isprintable()
        assert show_name(text) == describe_key(data)
    assert (clean("\udcff"), clean("\x1b"), show_name("a b"), show_name(" a")) == ("\\xff", "\\x1b", "a b", '" a"')


# ---- names of files --------------------------------------------------------------------------------

NAME = os.fsdecode(b"n\xff\x1b[31m\xe2\x80\xae\n.x")
SHOWN = "n\\xff\\x1b[31m"


@pytest.fixture
def place(tmp_path):
    shutil.copy(HOSTILE, tmp_path / f"{NAME}.rdb")
    (tmp_path / f"{NAME}.aof").write_bytes(command("SET", "a", "1"))
    (tmp_path / f"{NAME}.cut").write_bytes(HOSTILE.read_bytes()[:100])
    return tmp_path


RDB, AOF, CUT, NEW = (f"{NAME}.{suffix}" for suffix in ("rdb", "aof", "cut", "new"))

COMMANDS = [
    ("info", RDB), ("info", "--json", RDB), ("info", AOF), ("info", "--json", AOF), ("info", CUT), ("info", NEW),
    ("dump", "-f", "jsonl", RDB), ("dump", RDB, "-o", NEW), ("dump", AOF, "-o", RDB), ("dump", CUT),
    ("dump", "-f", "resp", "--restore", RDB),
    ("inspect", RDB), ("inspect", "--json", RDB), ("inspect", AOF), ("inspect", "--json", CUT),
    ("validate", RDB, AOF, CUT, NEW), ("validate", "--json", RDB, CUT, NEW), ("validate", "-q", CUT),
    ("validate", "-f", "github", RDB, CUT), ("validate", "-f", "junit", RDB, CUT),
    ("repair", CUT, "-o", NEW), ("repair", CUT, "--dry-run"), ("repair", CUT, "-o", NEW, "--json"),
    ("diff", RDB, AOF), ("diff", "--json", RDB, AOF), ("diff", RDB, NEW), ("diff", "--as-commands", RDB, AOF),
    ("digest", RDB), ("digest", "--json", RDB), ("digest", CUT),
    ("replay", AOF), ("replay", "--json", AOF), ("replay", CUT),
    ("history", AOF, "a"), ("history", "--json", AOF, "a"),
    ("convert", RDB, NEW, "--to", "rdb"), ("convert", RDB, NEW, "--to", "rdb", "--json"), ("convert", RDB, AOF),
    ("aof-rewrite", AOF, "-o", NEW), ("aof-rewrite", AOF, "-o", NEW, "--json"), ("aof-rewrite", RDB, "-o", NEW),
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words).replace(NAME, "N"))
def test_names_may_be_any_bytes(place, words):
    ran = run(*words, cwd=place)
    assert ran.code in {0, 1, 3, 4}, ran.err
    said = ran.err if words[0] == "dump" or "--as-commands" in words else ran.out.decode() + ran.err
    assert not CONTROLS.search(said)
    assert all("traceback" not in line.lower() for line in said.splitlines())
    if "--json" in words:
        json.loads(ran.out.decode("ascii"))
        assert "\\ud" not in ran.out.decode("ascii").lower()


def test_names_are_shown(place):
    assert SHOWN in run("info", RDB, cwd=place).out.decode()
    assert json.loads(run("info", "--json", RDB, cwd=place).out)["source"].startswith("n\\xff\x1b[31m")
    assert SHOWN in run("info", NEW, cwd=place).err


def test_words_of_a_log_are_clean(place):
    (place / "x.aof").write_bytes(command("SELECT", "\x1b[31m\u202e") + command("\x1b[1mNO", "a"))
    for words in (("replay", "x.aof"), ("history", "x.aof", "a"), ("validate", "x.aof"), ("dump", "x.aof")):
        ran = run(*words, cwd=place)
        assert not CONTROLS.search(ran.out.decode() + ran.err)


# ---- suffixes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form"),
    [("x.csv", "csv"), ("x.CSV", "csv"), ("x.json", "json"), ("x.jsonl", "jsonl"), ("x.ndjson", "jsonl"),
     ("x.resp", "resp"), ("x.keys", "keys"), ("x.txt", "table"), ("x", "jsonl"), ("x.rdb", "jsonl")],
)  # fmt: skip
def test_the_suffix_chooses_the_format(tmp_path, name, form):
    assert run("dump", HOSTILE, "-o", tmp_path / name, "--now", "0").code == 0
    wanted = run("dump", "-f", form, HOSTILE, "--now", "0").out
    assert (tmp_path / name).read_bytes() == wanted
    assert run("dump", "-f", "keys", HOSTILE, "-o", tmp_path / name, "--force").code == 0
    assert (tmp_path / name).read_bytes() == run("dump", "-f", "keys", HOSTILE).out
