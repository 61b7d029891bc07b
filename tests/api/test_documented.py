"""The examples of docs/python-api.md are run, and every public function has one."""

import doctest
import re

import pytest
from command import ROOT

import rdbtool

PAGE = (ROOT / "docs" / "python-api.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_are_true(here):
    found = doctest.DocTestParser().get_doctest(PAGE, {}, "python-api.md", None, 0)
    assert len(found.examples) > 40
    told = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(found, out=told.append)
    assert not runner.failures, "".join(told)


@pytest.mark.parametrize("name", [name for name in dir(rdbtool) if name.islower() and name[0] != "_"])
def test_every_function_has_an_example(name):
    assert f"rdbtool.{name}(" in SECTIONS[name]


def test_every_error_is_in_the_table():
    errors = [name for name in dir(rdbtool) if name.endswith("Error")]
    assert [name for name in errors if f"`{name}`" not in SECTIONS["Errors"]] == ["RdbToolError"]
