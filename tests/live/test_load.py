"""The command ``load``, its function, and a connection that is cut in the middle."""

import json
import socket
import threading
from contextlib import suppress

import pytest
from command import FIXTURES, run
from docs.test_schemas import check
from required import required_module

from rdbtool.core.errors import InputError
from rdbtool.dataset.loading import open_keys
from rdbtool.live.connection import Endpoint
from rdbtool.live.load_report import LoadCheck
from rdbtool.live.loading_server import LoadOptions, load_dataset
from rdbtool.persist import RedisPersist

redis = required_module("redis")

CORPUS = FIXTURES / "redis-7.0.15"


@pytest.fixture(autouse=True)
def _snapshots_at_once(request):
    if "redis_server" in request.fixturenames:
        request.getfixturevalue("redis_server").client("CONFIG", "SET", "repl-diskless-sync-delay", "0")


def url_of(running):
    return f"unix://{running.directory / 's'}"


class Front:
    """A socket in front of a server's, whose first ``cuts`` connections end after ``size`` bytes went in."""

    def __init__(self, path, cuts, size=15_000):
        self.path, self.target, self.cuts, self.size = path.with_name("front"), path, cuts, size
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.opened = [self.listener]
        self.threads = []
        self.start(self.accept)

    def start(self, target, *arguments):
        self.threads.append(threading.Thread(target=target, args=arguments))
        self.threads[-1].start()

    def accept(self):
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.socket(socket.AF_UNIX)
                self.opened += [client, server]
                server.connect(str(self.target))
                self.cuts -= 1
                self.start(self.pump, client, server, self.size if self.cuts >= 0 else 1 << 60)
                self.start(self.pump, server, client, 1 << 60)

    @staticmethod
    def pump(origin, target, most):
        with suppress(OSError):
            while most >= 0 and (data := origin.recv(4096)):
                most -= len(data)
                target.sendall(data)
        shut(origin, target)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        shut(*self.opened)
        for thread in self.threads:
            thread.join()
        for each in self.opened:
            each.close()
        self.path.unlink()


def shut(*sockets):
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def database_sizes(running):
    for line in running.client("INFO", "keyspace").decode().splitlines():
        if line.startswith("db"):
            yield int(line.split("keys=")[1].split(",")[0])


