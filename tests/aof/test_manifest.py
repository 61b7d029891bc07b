"""Manifests: what is read, and each way to be refused, beside what a server says to the same bytes."""

from __future__ import annotations

import pytest
from aof.logs import command, sets, write_log
from hypothesis import given
from hypothesis import strategies as st

from rdbtool.core.errors import FormatError
from rdbtool.core.manifest import looks_like_manifest, read_manifest
from rdbtool.reader.aof.reader import open_aof
from rdbtool.reader.open.files import detect

BASE = b"file a.1.base.aof seq 1 type b\n"
INCR = b"file a.1.incr.aof seq 1 type i\n"
SECOND = b"file a.2.incr.aof seq 2 type i\n"
FILES = ("a.1.base.aof", "a.1.incr.aof", "a.2.incr.aof")


def long_line(size):
    start = INCR.rstrip() + b" note "
    return start + b"y" * (size - len(start) - 1) + b"\n"


TAKEN = {
    "base and increments": (BASE + INCR + SECOND, ["a.1.base.aof", "a.1.incr.aof", "a.2.incr.aof"]),
    "base after increment": (INCR + BASE, ["a.1.base.aof", "a.1.incr.aof"]),
    "no base": (INCR + SECOND, ["a.1.incr.aof", "a.2.incr.aof"]),
    "the longest line": (BASE + long_line(1024), ["a.1.base.aof", "a.1.incr.aof"]),
    "comments": (b"# one\n" + BASE + b"#\n" + INCR + b"# last", ["a.1.base.aof", "a.1.incr.aof"]),
    "the longest comment": (b"#" + b"z" * 1022 + b"\n" + BASE, ["a.1.base.aof"]),
    "nothing but comments": (b"# none\n", []),
    "double quotes": (b'"file" "a\\x2e1.base.aof" "s\\eq" "1" type b\n', ["a.1.base.aof"]),
    "single quotes": (b"'file' 'a.1.base.aof' seq '1' type b\n", ["a.1.base.aof"]),
    "keys in any case and order": (b"TYPE b Seq 1 FILE a.1.base.aof\n", ["a.1.base.aof"]),
    "the last of equal keys": (b"file zz seq 7 file a.1.base.aof seq 1 type b\n", ["a.1.base.aof"]),
    "unknown keys": (b"file a.1.base.aof seq 1 type b colour blue\n", ["a.1.base.aof"]),
    "the first letter of a type": (b"file a.1.base.aof seq 1 type base\n", ["a.1.base.aof"]),
    "a number with a rest": (b"file a.1.base.aof seq 1x type b\n", ["a.1.base.aof"]),
    "a number below zero": (b"file a.1.base.aof seq -1 type b\n", ["a.1.base.aof"]),
    "a number beyond all": (b"file a.1.base.aof seq 99999999999999999999999 type b\n", ["a.1.base.aof"]),
    "carriage returns": (BASE.replace(b"\n", b" \r\n") + INCR, ["a.1.base.aof", "a.1.incr.aof"]),
    "blanks and tabs": (b"  file\ta.1.base.aof\t seq 1 type b  \n", ["a.1.base.aof"]),
    "missing history": (BASE + b"file gone seq 9 type h\n" + INCR, ["a.1.base.aof", "a.1.incr.aof"]),
    "offsets": (BASE + b"file a.1.incr.aof seq 1 type i startoffset 5 endoffset 9\n", ["a.1.base.aof", "a.1.incr.aof"]),
}

