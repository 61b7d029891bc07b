"""New logs, and logs that take the place of others. What faults do to them is told in tests/crash."""

import os
import signal
import stat
import threading
from pathlib import Path

import pytest
from command import FIXTURES

from rdbtool.core.errors import InputError
from rdbtool.core.manifest import read_manifest
from rdbtool.writer.aofdir.directory import NewBase, clean_strays, create_log, find_manifest, replace_file, replace_log
from rdbtool.writer.atomic.temporary import Temporary, make_name
from rdbtool.writer.exclusive.guard import Guard
from rdbtool.writer.exclusive.holders import HeldError

MANIFEST = "appendonly.aof.manifest"


def fine(_path):
    """Find nothing wrong."""


def base_of(data, form="rdb", check=fine):
    return NewBase(form, lambda output: output.write(data), check)


NEW = base_of(b"new")


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def load(path):
    return read_manifest(path.read_bytes(), path)


@pytest.fixture
def log(tmp_path):
    """A log as a server leaves it after two rewrites, with a file of its history."""
    directory = tmp_path / "appendonlydir"
    directory.mkdir()
    for name, data in {
        "appendonly.aof.2.base.rdb": b"base",
        "appendonly.aof.1.incr.aof": b"gone by",
        "appendonly.aof.3.incr.aof": b"three",
        "appendonly.aof.4.incr.aof": b"four",
        MANIFEST: b"file appendonly.aof.2.base.rdb seq 2 type b\n"
        b"file appendonly.aof.1.incr.aof seq 1 type h\n"
        b"file appendonly.aof.1.base.rdb seq 1 type h\n"
        b"file appendonly.aof.3.incr.aof seq 3 type i\n"
        b"file appendonly.aof.4.incr.aof seq 4 type i\n",
    }.items():
        (directory / name).write_bytes(data)
    return directory


REPLACED = {
    "appendonly.aof.3.base.rdb": b"new",
    "appendonly.aof.5.incr.aof": b"",
    MANIFEST: b"file appendonly.aof.3.base.rdb seq 3 type b\nfile appendonly.aof.5.incr.aof seq 5 type i\n",
}


# New logs.


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("form", ["rdb", "aof"])
def test_a_new_log(tmp_path, form, is_there):
    directory = tmp_path / "log"
    if is_there:
        directory.mkdir(mode=0o750)
    manifest = create_log(directory, base_of(b"new", form))
    assert contents(directory) == {
        f"appendonly.aof.1.base.{form}": b"new",
        "appendonly.aof.1.incr.aof": b"",
        MANIFEST: b"file appendonly.aof.1.base.%b seq 1 type b\n" % form.encode()
        + b"file appendonly.aof.1.incr.aof seq 1 type i\n",
    }
    assert manifest == load(directory / MANIFEST)
    assert os.listdir(tmp_path) == ["log"]
    if is_there:
        assert stat.S_IMODE(directory.stat().st_mode) == 0o750


def test_a_new_log_is_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        create_log(tmp_path / "log", NEW)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o750
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "log").iterdir()} == {0o640}


def test_names_that_need_quotes(tmp_path):
    manifest = create_log(tmp_path / "log", NEW, name='my "log" ü')
    path = tmp_path / "log" / 'my "log" ü.manifest'
    assert load(path) == manifest
    assert all((tmp_path / "log" / entry.name).exists() for entry in manifest.entries)


@pytest.mark.parametrize("name", ["back\\slash", "x" * 300])
def test_names_that_no_log_can_have(tmp_path, name):
    with pytest.raises(InputError):
        create_log(tmp_path / "log", NEW, name=name)
    assert os.listdir(tmp_path) == []


def test_a_directory_with_other_files_keeps_them(tmp_path):
    (tmp_path / "dump.rdb").write_bytes(b"theirs")
    create_log(tmp_path, NEW)
    assert contents(tmp_path)["dump.rdb"] == b"theirs"
    assert len(contents(tmp_path)) == 4


def test_a_name_that_is_taken_is_refused(tmp_path):
    (tmp_path / "appendonly.aof.1.incr.aof").write_bytes(b"theirs")
    with pytest.raises(InputError, match=r"appendonly\.aof\.1\.incr\.aof exists there"):
        create_log(tmp_path, NEW, force=True)
    assert contents(tmp_path) == {"appendonly.aof.1.incr.aof": b"theirs"}


