"""Grammar and codec read every fixture alike, item by item, and the codec never needs the grammar's help."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.outcome import read

FIXTURES = Path(__file__).parents[2] / "fixtures"
FILES = sorted(FIXTURES.glob("*/*.rdb"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_same_items(path: Path) -> None:
    data = path.read_bytes()
    by_codec, by_grammar = read(data, "codec"), read(data, "grammar")
    assert by_codec.error is None
    assert by_codec.fallbacks == 0
    assert len(by_codec.given) > 2
    assert by_codec == by_grammar
