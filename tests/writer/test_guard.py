"""A guarded log: who holds it is found, who comes is noticed, and servers lose nothing by either.

The judge of the latter is a real server: what it acknowledged is there after it was killed and started again.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
import server

from rdbtool.core.errors import FormatError, InputError
from rdbtool.core.manifest import read_manifest
from rdbtool.reader.aof.reader import AofReader, open_aof
from rdbtool.reader.open.dispatch import open_any
from rdbtool.reader.open.files import list_parts, load_manifest
from rdbtool.writer.exclusive import guard as guards
from rdbtool.writer.exclusive import leases
from rdbtool.writer.exclusive.guard import Guard
from rdbtool.writer.exclusive.holders import HeldError
from rdbtool.writer.exclusive.lock import LOCK_NAME

pytestmark = pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="leases: this system has none")

SET = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"

#: Opens the file that it is given and waits for a line.
_OPEN = "import os, sys; os.open(sys.argv[1], getattr(os, sys.argv[2])); print('open', flush=True); sys.stdin.read(1)"

#: Locks the file that it is given and waits for a line.
_LOCK = (
    "import fcntl, os, sys; d = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT); fcntl.flock(d, fcntl.LOCK_EX); "
    "print('open', flush=True); sys.stdin.read(1)"
)


@contextlib.contextmanager
def other_process(program, *arguments):
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.communicate(b"\n", timeout=60)


@contextlib.contextmanager
def holding(path, flag="O_RDONLY"):
    """Another process that has the file open."""
    with other_process(_OPEN, path, flag) as process:
        assert process.stdout.readline() == b"open\n"
        yield process


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def is_broken(guard):
    try:
        guard.check()
    except HeldError:
        return True
    return False


@pytest.fixture
def manifest(tmp_path):
    """A multi-part log that nobody holds."""
    (tmp_path / "a.aof.1.base.aof").write_bytes(SET)
    (tmp_path / "a.aof.1.incr.aof").write_bytes(SET)
    path = tmp_path / "a.aof.manifest"
    path.write_bytes(b"file a.aof.1.base.aof seq 1 type b\nfile a.aof.1.incr.aof seq 1 type i\n")
    return path


@pytest.fixture
def single(tmp_path):
    path = tmp_path / "appendonly.aof"
    path.write_bytes(SET * 3)
    return path


def guard_of(path, **options):
    """The guard of a log that is a single file or has a manifest, which finds out itself what belongs to it."""
    return Guard(path.parent, None, path, **options)


def guard_of_files(path, **options):
    """The same, told the files."""
    if path.suffix != ".manifest":
        return Guard(path.parent, [path], path, **options)
    files = [path.parent / entry.name for entry in load_manifest(path).loaded]
    return Guard(path.parent, files, path, **options)


def without_sight(monkeypatch):
    """As in a container, from which the processes outside cannot be seen."""
    monkeypatch.setattr(guards, "find_holders", lambda *_arguments: [])


def without_leases(monkeypatch):
    monkeypatch.setattr(leases, "_SET", None)


# The files alone, and other processes.


@pytest.mark.parametrize("make", [guard_of, guard_of_files])
def test_the_log_is_read_while_it_is_guarded(manifest, make):
    content = manifest.read_bytes()
    with make(manifest) as guard:
        assert not guard.is_single
        assert guard.read_commit() == content
        with guard.open_commit() as stream:
            assert stream.read() == content
        with AofReader(list_parts(read_manifest(guard.read_commit(), manifest))) as reader:
            assert reader.check(progress=lambda _at: guard.check()) == 2
        guard.check_unchanged()
        assert guard.no_leases is None


def test_the_lock_is_gone_afterwards_and_files_are_closed(manifest):
    before = sorted(path.name for path in manifest.parent.iterdir())
    descriptors = len(os.listdir("/proc/self/fd"))
    with guard_of(manifest):
        assert (manifest.parent / LOCK_NAME).exists()
    with pytest.raises(KeyError), guard_of(manifest):
        raise KeyError
    assert sorted(path.name for path in manifest.parent.iterdir()) == before
    assert len(os.listdir("/proc/self/fd")) == descriptors
    with manifest.open("r+b"):
        pass


def test_two_guards_of_one_log(manifest):
    with guard_of(manifest) as first:
        with pytest.raises(HeldError, match="another rdbtool is working in"), guard_of(manifest):
            pytest.fail("entered")
        first.check_unchanged()
        assert (manifest.parent / LOCK_NAME).exists()
    with guard_of(manifest):
        pass


def test_the_lock_of_another_process(manifest):
    lock = manifest.parent / LOCK_NAME
    with other_process(_LOCK, lock) as other:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(HeldError, match="another rdbtool is working in"), guard_of(manifest):
            pytest.fail("entered")
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert lock.exists()
        with guard_of(manifest):
            pass
    assert not lock.exists()


def test_one_at_a_time_of_many(manifest):
    """The lock file is removed and made anew all the time; never do two hold it."""
    inside, most, refused = [], [], []

    def work():
        for _ in range(60):
            try:
                with guards.lock_directory(manifest.parent):
                    inside.append(1)
                    most.append(len(inside))
                    time.sleep(0)
                    inside.pop()
            except HeldError:
                refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(most) + len(refused) == 240
    assert not (manifest.parent / LOCK_NAME).exists()


def test_a_directory_that_cannot_be_locked(manifest):
    (manifest.parent / LOCK_NAME).mkdir()
    with (
        pytest.raises(InputError, match=r"cannot lock .* by \.rdbtool\.lock in it: Is a directory"),
        guard_of(manifest),
    ):
        pytest.fail("entered")


@pytest.mark.parametrize(
    ("name", "flag", "words"),
    [
        ("a.aof.manifest", "O_RDONLY", "is being read by"),
        ("a.aof.manifest", "O_WRONLY", "is open for writing in"),
        ("a.aof.1.base.aof", "O_RDONLY", "is being read by"),
        ("a.aof.1.incr.aof", "O_WRONLY", "is open for writing in"),
    ],
)
def test_who_has_a_file_open_is_named(manifest, name, flag, words):
    with holding(manifest.with_name(name), flag) as other:
        with pytest.raises(HeldError) as caught, guard_of(manifest):
            pytest.fail("entered")
        assert f"{name} {words}" in str(caught.value)
        assert f"(process {other.pid})" in str(caught.value)
        assert caught.value.exit_code == 3
    with guard_of(manifest):
        pass


@pytest.mark.parametrize("name", ["a.aof.manifest", "a.aof.1.base.aof", "a.aof.1.incr.aof"])
@pytest.mark.parametrize(
    ("flag", "words"), [("O_RDONLY", " is open in a process"), ("O_WRONLY", "open for writing in")]
)
def test_who_cannot_be_seen_is_refused_too(manifest, monkeypatch, name, flag, words):
    without_sight(monkeypatch)
    words = f"{name}.*{words}.*that cannot be seen from here"
    with holding(manifest.with_name(name), flag), pytest.raises(HeldError, match=words), guard_of(manifest):
        pytest.fail("entered")


@pytest.mark.parametrize(
    ("name", "flag"),
    [("a.aof.manifest", "O_RDONLY"), ("a.aof.1.base.aof", "O_WRONLY"), ("a.aof.1.incr.aof", "O_WRONLY")],
)
def test_who_comes_meanwhile_is_noticed_and_waits(manifest, name, flag):
    with contextlib.ExitStack() as stack:
        with guard_of(manifest) as guard:
            other = stack.enter_context(other_process(_OPEN, manifest.with_name(name), flag))
            wait_until(lambda: is_broken(guard))
            for check in (guard.check, guard.check_unchanged, guard.after_commit):
                with pytest.raises(HeldError, match=f"is starting, opened .*{name}"):
                    check()
            assert other.poll() is None
        assert other.stdout.readline() == b"open\n"
        guard.check()


def test_who_comes_while_the_guard_begins(manifest, monkeypatch):
    """As a server between two files that it loads: all of them are reserved while processes are looked at."""
    incr = manifest.with_name("a.aof.1.incr.aof")
    with contextlib.ExitStack() as stack:
        begun = []

        def look(*_arguments):
            begun.append(stack.enter_context(other_process(_OPEN, incr, "O_RDONLY")))
            time.sleep(0.5)
            return []

        monkeypatch.setattr(guards, "find_holders", look)
        with pytest.raises(HeldError, match=r"is starting, opened .*incr"), guard_of(manifest):
            pytest.fail("entered")
        assert len(begun) == 1


@pytest.mark.parametrize("leased", [True, False])
def test_what_changed_is_noticed(manifest, monkeypatch, leased):
    if not leased:
        without_leases(monkeypatch)
    base = manifest.with_name("a.aof.1.base.aof")

    def replace(path):
        path.with_name("new").write_bytes(path.read_bytes() if path == base else b"x")
        path.with_name("new").replace(path)

    changes = {
        "replaced by another file": lambda: replace(manifest.with_name("a.aof.1.base.aof")),
        "changed meanwhile: something": lambda: os.utime(base, ns=(0, 0)),
        "changed meanwhile: No such file": lambda: base.rename(base.with_name("away")),
        "manifest was replaced": lambda: replace(manifest),
    }
    for words, change in changes.items():
        before = {path: path.read_bytes() for path in manifest.parent.iterdir()}
        with guard_of(manifest, server_stopped=True) as guard:
            guard.check_unchanged()
            change()
            guard.check()
            with pytest.raises(HeldError, match=words):
                guard.check_unchanged()
        for path, data in before.items():
            path.write_bytes(data)


def test_a_manifest_that_looks_as_before_is_compared(manifest, monkeypatch):
    without_leases(monkeypatch)
    with guard_of(manifest, server_stopped=True) as guard:
        status = manifest.stat()
        manifest.write_bytes(manifest.read_bytes().replace(b"seq 1 type i", b"seq 2 type i"))
        os.utime(manifest, ns=(status.st_atime_ns, status.st_mtime_ns))
        with pytest.raises(HeldError, match="manifest changed meanwhile"):
            guard.check_unchanged()


def test_a_manifest_that_was_rotated_before_the_guard_began(manifest):
    guard = guard_of_files(manifest)
    manifest.with_name("a.aof.2.incr.aof").write_bytes(b"")
    with manifest.open("ab") as file:
        file.write(b"file a.aof.2.incr.aof seq 2 type i\n")
    with pytest.raises(HeldError, match=r"it now names a\.aof\.2\.incr\.aof"), guard:
        pytest.fail("entered")


@pytest.mark.parametrize("content", [b"", b"# nothing\n"])
def test_an_empty_manifest_is_no_empty_log(manifest, content):
    manifest.write_bytes(content)
    if content:
        with guard_of(manifest) as guard:
            assert not guard.is_single
    else:
        with pytest.raises(FormatError, match="MAN001"), guard_of(manifest):
            pytest.fail("entered")
    assert not (manifest.parent / LOCK_NAME).exists()


def test_a_file_that_is_missing(manifest):
    guard = guard_of(manifest)
    manifest.with_name("a.aof.1.base.aof").unlink()
    with pytest.raises(InputError, match=r"cannot open .*base.aof: No such file"), guard:
        pytest.fail("entered")
    assert not (manifest.parent / LOCK_NAME).exists()


def test_a_deleted_file_of_the_log_that_somebody_holds(manifest):
    incr = manifest.with_name("a.aof.1.incr.aof")
    other = manifest.with_name("unrelated")
    other.write_bytes(b"")
    with holding(other, "O_WRONLY"):
        other.unlink()
        with guard_of(manifest):
            pass
    with holding(incr, "O_WRONLY") as process:
        incr.unlink()
        incr.write_bytes(SET)
        words = rf"process {process.pid}\) has .*incr.aof open, which was deleted"
        with pytest.raises(HeldError, match=words), guard_of(manifest):
            pytest.fail("entered")


# Logs that are one file.


@pytest.mark.parametrize("make", [guard_of, guard_of_files])
def test_a_single_log_is_read_through_the_guard(single, make):
    with make(single) as guard:
        assert guard.is_single
        with guard.open_commit() as stream, open_aof(stream, name=str(single)) as reader:
            assert reader.check() == 3
        with guard.open_commit() as first, guard.open_commit() as second, open_any(second) as reader:
            assert first.read(7) == SET[:7]
            assert isinstance(reader, AofReader)
            assert reader.check() == 3
            assert first.read() == (SET * 3)[7:]
            assert second.name == str(single)
        guard.check_unchanged()
        with pytest.raises(ValueError, match="open_commit"):
            guard.read_commit()


def test_a_stream_that_outlives_the_guard_holds_nobody_up(single):
    with guard_of(single) as guard:
        stream = guard.open_commit()
    with holding(single, "O_WRONLY"):
        assert stream.read(4) == SET[:4]
    stream.close()


def test_a_single_log_that_somebody_begins_to_read(single):
    with contextlib.ExitStack() as stack, guard_of(single) as guard:
        stack.enter_context(other_process(_OPEN, single, "O_RDONLY"))
        wait_until(lambda: is_broken(guard))
        with pytest.raises(HeldError, match=r"is starting, opened .*appendonly\.aof"):
            guard.check_unchanged()
        # The other one waits for the guard, which ends first.
        guard.__exit__(None, None, None)


# Where there are no leases.


def test_without_leases_somebody_has_to_say_that_no_server_runs(manifest, monkeypatch):
    without_leases(monkeypatch)
    with pytest.raises(InputError) as caught, guard_of(manifest):
        pytest.fail("entered")
    assert not isinstance(caught.value, HeldError)
    assert str(caught.value).endswith("no leases (this system has none); stop the server and say server_stopped=True")
    with guard_of(manifest, server_stopped=True) as guard:
        assert guard.no_leases == "this system has none"
        guard.check()
        guard.check_unchanged()
        guard.after_commit()
    incr = manifest.with_name("a.aof.1.incr.aof")
    for stopped in (True, False):
        guard = guard_of(manifest, server_stopped=stopped)
        with holding(incr, "O_WRONLY"), pytest.raises(HeldError, match=r"incr\.aof is open for writing in "), guard:
            pytest.fail("entered")


def test_without_leases_who_comes_is_seen_before_the_swap_and_after_it(manifest, monkeypatch):
    without_leases(monkeypatch)
    with guard_of(manifest, server_stopped=True) as guard:
        with holding(manifest):
            for check in (guard.check_unchanged, guard.after_commit):
                with pytest.raises(HeldError, match="is being read by"):
                    check()
        guard.check_unchanged()


def test_saying_that_no_server_runs_does_not_make_it_so(manifest, monkeypatch):
    without_sight(monkeypatch)
    incr = manifest.with_name("a.aof.1.incr.aof")
    guard = guard_of(manifest, server_stopped=True)
    with holding(incr, "O_WRONLY"), pytest.raises(HeldError, match="open for writing"), guard:
        pytest.fail("entered")


def test_files_of_somebody_else():
    """A real refusal: the base is the system's, and this process nobody special while it asks."""
    own = os.geteuid()
    with tempfile.TemporaryDirectory(prefix="rdbtool-guard-") as name:
        manifest = Path(name) / "a.aof.manifest"
        manifest.write_bytes(b"file a.aof.1.base.aof seq 1 type b\n")
        manifest.with_name("a.aof.1.base.aof").symlink_to("/etc/passwd")
        if own == 0:
            for path in (Path(name), manifest):
                os.chown(path, 65534, -1)
            os.seteuid(65534)
        try:
            with pytest.raises(InputError, match=r"no leases .they are for the owner of the file"), guard_of(manifest):
                pytest.fail("entered")
            with guard_of(manifest, server_stopped=True) as guard:
                assert guard.no_leases is not None
                # The others are leased all the same.
                with pytest.raises(BlockingIOError):
                    os.open(manifest, os.O_RDONLY | os.O_NONBLOCK)
                with pytest.raises(HeldError, match="manifest"):
                    guard.check()
        finally:
            os.seteuid(own)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOLCK])
