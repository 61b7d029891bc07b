"""Long commands say on a terminal which pass is running over which file, and how much of it is done."""

import io
import re

import pytest
from command import FIXTURES

from rdbtool.core.progress import begin_pass, polling
from rdbtool.operations.convert.convert import ConvertOptions, convert
from rdbtool.operations.convert.rewrite import RewriteOptions, rewrite
from rdbtool.operations.diff.compare import open_diff
from rdbtool.operations.validate.run import validate
from rdbtool.operations.validate.verdict import Checks
from rdbtool.report import progress_bar
from rdbtool.report.progress_bar import ProgressBar

RDB = FIXTURES / "redis-7.0.15" / "default.rdb"
AOF = FIXTURES / "redis-7.0.15" / "aof-preamble"


class Passes:
    """A progress callback that keeps the passes, and how far each came."""

    def __init__(self):
        self.passes = []
        self.done = []

    def __call__(self, done):
        assert self.passes, "bytes before any pass"
        self.done[-1] = done

    def begin_pass(self, action, name, total, left):
        self.passes.append((action, name.rpartition("/")[2], left))
        self.done.append(0)


def rewritten(tmp_path, seen):
    rewrite(str(AOF), RewriteOptions(destination=str(tmp_path / "new") + "/"), seen)


@pytest.mark.parametrize(
    ("run", "passes"),
    [
        (lambda to, seen: validate(str(RDB), Checks(), seen), [("checking", "default.rdb", 0)]),
        (
            lambda to, seen: validate(str(AOF), Checks(), seen),
            [("checking", "appendonly.aof.manifest", 1), ("replaying", "appendonly.aof.manifest", 0)],
        ),
        (
            lambda to, seen: convert(str(RDB), str(to / "x.jsonl"), ConvertOptions(), seen),
            [("writing", "", 1), ("reading back", "", 0)],
        ),
        (
            lambda to, seen: convert(str(AOF), str(to / "x.rdb"), ConvertOptions(), seen),
            [("replaying", "appendonly.aof.manifest", 2), ("writing", "", 1), ("reading back", "", 0)],
        ),
        (
            rewritten,
            [("replaying", "appendonly.aof.manifest", 2), ("writing", "", 1), ("reading back", "", 0)],
        ),
        (
            lambda to, seen: open_diff(str(RDB), str(AOF), None, seen).close(),
            [
                ("replaying", "appendonly.aof.manifest", None),
                ("reading", "default.rdb", 1),
                ("reading", "appendonly.aof.manifest", 0),
            ],
        ),
    ],
    ids=["validate-rdb", "validate-aof", "convert-rdb", "convert-aof", "aof-rewrite", "diff"],
)
def test_passes(run, passes, tmp_path):
    seen = Passes()
    run(tmp_path, seen)
    assert seen.passes == passes


def test_a_plain_function_is_told_of_bytes_only():
    told = []
    begin_pass(told.append, "reading", "x", 3)
    begin_pass(None, "reading", "x", 3)
    assert told == []


def test_polling_passes_passes_on():
    seen = Passes()
    looks = []
    progress = polling(lambda: looks.append(1), seen)
    begin_pass(progress, "reading", "x", 3)
    progress(2)
    assert (seen.passes, seen.done, looks) == ([("reading", "x", 0)], [2], [1])


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_terminal_shows_pass_name_and_sizes(columns, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress_bar, "_PATIENCE", 0.0)
    for name, value in (("COLUMNS", str(columns)), ("TERM", "xterm"), ("LINES", "25")):
        monkeypatch.setenv(name, value)
    with ProgressBar(enabled=True) as bar:
        bar.begin_pass("replaying", "/backups/" + "deep/" * 40 + "appendonly.aof", 64 << 20, 2)
        bar(16 << 20)
        bar._bar.refresh()
        bar.begin_pass("writing", "", None, 1)
        bar(1 << 20)
        bar._bar.refresh()
    shown = terminal.getvalue()
    assert re.search(r"pass 1 of 3: replaying …\S*nly\.aof ", shown)
    assert "16.0/64.0 MiB" in shown
    assert "pass 2 of 3: writing" in shown
    assert "1.0/? MiB" in shown


def test_nothing_is_shown_elsewhere(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(progress_bar, "_PATIENCE", 0.0)
    with ProgressBar(enabled=True) as bar:
        bar.begin_pass("reading", "x", 10, 0)
        bar(5)
    assert stream.getvalue() == ""
