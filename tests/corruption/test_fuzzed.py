"""What a fuzzer kept, run without one: inputs that together reach whatever it has reached, and what it once found."""

import importlib.util
from pathlib import Path

import pytest
from sampling import sample

FUZZ = Path(__file__).parents[2] / "fuzz" / "targets.py"


def load_targets():
    spec = importlib.util.spec_from_file_location("fuzz_targets", FUZZ)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


targets = load_targets()


@pytest.mark.parametrize("name", targets.TARGETS)
def test_nothing_that_was_kept_is_a_finding(name):
    inputs = sample(targets.kept(name), 300)
    assert inputs
    for data in inputs:
        targets.TARGETS[name](data)
