"""Names: no two modules and no two public classes are called alike, but for the reasons below."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
from architecture.test_floors import CYTHON, PYTHON, ROOT

#: Packages that have a module for each command of rdbtool, or for each thing that it does.
FACES = frozenset({"api", "cli", "report", "operations"})

#: Names that several packages give to the same role: why each of them stays.
ROLES = {
    "aof": "an AOF, in packages that have a module for each format",
    "jsonl": "JSON lines, in packages that have a module for each format",
    "rdb": "an RDB file, in packages that have a module for each format",
    "reader": "the reader of a format, in the package of the format",
    "run": "the entry of an operation, in its package",
    "report": "the options and the result of an operation, in its package",
    "arguments": "parsing and checking arguments, of commands and of Python functions",
    "items": "what stands beside the keys: as values, in the grammar, in a comparison",
    "values": "values of keys: as they are read, as the engine has them, and what an operation does to them",
    "lists": "values of one kind, in packages that have a module for each kind",
    "streams": "values of one kind, in packages that have a module for each kind",
    "stream": "the form of a stream in one format, in the package of the format",
    "hashes": "values of one kind, in packages that have a module for each kind",
    "hyperloglog": "the commands, and the algorithm that they execute",
    "keys": "the commands, and the form of output",
    "restore": "the command, as it is executed and as it is written",
    "table": "the sink, and the report that drives it",
    "digest": "the sink, and the operation that drives it",
    "memory": "the sink, and the command, the function and the table of what it says",
    "requirements": "the sink, and the operation that drives it",
    "lzf": "the grammar of LZF, and its decompression",
    "packed": "packed values, in the grammar and compiled by hand",
    "primitives": "strings and lengths, in the grammar and compiled by hand",
}


def modules() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for path in (*PYTHON, *(path for path in CYTHON if path.suffix == ".pyx")):
        if path.stem not in {"__init__", "__main__"}:
            found[path.stem].append(path.relative_to(ROOT))
    return {name: paths for name, paths in found.items() if len(paths) > 1}


@pytest.mark.parametrize(("name", "paths"), modules().items(), ids=lambda row: row if isinstance(row, str) else "")
def test_modules_of_one_name_have_one_role(name, paths):
    others = [path for path in paths if path.parts[0] not in FACES]
    faces = {path.parts[0] for path in paths if path.parts[0] in FACES}
    is_face = not others and len(faces) == len(paths)
    assert is_face or name in ROLES, [str(path) for path in paths]


def test_no_reason_is_left_over():
    assert set(ROLES) <= set(modules())


def test_public_classes_have_names_of_their_own():
    found: dict[str, list[str]] = defaultdict(list)
    for path in (*PYTHON, *CYTHON):
        text = path.read_text()
        if path.suffix == ".py":
            names = [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
        elif path.suffix == ".pyx":
            names = re.findall(r"^(?:cdef )?class (\w+)", text, re.MULTILINE)
        else:
            continue
        for name in names:
            if not name.startswith("_"):
                found[name].append(str(path.relative_to(ROOT)))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
