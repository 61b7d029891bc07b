"""Outputs that appear whole or not at all."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest
from command import hear_signals

from rdbtool.errors import InputError
from rdbtool.writer.output import open_output


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_file_appears_when_the_block_ends_and_not_before(tmp_path):
    target = tmp_path / "out"
    with open_output(str(target)) as output:
        output.write(b"one ")
        output.write(memoryview(b"two"))
        assert not target.exists()
    assert target.read_bytes() == b"one two"
    assert names(tmp_path) == ["out"]


def test_mode_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with open_output(str(tmp_path / "out")):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, InputError, OSError])
def test_nothing_remains_after_an_error(tmp_path, error):
    with pytest.raises(error), open_output(str(tmp_path / "out")) as output:
        output.write(b"half")
        raise error("stop")
    assert names(tmp_path) == []


def test_an_existing_file_is_refused_and_untouched(tmp_path):
    target = tmp_path / "out"
    target.write_bytes(b"precious")
    with pytest.raises(InputError, match="it exists"), open_output(str(target)):
        pytest.fail("opened")
    assert target.read_bytes() == b"precious"
    assert names(tmp_path) == ["out"]


def test_force_replaces_and_keeps_the_mode(tmp_path):
    target = tmp_path / "out"
    target.write_bytes(b"old")
    target.chmod(0o600)
    with open_output(str(target), force=True) as output:
        output.write(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert names(tmp_path) == ["out"]


def test_force_keeps_the_old_file_after_an_error(tmp_path):
    target = tmp_path / "out"
    target.write_bytes(b"old")
    with pytest.raises(ValueError), open_output(str(target), force=True) as output:
        output.write(b"new")
        raise ValueError
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("alias", ["source", "link", "hard"])
def test_the_source_is_never_replaced(tmp_path, alias):
    source = tmp_path / "source"
    source.write_bytes(b"data")
    (tmp_path / "link").symlink_to(source)
    (tmp_path / "hard").hardlink_to(source)
    with (
        pytest.raises(InputError, match="it is the source"),
        open_output(str(tmp_path / alias), force=True, sources=[str(source)]),
    ):
        pytest.fail("opened")
    assert source.read_bytes() == b"data"


def test_a_name_taken_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "out"
    with pytest.raises(InputError), open_output(str(target)) as output:
        output.write(b"mine")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert names(tmp_path) == ["out"]


def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with open_output(str(tmp_path / "link")) as output:
        output.write(b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"x"


def test_a_directory_and_a_missing_directory_are_refused(tmp_path):
    with pytest.raises(InputError, match="directory"), open_output(str(tmp_path)):
        pytest.fail("opened")
    with pytest.raises(InputError, match="No such file"), open_output(str(tmp_path / "no" / "out")):
        pytest.fail("opened")


def test_a_named_pipe_is_written_through(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    with open_output(str(pipe)) as output:
        output.write(b"through")
    reader.join()
    assert got == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_dev_stdout_appends_to_a_redirected_file(tmp_path):
    target = tmp_path / "out"
    code = "from rdbtool.writer.output import open_output\nwith open_output('/dev/stdout') as o: o.write(b'two')"
    with target.open("wb") as stream:
        stream.write(b"one ")
        stream.flush()
        subprocess.run([sys.executable, "-c", code], stdout=stream, check=True)
    assert target.read_bytes() == b"one two"


def test_a_full_disk_is_our_error():
    with pytest.raises(InputError, match="No space left"), open_output("/dev/full") as output:
        output.write(b"x")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_removes_the_temporary_file(tmp_path, number):
    code = (
        "import sys, time, rdbtool._entry as entry\n"
        "from rdbtool.writer.output import open_output\n"
        "def work(arguments):\n"
        "    with open_output(arguments[0]) as output:\n"
        "        output.write(b'half')\n"
        "        while True: time.sleep(0.01)\n"
        "entry._dispatch = work\n"
        "entry.main()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "out")], preexec_fn=hear_signals)
    deadline = time.monotonic() + 20
    while not names(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert names(tmp_path) != []
    process.send_signal(number)
    assert process.wait(20) == 128 + number
    assert names(tmp_path) == []
