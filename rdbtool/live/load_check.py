"""Verification of a load: what the file has is compared with a snapshot of the server, taken after the load.

The file is converted to a temporary RDB first, with the same filters and changes as in the load, so that both sides of
the comparison are what a server would read. Keys that only the server has are not compared.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rdbtool._codec.filters.selection import Selection
from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import TYPE_CHECKING, NamedTuple
from rdbtool.core.servers import Target
from rdbtool.live.load_report import NAMED, Differing, LoadCheck
from rdbtool.live.loading_server import server_rules
from rdbtool.live.shards import read_nodes
from rdbtool.live.snapshots import take_snapshot
from rdbtool.operations.convert.convert import ConvertOptions, convert
from rdbtool.operations.diff.compare import DiffOptions, open_diff

if TYPE_CHECKING:
    from rdbtool.core.progress import Progress
    from rdbtool.engine.replay.places import Places
    from rdbtool.live.connection import Endpoint
    from rdbtool.live.load_links import Cluster
    from rdbtool.live.loading_server import LoadOptions
    from rdbtool.operations.diff.compare import Difference


class LoadSource(NamedTuple):
    """How the file was read for the load: see ``load_keys``."""

    rules: str | None = None
    now_ms: int = 0
    places: Places | None = None
    rename_commands: Mapping[str, str] | None = None
    selection: Selection | None = None


def check_load(
    source: str,
    endpoint: Endpoint,
    options: LoadOptions,
    reading: LoadSource,
    *,
    cluster: Cluster | None = None,
    progress: Progress | None = None,
) -> LoadCheck:
    """Compare a file with the server that it was loaded into; ``cluster`` if that is the node of one.

    Raises InputError if the server cannot be read by replication, and the errors of reading the file.
    """
    with endpoint.connect() as connection:
        rules, _ = server_rules(connection)
    with tempfile.TemporaryDirectory(prefix="rdbtool-") as directory:
        expected = str(Path(directory) / "expected.rdb")
        convert(
            source,
            expected,
            ConvertOptions(
                target=Target.of_release(rules),
                allow_loss=options.allow_loss,
                leaving=options.leaving,
                reshaping=options.reshaping,
                **reading._asdict(),
            ),
            progress,
        )
        if cluster is None:
            return _compare(expected, endpoint, directory, [None], progress)
        nodes = [(cluster.endpoint_at(node.host, node.port), node.slots) for node in read_nodes(endpoint)]
        for node, _ in nodes:
            _refuse_moving(node)
        parts = [_compare(expected, node, directory, slots, progress) for node, slots in nodes]
    return LoadCheck(
        sum(part.same for part in parts),
        sum(part.differing for part in parts),
        sum(part.expired for part in parts),
        tuple(row for part in parts for row in part.named)[:NAMED],
    )


def _refuse_moving(node: Endpoint) -> None:
    """Raise InputError if a slot is being moved: its keys are in two places then."""
    with node.connect() as connection:
        text = connection("CLUSTER", "NODES").decode("utf-8", "replace")
    own = next((line for line in text.splitlines() if "myself" in line), "")
    if "[" in own:
        raise InputError(f"{node.name} is moving slots, so that keys are in two places: verify again when it has ended")


def _compare(
    expected: str,
    endpoint: Endpoint,
    directory: str,
    slots: Sequence[tuple[int, int] | None],
    progress: Progress | None,
) -> LoadCheck:
    """Compare the expected keys of some slots with a snapshot of a server."""
    found = str(Path(directory) / "found.rdb")
    take_snapshot(endpoint, found, force=True, digest=False, progress=progress)
    now_ms = time.time_ns() // 1_000_000
    same = differing = expired = 0
    named: list[Differing] = []
    for pair in slots:
        names = None if pair is None else Selection(slots=pair)
        with open_diff(expected, found, DiffOptions(names=names, functions=False), progress) as comparison:
            for difference in comparison.differences():
                if difference.sign == "+":
                    continue
                if difference.sign == "-" and _is_expired(difference, now_ms):
                    expired += 1
                    continue
                differing += 1
                if len(named) < NAMED:
                    record = difference.record
                    named.append(Differing(record.db, record.key, difference.sign == "-"))
            same += comparison.counts.same
    return LoadCheck(same, differing, expired, tuple(named))


def _is_expired(difference: Difference, now_ms: int) -> bool:
    expiry = difference.record.expire_at_ms
    return expiry is not None and expiry <= now_ms
