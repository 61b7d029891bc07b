"""Servers that let nobody replicate, clients of asyncio, and clusters."""

import asyncio
import json
import socket
import time
from contextlib import ExitStack, contextmanager

import pytest
from command import run
from docs.test_schemas import check
from required import required_module

from rdbtool.persist import AsyncRedisPersist

redis = required_module("redis")

QUICK = {"repl-diskless-sync-delay": "0"}


def url_of(running):
    return f"unix://{running.directory / 's'}"


@pytest.mark.server
def test_a_scan_gives_every_key(start_server, tmp_path):
    with start_server(config=QUICK) as running:
        running.client("DEBUG", "POPULATE", 3000, "k", 100)
        running.client("SELECT", 4)
        running.client("SET", "t", "v", "PXAT", 4_102_444_800_000)
        running.client("XADD", "x", "5-1", "f", "v")
        running.client("FUNCTION", "LOAD", "#!lua name=f\nredis.register_function('f', function() return 1 end)")
        done = run("capture", url_of(running), "--scan", "-o", tmp_path / "x.rdb", "--json", "--digest")
        report = json.loads(done.out)
        check("capture", report)
        assert (report["digest"], report["offset"], report["replid"]) == (running.digest(), -1, "")
        assert "not a point-in-time snapshot" in done.err
        assert run("diff", tmp_path / "x.rdb", running.save()).code == 0
        assert run("validate", tmp_path / "x.rdb").code == 0


@pytest.mark.server
def test_a_client_of_asyncio(start_server, tmp_path):
    async def use(path):
        client = redis.asyncio.Redis(unix_socket_path=path)
        persist = AsyncRedisPersist(client, tmp_path / "backups", keep=1)
        await client.set("key", "value")
        saved = await persist.save()
        assert await persist.tick() is None
        following = asyncio.create_task(persist.follow(tmp_path / "aof"))
        while not (tmp_path / "aof/appendonly.aof.manifest").exists():
            await asyncio.sleep(0.05)
        await client.set("key", "other")
        assert await client.wait(1, 5000) == 1
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
        report = await persist.load(saved.path, replace=True)
        value = await client.get("key")
        await client.aclose()
        return saved, report, value

    with start_server(config=QUICK) as running:
        saved, report, value = asyncio.run(use(str(running.directory / "s")))
        assert (report.loaded, value) == (1, b"value")
        assert saved.digest == running.digest()
    assert run("get", tmp_path / "aof", "key").out == b"other"


def free_ports(count):
    with ExitStack() as stack:
        found = []
        while len(found) < count:
            each = stack.enter_context(socket.socket())
            each.bind(("127.0.0.1", 0))
            # The bus of a node listens 10,000 above.
            if each.getsockname()[1] < 50_000:
                found.append(each.getsockname()[1])
        return found


EDGES = [0, 5000, 11_000, 16_384]


def is_joined(info):
    return b"cluster_slots_assigned:16384" in info and b"cluster_state:ok" in info


@contextmanager
def cluster_of_three(start_server):
    """Yield the nodes of a cluster that are not joined yet, and a function that joins them."""
    ports = free_ports(3)
    with ExitStack() as stack:
        nodes = []
        for port in ports:
            config = {"port": str(port), "cluster-enabled": "yes", "cluster-config-file": "nodes.conf", **QUICK}
            nodes.append(stack.enter_context(start_server(config=config)))
        for node, first, end in zip(nodes, EDGES, EDGES[1:], strict=False):
            node.client("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            node.client("CONFIG", "SET", "cluster-require-full-coverage", "no")

        def join():
            for port in ports[1:]:
                nodes[0].client("CLUSTER", "MEET", "127.0.0.1", port)
            end = time.monotonic() + 20
            while not all(is_joined(node.client("CLUSTER", "INFO")) for node in nodes):
                assert time.monotonic() < end
                time.sleep(0.05)

        yield nodes, ports, join


@pytest.mark.server
def test_every_shard_of_a_cluster(start_server, tmp_path):
    with cluster_of_three(start_server) as (nodes, ports, join):
        url = f"redis+cluster://127.0.0.1:{ports[0]}"
        done = run("capture", url, tmp_path / "early")
        assert (done.code, done.err.count("\n")) == (3, 1)
        assert "has no master: the cluster is incomplete" in done.err
        join()
        client = redis.RedisCluster(host="127.0.0.1", port=ports[0])
        for number in range(500):
            client.rpush(f"list:{number}", number)
        client.close()
        done = run("capture", url, "-o", tmp_path / "shards", "--digest", "--json")
        assert done.code == 0, done.err
        report = json.loads(done.out)
        check("capture", report)
        assert report["keys"] == 500
        assert [shard["digest"] for shard in report["shards"]] == [node.digest() for node in nodes]
        assert [shard["slots"] for shard in report["shards"]] == [[[0, 4999]], [[5000, 10_999]], [[11_000, 16_383]]]
        assert json.loads((tmp_path / "shards/cluster.json").read_text()) == report
        assert run("validate", *sorted((tmp_path / "shards").glob("*.rdb"))).code == 0
        assert run("capture", url, "-o", tmp_path / "shards").code == 3
        assert sorted(path.name for path in tmp_path.iterdir()) == ["shards"]


@pytest.mark.server
def test_each_key_is_loaded_into_the_master_of_its_slot(start_server, tmp_path):
    lines = [{"db": 0, "key": f"k:{number}", "type": "list", "value": ["a", str(number)]} for number in range(1500)]
    lines += [{"function": "#!lua name=f\nredis.register_function('f', function() return 1 end)"}]
    source = tmp_path / "x.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with cluster_of_three(start_server) as (nodes, ports, join):
        join()
        url = f"redis://127.0.0.1:{ports[1]}"
        alone = run("load", source, url)
        assert (alone.code, alone.err.count("--cluster")) == (3, 1), alone.err
        # The slot of k:0 is on its way from one master to another.
        slot = nodes[0].client("CLUSTER", "KEYSLOT", "k:0")
        at = next(index for index, end in enumerate(EDGES[1:]) if slot < end)
        owner, other = nodes[at], nodes[at - 1]
        names = [node.client("CLUSTER", "MYID") for node in (owner, other)]
        other.client("CLUSTER", "SETSLOT", slot, "IMPORTING", names[0])
        owner.client("CLUSTER", "SETSLOT", slot, "MIGRATING", names[1])
        done = run("load", source, url, "--cluster", "--json", "--replace")
        report = json.loads(done.out)
        assert (done.code, report["loaded"], report["verification"]) == (0, 1500, None), done.err
        assert [node.client("CLUSTER", "COUNTKEYSINSLOT", slot) for node in (owner, other)] == [0, 1]
        assert all(node.client("FUNCTION", "LIST") for node in nodes)
        moving = run("load", source, url, "--cluster", "--skip-existing", "--verify")
        assert (moving.code, moving.err.count("moving slots")) == (3, 1), moving.err
        for node in (other, owner, *nodes):
            node.client("CLUSTER", "SETSLOT", slot, "NODE", names[1])
        again = run("load", source, url.replace("redis:", "redis+cluster:"), "--skip-existing", "--verify", "--json")
        report = json.loads(again.out)
        check("load", report)
        assert (again.code, report["existed"], report["verification"]["same"]) == (0, 1500, 1500), again.err
        assert sum(node.client("DBSIZE") for node in nodes) == 1500
