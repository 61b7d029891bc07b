"""References to docs/format.md in the code ("format A11.2") name sections that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SECTIONS = set(re.findall(r"^#+ ([A-Z]\d*(?:\.\d+)?)\.?\s", (ROOT / "docs/format.md").read_text(), re.MULTILINE))
SOURCES = sorted(
    path
    for folder in ("rdbtool", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".pyi", ".pyx", ".pxd", ".h"} and path.name != Path(__file__).name
)
#: One reference, or several behind one word: "format C2", "format A10, A11.3", "(format C6, D1)".
REFERENCE = re.compile(r"\bformat (?P<all>[A-Z]\d+(?:\.\d+)*(?:(?:, | and )[A-Z]\d+(?:\.\d+)*)*)")


def references(text: str) -> list[str]:
    return [name for found in REFERENCE.finditer(text) for name in re.findall(r"[A-Z]\d+(?:\.\d+)*", found["all"])]


def test_the_document_has_sections():
    assert {"A1", "A11.2", "C6", "D5", "E1", "F6"} <= SECTIONS


def test_references_resolve():
    found = {path: set(references(path.read_text())) - SECTIONS for path in SOURCES}
    assert {str(path.relative_to(ROOT)): names for path, names in found.items() if names} == {}


def test_references_are_found():
    assert references("see (format A2) and\n(format C6, D1); format F6's") == ["A2", "C6", "D1", "F6"]
    assert references("the format A is not one") == []