REFUSED = {
    "empty": (b"", "MAN001", 0),
    "line too long": (BASE + long_line(1025), "MAN002", 1),
    "no newline": (BASE + INCR[:-1], "MAN002", 1),
    "NUL": (BASE + INCR.replace(b" type", b"\0type"), "MAN002", 1),
    "blank line": (BASE + b"\n" + INCR, "MAN003", 1),
    "blank line of blanks": (BASE + b" \t\r\n" + INCR, "MAN003", 1),
    "quote not closed": (BASE + INCR.replace(b"a.1", b'"a.1'), "MAN004", 1),
    "quote inside of a word": (BASE + INCR.replace(b"a.1", b'"a".1'), "MAN004", 1),
    "odd number of words": (BASE + INCR.replace(b"\n", b" x\n"), "MAN005", 1),
    "too few words": (BASE + b"file a.1.incr.aof seq 1\n", "MAN005", 1),
    "rest of a comment": (BASE + b"#" + b"z" * 1500 + b"\n", "MAN005", None),
    "no file": (BASE + b"name a.1.incr.aof seq 1 type i\n", "MAN006", 1),
    "no seq": (BASE + b"file a.1.incr.aof no 1 type i\n", "MAN006", 1),
    "no type": (BASE + b"file a.1.incr.aof seq 1 kind i\n", "MAN006", 1),
    "path": (BASE + b"file ../a.1.incr.aof seq 1 type i\n", "MAN007", 1),
    "windows path": (BASE + b"file 'x\\a.1.incr.aof' seq 1 type i\n", "MAN007", 1),
    "no name": (BASE + b"file '' seq 1 type i\n", "MAN007", 1),
    "this directory": (BASE + b"file . seq 1 type i\n", "MAN007", 1),
    "seq 0": (BASE + INCR.replace(b"seq 1", b"seq 0"), "MAN008", 1),
    "seq is no number": (BASE + INCR.replace(b"seq 1", b"seq one"), "MAN008", 1),
    "unknown type": (BASE + INCR.replace(b"type i", b"type x"), "MAN009", 1),
    "type in upper case": (BASE + INCR.replace(b"type i", b"type I"), "MAN009", 1),
    "no type at all": (BASE + INCR.replace(b"type i", b"type ''"), "MAN009", 1),
    "second base": (BASE + BASE, "MAN010", 1),
    "falling numbers": (SECOND + INCR, "MAN011", 1),
    "equal numbers": (INCR + INCR, "MAN011", 1),
    "increment below zero": (BASE + INCR.replace(b"seq 1", b"seq -1"), "MAN011", 1),
    "missing increment": (BASE + b"file gone seq 1 type i\n", "MAN012", 1),
    "missing base": (b"# gone\nfile gone seq 1 type b\n" + INCR, "MAN012", 1),
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken(name, tmp_path):
    data, files = TAKEN[name]
    write_log(tmp_path, {file: command("SET", file, "x") for file in FILES}, data)
    with open_aof(tmp_path) as reader:
        assert [part.name for part in reader.parts] == files
        assert [row.argv[1].decode() for row in reader.commands()] == files
    assert reader.tail.state == "clean"
    assert list(read_manifest(data).loaded) == list(reader.manifest.loaded)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    data, code, line = REFUSED[name]
    path = write_log(tmp_path, dict.fromkeys(FILES, b""), data)
    with pytest.raises(FormatError) as caught:
        open_aof(tmp_path)
    error = caught.value
    assert error.code == code
    assert error.where.source == str(path)
    if line is not None:
        assert error.at == sum(len(row) for row in data.splitlines(keepends=True)[:line])
        assert error.where.path == (f"line {line + 1}" if data else "")


@pytest.mark.server
@pytest.mark.parametrize("name", TAKEN)
def test_a_server_takes_it_too(name, start_server, tmp_path):
    data, files = TAKEN[name]
    write_log(tmp_path, {file: command("SET", file, "x") for file in FILES}, data)
    with start_server(files={"appendonlydir": tmp_path}, config={"appendonly": "yes"}) as server:
        assert sorted(server.client("KEYS", "*")) == sorted(file.encode() for file in files)


@pytest.mark.server
@pytest.mark.parametrize("name", REFUSED)
def test_a_server_refuses_it_too(name, start_server, tmp_path):
    write_log(tmp_path, dict.fromkeys(FILES, b""), REFUSED[name][0])
    with (
        pytest.raises(RuntimeError, match=r"(?i)manifest|AOF file gone|Is a directory"),
        start_server(files={"appendonlydir": tmp_path}, config={"appendonly": "yes"}),
    ):
        pass


def test_what_an_entry_holds():
    data = b"# note\n" + BASE + b"file old seq 3 type h\nfile 'a b' seq 7 type i startoffset 2309 endoffset 4000\n"
    manifest = read_manifest(data, "where")
    assert manifest.path == "where"
    assert manifest.base == ("a.1.base.aof", 1, "base", None, None, 2, 7)
    assert manifest.history == (("old", 3, "history", None, None, 3, 38),)
    assert manifest.incrs == (("a b", 7, "incr", 2309, 4000, 4, 60),)
    assert manifest.loaded == (manifest.base, *manifest.incrs)
    assert manifest.entries == (manifest.base, *manifest.history, *manifest.incrs)


def test_names_that_are_no_text():
    assert read_manifest(b'file "a\\xff" seq 1 type b\n').base.name.encode("utf-8", "surrogateescape") == b"a\xff"


@pytest.mark.parametrize("name", [*TAKEN, *REFUSED])
def test_it_is_told_by_its_first_line(name, tmp_path):
    data = {**TAKEN, **REFUSED}[name][0]
    assert looks_like_manifest(data) == (bool(data) and name != "nothing but comments")


@pytest.mark.parametrize(
    "data",
    [
        command("SET", "file", "seq 1 type b"),
        command("SET", "k", "\n" + BASE.decode()),
        b"#TS:1\r\n" + command("SET", "file", "x"),
        b"file\n",
        b"file a.rdb is here\n",
        b"the file a seq 1 type b\n",
        b"",
        bytes(100),
    ],
)
def test_what_is_no_manifest(data):
    assert not looks_like_manifest(data)


@given(st.binary(max_size=200))
def test_any_bytes(data):
    for manifest in (data, BASE + data, BASE + data + b"\n"):
        looks_like_manifest(manifest)
        try:
            found = read_manifest(manifest)
        except FormatError as error:
            assert error.code.startswith("MAN0")
            assert 0 <= error.at <= len(manifest)
        else:
            assert all(entry.name and entry.seq for entry in found.entries)


@pytest.mark.parametrize("where", ["manifest", "directory", "parent", "other parent"])
def test_ways_to_name_a_log(where, tmp_path):
    inner = {"parent": "appendonlydir", "other parent": "my-logs"}.get(where, ".")
    path = write_log(tmp_path / inner, {"a.1.base.aof": sets(2), "a.1.incr.aof": sets(3)})
    target = path if where == "manifest" else tmp_path
    assert detect(target) == "multipart"
    with open_aof(target) as reader:
        assert len(list(reader.commands())) == 5
