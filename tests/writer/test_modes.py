"""Outputs are never more open than what they are made of."""

import os
import shutil
import stat

import pytest
from command import FIXTURES, run

from rdbtool.writer.atomic.disk import permitted_mode

SOURCE = FIXTURES / "redis-7.0.15" / "default.rdb"
PARTS = FIXTURES / "redis-7.0.15" / "aof-plain"


@pytest.fixture(autouse=True)
def umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.rdb"
    shutil.copyfile(SOURCE, path)
    return path


@pytest.mark.parametrize(("mode", "expected"), [(0o600, 0o600), (0o640, 0o640), (0o644, 0o644), (0o666, 0o644),
                                                (0o400, 0o600), (0o604, 0o604)])  # fmt: skip
def test_new_files(source, tmp_path, mode, expected):
    source.chmod(mode)
    for words in (("dump", source, "-o"), ("convert", source), ("repair", source, "-o")):
        path = tmp_path / f"{words[0]}.rdb"
        assert run(*words, path).code == 0
        assert mode_of(path) == expected
    assert run("convert", source, tmp_path / "log", "--to", "aof-dir").code == 0
    assert {mode_of(path) for path in (tmp_path / "log").iterdir()} == {expected}


def test_the_umask_counts(source, tmp_path):
    source.chmod(0o666)
    os.umask(0o077)
    assert run("dump", source, "-o", tmp_path / "new").code == 0
    assert mode_of(tmp_path / "new") == 0o600


def test_files_that_are_replaced_become_no_more_open(source, tmp_path):
    source.chmod(0o600)
    new = tmp_path / "new.aof"
    for words in (("dump", source, "-o", new), ("convert", source, new)):
        new.touch()
        new.chmod(0o664)
        assert run(*words, "--force").code == 0
        assert mode_of(new) == 0o600
    source.chmod(0o644)
    new.chmod(0o640)
    assert run("convert", source, new, "--force").code == 0
    assert mode_of(new) == 0o640


def test_a_log_that_is_replaced_becomes_no_more_open(source, tmp_path):
    log = tmp_path / "log"
    assert run("convert", SOURCE, log, "--to", "aof-dir").code == 0
    source.chmod(0o600)
    assert run("convert", source, log, "--to", "aof-dir", "--force", "--server-stopped").code == 0
    assert {mode_of(path) for path in log.iterdir() if "base" in path.name} == {0o600}


@pytest.mark.parametrize("named", ["directory", "manifest"])
def test_the_most_restrictive_part_counts(tmp_path, named):
    log = tmp_path / "log"
    shutil.copytree(PARTS, log, copy_function=shutil.copyfile)
    next(log.glob("*.incr.aof")).chmod(0o600)
    source = log if named == "directory" else next(log.glob("*.manifest"))
    for words in (("dump", source, "-o"), ("convert", source), ("aof-rewrite", source, "-o")):
        path = tmp_path / f"{words[0]}.aof"
        assert run(*words, path).code == 0
        assert mode_of(path) == 0o600


def test_standard_input_is_the_umasks(tmp_path):
    assert run("dump", "-", "-o", tmp_path / "new", stdin=SOURCE.read_bytes()).code == 0
    assert mode_of(tmp_path / "new") == 0o644


def test_another_group_gets_what_others_got(source):
    source.chmod(0o640)
    group = source.stat().st_gid
    assert permitted_mode([str(source)], group) & 0o777 == 0o740
    assert permitted_mode([str(source)], group + 1) & 0o777 == 0o700
    source.chmod(0o644)
    assert permitted_mode([str(source)], group + 1) & 0o777 == 0o744
    assert permitted_mode([str(source), "no such file", "/dev/null"], group) & 0o777 == 0o744
    assert permitted_mode([], group) & 0o777 == 0o777
