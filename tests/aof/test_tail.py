"""How a log ends: each class, against what the check tool and the server of Redis make of the same bytes."""

from __future__ import annotations

import gzip
import re
import subprocess

import pytest
from aof.logs import command, parse, read_all, sets, write_log

from rdbtool.core.errors import FormatError
from rdbtool.reader.aof.reader import open_aof

LOG = (
    b"#TS:1700000000\r\n"
    + sets(3)
    + command("SELECT", "1")
    + command("MULTI")
    + command("SET", "in", "a transaction")
    + command("INCR", "n")
    + command("EXEC")
    + b"#TS:1700000001\r\n"
    + command("SET", "last", "one")
)
ANNOTATIONS = [range(1, 16), range(LOG.rindex(b"#") + 1, LOG.rindex(b"#") + 16)]


def tail_of(data, **options):
    return read_all(data, **options)[2].tail


@pytest.mark.server
def test_the_good_part_is_that_of_the_check_tool(redis_tools, tmp_path):
    """At every cut, except inside of an annotation, which the tool takes for whole."""
    path = tmp_path / "log.aof"
    states = set()
    for cut in range(1, len(LOG) + 1):
        path.write_bytes(LOG[:cut])
        done = subprocess.run([redis_tools.check_aof, path], capture_output=True, text=True, timeout=60, check=False)
        good = int(re.search(r"ok_up_to=(\d+)", done.stdout)[1])
        for backend in ("codec", "grammar"):
            tail = tail_of(LOG[:cut], backend=backend)
            states.add(tail.state)
            inside = [found for found in ANNOTATIONS if cut in found]
            if inside:
                assert (tail.state, tail.at) == ("truncated", inside[0].start - 1)
                continue
            assert tail.at == good, cut
            assert tail.size == cut - good
            assert (tail.state == "clean") == (done.returncode == 0), cut
    assert states == {"clean", "truncated", "truncated-in-multi"}


#: Where the log is cut, and where Redis 7.0 then cuts it: it leaves an open MULTI behind when a record in it is cut,
#: which swallows whatever it writes next; and it does not count annotations.
CUTS = [
    (LOG.index(b"k1") + 1, None),
    (LOG.index(b"MULTI") + 7, None),
    (LOG.index(b"*1\r\n$4\r\nEXEC"), None),
    (LOG.index(b"*1\r\n$4\r\nEXEC") + 3, LOG.index(b"*1\r\n$4\r\nEXEC")),
    (len(LOG) - 3, LOG.rindex(b"#")),
    (len(LOG), None),
]


@pytest.mark.server
@pytest.mark.parametrize(("cut", "servers_cut"), CUTS)
def test_a_server_starts_with_the_good_part(cut, servers_cut, start_server, tmp_path):
    """It has the keys that stand before."""
    path = tmp_path / "appendonly.aof"
    path.write_bytes(LOG[:cut])
    commands, fault, reader = read_all(path)
    kept = {(row.db, row.argv[1]) for row in commands if row.offset < reader.tail.at and len(row.argv) > 1}
    with start_server(files={"appendonly.aof": path}, config={"appendonly": "yes"}) as server:
        found = set()
        for db in (0, 1):
            server.client("SELECT", db)
            found |= {(db, key) for key in server.client("KEYS", "*")}
        assert found == {row for row in kept if row[1] != b"1"}
        size = (server.directory / "appendonlydir/appendonly.aof").stat().st_size
        assert size == (reader.tail.at if servers_cut is None else servers_cut)
    assert (fault is None) == (cut == len(LOG))


def test_clean():
    commands, fault, reader = read_all(LOG)
    assert (len(commands), fault) == (9, None)
    assert reader.tail == ("clean", 0, len(LOG), 0, None, 0)


@pytest.mark.parametrize("data", [b"", b"#TS:1\r\n"])
def test_a_log_without_commands(data):
    commands, fault, reader = read_all(data)
    assert (commands, fault) == ([], None)
    assert reader.tail == ("clean", 0, len(data), 0, None, 0)


def test_truncated():
    _, fault, reader = read_all(LOG[:-3])
    assert fault.code == "AOF101"
    assert fault.at == len(LOG) - 3
    assert fault.start == LOG.rindex(b"*3")
    assert fault.readable_up_to == reader.tail.at == LOG.rindex(b"*3")
    assert reader.tail.state == "truncated"
    assert reader.tail.size == len(LOG) - 3 - LOG.rindex(b"*3")


@pytest.mark.parametrize("end", [b"", b"*2\r\n$4\r\nIN", b"*2\r\n$4\r\nINCR\r\n$1\r\n"])
def test_truncated_in_multi(end):
    before = sets(5)
    data = before + command("MULTI") + sets(2, "m") + end
    commands, fault, reader = read_all(data)
    assert len(commands) == 8
    assert fault.code == ("AOF101" if end else "AOF110")
    assert reader.tail == ("truncated-in-multi", 0, len(before), len(data) - len(before), None, 3)


