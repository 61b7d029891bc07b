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
    "support/command.py",
    "support/sampling.py",
    "support/server.py",
    "core/test_servers.py",
    "engine/test_table.py",
    "engine/test_strings.py",
    "support/specimen.py",
    "grammar/test_versions.py",
)

SMALL = FIXTURES / "small" / "redis-7.0-listpacks-stream-function.rdb"


class Dummy(NamedTuple):
    """What is added: file → (text, the same with what is new). No text: at the end of the file, which may be new.

    ``family`` stands for FAMILY in the names of the files.
    """

    section: str
    most_files: int
    changes: dict[str, tuple[str, str]]
    #: Words for pytest, and for rdbtool with what it prints.
    tests: tuple[str, ...]
    command: tuple[str | Path, ...]
    printed: str
    family: str = "strings"


AOF = b"*1\r\n$5\r\nMULTI\r\n*3\r\n$4\r\nFLIP\r\n$3\r\nkey\r\n$2\r\nno\r\n*1\r\n$4\r\nEXEC\r\n"

RELEASE = Dummy(
    "Adding a server release",
    3,
    {
        "rdbtool/core/servers.py": ("(8, 10): 15,\n", "(8, 10): 15, (9, 9): 15,\n"),
        "docs/format.md": ("| 15 | 8.10 / trunk", "| 15 | 8.10, 9.9 / trunk"),
        "tests/core/test_servers.py": (
            "",
            "\n\ndef test_redis_9_9():\n    assert Rules.newest('redis') == Rules.parse('redis-9.9.1')\n",
        ),
    },
    ("tests/core/test_servers.py", "-k", "9_9 or first or writer"),
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


VERSION = Dummy(
    "Adding an RDB version",
    4,
    {
        "rdbtool/core/servers.py": ("(8, 10): 15,\n", "(8, 10): 15, (9, 9): 16,\n"),
        "rdbtool/core/rdb_types.py": ("REDIS: (1, 15)", "REDIS: (1, 16)"),
        "docs/format.md": ("| 16+ | trunk |", "| 16 | 9.9 | nothing |\n| 17+ | trunk |"),
        "tests/grammar/test_versions.py": (
            "",
            "\n\ndef test_version_16():\n    assert len(list(open_rdb(data_of(16)))) == 1\n",
        ),
    },
    ("tests/grammar/test_versions.py",),
    ("convert", "--target", "redis-9.9", SMALL, "{tmp}/out.rdb"),
    "RDB 16",
)

#: Type 40: a list whose elements stand there twice.
TWICE = b"REDIS0015\xfe\x00\x28\x01k\x02\x01a\x01a\x01b\x01b\xff" + bytes(8)

ENCODING = Dummy(
    "Adding an encoding",
    6,
    {
        "rdbtool/core/rdb_types.py": (
            '    ValueType(0, "STRING",',
            '    ValueType(40, "LIST_TWICE", "list", "twice", 15, secondary=True),\n    ValueType(0, "STRING",',
        ),
        "rdbtool/grammar/twice.py": (
            "",
            (
                "from rdbtool.grammar.fields import Counted, Fields, FieldTuple\n"
                "from rdbtool.grammar.primitives import STR\n\n"
                'LIST_TWICE = Fields("pair" / Counted(FieldTuple("first" / STR, "second" / STR)))\n'
            ),
        ),
        "rdbtool/grammar/record.py": (
            '    "STRING": collections.STRING,\n',
            (
                '    "LIST_TWICE": __import__("rdbtool.grammar.twice", fromlist=["x"]).LIST_TWICE,\n'
                '    "STRING": collections.STRING,\n'
            ),
        ),
        "rdbtool/grammar/lift.py": (
            '    "STRING": _string,\n',
            (
                '    "LIST_TWICE": lambda body, _: ListValue(text(first) for first, _second in body.pair),\n'
                '    "STRING": _string,\n'
            ),
        ),
        "docs/format.md": ("| 15 | 8.10 / trunk", "| 15 | 8.10 (40 lists) / trunk"),
        "tests/grammar/test_twice.py": (
            "",
            (
                "from rdbtool.reader.rdb import open_rdb\n\n\ndef test_twice():\n"
                f"    (record,) = open_rdb({TWICE!r})\n    assert list(record.value) == [b'a', b'b']\n"
            ),
        ),
    },
    ("tests/grammar/test_twice.py",),
    ("dump", "-f", "json", "{tmp}/twice.rdb"),
    '["a","b"]',
    "twice",
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
    (tmp_path / "twice.rdb").write_bytes(TWICE)
    return tmp_path


def started(tree: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *(str(word).replace("{tmp}", str(tree)) for word in words)],
        capture_output=True, text=True, cwd=tree, env=environment(PYTHONPATH=str(tree)), check=False,
    )  # fmt: skip


@pytest.mark.parametrize("dummy", [RELEASE, COMMAND, VERSION, ENCODING], ids=lambda dummy: dummy.section)
def test_a_dummy_works_with_the_files_that_are_listed(dummy: Dummy, tree: Path) -> None:
    files = [name.replace("FAMILY", dummy.family) for name in listed(dummy.section)]
    assert len(files) <= dummy.most_files
    assert set(files) == dummy.changes.keys()
    for name, (before, after) in dummy.changes.items():
        text = (tree / name).read_text() if (tree / name).exists() else ""
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
    assert started(tree, "-c", "from rdbtool._entry import main; main()", *VERSION.command).returncode == 2
    assert started(tree, "-c", "from rdbtool._entry import main; main()", *ENCODING.command).returncode == 1
