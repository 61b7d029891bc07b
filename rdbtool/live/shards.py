"""Cluster snapshots: one RDB file per shard that together cover every slot once, and a manifest of the shards.

The shards are not captured at the same moment. The slot assignment is read before and after; if it changed meanwhile,
a key could be present twice or not at all, so nothing is kept.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.sink import Null
from rdbtool.core.errors import InputError, json_name
from rdbtool.core.light_typing import TYPE_CHECKING, Any, Final, NamedTuple
from rdbtool.live.address import node_url, show_url
from rdbtool.live.connection import Endpoint, ReplyError, describe_reply
from rdbtool.live.snapshots import take_snapshot
from rdbtool.reader.rdb import open_rdb
from rdbtool.writer.atomic.disk import Directory
from rdbtool.writer.atomic.output import open_output
from rdbtool.writer.atomic.temporary import TemporaryDirectory

if TYPE_CHECKING:
    from rdbtool.core.progress import Progress
    from rdbtool.live.address import Secrets
    from rdbtool.live.snapshots import Saved

SLOTS: Final = 16384

#: The manifest of the shards.
SHARDS: Final = "cluster.json"


class ShardNode(NamedTuple):
    """A master: its node ``id``, address, and slot ranges as (first, last)."""

    id: str
    host: str
    port: int
    slots: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class SavedShard:
    """The snapshot of a shard and its ``node``; ``strays`` counts keys of slots that the node does not own."""

    node: ShardNode
    saved: Saved
    strays: int

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of the shard in the manifest."""
        return {
            "file": json_name(Path(self.saved.path).name),
            "node": self.node.id,
            "address": f"{self.node.host}:{self.node.port}",
            "slots": [list(pair) for pair in self.node.slots],
            "keys": self.saved.keys,
            "bytes": self.saved.bytes,
            "digest": self.saved.digest,
            "replid": self.saved.replid,
            "offset": self.saved.offset,
            "strays": self.strays,
            "verified": self.saved.verified,
        }


@dataclass(frozen=True)
class SavedCluster:
    """Snapshots of all shards of a cluster, in the directory ``path``."""

    path: str
    source: str
    shards: tuple[SavedShard, ...]
    seconds: float

    @property
    def keys(self) -> int:
        """The number of keys in all shards."""
        return sum(shard.saved.keys for shard in self.shards)

    @property
    def warnings(self) -> tuple[str, ...]:
        """A warning for each shard with keys of slots of other shards."""
        return tuple(
            f"{Path(shard.saved.path).name}: {shard.strays:,} keys belong to slots of other shards, "
            "as in the middle of a migration"
            for shard in self.shards
            if shard.strays
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the object that ``capture --json`` prints, which is also the manifest of the shards."""
        return {
            "schema": 1,
            "event": "cluster",
            "path": json_name(self.path),
            "source": self.source,
            "keys": self.keys,
            "seconds": round(self.seconds, 3),
            "shards": [shard.to_dict() for shard in self.shards],
        }


def take_cluster(
    url: str,
    path: str,
    secrets: Secrets | None,
    *,
    digest: bool = False,
    verify: bool = False,
    progress: Progress | None = None,
) -> SavedCluster:
    """Write a snapshot of each shard of a cluster into a new directory, which appears whole or not at all.

    Raises InputError if a slot has no master or several, if the slot assignment changes meanwhile, or if the directory
    exists; and the errors of ``take_snapshot``.
    """
    begun = time.monotonic()
    target = Path(path).absolute()
    if target.exists():
        raise InputError(f"cannot write to {path}: it exists; give a new directory")
    seed = Endpoint.of_url(url, secrets)
    nodes = read_nodes(seed)
    shards = []
    with Directory(target.parent, path) as parent, TemporaryDirectory(target, path) as made:
        for node in nodes:
            endpoint = Endpoint.of_url(node_url(url, node.host, node.port), secrets)
            file = str(made.path / f"shard-{node.slots[0][0]:05}.rdb")
            saved = take_snapshot(endpoint, file, digest=digest, verify=verify, progress=progress)
            shards.append(SavedShard(node, saved, _count_strays(file, node)))
        if read_nodes(seed) != nodes:
            raise InputError(f"{seed.name} moved slots, or lost a master, while its shards were captured: try again")
        done = SavedCluster(path, show_url(url), tuple(shards), time.monotonic() - begun)
        with open_output(str(made.path / SHARDS)) as output:
            output.write(json.dumps(done.to_dict(), indent=1).encode() + b"\n")
        made.give_name()
        parent.sync()
    return done


def read_nodes(seed: Endpoint) -> list[ShardNode]:
    """Return the masters that own slots, by first slot. Raises InputError unless each slot has exactly one."""
    with seed.connect() as connection:
        try:
            rows = connection("CLUSTER", "SLOTS")
        except ReplyError as error:
            raise describe_reply(str(error), seed.name, asked="CLUSTER") from error
        host = str(getattr(connection.raw, "host", "localhost"))
    found: dict[str, ShardNode] = {}
    owners = [0] * SLOTS
    for first, last, master, *_ in rows:
        name = master[2].decode()
        address = master[0].decode() if master[0] else host
        node = found.get(name, ShardNode(name, address, int(master[1]), ()))
        found[name] = node._replace(slots=(*node.slots, (int(first), int(last))))
        for slot in range(int(first), int(last) + 1):
            owners[slot] += 1
    wrong = next((slot for slot, count in enumerate(owners) if count != 1), None)
    if wrong is not None:
        many = "no master" if owners[wrong] == 0 else f"{owners[wrong]} masters"
        raise InputError(f"{seed.name}: slot {wrong} has {many}: the cluster is incomplete; see CLUSTER SLOTS")
    return sorted(
        (node._replace(slots=tuple(sorted(node.slots))) for node in found.values()), key=lambda node: node.slots
    )


def _count_strays(path: str, node: ShardNode) -> int:
    """Return how many keys of a snapshot belong to slots that its node does not own."""
    own = total = 0
    for pair in node.slots:
        selection = Selection(slots=pair)
        with open_rdb(path) as reader:
            total = reader.feed(Null(), selection=selection).keys
        own += selection.taken
    return total - own