@pytest.mark.parametrize("partial", [b"", b"*3\r\n$3\r\nSET\r\n$2\r\n", b"*3\r\n$3\r\nS", b"*", b"*3\r\n$"])
@pytest.mark.parametrize("zeros", [1, 2, 4096, 600_000])
@pytest.mark.parametrize("piped", [False, True])
def test_nul_padding(partial, zeros, piped):
    """As a loss of power leaves it, also behind the beginning of a record."""
    if partial == b"*3\r\n$3\r\nSET\r\n$2\r\n" and zeros <= 2:
        # They are where the argument was to be: nothing distinguishes them from one.
        return
    data = sets(4) + partial + bytes(zeros)
    if partial.endswith(b"S") and zeros <= 2:
        return
    target = gzip.compress(data) if piped else data
    tail = tail_of(target)
    assert tail == ("nul-padding", 0, len(sets(4)), len(partial) + zeros, None, 0)


def test_nul_padding_before_commands_is_damage():
    data = sets(2) + bytes(100_000) + sets(2, "later")
    tail = tail_of(data)
    assert tail == ("damaged", 0, len(sets(2)), len(data) - len(sets(2)), len(sets(2)) + 100_000, 0)


def test_a_length_that_lies():
    """The case of a server that cuts a file of 1000 commands down to 5 and starts."""
    rows = [sets(1, f"key{number}:") for number in range(1000)]
    sound = b"".join(rows)
    at = len(b"".join(rows[:5]))
    data = sound[:at] + sound[at:].replace(b"$3\r\nSET", b"$999999\r\nSET", 1)
    for target in (data, gzip.compress(data)):
        for backend in ("codec", "grammar"):
            commands, fault, reader = read_all(target, backend=backend)
            assert len(commands) == 5
            assert fault.code == "AOF101"
            assert fault.start == at
            assert reader.tail.state == "damaged"
            assert reader.tail.at == at
            assert data[reader.tail.next_good :] == b"".join(rows[6:])


@pytest.mark.server
def test_a_server_cuts_there_indeed(start_server, tmp_path):
    sound = sets(1000)
    at = len(sets(5))
    path = tmp_path / "appendonly.aof"
    path.write_bytes(sound[:at] + sound[at:].replace(b"$3\r\nSET", b"$999999\r\nSET", 1))
    with start_server(files={"appendonly.aof": path}, config={"appendonly": "yes"}) as server:
        assert server.client("DBSIZE") == 5
        assert (server.directory / "appendonlydir/appendonly.aof").stat().st_size == at


@pytest.mark.parametrize(
    "damage",
    [
        b"*2\r\n$3\r\nSET\r\n",
        b"garbage\r\n",
        b"*3\r\n$3\r\nSET\r\n$-1\r\n",
        b"\0" * 50,
        b"*0\r\n",
        b"*9\r\n",
        b"$3\r\n",
    ],
)
def test_damage_with_commands_behind(damage):
    before, after = sets(7), sets(3, "after") + command("DEL", "k1")
    data = before + damage + after
    for backend in ("codec", "grammar"):
        commands, fault, reader = read_all(data, backend=backend)
        assert len(commands) == 7
        assert reader.tail == ("damaged", 0, len(before), len(data) - len(before), len(before) + len(damage), 0)
        assert fault.start == len(before)
    reader = open_aof(data)
    found = list(reader.commands(on_fault="skip"))
    assert [row.argv for row in found] == [row.argv for row in read_all(before + after)[0]]
    assert [row.number for row in found] == list(range(1, 12))
    assert reader.tail.state == "clean"
    assert len(reader.faults) == 1


def test_several_damages_are_skipped():
    pieces = [sets(2, f"p{number}:") for number in range(50)]
    data = b"*1\r\n$x\r\n".join(pieces) + b"*3\r\n$3\r\nSET\r\n"
    reader = open_aof(data)
    assert len(list(reader.commands(on_fault="skip"))) == 100
    assert [tail.state for _, tail in reader.faults] == ["damaged"] * 49 + ["truncated"]
    assert reader.tail.state == "truncated"
    reader = open_aof(data)
    assert reader.check(on_fault="skip") == 100


def test_what_follows_has_to_be_known():
    data = sets(2) + b"garbage\r\n" + command("FROB", "x")
    assert tail_of(data).next_good is None
    assert tail_of(data).state == "damaged"
    found = tail_of(data, known={b"FROB"})
    assert found.next_good == len(sets(2)) + 9
    # A cut command is no command.
    assert tail_of(data[:-3], known={b"FROB"}).next_good is None


def test_names_are_known_in_any_case():
    data = b"garbage\r\n" + command("hSeT", "h", "f", "v")
    assert tail_of(data).next_good == 9


def test_damage_at_the_very_end():
    data = sets(3)[:-1] + b"x"
    tail = tail_of(data)
    assert (tail.state, tail.next_good) == ("damaged", None)