def test_a_file_in_the_place_of_the_directory(tmp_path):
    (tmp_path / "log").write_bytes(b"theirs")
    with pytest.raises(InputError, match="not a directory"):
        create_log(tmp_path / "log", NEW, force=True)


def test_a_log_that_is_there_is_refused_or_replaced(log):
    before = contents(log)
    with pytest.raises(InputError, match=r"it holds an AOF \(use force=True"):
        create_log(log, NEW)
    assert contents(log) == before
    assert create_log(log, NEW, force=True) == load(log / MANIFEST)
    assert contents(log) == REPLACED


def test_two_manifests_are_refused(log):
    (log / "other.manifest").write_bytes((log / MANIFEST).read_bytes())
    with pytest.raises(InputError, match="2 manifests"):
        create_log(log, NEW, force=True)


def test_a_damaged_manifest_is_an_input_error(log):
    (log / MANIFEST).write_bytes(b"\n")
    with pytest.raises(InputError, match="MAN003"):
        create_log(log, NEW, force=True)
    assert find_manifest(log) == log / MANIFEST


@pytest.mark.parametrize("is_there", [False, True])
def test_a_check_that_refuses_a_new_log(tmp_path, is_there):
    directory = tmp_path / "log"
    if is_there:
        directory.mkdir()

    def refuse(path):
        assert Path(path).read_bytes() == b"new"
        raise InputError("not what was meant")

    with pytest.raises(InputError, match="not what was meant"):
        create_log(directory, base_of(b"new", check=refuse))
    assert directory.exists() is is_there
    assert not is_there or contents(directory) == {}
    assert os.listdir(tmp_path) == ["log"] * is_there


def test_too_little_space_is_told_before_anything_is_made(tmp_path, log):
    before = contents(log)
    for work in (
        lambda: create_log(tmp_path / "new", NEW, needs=1 << 62),
        lambda: replace_log(load(log / MANIFEST), NEW, needs=1 << 62),
        lambda: replace_file(log / "appendonly.aof.3.incr.aof", NEW, needs=1 << 62),
    ):
        with pytest.raises(InputError, match=f"needs {1 << 62} bytes, and [0-9]+ are free"):
            work()
    assert contents(log) == before
    assert not (tmp_path / "new").exists()


# Logs that are replaced.


def test_a_log_is_replaced(log):
    done = replace_log(load(log / MANIFEST), NEW)
    assert contents(log) == REPLACED
    assert done.manifest == load(log / MANIFEST)
    assert done.base_size == 3
    assert done.kept is None
    assert set(done.removed) == {
        "appendonly.aof.2.base.rdb",
        "appendonly.aof.3.incr.aof",
        "appendonly.aof.4.incr.aof",
        "appendonly.aof.1.incr.aof",
    }


def test_names_that_are_taken_are_left_out(log):
    (log / "appendonly.aof.3.base.rdb").write_bytes(b"theirs")
    done = replace_log(load(log / MANIFEST), NEW)
    assert [entry.name for entry in done.manifest.entries] == ["appendonly.aof.4.base.rdb", "appendonly.aof.5.incr.aof"]
    assert contents(log)["appendonly.aof.3.base.rdb"] == b"theirs"


def test_a_log_without_files_and_one_without_a_base(tmp_path):
    (tmp_path / MANIFEST).write_bytes(b"# nothing yet\n")
    replace_log(load(tmp_path / MANIFEST), NEW)
    assert sorted(contents(tmp_path)) == ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof", MANIFEST]
    (tmp_path / MANIFEST).write_bytes(b"file appendonly.aof.1.incr.aof seq 1 type i\n")
    replace_log(load(tmp_path / MANIFEST), base_of(b"again"))
    assert contents(tmp_path)["appendonly.aof.2.base.rdb"] == b"again"
    # The first base was named by no manifest any more: nobody knows whose it was.
    assert contents(tmp_path)["appendonly.aof.1.base.rdb"] == b"new"


def test_a_bare_old_name_is_replaced_too(tmp_path):
    (tmp_path / "appendonly.aof").write_bytes(b"old")
    (tmp_path / MANIFEST).write_bytes(b"file appendonly.aof seq 1 type b\n")
    replace_log(load(tmp_path / MANIFEST), NEW)
    assert sorted(contents(tmp_path)) == ["appendonly.aof.1.incr.aof", "appendonly.aof.2.base.rdb", MANIFEST]


