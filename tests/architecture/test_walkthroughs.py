"""The walk-throughs of CONTRIBUTING.md name all files: in a copy, a dummy is added in them, and it works.

Nothing is compiled: the copy has the extensions of the tree under test.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from command import FIXTURES, environment

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()

#: What the tests of a dummy need of the tests.
KEPT_TESTS = (
    "conftest.py",
    "command.py",
    "server.py",
    "test_servers.py",
    "engine/test_table.py",
    "engine/test_strings.py",
)

SMALL = FIXTURES / "small" / "redis-7.0-listpacks-stream-function.rdb"


class Dummy(NamedTuple):
    """What is added: file → (text, the same with what is new). No text: at the end of the file."""

    section: str
    most_files: int
    changes: dict[str, tuple[str, str]]
    #: Words for pytest, and for rdbtool with what it prints.
    tests: tuple[str, ...]
    command: tuple[str | Path, ...]
    printed: str


AOF = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$4\r\nFLIP\r\n$3\r\nkey\r\n$2\r\nno\r\n*1\r\n$4\r\nEXEC\r\n"

RELEASE = Dummy(
    "Adding a server release",
    3,
    {
        "rdbtool/core/servers.py": ("(8, 10): 15,\n", "(8, 10): 15, (9, 9): 15,\n"),
        "docs/format.md": ("| 15 | 8.10 / trunk", "| 15 | 8.10, 9.9 / trunk"),
        "tests/test_servers.py": (
            "",
            "\n\ndef test_redis_9_9():\n    assert Rules.newest('redis') == Rules.parse('redis-9.9.1')\n",
        ),
    },
    ("tests/test_servers.py", "-k", "9_9 or first or writer"),
    (
        "convert",
        "--target",
        "redis-9.9",
        FIXTURES / "small" / "redis-7.0-listpacks-stream-function.rdb",
        "{tmp}/out.rdb",
    ),
    "redis-9.9",
)

COMMAND = Dummy(
    "Adding a command of a server",
    3,
    {
        "rdbtool/core/commands.py": ("\n[strings]\n", "\n[strings]\nFLIP -3 8.10.0 - 1 write\n"),
        "rdbtool/engine/commands/strings.py": (
            "",
            '\n\n@command("FLIP")\ndef flip(engine, argv):\n    engine.db.replace(argv[1], argv[2][::-1])\n',
        ),
        "tests/engine/test_strings.py": (
            "",
            "\n\ndef test_flip():\n    assert state(run('FLIP k no')) == {'k': ('on', None)}\n",
        ),
    },
    ("tests/engine/test_table.py", "tests/engine/test_strings.py", "-k", "flip or handler or rows or sets_of_names"),
    ("dump", "-f", "json", "{tmp}/flip.aof"),
    '"on"',
)


def section(title: str) -> str:
    """Return a section of the guide."""
    return re.split(r"^## ", GUIDE.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def listed(title: str) -> list[str]:
    """Return the files that the first paragraph of a section lists."""
    return re.findall(r"`([^`]+\.\w+)`", section(title).strip().split("\n\n")[0])


def link(source: str, target: str) -> None:
    """Copy a source; extensions are too large for that."""
    if source.endswith(".so"):
        Path(target).symlink_to(source)
    else:
        shutil.copyfile(source, target)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package and of a few tests."""
    ignored = shutil.ignore_patterns("*.c", "*.pyx", "*.pxd", "*.h", "__pycache__")
    shutil.copytree(ROOT / "rdbtool", tmp_path / "rdbtool", ignore=ignored, copy_function=link)
    for name in KEPT_TESTS:
        (tmp_path / "tests" / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / "tests" / name, tmp_path / "tests" / name)
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    (tmp_path / "docs").mkdir()
    shutil.copyfile(ROOT / "docs/format.md", tmp_path / "docs/format.md")
    (tmp_path / "flip.aof").write_bytes(AOF)
    return tmp_path


def started(tree: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *(str(word).replace("{tmp}", str(tree)) for word in words)],
        capture_output=True, text=True, cwd=tree, env=environment(PYTHONPATH=str(tree)), check=False,
    )  # fmt: skip


@pytest.mark.parametrize("dummy", [RELEASE, COMMAND], ids=lambda dummy: dummy.section)
def test_a_dummy_works_with_the_files_that_are_listed(dummy: Dummy, tree: Path) -> None:
    files = [name.replace("FAMILY", "strings") for name in listed(dummy.section)]
    assert len(files) <= dummy.most_files
    assert set(files) == dummy.changes.keys()
    for name, (before, after) in dummy.changes.items():
        text = (tree / name).read_text()
        assert text.count(before) == 1 or not before, name
        (tree / name).write_text(text.replace(before, after) if before else text + after)
    here = started(tree, "-c", "import rdbtool; print(rdbtool.__file__)")
    assert here.stdout.strip() == str(tree / "rdbtool" / "__init__.py"), here.stderr
    ran = started(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *dummy.tests)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    done = started(tree, "-c", "from rdbtool._entry import main; main()", *dummy.command)
    assert done.returncode == 0, done.stderr
    assert dummy.printed in done.stdout + done.stderr


def test_a_dummy_is_unknown_without_them(tree: Path) -> None:
    assert started(tree, "-c", "from rdbtool._entry import main; main()", *COMMAND.command).returncode == 1
    assert started(tree, "-c", "from rdbtool._entry import main; main()", *RELEASE.command).returncode == 2
