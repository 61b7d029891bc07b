"""The floors of the house: who may import whom, read from the source, and where third parties live."""

import ast
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent.parent / "rdbtool"

#: A package (or a module at the top) imports its own package and lower floors only.
FLOORS = {
    "core": 0,
    "_version": 0,
    "io": 1,
    "model": 1,
    "grammar": 2,
    "_codec": 2,
    "reader": 3,
    "writer": 3,
    "engine": 4,
    "dataset": 5,
    "operations": 6,
    "live": 7,
    "report": 8,
    # The public functions, and the public face of the library, which the commands use as anyone does.
    "api": 9,
    "persist": 9,
    "__init__": 10,
    "cli": 11,
    "_entry": 12,
    "__main__": 13,
}

#: Packages from elsewhere, and the only places that may import them.
HOMES = {
    "lzf": {"io"},
    "anycrc": {"io"},
    "lz4": {"io"},
    "backports": {"io"},
    "construct": {"grammar"},
    "redis": {"live"},
    "rich": {"report", "cli"},
    "typer": {"cli"},
    "click": {"cli"},
    "cython": {"io", "model", "_codec", "engine"},
    "cpython": {"io", "model", "_codec", "engine"},
    "libc": {"io", "model", "_codec", "engine"},
}

#: Only these may speak to the terminal, and one module opens standard output for data.
SPEAKING = {"report", "cli", "_entry"}
OPENS_OUTPUT = {"writer/atomic/output.py"}

#: The one place where everything that can go wrong ends may catch everything for good; elsewhere it is raised again.
LAST_RESORT = {"_entry.py"}

PYTHON = sorted(ROOT.rglob("*.py"))
CYTHON = sorted([*ROOT.rglob("*.pyx"), *ROOT.rglob("*.pxd")])


class Import(NamedTuple):
    line: int
    module: str


def python_imports(tree: ast.AST) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            # ``from rdbtool import types`` names a module of ours by what it takes.
            if module == "rdbtool":
                yield from (Import(node.lineno, f"rdbtool.{alias.name}") for alias in node.names)
            else:
                yield Import(node.lineno, module)


def cython_imports(text: str) -> Iterator[Import]:
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(r"\s*from\s+(\S+)\s+c?import\s+(.*)", line):
            module, names = found.groups()
            if module == "rdbtool":
                yield from (Import(number, f"rdbtool.{name.split()[0]}") for name in names.strip("() ").split(","))
            else:
                yield Import(number, module)
        elif found := re.match(r"\s*c?import\s+(.*)", line):
            yield from (Import(number, name.split()[0]) for name in found[1].split(","))
        elif found := re.match(r"\s*cdef\s+extern\s+from\s+[\"<](\S+?)[\">]", line):
            # A header is C of our own, beside the module.
            assert (ROOT / "_codec" / found[1]).exists() or found[1].endswith(".h"), line


