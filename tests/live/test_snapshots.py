"""Snapshots of a running server through its client: the sketch as written, keeping, policies, failures."""

import os
import subprocess
import sys
import time

import pytest
from command import environment
from required import required_module

from rdbtool.core.errors import InputError
from rdbtool.live.retention import KeepRule, read_stamp, stamp
from rdbtool.persist import Any, Counters, Manual, RedisPersist, SavePoint
from rdbtool.writer.atomic.temporary import Temporary

redis = required_module("redis")

SKETCH = """\
import redis
from rdbtool.persist import RedisPersist

r = redis.Redis(host="localhost", port=6379, db=0)
persist = RedisPersist(r)            # RedisPersist(r, "backups/", policy=..., keep=...)
r.set("key", "value")
saved = persist.save()               # a verified snapshot over the replication protocol: saved.path, saved.digest, saved.offset
r.get("key")
"""  # noqa: E501 - as it was written

#: What a server needs to begin a transfer at once.
QUICK = {"repl-diskless-sync-delay": "0"}


def client_of(running):
    return redis.Redis(unix_socket_path=str(running.directory / "s"))


@pytest.mark.server
def test_the_sketch_runs_as_written(start_server, free_port, tmp_path):
    with start_server(config={"port": str(free_port), **QUICK}) as running:
        program = SKETCH.replace("6379", str(free_port)) + "print(saved.path, saved.digest, saved.offset)\n"
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env=environment(), check=True
        )
        path, digest, offset = done.stdout.split()
        assert digest == running.digest()
        assert int(offset) >= 0
        assert [path] == [each.name for each in tmp_path.iterdir()]
        subprocess.run([running.tools.check_rdb, tmp_path / path], check=True, capture_output=True)


@pytest.mark.server
@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_snapshot_has_the_data_of_the_server(start_server, tmp_path, diskless):
    with start_server(config={"repl-diskless-sync": diskless, **QUICK}) as running:
        running.client("DEBUG", "POPULATE", 20_000, "key", 100)
        running.client("EVAL", "for i=1,2000 do redis.call('rpush','l',i) redis.call('hset','h',i,i) end", 0)
        saved = RedisPersist(client_of(running), tmp_path).save()
        assert (saved.digest, saved.keys) == (running.digest(), 20_002)
        assert saved.bytes == (tmp_path / saved.path).stat().st_size
        assert saved.server.startswith(f"{running.tools.family} ")


@pytest.mark.server
def test_a_disk_that_returns_other_bytes_leaves_no_snapshot(start_server, tmp_path, monkeypatch):
    with start_server(config=QUICK) as running:
        running.client("DEBUG", "POPULATE", 20_000, "key", 100)
        persist = RedisPersist(client_of(running), tmp_path)
        saved = persist.save(verify=True)
        assert (saved.verified, saved.digest) == (True, running.digest())
        assert persist.save(tmp_path / "other.rdb").verified is False
        finish = Temporary.finish

        def finish_and_flip(temporary, *words, **options):
            finish(temporary, *words, **options)
            with temporary.path.open("r+b") as file:
                file.seek(-3000, os.SEEK_END)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 1]))

        monkeypatch.setattr(Temporary, "finish", finish_and_flip)
        before = set(tmp_path.iterdir())
        with pytest.raises(InputError, match="the disk returned other bytes than were written"):
            persist.save(tmp_path / "flipped.rdb", verify=True)
        assert set(tmp_path.iterdir()) == before


@pytest.mark.server
def test_what_keep_does_not_keep_goes(start_server, tmp_path):
    with start_server(config=QUICK) as running:
        (tmp_path / "other.rdb").write_text("not ours")
        persist = RedisPersist(client_of(running), tmp_path, keep=2)
        made = [persist.save() for _ in range(3)]
        assert [len(each.removed) for each in made] == [0, 0, 1]
        assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.server
def test_a_policy_decides_by_what_the_server_counts(start_server, tmp_path):
    with start_server(config=QUICK) as running:
        persist = RedisPersist(client_of(running), tmp_path, policy=Any(Manual(), SavePoint(-1, 3)))
        assert persist.tick() is None
        for number in range(3):
            running.client("SET", "k", number)
        assert persist.tick() is not None
        assert persist.tick() is None


@pytest.mark.server
def test_an_existing_file_stays(start_server, tmp_path):
    with start_server(config=QUICK) as running:
        persist = RedisPersist(client_of(running))
        persist.save(tmp_path / "x.rdb")
        with pytest.raises(InputError, match="it exists"):
            persist.save(tmp_path / "x.rdb")
        persist.save(tmp_path / "x.rdb", force=True)


def test_no_server_is_an_error_of_ours(free_port, tmp_path):
    with pytest.raises(InputError, match="connection refused; is a server running there"):
        RedisPersist(redis.Redis(port=free_port), tmp_path).save()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_client_is_named():
    with pytest.raises(TypeError, match=r"expected a client such as redis.Redis\(\), found str"):
        RedisPersist("localhost")


@pytest.mark.parametrize(
    ("asked", "kept"), [(2, (0, 0.1)), ("3h", (0, 1, 2)), ("2d", (0, 25)), ("2h,2d", (0, 1, 25)), ("1w", (0,))]
)
def test_keeping_is_by_hours_days_and_weeks(asked, kept):
    now = 1_796_000_000 // 604_800 * 604_800 + 5 * 86_400 + 84_600  # 23:30 of a day in the middle of a week
    hours = (0, 0.1, 1, 1.2, 2, 2.3, 25, 26, 30)
    names = {str(index): read_stamp(stamp(now - hour * 3600)) for index, hour in enumerate(hours)}
    gone = KeepRule.parse(asked).choose(names)
    assert [hours[int(name)] for name in names if name not in gone] == list(kept)


@pytest.mark.parametrize("text", ["0", "-1", "x", "24h,24h", "1y", "0h"])
def test_what_is_no_keep_is_refused(text):
    with pytest.raises(ValueError, match="neither a number of backups"):
        KeepRule.parse(text)


def test_counters_are_those_of_the_own_engine():
    assert SavePoint(1, 1).is_due(Counters(now_ms=int(time.time() * 1000), changes=1))