def test_numbers_that_cannot_grow_are_refused(tmp_path):
    (tmp_path / "b").write_bytes(b"old")
    (tmp_path / MANIFEST).write_bytes(b"file b seq 9223372036854775807 type b\n")
    before = contents(tmp_path)
    with pytest.raises(InputError, match="no manifest can hold"):
        replace_log(load(tmp_path / MANIFEST), NEW)
    assert contents(tmp_path) == before


def test_modes_are_kept(log):
    (log / "appendonly.aof.2.base.rdb").chmod(0o640)
    (log / "appendonly.aof.4.incr.aof").chmod(0o660)
    (log / MANIFEST).chmod(0o604)
    replace_log(load(log / MANIFEST), NEW)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in log.iterdir()}
    assert modes == {"appendonly.aof.3.base.rdb": 0o640, "appendonly.aof.5.incr.aof": 0o660, MANIFEST: 0o604}


@pytest.mark.skipif(os.geteuid() != 0, reason="owners are root's to give")
def test_owners_are_kept(log):
    for path in log.iterdir():
        os.chown(path, 12345, 54321)
    replace_log(load(log / MANIFEST), NEW)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in log.iterdir()} == {(12345, 54321)}


def test_owners_that_cannot_be_kept_are_refused(log, monkeypatch):
    """The server could not write to the files of somebody else."""
    before = contents(log)
    manifest = load(log / MANIFEST)

    def anothers(path, **options):
        values = list(os.stat(path, **options))
        values[stat.ST_UID] += 1
        return os.stat_result(values)

    def refuse(*_arguments):
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fchown", refuse)
        patch.setattr(Path, "stat", anothers)
        with pytest.raises(InputError, match=r"its owner and group .* cannot be kept"):
            replace_log(manifest, NEW)
    assert contents(log) == before


def test_a_symbolic_link_to_the_directory_stays(log):
    (log.parent / "link").symlink_to(log)
    replace_log(load(log.parent / "link" / MANIFEST), NEW)
    assert (log.parent / "link").is_symlink()
    assert contents(log) == REPLACED


@pytest.mark.parametrize("place", ["write", "check", "guard", "after"])
@pytest.mark.parametrize("error", [InputError, KeyboardInterrupt, HeldError])
@pytest.mark.parametrize("keep", [False, True])
def test_whoever_objects_the_old_log_stays(log, place, error, keep):
    before = contents(log)
    status = (log / MANIFEST).stat()

    def object_to(*_arguments):
        if place == "after":
            assert load(log / MANIFEST).base.name == "appendonly.aof.3.base.rdb"
        else:
            assert (log / MANIFEST).read_bytes() == before[MANIFEST]
        raise error("no")

    base = NewBase("rdb", object_to if place == "write" else NEW.write, object_to if place == "check" else fine)
    hooks = {"guard": {"commit_guard": object_to}, "after": {"after_commit": object_to}}.get(place, {})
    backup = log.parent / "backup"
    with pytest.raises(error, match="no"):
        replace_log(load(log / MANIFEST), base, keep_old=backup if keep else None, **hooks)
    assert contents(log) == before
    # The file itself came back, so whoever has it open has the log.
    assert os.path.samestat((log / MANIFEST).stat(), status)
    assert not backup.exists()


def test_an_interruption_at_the_commit_waits_for_its_end(log):
    def interrupt():
        # To this thread, and no other that the test runner may have.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    # Whoever started the tests may have had the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            replace_log(load(log / MANIFEST), NEW, after_commit=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert contents(log) == REPLACED


def test_an_old_file_that_cannot_be_removed_is_told(log, monkeypatch):
    def refuse(path, **_options):
        if path.name == "appendonly.aof.3.incr.aof":
            raise PermissionError(13, "Permission denied")
        original(path, **_options)

    original = Path.unlink
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(InputError, match=r"the new AOF is in place, but: .*appendonly\.aof\.3\.incr\.aof"):
        replace_log(load(log / MANIFEST), NEW)
    monkeypatch.undo()
    assert contents(log).items() >= REPLACED.items()
    # The next run knows what they are.
    replace_log(load(log / MANIFEST), base_of(b"newer"))
    assert sorted(contents(log)) == ["appendonly.aof.4.base.rdb", "appendonly.aof.6.incr.aof", MANIFEST]


