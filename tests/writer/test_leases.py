"""Leases: who is refused, who is noticed, and what is no break. Another process opens the files."""

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from rdbtool.writer.exclusive import leases
from rdbtool.writer.exclusive.leases import BusyError, Lease, NoLeasesError

pytestmark = pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="leases: this system has none")

#: Opens the file that it is given and waits for a line.
_OPEN = "import os, sys; os.open(sys.argv[1], getattr(os, sys.argv[2])); print('open', flush=True); sys.stdin.read(1)"


@contextlib.contextmanager
def opening(path, flag="O_RDONLY"):
    """Another process that opens the file, or waits until it can."""
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", _OPEN, path, flag], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.communicate(b"\n", timeout=60)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")
    return path


@pytest.fixture
def lease(file):
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    lease = Lease(descriptor)
    yield lease
    lease.release()
    os.close(descriptor)


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("flag", "refused"), [("O_RDONLY", {"write"}), ("O_WRONLY", {"read", "write"}), ("O_RDWR", {"read", "write"})]
)
def test_who_has_the_file_open_decides_what_is_granted(file, lease, flag, refused):
    with opening(file, flag) as other:
        assert other.stdout.readline() == b"open\n"
        for kind in ("read", "write"):
            if kind in refused:
                with pytest.raises(BusyError):
                    lease.take(kind)
            else:
                lease.take(kind)
            assert not lease.is_broken()


@pytest.mark.parametrize(("kind", "flag"), [("write", "O_RDONLY"), ("write", "O_WRONLY"), ("read", "O_WRONLY")])
def test_who_comes_later_waits_and_is_noticed(file, lease, kind, flag):
    lease.take(kind)
    with opening(file, flag) as other:
        wait_until(lease.is_broken)
        assert other.poll() is None
        lease.release()
        assert other.stdout.readline() == b"open\n"
    assert not lease.is_broken()


def test_a_reader_goes_along_with_a_read_lease(file, lease):
    lease.take("write")
    lease.take("read")
    with opening(file) as other:
        assert other.stdout.readline() == b"open\n"
        assert not lease.is_broken()
        with pytest.raises(BusyError):
            lease.take("write")
        assert lease.is_held
        assert not lease.is_broken()


def test_who_does_not_want_to_wait_is_noticed_too_and_so_is_the_own_process(file, lease):
    lease.take("write")
    with pytest.raises(BlockingIOError):
        os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    assert lease.is_broken()


def test_what_goes_through_the_open_file_is_no_break_but_opening_its_descriptor_is(file, lease):
    lease.take("write")
    copy = os.dup(lease._descriptor)
    assert os.pread(copy, 4, 0) == b"some"
    os.close(copy)
    file.stat()
    os.link(file, file.with_name("link"))
    file.with_name("other").write_bytes(b"new")
    file.with_name("other").replace(file)
    file.with_name("link").replace(file)
    assert not lease.is_broken()
    with pytest.raises(BlockingIOError):
        os.open(f"/proc/self/fd/{lease._descriptor}", os.O_RDONLY | os.O_NONBLOCK)
    assert lease.is_broken()


def test_releasing_what_the_kernel_has_ended_is_nothing_special(file, lease, monkeypatch):
    """It does so when somebody has waited for 45 seconds, and then knows of no lease to release."""
    lease.take("write")
    call = fcntl.fcntl
    released = []

    def release(descriptor, command, argument=0):
        if (command, argument) == (fcntl.F_SETLEASE, fcntl.F_UNLCK):
            call(descriptor, command, argument)
            released.append(descriptor)
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return call(descriptor, command, argument)

    with monkeypatch.context() as patched:
        patched.setattr(leases.fcntl, "fcntl", release)
        lease.release()
    assert released == [lease._descriptor]
    assert not lease.is_held


def test_a_break_is_seen_when_the_name_is_another_files(file, lease):
    lease.take("write")
    with opening(file) as other:
        wait_until(lease.is_broken)
        file.with_name("other").write_bytes(b"new")
        file.with_name("other").replace(file)
        assert lease.is_broken()
        lease.release()
        assert other.stdout.readline() == b"open\n"


def test_a_break_leaves_signals_alone(file):
    """The default of SIGIO, which a lease would send, ends the process."""
    received = []
    before = signal.signal(signal.SIGIO, lambda number, _frame: received.append(number))

    def hold():
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        lease = Lease(descriptor)
        lease.take("write")
        with opening(file):
            wait_until(lease.is_broken)
            lease.release()
        os.close(descriptor)

    try:
        hold()
        thread = threading.Thread(target=hold)
        thread.start()
        thread.join()
    finally:
        signal.signal(signal.SIGIO, before)
    assert received == []


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.EACCES, "owner of the file"), (errno.EINVAL, "its file system has none"), (errno.ENOLCK, "No locks")],
)
def test_where_there_are_none_the_reason_is_said(lease, monkeypatch, number, reason):
    def refuse(_descriptor, command, _argument=0):
        if command == fcntl.F_SETLEASE:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(leases.fcntl, "fcntl", refuse)
    with pytest.raises(NoLeasesError, match=reason):
        lease.take("write")
    assert not lease.is_held


def test_pipes_have_none():
    inlet, outlet = os.pipe()
    with pytest.raises(NoLeasesError, match="file system has none"):
        Lease(inlet).take("read")
    os.close(inlet)
    os.close(outlet)


def test_a_system_without_leases(file, lease, monkeypatch):
    monkeypatch.setattr(leases, "_SET", None)
    with pytest.raises(NoLeasesError, match="this system has none"):
        lease.take("write")
    assert not lease.is_broken()
