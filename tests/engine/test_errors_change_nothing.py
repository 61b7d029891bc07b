"""Commands that provoke errors, family by family: an error changes nothing, and all the rest leads to the same twice.

The commands are those of tests/differential, where servers have the last word on what they answer. Here none is needed.
"""

from __future__ import annotations

import pytest
from differential.test_replies import FAMILIES, execute, is_known
from duel import digest_of

from rdbtool.engine import Engine
from rdbtool.engine.command_errors import UnknownEffectError


def lead(rules: str, commands: list[list[bytes]], *, only: set[int] | None = None) -> tuple[str, set[int]]:
    """Return the digest that commands lead to, and the numbers of those that changed or answered without an error."""
    engine = Engine(rules=rules, now_ms=1_700_000_000_000)
    fine = set()
    for number, argv in enumerate(commands):
        if only is not None and number not in only:
            continue
        try:
            # It asserts that an error leaves the dataset as it was.
            if is_known(engine, argv) and execute(engine, argv) is None:
                fine.add(number)
        except UnknownEffectError:
            continue
    return digest_of(engine, rules), fine


@pytest.mark.parametrize("rules", ["redis-8.0", "valkey-9.0"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_error_might_as_well_not_be_there(family, rules):
    digest, fine = lead(rules, FAMILIES[family])
    assert lead(rules, FAMILIES[family], only=fine) == (digest, fine)