@pytest.mark.parametrize("links", [True, False])
def test_old_files_are_kept(log, links, monkeypatch):
    before = contents(log)
    if not links:
        refuse_links(monkeypatch)
    (log / "appendonly.aof.2.base.rdb").chmod(0o640)
    os.utime(log / "appendonly.aof.2.base.rdb", (1, 2))
    backup = log.parent / "backup"
    done = replace_log(load(log / MANIFEST), NEW, keep_old=backup)
    assert contents(log) == REPLACED
    assert done.kept.parent == backup
    assert done.kept.name.startswith("appendonly.aof.2")
    assert contents(done.kept) == before
    status = (done.kept / "appendonly.aof.2.base.rdb").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o640, 2)
    again = replace_log(load(log / MANIFEST), NEW, keep_old=backup)
    assert again.kept != done.kept
    assert contents(again.kept) == REPLACED
    assert contents(done.kept) == before
    assert len(os.listdir(backup)) == 2


def refuse_links(monkeypatch):
    def refuse(*_names, **_options):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)


def test_without_hard_links_all_is_the_same(log, monkeypatch):
    refuse_links(monkeypatch)
    before = contents(log)

    def refuse():
        raise HeldError("no")

    for hooks in ({"commit_guard": refuse}, {"after_commit": refuse}):
        with pytest.raises(HeldError):
            replace_log(load(log / MANIFEST), NEW, **hooks)
        assert contents(log) == before
    replace_log(load(log / MANIFEST), NEW)
    assert contents(log) == REPLACED
    create_log(log.parent / "new", NEW)
    assert len(contents(log.parent / "new")) == 3


# Single files.


@pytest.mark.parametrize("place", ["write", "check", "guard", "after"])
def test_a_single_file_stays_where_somebody_objects(tmp_path, place):
    path = tmp_path / "appendonly.aof"
    path.write_bytes(b"old")
    status = path.stat()

    def object_to(*_arguments):
        assert path.read_bytes() == (b"new" if place == "after" else b"old")
        raise HeldError("no")

    base = NewBase("aof", object_to if place == "write" else NEW.write, object_to if place == "check" else fine)
    hooks = {"guard": {"commit_guard": object_to}, "after": {"after_commit": object_to}}.get(place, {})
    with pytest.raises(HeldError):
        replace_file(path, base, keep_old=tmp_path / "backup", **hooks)
    assert contents(tmp_path) == {"appendonly.aof": b"old"}
    assert os.path.samestat(path.stat(), status)


def test_a_single_file_is_replaced_and_kept(tmp_path):
    path = tmp_path / "appendonly.aof"
    path.write_bytes(b"old")
    path.chmod(0o640)
    done = replace_file(path, NEW, keep_old=tmp_path / "backup")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert contents(done.kept) == {"appendonly.aof": b"old"}
    assert sorted(os.listdir(tmp_path)) == ["appendonly.aof", "backup"]


def test_a_single_file_is_copied_through_what_has_it_open(tmp_path, monkeypatch):
    path = tmp_path / "appendonly.aof"
    path.write_bytes(b"old" * 1_000_000)
    refuse_links(monkeypatch)
    opened = []

    def open_old():
        opened.append(path.open("rb"))
        return opened[-1]

    done = replace_file(path, NEW, keep_old=tmp_path / "backup", open_old=open_old)
    assert contents(done.kept) == {"appendonly.aof": b"old" * 1_000_000}
    assert len(opened) == 2
    assert all(stream.closed for stream in opened)


# What killed runs leave; how they come to do so is told in tests/crash.


def claim(path, kind="tmp"):
    """Give a file the temporary name that tells whose it is."""
    name = make_name(path, kind)
    name.hardlink_to(path)
    return name


def test_new_files_that_no_manifest_names_go_and_others_stay(log):
    before = contents(log)
    stray = log / "appendonly.aof.3.base.rdb"
    stray.write_bytes(b"ours")
    claim(stray)
    (log / "appendonly.aof.4.base.rdb").write_bytes(b"theirs")
    make_name(log / "appendonly.aof.9.base.rdb", "tmp").write_bytes(b"half")
    claim(log / MANIFEST)
    claim(log / MANIFEST, "old")
    claim(log / "appendonly.aof.3.incr.aof")
    claim(log / "appendonly.aof.4.incr.aof", "old")
    clean_strays(log, load(log / MANIFEST))
    assert contents(log) == before | {"appendonly.aof.4.base.rdb": b"theirs"}


