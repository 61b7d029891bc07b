"""tests/quick.txt names what is there: pytest would end at the first name that is not."""

import re

from command import ROOT

LINES = (ROOT / "tests/quick.txt").read_text().splitlines()


def test_what_is_named_is_there():
    for line in LINES:
        name, _, function = line.partition("::")
        path = ROOT / name
        assert path.exists(), line
        assert not function or re.search(rf"^(?:async )?def {re.escape(function)}\(", path.read_text(), re.MULTILINE), (
            line
        )


def test_each_is_named_once_and_in_order():
    assert sorted(set(LINES)) == LINES