def place(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.partition(".")[0]


def complaint(here: str, module: str) -> str | None:
    """Say what is wrong with an import of ``module`` in package ``here``, if anything is."""
    if module.startswith("."):
        return "imports are absolute"
    top, _, rest = module.partition(".")
    if top in {"__future__", *sys.stdlib_module_names} and module != "compression.zstd":
        return None
    if top == "compression":
        return None if here == "io" else "zstd lives in io"
    if top != "rdbtool":
        homes = HOMES.get(top)
        if homes is None:
            return f"{top} has no home in this project"
        return None if here in homes else f"{top} lives in {', '.join(sorted(homes))}"
    there = rest.partition(".")[0]
    if there not in FLOORS:
        # A name of the public face.
        there = "__init__"
    if there == here or FLOORS[there] < FLOORS[here] or FLOORS[there] == FLOORS[here] == 0:
        return None
    return f"{there} is not below {here}"


def imports_of(path: Path) -> list[Import]:
    text = path.read_text()
    return list(python_imports(ast.parse(text)) if path.suffix == ".py" else cython_imports(text))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_package_has_a_floor():
    assert {place(path) for path in (*PYTHON, *CYTHON)} <= FLOORS.keys()


def test_imports_go_down():
    found = [
        f"{name_of(path)}:{line}: {module}: {words}"
        for path in (*PYTHON, *CYTHON)
        for line, module in imports_of(path)
        if (words := complaint(place(path), module))
    ]
    assert not found


def test_the_core_does_not_speak():
    found = [
        f"{name_of(path)}:{line}"
        for path in PYTHON
        if place(path) not in SPEAKING and name_of(path) not in OPENS_OUTPUT
        for line in speaking(ast.parse(path.read_text()))
    ]
    assert not found


def speaking(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        is_stream = isinstance(node, ast.Attribute) and ast.unparse(node) in {"sys.stdout", "sys.stderr"}
        if is_stream or (isinstance(node, ast.Name) and node.id == "print"):
            yield node.lineno


def test_speaking_is_found():
    assert list(speaking(ast.parse("print(1)\nimport sys\nsys.stderr.write('')\nself.stdout.write('')\n"))) == [1, 3]


def catch_alls(text: str) -> Iterator[int]:
    """Give the lines of handlers that catch everything and do not end by raising it again."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if not re.match(r"\s*except\s*(:|.*\b(Base)?Exception\b)", line):
            continue
        indent = len(line) - len(line.lstrip())
        rest = (row for row in lines[number:] if row.strip())
        deeper = " " * (indent + 1)
        body = list(itertools.takewhile(lambda row, deeper=deeper: row.startswith(deeper), rest))
        if not body or body[-1].strip() != "raise":
            yield number


def test_nothing_catches_everything():
    found = {name_of(path) for path in (*PYTHON, *CYTHON) if list(catch_alls(path.read_text()))}
    assert found <= LAST_RESORT


def test_catch_alls_are_found():
    text = "try:\n    f()\nexcept {}:\n    g()\n    {}\nh()\n"
    for caught in ("Exception", "BaseException as e", "(OSError, Exception)"):
        assert list(catch_alls(text.format(caught, "pass"))) == [3]
        assert list(catch_alls(text.format(caught, "raise"))) == []
    assert list(catch_alls(text.replace(" {}:", ":", 1).format("pass"))) == [3]
    assert list(catch_alls(text.format("OSError", "pass"))) == []


def test_compiled_code_does_not_speak():
    speaks = re.compile(r"^\s*(?:print|printf|fprintf)\s*\(", re.MULTILINE)
    assert not [name_of(path) for path in CYTHON if speaks.search(path.read_text())]


@pytest.mark.parametrize(
    ("here", "module", "fine"),
    [
        ("reader", "rdbtool.grammar.loader", True),
        ("reader", "rdbtool.reader.window", True),
        ("grammar", "rdbtool._codec.decode.cursor", False),
        ("io", "rdbtool.model.values", False),
        ("io", "rdbtool.core.errors", True),
        ("io", "compression.zstd", True),
        ("reader", "compression.zstd", False),
        ("reader", "construct", False),
        ("core", "rdbtool.core.location", True),
        ("core", "rdbtool.io.source", False),
        ("report", "rdbtool", False),
        ("report", "rdbtool.cli.app", False),
        ("cli", "rdbtool", True),
        ("cli", "numpy", False),
        ("reader", ".window", False),
        ("reader", "os.path", True),
    ],
)
def test_the_judge_itself(here, module, fine):
    assert (complaint(here, module) is None) is fine


def test_imports_are_found_wherever_they_stand():
    tree = ast.parse("import os, lzf\ndef f():\n    from rdbtool import core\n    from construct import core\n")
    assert [row.module for row in python_imports(tree)] == ["os", "lzf", "rdbtool.core", "construct"]
    text = "from rdbtool._codec.sink cimport Sink\ncimport cython\nfrom libc.math cimport NAN\n    import os\n"
    assert [row.module for row in cython_imports(text)] == ["rdbtool._codec.sink", "cython", "libc.math", "os"]