def test_old_files_that_no_manifest_names_go(log):
    for name in ("appendonly.aof.2.base.rdb", "appendonly.aof.3.incr.aof"):
        claim(log / name, "old")
    (log / MANIFEST).write_bytes(b"file appendonly.aof.4.incr.aof seq 4 type i\n")
    clean_strays(log, load(log / MANIFEST))
    assert sorted(contents(log)) == ["appendonly.aof.1.incr.aof", "appendonly.aof.4.incr.aof", MANIFEST]


def test_without_a_manifest_old_files_stay(log):
    (log / MANIFEST).unlink()
    before = contents(log)
    for name in before:
        claim(log / name, "old")
    clean_strays(log)
    assert contents(log) == before


def test_a_name_that_somebody_took_meanwhile_stays(log):
    stray = log / "appendonly.aof.3.base.rdb"
    stray.write_bytes(b"ours")
    claim(stray)
    stray.unlink()
    stray.write_bytes(b"theirs")
    before = {name: data for name, data in contents(log).items() if not name.startswith(".")}
    clean_strays(log, load(log / MANIFEST))
    assert contents(log) == before


def test_what_a_living_run_has_stays(log):
    manifest = load(log / MANIFEST)
    second = claim(log / MANIFEST, "old")
    with Temporary(log / "appendonly.aof.3.base.rdb", "x", 0o600) as living:
        clean_strays(log, manifest)
        assert living.path.exists()
        assert second.exists()
    clean_strays(log, manifest)
    assert not second.exists()


def test_a_directory_that_a_killed_run_left_goes(tmp_path):
    left = make_name(tmp_path / "log", "tmp")
    left.mkdir()
    (left / "appendonly.aof.1.base.rdb").write_bytes(b"half")
    create_log(tmp_path / "log", NEW)
    assert os.listdir(tmp_path) == ["log"]


# Together with others.


def test_nothing_here_disturbs_the_guard(log):
    manifest = load(log / MANIFEST)
    files = [log / entry.name for entry in manifest.loaded]
    claim(log / MANIFEST, "old")
    claim(log / "appendonly.aof.4.incr.aof", "old")
    with Guard(log, files, log / MANIFEST) as guard:
        manifest = read_manifest(guard.read_commit(), log / MANIFEST)
        replace_log(
            manifest,
            NEW,
            keep_old=log.parent / "backup",
            commit_guard=guard.check_unchanged,
            after_commit=guard.after_commit,
        )
    assert contents(log) == REPLACED


@pytest.mark.parametrize("links", [True, False])
def test_nothing_here_disturbs_the_guard_of_a_single_file(tmp_path, links, monkeypatch):
    path = tmp_path / "appendonly.aof"
    path.write_bytes(b"old")
    if not links:
        refuse_links(monkeypatch)
    with Guard(tmp_path, [path], path) as guard:
        replace_file(
            path,
            NEW,
            keep_old=tmp_path / "backup",
            commit_guard=guard.check_unchanged,
            after_commit=guard.after_commit,
            open_old=guard.open_commit,
        )
    assert path.read_bytes() == b"new"


@pytest.mark.server
def test_a_server_starts_from_a_new_and_from_a_replaced_log(tmp_path, start_server):
    """Its own files in, and after a rewrite of ours it goes on: writes, restarts, rewrites itself."""
    data = (FIXTURES / "redis-7.0.15" / "default.rdb").read_bytes()
    log = tmp_path / "appendonlydir"
    create_log(log, base_of(data))
    config = {"appendonly": "yes"}
    with start_server(files={"appendonlydir": log}, config=config) as running:
        count = running.client("DBSIZE")
        assert isinstance(count, int)
        assert count > 10
        running.client("SET", "added", "here")
        running.client("CONFIG", "SET", "appendfsync", "always")
        digest = running.digest()
        names = sorted(os.listdir(running.directory / "appendonlydir"))
        kept = {name: (running.directory / "appendonlydir" / name).read_bytes() for name in names}
    assert kept["appendonly.aof.1.incr.aof"]
    for name, content in kept.items():
        (log / name).write_bytes(content)
    replace_log(load(log / MANIFEST), base_of(data))
    with start_server(files={"appendonlydir": log}, config=config) as running:
        assert running.client("DBSIZE") == count
        assert running.digest() != digest
        running.client("SET", "added", "here")
        assert running.digest() == digest
        running.client("BGREWRITEAOF")