def test_the_fault_is_raised_after_what_came_before():
    reader = open_aof(sets(3) + b"*1\r\n$4\r\nPI")
    seen = []
    with pytest.raises(FormatError) as caught:
        seen.extend(row.argv for row in reader.commands())
    assert caught.value is reader.fault
    assert reader.tail.state == "truncated"
    # A list that is extended keeps what was yielded before.
    assert len(seen) == 3


def test_a_cut_in_an_earlier_part_ends_reading(tmp_path):
    parts = {"a.1.base.aof": sets(3)[:-4], "a.1.incr.aof": sets(2, "x")}
    commands, fault, reader = read_all(write_log(tmp_path, parts))
    assert len(commands) == 2
    assert (reader.tail.state, reader.tail.part) == ("truncated", 0)
    assert fault.where.source == str(tmp_path / "a.1.base.aof")
    reader = open_aof(tmp_path)
    assert len(list(reader.commands(on_fault="skip"))) == 4
    assert (reader.tail.state, reader.tail.part) == ("clean", 1)


def test_a_multi_does_not_reach_into_the_next_part(tmp_path):
    parts = {"a.1.base.aof": sets(1) + command("MULTI"), "a.1.incr.aof": command("SET", "a", "b") + command("EXEC")}
    _, fault, _ = read_all(write_log(tmp_path, parts))
    assert fault.code == "AOF110"
    reader = open_aof(tmp_path)
    assert [row.transaction for row in reader.commands(on_fault="skip")] == [None, 1, None, None]


@pytest.mark.server
def test_turned_bits_beside_the_check_tool(redis_tools, tmp_path):
    """It finds the same good part, but for three things: see ``differs``."""
    path = tmp_path / "log.aof"
    line_ends = [found.start + 13 for found in ANNOTATIONS]

    def differs(at, data):
        # It does not look at the end of annotations, takes *0 for a command, and MULTI and EXEC have to match.
        return (
            at in line_ends
            or data[at - 1 : at + 3] == b"*0\r\n"
            or at in range(LOG.index(b"MULTI"), LOG.index(b"MULTI") + 5)
        )

    seen = []
    for turned in range(0, len(LOG) * 8, 5):
        at = turned // 8
        data = LOG[:at] + bytes([LOG[at] ^ 1 << turned % 8]) + LOG[at + 1 :]
        path.write_bytes(data)
        done = subprocess.run([redis_tools.check_aof, path], capture_output=True, timeout=60, check=False)
        tail = tail_of(data)
        if not differs(at, data):
            assert tail.at == int(re.search(rb"ok_up_to=(\d+)", done.stdout)[1]), (at, turned % 8)
            assert (tail.state == "clean") == (done.returncode == 0)
            seen.append(tail.state)
    assert len(seen) > 400
    assert set(seen) >= {"clean", "damaged"}


def test_multi_and_exec_that_do_not_match():
    data = command("EXEC") + sets(1) + command("MULTI") + command("multi") + sets(1) + command("Exec") + command("EXEC")
    for way in ("check", "commands"):
        for backend in ("codec", "grammar"):
            reader = open_aof(data, backend=backend)
            found = getattr(reader, way)()
            rows = [] if way == "check" else list(found)
            assert reader.strays == [(0, 0, 3)]
            assert reader.tail.state == "clean"
            assert [row.transaction for row in rows] == ([] if way == "check" else [None, None, 1, 1, 1, 1, None])


def test_every_cut_of_an_earlier_part(tmp_path):
    write_log(tmp_path, {"a.1.base.aof": LOG, "a.1.incr.aof": sets(2)})
    ends = {len(LOG), LOG.rindex(b"#"), LOG.rindex(b"*3")} | {at for at, _ in parse(LOG[: LOG.index(b"*1\r\n$5")])}
    ends |= {LOG.index(b"*1\r\n$5")}
    for cut in range(len(LOG) + 1):
        (tmp_path / "a.1.base.aof").write_bytes(LOG[:cut])
        commands, fault, reader = read_all(tmp_path)
        assert (fault is None) == (reader.tail.part == 1) == (cut in ends), cut
        assert sum(row.part for row in commands) == (2 if fault is None else 0)


def test_every_cut_of_the_last_part(tmp_path):
    """The parts before are whole; where the last one ends is the only question."""
    base, first = sets(2), command("SELECT", "3") + sets(2, "i")
    write_log(tmp_path, {"a.1.base.aof": base, "a.1.incr.aof": first, "a.2.incr.aof": LOG})
    boundaries = {at for at, _ in parse(LOG)} | {len(LOG)}
    for cut in range(len(LOG) + 1):
        (tmp_path / "a.2.incr.aof").write_bytes(LOG[:cut])
        commands, fault, reader = read_all(tmp_path)
        assert (reader.tail.part, reader.tail.size) == (2, cut - reader.tail.at)
        assert [row.number for row in commands] == list(range(1, len(commands) + 1))
        assert len(commands) >= 5
        assert reader.tail.at in boundaries
        assert (fault is None) == (reader.tail.state == "clean")
        assert reader.tail.at + reader.tail.size == cut