def test_a_file_system_without_leases(manifest, monkeypatch, number):
    class Refusing:
        def take(self, kind):
            raise leases.NoLeasesError(os.strerror(number))

    monkeypatch.setattr(leases.Lease, "take", Refusing.take)
    with pytest.raises(InputError, match="no leases"), guard_of(manifest):
        pytest.fail("entered")
    with guard_of(manifest, server_stopped=True) as guard:
        guard.check_unchanged()


# Real servers.


class Node:
    """A server that can be started without waiting for it, killed, and started again on the same files."""

    def __init__(self, tools, directory):
        self.tools = tools
        self.directory = directory
        self.process = None
        self.client = None

    @property
    def manifest(self):
        return self.directory / "appendonlydir" / "appendonly.aof.manifest"

    @property
    def log(self):
        return self.directory / "server.log"

    def begin(self, **config):
        settings = {
            "port": "0",
            "unixsocket": str(self.directory / "s"),
            "dir": str(self.directory),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            **config,
        }
        words = [word for key, value in settings.items() for word in (f"--{key.replace('_', '-')}", value)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([self.tools.server, *words], stdout=log, stderr=subprocess.STDOUT)

    def connect(self):
        self.client = server._connect(self.process, self.directory / "s", self.log)
        return self.client

    def start(self, **config):
        self.begin(**config)
        return self.connect()

    def kill(self):
        if self.client is not None:
            self.client.close()
            self.client = None
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def node(redis_tools):
    # Not the test's own directory: the path of a socket is 107 bytes long at most.
    with tempfile.TemporaryDirectory(prefix="rdbtool-guard-") as name:
        node = Node(redis_tools, Path(name))
        yield node
        node.kill()


def fill(node, count=100):
    """Make a log of several parts that nobody holds."""
    client = node.start()
    for number in range(count):
        client("SET", f"old:{number}", number)
    node.kill()


def test_a_running_server_is_found_every_time_and_loses_nothing(node, monkeypatch):
    client = node.start()
    sight = guards.find_holders
    for number in range(50):
        assert client("SET", f"key:{number}", number) == b"OK"
        monkeypatch.setattr(guards, "find_holders", sight if number % 2 else lambda *_arguments: [])
        words = rf"open for writing in redis-server \(process {node.process.pid}\)" if number % 2 else "cannot be seen"
        with (
            pytest.raises(HeldError, match=rf"incr\.aof .*{words}"),
            guard_of(node.manifest, server_stopped=number > 25),
        ):
            pytest.fail("entered")
        assert client("RPUSH", "list", number) == number + 1
    node.kill()
    client = node.start()
    assert client("DBSIZE") == 51
    assert client("LLEN", "list") == 50
    assert client("GET", "key:49") == b"49"


@pytest.mark.parametrize("how", ["renamed", "deleted"])
def test_a_server_whose_log_was_taken_away(node, how):
    client = node.start()
    client("SET", "k", "v")
    log = node.manifest.parent
    if how == "renamed":
        moved = log.rename(log.with_name("moved"))
        words = "open for writing in redis-server"
    else:
        shutil.copytree(log, log.with_name("copy"))
        shutil.rmtree(log)
        moved = log.with_name("copy").rename(log)
        words = "has .*incr.aof open, which was deleted"
    with pytest.raises(HeldError, match=words) as caught, guard_of(moved / node.manifest.name):
        pytest.fail("entered")
    assert f"process {node.process.pid}" in str(caught.value)


def test_a_server_that_is_loading_and_cannot_be_seen(node, monkeypatch):
    """It has read the manifest and only reads the files: no read lease would find it."""
    fill(node, 50)
    manifest = node.manifest
    node.begin(key_load_delay="40000")
    incr = load_manifest(manifest).incrs[-1].name
    reading = manifest.parent / incr

    def is_loading():
        links = Path(f"/proc/{node.process.pid}/fd").iterdir()
        return any(os.path.realpath(link) == str(reading.resolve()) for link in list(links))

    wait_until(is_loading)
    without_sight(monkeypatch)
    with pytest.raises(HeldError, match=r"incr\.aof is open in a process that cannot be seen"), guard_of(manifest):
        pytest.fail("entered")
    assert node.connect()("DBSIZE") == 50


def test_a_server_that_starts_meanwhile_is_noticed_and_starts_when_the_guard_ends(node):
    fill(node)
    node.log.unlink()
    with guard_of(node.manifest) as guard:
        node.begin()
        wait_until(lambda: is_broken(guard))
        with pytest.raises(HeldError, match=r"perhaps a server that is starting, opened .*manifest"):
            guard.check_unchanged()
        assert node.process.poll() is None
        assert "DB loaded" not in node.log.read_text()
    client = node.connect()
    assert client("DBSIZE") == 100
    assert "DB loaded" in node.log.read_text()
    client("SET", "new", 1)
    node.kill()
    assert node.start()("DBSIZE") == 101


def test_a_server_that_begins_between_the_last_look_and_the_commit(node):
    fill(node)
    manifest = node.manifest
    before = manifest.read_bytes()
    kept = manifest.with_name("kept")
    new = manifest.with_name("new")
    shutil.copyfile(manifest.with_name("appendonly.aof.1.base.rdb"), manifest.with_name("appendonly.aof.2.base.rdb"))
    new.write_bytes(b"file appendonly.aof.2.base.rdb seq 2 type b\n")
    with guard_of(manifest) as guard:
        guard.check_unchanged()
        os.link(manifest, kept)
        node.begin()
        wait_until(lambda: is_broken(guard))
        new.replace(manifest)
        with pytest.raises(HeldError, match="is starting, opened"):
            guard.after_commit()
        kept.replace(manifest)
        assert guard.read_commit() == before
    client = node.connect()
    assert client("DBSIZE") == 100
    assert manifest.read_bytes() == before
    client("SET", "new", 1)
    node.kill()
    assert node.start()("DBSIZE") == 101


def test_a_server_that_begins_after_the_commit_reads_the_new_log_at_once(node):
    fill(node)
    manifest = node.manifest
    with guard_of(manifest) as guard:
        guard.check_unchanged()
        # Without the commands: what a point-in-time recovery could have made.
        shutil.copyfile(
            manifest.with_name("appendonly.aof.1.base.rdb"), manifest.with_name("appendonly.aof.2.base.rdb")
        )
        manifest.with_name("appendonly.aof.2.incr.aof").write_bytes(b"")
        manifest.with_name("new").write_bytes(
            b"file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n"
        )
        manifest.with_name("new").replace(manifest)
        guard.after_commit()
        assert node.start()("DBSIZE") == 0
        guard.after_commit()


def test_a_server_without_a_log_of_its_own_is_not_found(node):
    """It has none of the files open, and writes to none: there is nothing to find and nothing to lose."""
    fill(node)
    client = node.start(appendonly="no")
    client("SET", "k", "v")
    with guard_of(node.manifest) as guard:
        guard.check_unchanged()
    with guard_of(node.manifest) as guard:
        # Told to keep one it writes its own, without a look at the one that is there.
        before = node.manifest.stat().st_ino
        assert client("CONFIG", "SET", "appendonly", "yes") == b"OK"
        wait_until(lambda: node.manifest.stat().st_ino != before)
        guard.check()
        with pytest.raises(HeldError):
            guard.check_unchanged()
    assert client("DBSIZE") == 1