@pytest.mark.server
@pytest.mark.parametrize("name", ["default.rdb", "aof-preamble"])
def test_a_dataset_is_loaded_as_it_is(redis_server, name):
    path = CORPUS / name
    redis_server.client("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    done = run("load", path, url_of(redis_server), "--json", "--expiry", "drop")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    check("load", report)
    assert report["form"] == "restore"
    expected = json.loads(run("digest", "--json", path).out)["keys"]
    assert report["loaded"] == expected == sum(database_sizes(redis_server))


@pytest.mark.server
@pytest.mark.parametrize("form", ["restore", "commands"])
def test_the_digest_is_that_of_the_file(redis_server, tmp_path, form):
    redis_server.client("ACL", "SETUSER", "writer", "reset", "on", "nopass", "~*", "&*", "+@all", "-restore")
    redis_server.client("DEBUG", "POPULATE", 2000, "k", 200)
    for number in range(3000):
        redis_server.client("RPUSH", f"l{number % 7}", number)
    redis_server.client("SELECT", 3)
    redis_server.client("XADD", "x", "5-1", "f", "v")
    redis_server.client("XGROUP", "CREATE", "x", "g", "0")
    redis_server.client("XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">")
    redis_server.client("SET", "t", "v", "PXAT", 4_102_444_800_000)
    redis_server.client("FUNCTION", "LOAD", "#!lua name=f\nredis.register_function('f', function() return 1 end)")
    path = tmp_path / "x.rdb"
    path.write_bytes(redis_server.save().read_bytes())
    digest = redis_server.digest()
    redis_server.client("FLUSHALL")
    redis_server.client("FUNCTION", "FLUSH")
    user = "writer@" if form == "commands" else ""
    url = f"unix://{user}{redis_server.directory / 's'}"
    assert run("load", path, url, "--dry-run").code == 0
    assert redis_server.client("DBSIZE") == 0
    done = run("load", path, url, "--json")
    assert (done.code, json.loads(done.out)["form"]) == (0, form), done.err
    assert redis_server.digest() == digest
    assert redis_server.client("FUNCTION", "LIST")
    assert run("diff", path, redis_server.save()).code == 0
    again = run("load", path, url)
    assert again.code == 1
    assert "already existed and were kept" in again.err
    assert run("load", path, url, "--skip-existing").code == 0
    assert run("load", path, url, "--replace", "--verify").code == 0
    assert redis_server.digest() == digest


@pytest.mark.server
def test_a_load_is_verified(redis_server, tmp_path):
    source = tmp_path / "x.jsonl"
    lines = [{"db": 0, "key": f"k:{number}", "type": "string", "value": str(number)} for number in range(100)]
    lines += [{"db": 1, "key": "gone", "type": "string", "value": "v", "expire_at_ms": 1_000_000}]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    url = url_of(redis_server)
    done = run("load", source, url, "--verify")
    assert (done.code, "verified: the server has 100 keys as in the file, 1 key expired" in done.err) == (0, True), (
        done.err
    )
    # Other keys of the server are no difference; filters and changes apply to both sides.
    redis_server.client("SET", "own", "v")
    renamed = run("load", source, url, "--rename", "^k:=new:", "-k", "^k:1", "--move-db", "0=2", "--verify", "--json")
    report = json.loads(renamed.out)
    check("load", report)
    assert (renamed.code, report["verification"]["same"], report["loaded"]) == (0, 11, 11), renamed.err
    redis_server.client("SET", "k:7", "other")
    redis_server.client("DEL", "k:8")
    kept = run("load", source, url, "--skip-existing", "--verify")
    assert kept.code == 1
    assert "not verified: 1 key of the file differs in the server" in kept.err
    assert '"k:7" of db 0 has other data' in kept.err


@pytest.mark.server
@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("form", ["restore", "commands"])
def test_nothing_is_doubled_when_the_connection_is_cut(redis_server, tmp_path, form, replace):
    for number in range(8000):
        redis_server.client.send("RPUSH", f"list:{number % 1100}", number)
    for _ in range(8000):
        redis_server.client.reply()
    path = tmp_path / "x.rdb"
    path.write_bytes(redis_server.save().read_bytes())
    digest = redis_server.digest()
    redis_server.client("FLUSHALL")
    if form == "commands":
        redis_server.client("ACL", "SETUSER", "default", "-restore")
    try:
        with Front(redis_server.directory / "s", 4) as front, open_keys(str(path)) as keys:
            done = load_dataset(keys, Endpoint.of_url(f"unix://{front}"), LoadOptions(replace=replace))
    finally:
        redis_server.client("ACL", "SETUSER", "default", "+restore")
    assert (done.resumed, done.loaded, done.existed, done.form) == (4, 1100, 0, form)
    assert redis_server.digest() == digest


@pytest.mark.server
def test_out_of_memory_ends_the_load(redis_server, tmp_path):
    redis_server.client("DEBUG", "POPULATE", 100, "k", 1000)
    path = tmp_path / "x.rdb"
    path.write_bytes(redis_server.save().read_bytes())
    redis_server.client("FLUSHALL")
    redis_server.client("CONFIG", "SET", "maxmemory", "1")
    try:
        done = run("load", path, url_of(redis_server))
    finally:
        redis_server.client("CONFIG", "SET", "maxmemory", "0")
    assert done.code == 3
    assert "is out of memory, at key" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.server
def test_the_function_does_the_same(redis_server, tmp_path):
    redis_server.client("SET", "k", "v")
    path = tmp_path / "x.rdb"
    path.write_bytes(redis_server.save().read_bytes())
    redis_server.client("SET", "k", "other")
    persist = RedisPersist(redis.Redis(unix_socket_path=str(redis_server.directory / "s")))
    assert persist.load(path).existed == 1
    assert persist.load(path, skip_existing=True).is_complete
    assert not persist.load(path, skip_existing=True, verify=True).is_complete
    assert persist.load(path, replace=True, verify=True).check == LoadCheck(1, 0, 0, ())
    assert redis_server.client("GET", "k") == b"v"


def test_a_server_that_is_not_there(tmp_path):
    with open_keys(str(CORPUS / "default.rdb")) as keys, pytest.raises(InputError, match="no such socket"):
        load_dataset(keys, Endpoint.of_url(f"unix://{tmp_path}/none"), LoadOptions())


@pytest.mark.parametrize("words", [["--replace", "--skip-existing"], ["--rate", "x"], ["--rate", "0"]])
def test_what_makes_no_sense_is_usage(words):
    assert run("load", CORPUS / "default.rdb", "redis://localhost:1", *words).code == 2


def test_standard_input_cannot_be_verified():
    assert run("load", "-", "redis://localhost:1", "--verify", stdin=b"").code == 2
