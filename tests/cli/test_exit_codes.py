"""Exit codes: a cron job can tell "the backup is bad" from "nobody looked"."""

import errno
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from command import COMMAND, FIXTURES, ROOT, environment, hear_signals, run

SMALL = FIXTURES / "small" / "redis-7.0-listpacks-stream-function.rdb"
DEFAULT = FIXTURES / "redis-7.0.15" / "default.rdb"
COMMANDS = ["dump", "info", "inspect", "digest", "replay"]


def arguments(*words):
    return [*COMMAND, *map(str, words)]


@pytest.mark.parametrize("command", COMMANDS)
def test_0_and_silent_when_all_is_well(command):
    ran = run(command, DEFAULT)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out


@pytest.mark.parametrize("command", COMMANDS)
def test_1_damaged(command, tmp_path):
    path = tmp_path / "cut.rdb"
    path.write_bytes(DEFAULT.read_bytes()[:-20])
    ran = run(command, path)
    assert ran.code == 1
    assert ran.err.startswith(f"rdbtool: {path}: at 0x")
    assert "RDB101" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("dump",),
        ("dump", "--frobnicate", DEFAULT),
        ("dump", "-f", "xml", DEFAULT),
        ("dump", "-f", "json", "-e", "rot13", DEFAULT),
        ("dump", "-f", "csv", "-e", "raw", DEFAULT),
        ("dump", "-f", "json", "--restore", DEFAULT),
        ("dump", "-k", "(", DEFAULT),
        ("dump", "-t", "blob", DEFAULT),
        ("dump", "-n", "x", DEFAULT),
        ("dump", "--slot", "5-3", DEFAULT),
        ("dump", "--slot", "16384", DEFAULT),
        ("dump", "--now", "yesterday", "--expired", DEFAULT),
        ("frobnicate",),
        (),
    ],
)
def test_2_usage(words):
    ran = run(*words)
    assert (ran.code, ran.out) == (2, b"")
    assert "Usage: rdbtool" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("command", COMMANDS)
def test_3_missing_or_a_directory(command, tmp_path):
    assert run(command, tmp_path / "no.rdb").code == 3
    assert run(command, tmp_path).code == 3


@pytest.mark.parametrize("command", COMMANDS)
def test_3_cannot_be_opened(command, tmp_path):
    """A link to itself: root, who may read everything, cannot open it either."""
    path = tmp_path / "loop.rdb"
    path.symlink_to(path)
    ran = run(command, path)
    assert ran.code == 3
    assert f"cannot open {path}: {os.strerror(errno.ELOOP)}" in ran.err


@pytest.mark.parametrize("command", COMMANDS)
def test_3_disk_full(command):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            arguments(command, DEFAULT), stdout=full, stderr=subprocess.PIPE, env=environment(), cwd=ROOT, check=False
        )
    assert done.returncode == 3
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_3_standard_output_closed(command):
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *arguments(command, DEFAULT)],
        stderr=subprocess.PIPE, env=environment(), cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr == b"rdbtool: cannot write to standard output: it is closed\n"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("data", [b"", b"hello, world", b"REDIS0099", b"VALKEY999"])
def test_4_unknown_format_or_version(command, data):
    ran = run(command, "-", stdin=data)
    assert ran.code == 4
    assert ran.err.startswith("rdbtool: ")


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "keys", "resp", "table"])
def test_141_and_silent_when_the_reader_goes_away(form, tmp_path):
    many = tmp_path / "many.rdb"
    record = b"\x00\x0akey-%06d\xc3\x09\x40\x40\x01yy\xe0\x33\x00\x01yy"
    many.write_bytes(b"REDIS0004\xfe\x00" + b"".join(record % number for number in range(50_000)) + b"\xff")
    assert closed_early(arguments("dump", "-f", form, many), 10) == (141, b"")


@pytest.mark.parametrize("command", ["info", "inspect", "digest"])
def test_141_for_small_outputs(command):
    words = ["sh", "-c", 'sleep 0.3; exec "$@"', "sh", *arguments(command, DEFAULT)]
    assert closed_early(words, 0) == (141, b"")


def closed_early(words, size):
    """Read ``size`` bytes of a command's output, close it, and return the exit code and standard error."""
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, env=environment(), cwd=ROOT) as process:
        process.stdout.read(size)
        process.stdout.close()
        return process.wait(60), process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_quietly_and_leave_no_file(number, tmp_path):
    pipe = subprocess.PIPE
    words = arguments("dump", "-o", tmp_path / "out", "-")
    with subprocess.Popen(
        words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(), cwd=ROOT, preexec_fn=hear_signals
    ) as process:
        process.stdin.write(DEFAULT.read_bytes()[:5000])
        process.stdin.flush()
        deadline = time.monotonic() + 20
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert process.stderr.read() == b""
        assert list(tmp_path.iterdir()) == []


def terminal_output(*words, code=0, **env):
    """Run a command on a terminal of its own and return what it showed."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        arguments(*words), stdin=follower, stdout=follower, stderr=follower, env=environment(**env), cwd=ROOT
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    assert process.wait(60) == code
    return shown.decode()


@pytest.mark.parametrize("command", ["dump", "inspect"])
def test_colour_on_a_terminal_unless_it_is_not_wanted(command):
    assert "\x1b[" in terminal_output(command, SMALL)
    assert "\x1b[" not in terminal_output(command, SMALL, NO_COLOR="1")
    assert "\x1b[" not in terminal_output(command, SMALL, TERM="dumb")
    assert b"\x1b" not in run(command, SMALL).out


def test_colour_in_a_pipe_where_it_is_asked_for():
    assert b"\x1b[" in run("inspect", SMALL, FORCE_COLOR="1").out
    assert b"\x1b[" in run("validate", SMALL, FORCE_COLOR="1").out
    assert b"\x1b" not in run("inspect", SMALL, FORCE_COLOR="1", NO_COLOR="1").out
    assert b"\x1b" not in run("dump", SMALL, FORCE_COLOR="1").out


@pytest.mark.parametrize(
    "words",
    [("dump", "-f", "resp", SMALL), ("convert", SMALL, "-", "--to", "rdb"), ("convert", SMALL, "-", "--to", "aof")],
)
def test_binary_data_is_not_for_a_terminal(words):
    assert "binary data is not for a terminal" in " ".join(terminal_output(*words, code=2).split())


def test_a_table_on_a_terminal_and_jsonl_in_a_pipe():
    assert " db  key " in terminal_output("dump", DEFAULT, NO_COLOR="1")
    assert run("dump", DEFAULT).out.startswith(b'{"rdb":')


def test_a_bug_is_70_and_says_so(tmp_path):
    code = "import rdbtool._entry as e, sys; e._dispatch = lambda a: 1 // 0; e.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment(), check=False)
    assert done.returncode == 70
    assert b"this is a bug" in done.stderr
    assert b"Traceback" not in done.stderr
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment(RDBTOOL_DEBUG="1"), check=False
    )
    assert b"Traceback" in done.stderr


def test_out_of_memory_is_3():
    code = "import rdbtool._entry as e\ndef fail(arguments): raise MemoryError\ne._dispatch = fail\ne.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment(), check=False)
    assert (done.returncode, done.stderr) == (3, b"rdbtool: out of memory\n")
