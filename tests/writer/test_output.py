"""Outputs that appear whole or not at all."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from command import hear_signals

from rdbtool.core.errors import InputError
from rdbtool.writer.atomic.output import open_output


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
        pytest.raises(InputError, match="it is the input"),
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
    code = "from rdbtool.writer.atomic.output import open_output\nwith open_output('/dev/stdout') as o: o.write(b'two')"
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
        "from rdbtool.writer.atomic.output import open_output\n"
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


def stale(directory, target, kind="tmp"):
    """A name as a killed run leaves it."""
    return directory / f".{target}.0123456789abcdef.rdbtool.{kind}"


def test_a_check_sees_the_finished_file_before_it_has_its_name(tmp_path):
    target = tmp_path / "out"
    seen = []

    def check(path):
        assert not target.exists()
        seen.append(Path(path).read_bytes())

    with open_output(str(target)) as output:
        assert output.verify_with(check)
        output.write(b"data")
        assert output.written == 4
        assert not seen
    assert seen == [b"data"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("force", [False, True])
def test_a_check_refuses(tmp_path, force):
    target = tmp_path / "out"
    if force:
        target.write_bytes(b"old")

    def check(_path):
        raise InputError("not what was meant")

    with pytest.raises(InputError, match="not what was meant"), open_output(str(target), force=force) as output:
        output.verify_with(check)
        output.write(b"new")
    assert names(tmp_path) == ["out"] * force
    assert not force or target.read_bytes() == b"old"


def test_what_is_written_through_cannot_be_checked():
    with open_output("/dev/null") as output:
        assert not output.verify_with(lambda path: pytest.fail("called"))
        output.write(b"x")


def test_space_is_looked_at_first(tmp_path):
    system = os.statvfs(tmp_path)
    needs = system.f_blocks * system.f_frsize + 1
    with pytest.raises(InputError) as caught, open_output(str(tmp_path / "out"), needs=needs):
        pytest.fail("opened")
    words = str(caught.value)
    assert f"needs {needs} bytes" in words
    assert "are free" in words
    assert names(tmp_path) == []
    with open_output(str(tmp_path / "out"), needs=1):
        pass


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_a_new_file_is_as_the_umask_says(tmp_path, umask):
    before = os.umask(umask)
    try:
        with open_output(str(tmp_path / "out")):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o666 & ~umask


def test_what_replaces_a_file_is_private_until_it_does(tmp_path):
    target = tmp_path / "out"
    target.write_bytes(b"old")
    target.chmod(0o664)
    with open_output(str(target), force=True):
        (temporary,) = set(tmp_path.iterdir()) - {target}
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
    assert stat.S_IMODE(target.stat().st_mode) == 0o664


@pytest.mark.skipif(os.geteuid() != 0, reason="owners are root's to give")
def test_the_owner_is_kept(tmp_path):
    target = tmp_path / "out"
    target.write_bytes(b"old")
    os.chown(target, 12345, 54321)
    with open_output(str(target), force=True) as output:
        output.write(b"new")
    status = target.stat()
    assert (status.st_uid, status.st_gid) == (12345, 54321)


@pytest.mark.skipif(os.geteuid() != 0, reason="owners are root's to give")
@pytest.mark.parametrize(("mode", "refused"), [(0o600, False), (0o644, False), (0o640, True), (0o660, True)])
def test_another_group_gets_nothing_that_was_a_groups_alone(mode, refused):
    code = (
        "import os, sys\n"
        "from rdbtool.core.errors import InputError\n"
        "from rdbtool.writer.atomic.output import open_output\n"
        # What is imported late may be another's.
        "import re, rdbtool.writer.atomic.whole_file\n"
        "os.setgroups([]); os.setgid(23456); os.setuid(23456)\n"
        "try:\n"
        "    with open_output(sys.argv[1], force=True) as output: output.write(b'new')\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )
    # Not below a directory that is the tester's alone.
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        target = Path(place, "out")
        target.write_bytes(b"old")
        target.chmod(mode)
        os.chown(target, 0, 54321)
        done = subprocess.run([sys.executable, "-c", code, target], capture_output=True, text=True, check=False)
        assert done.stderr == ""
        assert ("its group (54321) cannot be kept" in done.stdout) is refused
        assert target.read_bytes() == (b"old" if refused else b"new")
        assert stat.S_IMODE(target.stat().st_mode) == mode
        assert names(Path(place)) == ["out"]


@pytest.mark.parametrize("kind", ["tmp", "old"])
def test_what_a_killed_run_left_is_removed(tmp_path, kind):
    stale(tmp_path, "out", kind).write_bytes(b"half")
    with open_output(str(tmp_path / "out")) as output:
        output.write(b"x")
    assert names(tmp_path) == ["out"]


def test_what_a_killed_run_left_is_removed_though_the_file_exists(tmp_path):
    (tmp_path / "out").write_bytes(b"whole")
    stale(tmp_path, "out").hardlink_to(tmp_path / "out")
    with pytest.raises(InputError, match="it exists"), open_output(str(tmp_path / "out")):
        pytest.fail("opened")
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out").read_bytes() == b"whole"


@pytest.mark.parametrize(
    "name",
    [
        ".other.0123456789abcdef.rdbtool.tmp",
        ".out.0123456789abcdef.tmp",
        ".out.0123456789abcde.rdbtool.tmp",
        ".out.0123456789abcdef.rdbtool.tmp.bak",
        "out.0123456789abcdef.rdbtool.tmp",
        ".out.rdbtool.tmp",
    ],
)
def test_what_only_looks_like_it_stays(tmp_path, name):
    (tmp_path / name).write_bytes(b"theirs")
    with open_output(str(tmp_path / "out")):
        pass
    assert names(tmp_path) == sorted([name, "out"])


def test_links_to_elsewhere_are_not_followed(tmp_path):
    (tmp_path / "precious").write_bytes(b"theirs")
    stale(tmp_path, "out").symlink_to(tmp_path / "precious")
    with open_output(str(tmp_path / "out")):
        pass
    assert (tmp_path / "precious").read_bytes() == b"theirs"


def test_a_living_writers_file_stays(tmp_path):
    (tmp_path / "out").write_bytes(b"old")
    with open_output(str(tmp_path / "out"), force=True) as one:
        one.write(b"one")
        with open_output(str(tmp_path / "out"), force=True) as other:
            other.write(b"other")
        assert (tmp_path / "out").read_bytes() == b"other"
        assert len(names(tmp_path)) == 2
    assert (tmp_path / "out").read_bytes() == b"one"
    assert names(tmp_path) == ["out"]


def test_a_living_writers_file_stays_while_it_is_checked(tmp_path):
    (tmp_path / "out").write_bytes(b"old")

    def check(path):
        with open_output(str(tmp_path / "out"), force=True) as other:
            other.write(b"other")
        assert os.path.exists(path)

    with open_output(str(tmp_path / "out"), force=True) as one:
        one.write(b"one")
        one.verify_with(check)
    assert (tmp_path / "out").read_bytes() == b"one"
    assert names(tmp_path) == ["out"]


def test_after_a_failing_sync_nothing_is_renamed(tmp_path, monkeypatch):
    (tmp_path / "out").write_bytes(b"old")

    def fail(_descriptor):
        raise OSError(5, "Input/output error")

    with (
        pytest.raises(InputError, match=r"cannot write to .*out: Input/output error"),
        open_output(str(tmp_path / "out"), force=True) as output,
    ):
        output.write(b"new")
        monkeypatch.setattr(os, "fsync", fail)
    assert (tmp_path / "out").read_bytes() == b"old"
    assert names(tmp_path) == ["out"]


def test_a_long_name_has_a_temporary_one_too(tmp_path):
    name = "ü" * 127
    with open_output(str(tmp_path / name)) as output:
        output.write(b"x")
    assert names(tmp_path) == [name]


def test_without_hard_links_the_file_is_renamed(tmp_path, monkeypatch):
    def refuse(*_names, **_options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with open_output(str(tmp_path / "out")) as output:
        output.write(b"x")
    assert names(tmp_path) == ["out"]
    with pytest.raises(InputError, match="File exists"), open_output(str(tmp_path / "other")) as output:
        (tmp_path / "other").write_bytes(b"theirs")
    assert (tmp_path / "other").read_bytes() == b"theirs"
    assert names(tmp_path) == ["other", "out"]
