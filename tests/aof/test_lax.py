"""The lax reading is the server's: it takes, and refuses, what a real one does with the same bytes (format C2)."""

from __future__ import annotations

import pytest
from aof.logs import command, read_all, sets

from rdbtool.reader.aof.reader import open_aof
from rdbtool.reader.aof.text_parser import MAX_LINE

A, B = command("SET", "a", "1"), command("SET", "b", "2")

#: name → (log, the codes of what servers put up with, the code over which they exit or cut).
LOGS = {
    "sound": (A + B, [], None),
    "annotation": (A + b"#TS:1700000000\r\n" + B, [], None),
    "annotation with a bare newline": (A + b"# note\n" + B, ["AOF106"], None),
    "longest annotation": (A + b"#" + b"x" * (MAX_LINE - 3) + b"\r\n" + B, [], None),
    "longer annotation": (A + b"#" + b"x" * MAX_LINE + b"\r\n" + B, ["AOF108"], "AOF102"),
    "longer annotation before a command": (A + b"#" + b"x" * (MAX_LINE - 1) + B, ["AOF108"], None),
    "annotation without end": (A + b"#TS:17", ["AOF106"], None),
    "bare newlines": (A.replace(b"\r\n$", b"\n$", 1) + B.replace(b"$1\r\n", b"$1\n"), ["AOF106"] * 3, None),
    "bytes behind an argument": (A[:-2] + b"XY" + B, ["AOF107"], None),
    "rest behind a count": (A.replace(b"*3", b"*3zz") + B, ["AOF103"], None),
    "blank before a count": (A.replace(b"*3", b"* 3") + B, ["AOF103"], None),
    "sign before a size": (A.replace(b"$3", b"$+3") + B, ["AOF103"], None),
    "size without digits": (A.replace(b"$1\r\na\r\n", b"$abc\r\n\r\n") + B, ["AOF103"], None),
    "many zeros": (A.replace(b"$3", b"$" + b"0" * 30 + b"3") + B, ["AOF103"], None),
    "count of 32 bits and more": (A.replace(b"*3", b"*4294967299x") + B, ["AOF103"], None),
    "count beyond 64 bits": (A + B.replace(b"*3", b"*99999999999999999999"), [], "AOF104"),
    "carriage return in a count": (A.replace(b"*3\r\n", b"*3\rX\n") + B, ["AOF106"], None),
    "no arguments": (A + b"*0\r\n" + B, [], "AOF104"),
    "count below zero": (A + b"*-1\r\n" + B, [], "AOF104"),
    "count without digits": (A + b"*abc\r\n" + B, [], "AOF104"),
    "no argument mark": (A + B.replace(b"$1", b"x1", 1), [], "AOF105"),
    "other byte": (A + b"\r\n" + B, [], "AOF102"),
    "NUL": (A + bytes(64), [], "AOF102"),
    "cut payload": (A + B[:-3], [], "AOF101"),
    "cut line end": (A + B[:-1], [], "AOF101"),
    "cut line end with another byte": (A + B[:-2] + b"X", [], "AOF101"),
    "cut count": (A + b"*", [], "AOF101"),
    "cut behind a count": (A + b"*3", [], "AOF101"),
    "cut behind a mark": (A + b"*3\r\n$", [], "AOF101"),
    "cut size": (A + b"*3\r\n$3", [], "AOF101"),
    "size too large": (A + B.replace(b"$3", b"$300000"), [], "AOF101"),
}

#: Where strict reading stops for another reason than servers do.
STRICT = {
    "annotation without end": "AOF101",
    "cut line end with another byte": "AOF107",
    "count beyond 64 bits": "AOF103",
    "count below zero": "AOF103",
    "count without digits": "AOF103",
}


@pytest.mark.parametrize("name", LOGS)
def test_lax(name):
    data, deviations, code = LOGS[name]
    for backend in ("codec", "grammar"):
        _, fault, reader = read_all(data, lax=True, backend=backend)
        found = [fault_.code for fault_ in reader.deviations]
        assert found == deviations
        assert reader.deviation_count == len(found)
        assert (fault and fault.code) == code
        assert reader.fallbacks == 0


@pytest.mark.parametrize("name", LOGS)
def test_strict(name):
    """Strict reading stops at the first deviation, or at what stops servers too."""
    data, deviations, code = LOGS[name]
    first = [*deviations, code][0]
    wanted = STRICT.get(name, first)
    for backend in ("codec", "grammar"):
        _, fault, _ = read_all(data, backend=backend)
        assert (fault and fault.code) == wanted


@pytest.mark.server
@pytest.mark.parametrize("name", LOGS)
def test_a_server_does_the_same(name, start_server, tmp_path):
    data, _, code = LOGS[name]
    path = tmp_path / "appendonly.aof"
    path.write_bytes(data)
    commands, _, _ = read_all(path, lax=True)
    wanted = {row.argv[1]: row.argv[2] for row in commands}
    running = start_server(files={"appendonly.aof": path}, config={"appendonly": "yes"})
    if code not in {None, "AOF101"}:
        with pytest.raises(RuntimeError, match="Bad file format"), running:
            pass
        return
    with running as server:
        keys = server.client("KEYS", "*")
        assert {key: server.client("GET", key) for key in keys} == wanted
    assert wanted


def test_a_size_below_zero_is_a_fault_for_everyone():
    """Servers crash over it."""
    for lax in (False, True):
        _, fault, reader = read_all(A + B.replace(b"$1", b"$-1", 1), lax=lax)
        assert fault.code == "AOF103"
        assert reader.tail.at == len(A)


def test_the_first_deviations_are_kept_and_all_are_counted():
    reader = open_aof(b"# x\n" * 1000 + sets(1), lax=True)
    assert reader.check() == 1
    assert len(reader.deviations) == 100
    assert reader.deviation_count == 1000
