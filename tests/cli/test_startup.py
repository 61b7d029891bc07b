"""A small file is dumped without paying for what it does not need."""

import subprocess
import sys

import pytest
from command import FIXTURES, ROOT, environment

from rdbtool.cli.overview import SUMMARIES

SMALL = FIXTURES / "small" / "redis-7.0-listpacks-stream-function.rdb"


def imported(*words):
    code = (
        # What the interpreter's start imports, such as the finder of an editable installation, is not ours.
        "import sys\n"
        "before = set(sys.modules)\n"
        "import rdbtool._entry as entry\n"
        "code = entry.run(sys.argv[1:])\n"
        "sys.stderr.write(' '.join(sorted(set(sys.modules) - before)))\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stderr.split()} | set(done.stderr.split())


def test_version_imports_nothing():
    assert {"typer", "rich", "rdbtool.core.errors", "rdbtool.cli"} & imported("--version") == set()


@pytest.mark.parametrize("form", ["jsonl", "json", "keys", "resp"])
def test_dump_imports_no_more_than_it_needs(form):
    heavy = {"typer", "rich", "construct", "lz4", "backports", "lzf", "pydantic", "importlib.metadata"}
    heavy |= {
        "dataclasses",
        "datetime",
        "decimal",
        "json",
        "shutil",
        "subprocess",
        "tempfile",
        "threading",
        "pathlib",
        "pickle",
        "shlex",
        "typing",
        "rdbtool.api",
    }
    assert heavy & imported("dump", "-f", form, SMALL) == set()


@pytest.mark.parametrize("words", [["--no-replay"], ["-q", "--no-replay", "--jobs=1"]])
def test_a_check_of_framing_imports_little(words):
    log = FIXTURES / "redis-7.0.15" / "aof-plain" / "appendonly.aof.2.base.aof"
    spared = {"typer", "dataclasses", "inspect", "rdbtool.reader.rdb", "rdbtool.engine.engine"}
    if "-q" in words:
        spared |= {"collections", "contextlib", "functools", "pathlib", "pickle", "re", "types", "typing"}
    assert spared & imported("validate", *words, log) == set()


def test_a_check_of_a_sound_rdb_imports_little():
    spared = {
        "collections",
        "contextlib",
        "functools",
        "mmap",
        "pickle",
        "resource",
        "select",
        "signal",
        "typer",
        "types",
        "typing",
        "zlib",
        "rdbtool._codec.filters.tee",
        "rdbtool._codec.sinks.records",
        "rdbtool.core.commands",
        "rdbtool.core.forks",
        "rdbtool.core.manifest",
        "rdbtool.io.pipes",
        "rdbtool.model.values",
        "rdbtool.operations.json_shapes",
        "rdbtool.operations.validate.checks.record_rules",
        "rdbtool.operations.validate.checks.structure",
        "rdbtool.reader.reading_place",
        "rdbtool.report.progress_bar",
    }
    # Without a function library, whose header is found by a pattern.
    assert (
        spared & imported("validate", "-q", FIXTURES / "small" / "valkey-9.0-hash-with-field-ttl-slot-import.rdb")
        == set()
    )


def test_the_end_of_the_process_waits_for_exit_functions_and_output():
    code = (
        "import atexit, sys\n"
        "from rdbtool._entry import main\n"
        "atexit.register(sys.stdout.write, 'without a newline')\n"
        "sys.argv = ['rdbtool', *sys.argv[1:]]\n"
        "main()"
    )
    for word, returned in (("--version", 0), ("no-command", 2)):
        done = subprocess.run(
            [sys.executable, "-c", code, word], capture_output=True, text=True, env=environment(), check=False
        )
        assert done.returncode == returned
        assert done.stdout.endswith("without a newline")


def test_importing_the_library_is_free():
    code = "import sys; before = set(sys.modules); import rdbtool; print(' '.join(sorted(set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    ours = [name for name in done.stdout.split() if name.startswith("rdbtool.")]
    assert ours == []


@pytest.mark.parametrize("command", [name for name in SUMMARIES if name != "completion"])
def test_help_runs_nothing(command):
    work = ("rdbtool.operations", "rdbtool.reader", "rdbtool.report", "rdbtool.engine", "rdbtool._codec", "rich")
    assert [name for name in imported(command, "--help") if name.startswith(work)] == []


def test_dump_of_an_rdb_imports_no_table_of_commands():
    rare = {"rdbtool.core.commands", "rdbtool.core.wrappers", "rdbtool.reader.open.lost_manifest"}
    assert rare & imported("dump", SMALL) == set()


@pytest.mark.parametrize("command", ["dump", "info", "digest"])
def test_the_engine_is_for_logs_only(command):
    def is_engine(name):
        return name.startswith("rdbtool.engine")

    assert not any(map(is_engine, imported(command, SMALL)))
    assert any(map(is_engine, imported(command, FIXTURES / "redis-7.0.15" / "aof-timestamps")))


@pytest.mark.parametrize(("backend", "is_read"), [("codec", False), ("grammar", True)])
def test_the_environment_says_who_decodes(backend, is_read, monkeypatch):
    monkeypatch.setattr("command.IGNORED", set())
    monkeypatch.setenv("RDBTOOL_BACKEND", backend)
    assert ("construct" in imported("digest", SMALL)) is is_read


def test_the_library_reads_no_environment():
    program = (
        "import os, sys\nos.environ['RDBTOOL_BACKEND'] = 'grammar'\n"
        "import rdbtool\nprint(rdbtool.digest(sys.argv[1]), 'construct' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, SMALL], capture_output=True, text=True, env=environment(), check=True
    )
    assert done.stdout.split()[1] == "False"


def test_the_command_itself_imports_nothing():
    """For an entry point some installers write a script that imports re."""
    code = (
        "import atexit, sys\n"
        "before = set(sys.modules)\n"
        "sys.argv = sys.argv[1:]\n"
        "atexit.register(lambda: print(*sorted(set(sys.modules) - before), file=sys.stderr))\n"
        "exec(open(sys.argv[0]).read())"
    )
    words = [sys.executable, "-c", code, ROOT / "bin" / "rdbtool", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout.startswith("rdbtool ")
    assert {"collections", "enum", "functools", "re"} & set(done.stderr.split()) == set()


def test_the_package_runs():
    words = [sys.executable, "-m", "rdbtool"]
    assert subprocess.run([*words, "--version"], capture_output=True, text=True, check=True).stdout.startswith(
        "rdbtool "
    )
    ran = subprocess.run([*words, "dump", "none.rdb"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (3, "rdbtool: cannot open none.rdb: No such file or directory\n")
