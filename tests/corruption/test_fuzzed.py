"""What a fuzzer begins with, run without one: inputs that together reach whatever it has reached until now."""

import importlib.util
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[2] / "fuzz" / "targets.py"


def load_targets():
    spec = importlib.util.spec_from_file_location("fuzz_targets", FUZZ)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


targets = load_targets()


@pytest.mark.parametrize("name", targets.TARGETS)
def test_nothing_is_a_finding(name):
    assert any(True for _ in targets.kept(name))
    for data in targets.seeds(name):
        targets.TARGETS[name](data)
