"""A, followed by the commands of ``diff --as-commands A B``, is a log that leads to B: by our own engine.

It knows servers that are not installed: those with field expiries, and those without stream counters.
"""

from __future__ import annotations

import pytest
from diff import data
from hypothesis import given, settings
from hypothesis import strategies as st

from rdbtool.core.servers import Target
from rdbtool.operations.diff.compare import DiffOptions, open_diff
from rdbtool.report.diff_commands import write_commands

NOW = 1800000000000


@settings(max_examples=30)
@pytest.mark.parametrize("name", ["redis-7.4", "redis-8.0", "valkey-9.0", "redis-7.2"])
@given(random=st.randoms(use_true_random=False))
def test_the_log_leads_to_the_second(name, random):
    target = Target.parse(name)
    records = data.make_records(random, target)
    others = data.make_records(random, target, records)
    first, second = (data.to_rdb(keys, target, data.make_functions(random)) for keys in (records, others))
    pieces: list[bytes] = []
    with open_diff(first, second) as comparison:
        write_commands(comparison, pieces.append)
    if not pieces:
        return
    # A log's commands begin with database 0 selected, as a connection does.
    log = first + b"".join(pieces)
    with open_diff(log, second, DiffOptions(rules=name, now_ms=NOW)) as comparison:
        assert comparison.first.kind == "aof"
        assert [*comparison.items, *comparison.differences()] == []
