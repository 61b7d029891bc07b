"""No import circles: no module imports itself by way of others, wherever in the module the imports are."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from architecture.test_floors import CYTHON, PYTHON, ROOT, cython_imports


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in (*PYTHON, *CYTHON)}


def imported(path: Path) -> set[str]:
    """Return the modules of ours that a module imports, those of its functions and of TYPE_CHECKING among them."""
    text = path.read_text()
    names: set[str] = set()
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found = {f"{node.module}.{alias.name}" for alias in node.names}
                names.update(found & MODULES or {node.module})
    else:
        names = {row.module for row in cython_imports(text)}
    return names & MODULES


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_there_are_no_circles():
    graph: dict[str, set[str]] = {}
    for path in (*PYTHON, *CYTHON):
        here = module_of(path)
        # The public face imports everything when it is asked for it; nothing below asks it (test_floors).
        graph.setdefault(here, set()).update(imported(path) - {here, "rdbtool"})
    graph.pop("rdbtool")
    assert find_circle(graph) == []


@pytest.mark.parametrize(("graph", "size"), [({"a": {"b"}, "b": set()}, 0), ({"a": {"b"}, "b": {"c"}, "c": {"a"}}, 4)])
def test_circles_are_found(graph, size):
    assert len(find_circle(graph)) == size


def test_imports_in_functions_count(tmp_path):
    path = tmp_path / "x.py"
    path.write_text("def f():\n    from rdbtool.core import errors\n    from rdbtool.io.source import Source\n")
    assert imported(path) == {"rdbtool.core.errors", "rdbtool.io.source"}
