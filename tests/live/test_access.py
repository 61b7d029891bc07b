"""Reaching servers: URLs as sources, passwords, TLS, and every way in which it does not work."""

import json
import os
import socket
import subprocess
import threading
from contextlib import contextmanager

import pytest
from command import COMMAND, environment, run
from required import required_module, skip_without

from rdbtool.live.address import has_password, show_url

required_module("redis")

QUICK = {"repl-diskless-sync-delay": "0"}


@pytest.fixture
def served(start_server, free_port):
    with start_server(config={"port": str(free_port), **QUICK}) as running:
        running.port = free_port
        yield running


def url_of(running):
    return f"unix://{running.directory / 's'}"


@contextmanager
def answering(*answers):
    """A port that answers the commands of one connection after another in turn; bytes as they are, None: an end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            for answer in answers:
                client, _ = listener.accept()
                with client:
                    client.recv(4096)
                    if answer is not None:
                        client.sendall(answer)
                        client.recv(4096)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]


def refused(done, words, code=3):
    assert (done.code, done.out) == (code, b""), done.err
    assert words in done.err
    assert done.err.count("\n") == 1


@pytest.mark.server
def test_a_server_is_a_source(served, tmp_path):
    served.client("HSET", "h", "f", "v")
    served.client("SET", "k", "v")
    url = url_of(served)
    assert run("digest", url).out.decode().strip() == served.digest()
    assert run("validate", url).code == 0
    assert json.loads(run("info", "--json", url).out)["keys"] == 2
    path = tmp_path / "x.rdb"
    assert run("convert", url, path).code == 0
    assert run("diff", url, path).code == 0
    assert run("get", url, "h", "f").out == b"v"
    assert run("get", url, "none").code == 1
    served.client("SET", "k", "w")
    assert run("diff", f"redis://127.0.0.1:{served.port}", path).code == 1


@pytest.mark.server
def test_passwords_come_from_a_file_or_the_environment(served, tmp_path, monkeypatch):
    served.client("ACL", "SETUSER", "backup", "on", ">s3cret", "+psync", "+replconf", "+ping", "+info")
    served.client("SET", "k", "v")
    (tmp_path / "p").write_text("s3cret\n")
    address = f"redis://backup@127.0.0.1:{served.port}"
    words = ["capture", address, "-o", tmp_path / "x.rdb", "--force"]
    assert run(*words, "--password-file", tmp_path / "p").code == 0
    assert run("diff", address, tmp_path / "x.rdb", "--password-file", tmp_path / "p").code == 0
    for name in ("RDBTOOL_PASSWORD", "REDISCLI_AUTH"):
        monkeypatch.setenv(name, "s3cret")
        assert run(*words).code == 0
        monkeypatch.setenv(name, "wrong")
        done = run(*words)
        refused(done, "refuses the user or the password: give the right one by --password-file")
        monkeypatch.delenv(name)
    done = run("capture", f"redis://backup:s3cret@127.0.0.1:{served.port}", "-o", tmp_path / "y.rdb")
    assert done.code == 0
    assert "visible in process lists" in done.err
    assert "s3cret" not in done.err
    refused(run(*words, "--password-file", tmp_path / "none"), "cannot read the password in")


@pytest.mark.server
def test_a_user_without_rights(served, tmp_path):
    served.client("ACL", "SETUSER", "reader", "on", "nopass", "~*", "+@read", "+info")
    done = run("capture", f"redis://reader@127.0.0.1:{served.port}", "-o", tmp_path / "x.rdb")
    refused(
        done, "does not let this user run PSYNC: ACL SETUSER … +psync +replconf +ping +info allows it, or use --scan"
    )
    done = run("capture", f"redis://reader@127.0.0.1:{served.port}", tmp_path / "aof", "--follow")
    refused(done, "does not let this user run PSYNC")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.server
def test_a_server_that_asks_for_a_password(start_server, free_port, tmp_path):
    with start_server(config=QUICK) as running:
        running.client("CONFIG", "SET", "requirepass", "s3cret")
        refused(
            run("capture", url_of(running), "-o", tmp_path / "x.rdb"), "requires a password: give it by --password-file"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.server
def test_a_replica_without_its_master(start_server, free_port, tmp_path):
    with start_server(config={"replicaof": f"127.0.0.1 {free_port}", **QUICK}) as running:
        done = run("capture", url_of(running), "-o", tmp_path / "x.rdb")
        refused(done, "is a replica that has lost its master: wait until it is connected")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.server
def test_tls_where_there_is_none(served, tmp_path):
    done = run("capture", f"rediss://127.0.0.1:{served.port}", "-o", tmp_path / "x.rdb")
    assert done.code == 3
    assert "TLS" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.server
def test_tls(start_server, free_port, tmp_path):
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key",
         "-out", tmp_path / "cert", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        skip_without("openssl makes no certificate here")
    config = {
        "tls-port": str(free_port), "tls-cert-file": str(tmp_path / "cert"), "tls-key-file": str(tmp_path / "key"),
        "tls-auth-clients": "no", "tls-ca-cert-file": str(tmp_path / "cert"), **QUICK,
    }  # fmt: skip
    try:
        running = start_server(config=config)
        with running as server:
            server.client("DEBUG", "POPULATE", 1000, "k", 500)
            url = f"rediss://localhost:{free_port}"
            done = run("capture", f"{url}?ssl_ca_certs={tmp_path / 'cert'}", "-o", tmp_path / "x.rdb")
            assert done.code == 0, done.err
            assert run("digest", tmp_path / "x.rdb").out.decode().strip() == server.digest()
            refused(run("capture", url, "-o", tmp_path / "y.rdb"), "is not trusted")
            done = run("capture", f"redis://localhost:{free_port}", "-o", tmp_path / "y.rdb")
            assert (done.code, done.err.count("\n")) == (3, 1)
            assert "TLS is rediss://" in done.err
    except RuntimeError:
        skip_without("this server has no TLS")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not a Redis or Valkey server: check host and port"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "is loading its dataset: try again when it has"),
        (None, "closed the connection"),
    ],
)
def test_what_is_no_server_that_replicates(answer, words, tmp_path):
    with answering(answer) as port:
        done = run("capture", f"redis://127.0.0.1:{port}", "-o", tmp_path / "x.rdb")
    assert done.code == 3, done.err
    assert words in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


FULL = b"+FULLRESYNC " + b"a" * 40 + b" 1\r\n\n"


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (FULL + b"$100\r\nREDIS0010\xfa", "closed the connection, after 10 of 100 bytes of the RDB"),
        (FULL + b"$EOF:" + b"x" * 40 + b"\r\nREDIS0010", "closed the connection, after"),
        (FULL + b"-ERR BGSAVE failed, replication can't continue\r\n", "there is too little memory for a fork"),
        (FULL + b"$200\r\n" + b"x" * 200, "not an RDB"),
        (FULL + b"whatever\r\n", "sent no RDB after PSYNC"),
        (b"+SOMETHING\r\n", "answered PSYNC with"),
        (b"-ERR unknown command 'PSYNC'\r\n", "has no PSYNC: --scan reads it with SCAN and DUMP"),
    ],
)
def test_transfers_that_do_not_end_well(sent, words, tmp_path):
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        client, _ = listener.accept()
        with client:
            data = b""
            answered = 0
            while b"PSYNC" not in data:
                data += client.recv(4096)
                names = data.count(b"SETINFO") + data.count(b"REPLCONF") + data.count(b"SELECT")
                client.sendall(b"+OK\r\n" * (names - answered))
                answered = names
            client.sendall(sent)

    thread = threading.Thread(target=serve)
    thread.start()
    done = run("capture", f"redis://127.0.0.1:{listener.getsockname()[1]}", "-o", tmp_path / "x.rdb")
    thread.join()
    listener.close()
    assert words in done.err
    assert done.code in {1, 3, 4}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://me:secret@host:1/2", "redis://me@host:1/2"),
        ("redis://:secret@host", "redis://host"),
        ("unix:///run/s?password=secret&db=3", "unix:///run/s?db=3"),
        ("unix://me:secret@/run/s", "unix://me@/run/s"),
        ("rediss://host", "rediss://host"),
    ],
)
def test_no_password_is_shown(url, shown):
    assert show_url(url) == shown
    assert has_password(url) == (url != shown)


def test_without_the_client_library_it_is_said():
    program = "import sys; sys.modules['redis'] = None\nfrom rdbtool._entry import main\nmain()"
    done = subprocess.run(
        [*COMMAND[:2], program, "capture", "redis://localhost", "-o", os.devnull],
        capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "pip install 'redis-rdbtool[live]'" in done.stderr
