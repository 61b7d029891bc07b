"""Adding a form: in a copy, a row is added to the table, and the commands have it. Nothing is compiled."""

import shutil
import subprocess
from pathlib import Path

import pytest
from command import COMMAND, FIXTURES, environment

ROOT = Path(__file__).parent.parent.parent
SOURCE = FIXTURES / "redis-7.0.15" / "default.rdb"

#: A form that is printed, and one that is verified, of sinks that are there.
ROWS = """
    Form("names", (".names",), make_sink=_make_keys, printed=True, escape="raw"),
    Form("lines", (".lines",), ("jsonl",)),
"""


def link(source: str, target: str) -> None:
    """Copy a source; extensions are too large for that."""
    if source.endswith(".so"):
        Path(target).symlink_to(source)
    else:
        shutil.copyfile(source, target)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("*.c", "*.pyx", "*.pxd", "*.h", "__pycache__")
    shutil.copytree(ROOT / "rdbtool", tree / "rdbtool", ignore=ignored, copy_function=link)
    table = tree / "rdbtool" / "dataset" / "forms.py"
    text = table.read_text()
    assert text.count("\nFORMS: Final = (\n") == 1
    table.write_text(text.replace("\nFORMS: Final = (\n", f"\nFORMS: Final = ({ROWS}"))
    return tree


def rdbtool(tree: Path, *words: object) -> bytes:
    return subprocess.run(
        [*COMMAND, *map(str, words)], cwd=tree, env=environment(), check=True, capture_output=True
    ).stdout


def test_a_row_is_a_form(tree):
    keys = rdbtool(tree, "dump", "-f", "keys", SOURCE)
    assert rdbtool(tree, "dump", "-f", "names", SOURCE) == keys
    rdbtool(tree, "dump", SOURCE, "-o", "x.names")
    assert (tree / "x.names").read_bytes() == keys
    assert b"names" in rdbtool(tree, "dump", "--help")
    rdbtool(tree, "convert", SOURCE, "x.lines")
    rdbtool(tree, "convert", SOURCE, "x.jsonl")
    assert (tree / "x.lines").read_bytes() == (tree / "x.jsonl").read_bytes()


def test_the_guide_names_the_table():
    guide = (ROOT / "CONTRIBUTING.md").read_text().split("\n## Adding an output\n")[1].split("\n## ")[0]
    for name in ("rdbtool/dataset/forms.py", "_codec/encode/encoder", "_codec/filters/capabilities.py"):
        assert name in guide
        assert list(ROOT.glob(f"{name.removesuffix('.py')}*")) or list((ROOT / "rdbtool").glob(f"{name}*"))
