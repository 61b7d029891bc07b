"""Facts that once stood in many copies stand in one place."""

import re
import tomllib

import pytest
from architecture.test_floors import CYTHON, PYTHON, ROOT, name_of

#: What is searched for, and the one module that has it.
FACTS = {
    r"= Callable\[\[int\], object\]$": "core/progress.py",
    r"\bb\"(redis|valkey)-ver\"": "core/rdb_types.py",
    r"\bSpan\(-1, -1\)": "core/location.py",
    r'^(?!.*``).*"disabled".*"none"': "core/rdb_types.py",
    # Numbers of types and opcodes, and first versions of commands.
    r"\btype_code (==|!=|in|not in|>=|<=|>) (frozenset\()?\{?[1-9]": None,
    r"frozenset\(\{\d+, \d+": None,
    r"\bcommand\(\"[^\"]+\", ": None,
}


@pytest.mark.parametrize("pattern", FACTS)
def test_there_is_one(pattern):
    allowed = {FACTS[pattern]} - {None}
    found = {name_of(path) for path in (*PYTHON, *CYTHON) if re.search(pattern, path.read_text(), re.MULTILINE)}
    assert found == allowed


def test_developers_have_what_a_build_in_place_asks_for():
    """A build by pip fetches it; `just build` takes what is installed, in the versions that the build needs."""
    words = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())
    assert set(words["build-system"]["requires"]) <= set(words["project"]["optional-dependencies"]["dev"])
