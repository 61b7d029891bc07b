"""Nothing decides by words: no message, path inside a value or letter of a code is compared with anything."""

import ast
from collections.abc import Iterator

import pytest
from architecture.test_floors import PYTHON, ROOT

#: Attributes whose text is for people.
WORDS = {"expected", "found", "message"}

#: Methods of texts and patterns that tell something of a text.
ASKING = {
    *("startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition", "replace"),
    *("find", "rfind", "index", "rindex", "count", "isdigit"),
    *("match", "fullmatch", "search", "findall", "finditer", "sub"),
}


def is_words(node: ast.AST) -> bool:
    """Whether an expression is the text of a message, a path inside a value, or a part of a code."""
    if isinstance(node, ast.Attribute):
        owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
        is_self = owner == "self"
        return (node.attr in WORDS and not is_self) or (node.attr == "path" and owner == "where")
    if isinstance(node, ast.Subscript):
        return (isinstance(node.value, ast.Attribute) and node.value.attr == "code") or is_words(node.value)
    if isinstance(node, ast.Call):
        is_text = isinstance(node.func, ast.Name) and node.func.id in {"str", "repr", "describe_error"}
        return is_text and any(isinstance(inner, ast.Name) and inner.id == "error" for inner in node.args)
    return False


def decisions(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield what asks for words: comparisons, and methods that ask or change a text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            against_none = any(isinstance(inner, ast.Constant) and inner.value is None for inner in operands)
            if not against_none and any(map(is_words, operands)):
                yield node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKING:
            owner = node.func.value
            is_code = isinstance(owner, ast.Attribute) and owner.attr == "code"
            if is_code or is_words(owner) or any(map(is_words, node.args)):
                yield node
        elif isinstance(node, ast.Match) and is_words(node.subject):
            yield node.subject


def test_nothing_decides_by_words():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
        for path in PYTHON
        for node in decisions(ast.parse(path.read_text()))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        'error.code.startswith(("MAN", "AOF"))',
        'error.code[:3] == "JSN"',
        'error.where.path.endswith(".total")',
        '"group" in where.path',
        "_BEGINS.match(error.found)",
        'error.expected == "the text of a number"',
        'error.found.replace("end of file", "their end")',
        '"not found" in str(error)',
        'finding.message.partition(":")[0]',
    ],
)
def test_decisions_by_words_are_found(line):
    assert list(decisions(ast.parse(line)))


@pytest.mark.parametrize("line", ['error.code == "RDB101"', "error.cause in _OUTER", "f'expected {error.expected}'"])
def test_causes_and_codes_may_decide(line):
    assert not list(decisions(ast.parse(line)))
