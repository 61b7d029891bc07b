"""AOFs that went through a program for text: what it did is undone where the sizes prove it."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import run
from validate.sources import command

from rdbtool.operations.repair.run import repair

PLAIN = [("SELECT", "0"), ("SET", "a", "1"), ("MULTI",), ("RPUSH", "l", "x", "", "y"), ("EXEC",)]
HIGH = [("SET", "gr\xfc\xdfe", "\xe9t\xe9"), ("SET", "b", "\x93quoted\x94 \x80")]


def log(*rows: tuple[str, ...]) -> bytes:
    return b"".join(
        b"*%d\r\n" % len(row) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word.encode("latin-1")) for word in row)
        for row in rows
    )


def to_lf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


def to_crlf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def to_utf8(data: bytes) -> bytes:
    return data.decode("latin-1").encode()


def from_windows(data: bytes) -> bytes:
    return data.decode("cp1252", errors="replace").encode()


@pytest.mark.parametrize(
    ("name", "rows", "change"),
    [
        ("CRLF became LF", [*PLAIN, ("SET", "c", "one\r\ntwo\r\n"), ("SET", "d", "a\nb")], to_lf),
        ("LF became CRLF", [*PLAIN, ("SET", "c", "one\ntwo\n"), ("SET", "d", "\n"), ("SET", "e", "x")], to_crlf),
        ("LF became CRLF", [*PLAIN, ("SET", "c", "a\nb\r\nc")], lambda data: data.replace(b"\n", b"\r\n")),
        ("Latin-1 became UTF-8", [*PLAIN, *HIGH[:1], ("SET", "k", "\xff\xfe")], to_utf8),
        ("Latin-1 became UTF-8", [*PLAIN, *HIGH], from_windows),
        ("CRLF became LF and Latin-1 became UTF-8", [*HIGH[:1], ("SET", "n", "\xe9\r\n")], lambda d: to_utf8(to_lf(d))),
    ],
)
def test_what_was_done_is_undone(name: str, rows: list[tuple[str, ...]], change, tmp_path: Path) -> None:
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    whole = log(*rows)
    for mark in (b"", b"\xef\xbb\xbf"):
        source.write_bytes(mark + change(whole))
        done = repair(str(source), str(result))
        assert result.read_bytes() == whole
        assert done.commands == len(rows)
        assert {lost.code for lost in done.lost} == {"REP014"}
        assert any(lost.message.startswith(name) for lost in done.lost)
        result.unlink()


def test_a_byte_order_mark_alone(tmp_path: Path) -> None:
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    source.write_bytes(b"\xef\xbb\xbf" + log(*PLAIN))
    done = repair(str(source), str(result))
    assert result.read_bytes() == log(*PLAIN)
    assert [(lost.code, lost.size) for lost in done.lost] == [("REP014", 3)]


def test_what_sizes_do_not_decide_is_damage(tmp_path: Path) -> None:
    """Of two line ends in a value one was changed and the other was not."""
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    rows = [*PLAIN, ("SET", "c", "a\nb\r\nc"), *PLAIN]
    source.write_bytes(to_lf(log(*rows)))
    done = repair(str(source), str(result))
    assert result.read_bytes() == log(*PLAIN, *PLAIN)
    assert [lost.code for lost in done.lost if not lost.is_kept] == ["REP001"]


def test_replacement_characters_are_beyond_repair(tmp_path: Path) -> None:
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    data = log(*PLAIN, *HIGH, ("SET", "z", "1"))
    source.write_bytes(data.decode(errors="replace").encode())
    done = repair(str(source), str(result))
    assert result.read_bytes() == log(*PLAIN, ("SET", "z", "1"))
    assert any("U+FFFD replaces unknown bytes" in lost.message for lost in done.lost)


def test_a_single_wrong_size_is_no_text_mode(tmp_path: Path) -> None:
    """A value with CRLF in it, whose size would fit to LF, in a file that has LF elsewhere."""
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    data = log(*PLAIN, ("SET", "a", "x\ny"), ("SET", "k", "ab\r\ncd"), ("SET", "z", "1"))
    source.write_bytes(data.replace(b"$6\r\nab", b"$5\r\nab"))
    repair(str(source), str(result))
    assert b"ab" not in result.read_bytes()


@pytest.mark.parametrize("joint", [b"$6\r\np3\r\nMAX\r\n", b"$4\r\n$1\r\n4\r\n", b"$3\r\n\r\n*4\r\n$1\r\nx\r\n"])
def test_a_joint_of_two_values_is_no_text_mode(joint: bytes, tmp_path: Path) -> None:
    """A copied block: the beginning of one value stands before the size of another one, and the sizes fit to LF."""
    source, result = tmp_path / "in.aof", tmp_path / "out.aof"
    source.write_bytes(log(*PLAIN) + b"*3\r\n$6\r\nGETSET\r\n$3\r\ns:2\r\n" + joint + log(*PLAIN))
    repair(str(source), str(result))
    assert result.read_bytes() == log(*PLAIN, *PLAIN)


def test_a_part_of_a_log(tmp_path: Path) -> None:
    """And a server that went on writing behind it."""
    directory = tmp_path / "log"
    directory.mkdir()
    (directory / "x.aof.1.base.aof").write_bytes(to_lf(log(*PLAIN)))
    (directory / "x.aof.1.incr.aof").write_bytes(to_lf(log(*PLAIN)) + log(*PLAIN))
    (directory / "x.aof.manifest").write_text(
        "file x.aof.1.base.aof seq 1 type b\nfile x.aof.1.incr.aof seq 1 type i\n"
    )
    done = repair(str(directory), str(tmp_path / "out"))
    assert done.commands == 3 * len(PLAIN)
    assert (tmp_path / "out/x.aof.1.incr.aof").read_bytes() == log(*PLAIN, *PLAIN)


def test_unknown_commands_and_cut_transactions_within(tmp_path: Path) -> None:
    source = tmp_path / "in.aof"
    source.write_bytes(to_lf(log(*PLAIN, ("HIDDEN", "a"), ("MULTI",), ("SET", "c", "1"))))
    ran = run("repair", source, "-o", tmp_path / "out.aof")
    assert ran.code == 1
    assert "verified except for HIDDEN" in ran.out.decode()
    assert (tmp_path / "out.aof").read_bytes() == log(*PLAIN) + command("HIDDEN", "a")
    assert run("repair", source, "-o", tmp_path / "known.aof", "--drop-unknown").code == 0
    assert (tmp_path / "known.aof").read_bytes() == log(*PLAIN)
