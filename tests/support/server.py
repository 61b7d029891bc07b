"""A private redis-server for tests, and the few lines of RESP that talk to it.

The server lives in a directory of its own, listens on a Unix socket in it and nowhere else, saves
only when asked to, and is gone when its ``with`` block ends.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

Reply = bytes | int | None | list["Reply"]

START_SECONDS = 20.0


class ServerError(Exception):
    """An error reply."""


class Tools(NamedTuple):
    """Where the programs of an installed server are, and its version; ``family`` is ``redis`` or ``valkey``."""

    server: str
    check_rdb: str
    check_aof: str
    version: tuple[int, ...]
    family: str = "redis"

    @property
    def rules(self) -> str:
        """What the server is called where rules are named, such as ``redis-7.0``."""
        return f"{self.family}-{self.version[0]}.{self.version[1]}"


def find_tools() -> Tools | str:
    """Return the installed programs, or why they cannot be used."""
    paths = {name: shutil.which(name) for name in ("redis-server", "redis-check-rdb", "redis-check-aof")}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        return f"no {', '.join(missing)} installed"
    server, check_rdb, check_aof = (str(path) for path in paths.values())
    tools = tools_of(server)
    if tools.version < (7, 0):
        return f"redis-server 7.0 or newer is needed, found {tools.version}"
    return tools._replace(check_rdb=check_rdb, check_aof=check_aof)


def tools_of(server: str) -> Tools:
    """Return what a server program says of itself; the programs that check files are not looked for."""
    shown = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    found = re.search(r"v=(\d+)\.(\d+)\.(\d+)", shown)
    version = tuple(map(int, found.groups())) if found else ()
    return Tools(server, "", "", version, "valkey" if shown.startswith("Valkey") else "redis")


class Client:
    """A connection: call it with the words of a command (str, bytes or int) for the reply."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._replies = self._socket.makefile("rb")

    def __call__(self, *words: str | bytes | int) -> Reply:
        """Send one command and return its reply; an error reply is raised."""
        self.send(*words)
        return self.reply()

    def send(self, *words: str | bytes | int) -> None:
        """Send one command without waiting."""
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        data = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(b"*%d\r\n" % len(parts) + data)

    def pipeline(self, data: bytes, count: int) -> None:
        """Send ``count`` commands, already encoded, and check that none fails."""
        self._socket.sendall(data)
        for _ in range(count):
            self.reply()

    def reply(self) -> Reply:
        """Read one reply."""
        line = self._replies.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise ServerError(rest.decode(errors="backslashreplace"))
        number = int(rest)
        if kind == b":":
            return number
        if number < 0:
            return None
        if kind == b"$":
            return self._replies.read(number + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(number)]
        raise ConnectionError(f"not a reply: {line!r}")

    def close(self) -> None:
        """Close the connection."""
        self._replies.close()
        self._socket.close()


class Server:
    """A running server: ``client`` talks to it, ``directory`` is where its files are."""

    def __init__(self, tools: Tools, directory: Path, client: Client, process: subprocess.Popen[bytes]) -> None:
        self.tools = tools
        self.directory = directory
        self.client = client
        self.process = process

    def digest(self) -> str:
        """Return the 40 hex digits of DEBUG DIGEST."""
        reply = self.client("DEBUG", "DIGEST")
        assert isinstance(reply, bytes)
        return reply.decode()

    def save(self) -> Path:
        """Save, and return the path of the RDB file."""
        end = time.monotonic() + 30
        while True:
            try:
                self.client("SAVE")
            except ServerError as error:
                # The child that made a snapshot for a replica may still be ending.
                if "already in progress" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(0.02)
            else:
                return self.directory / "dump.rdb"


@contextmanager
def run_server(
    tools: Tools, *, files: Mapping[str, Path] | None = None, config: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Start a server on copies of ``files`` (name in its directory → file or directory) and stop it at the end.

    A server that does not come up raises RuntimeError with its log.
    """
    with tempfile.TemporaryDirectory(prefix="rdbtool-server-") as name:
        directory = Path(name)
        for target, origin in (files or {}).items():
            if origin.is_dir():
                shutil.copytree(origin, directory / target)
            else:
                shutil.copyfile(origin, directory / target)
        settings = {
            "port": "0",
            "unixsocket": str(directory / "s"),
            "dir": name,
            "save": "",
            "daemonize": "no",
            # Under everysec a server postpones a write for up to two seconds while a sync is under way, and replies
            # all the same: what it has written could not be read right after its reply.
            "appendfsync": "no",
            **({"enable-debug-command": "yes"} if tools.version >= (7, 0) else {}),
            **(config or {}),
        }
        arguments = [word for key, value in settings.items() for word in (f"--{key}", value)]
        log = directory / "server.log"
        with log.open("wb") as output:
            # A group of its own: a child that rewrites or saves ends with it, or it would write into what is removed.
            process = subprocess.Popen(
                [tools.server, *arguments], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            client = _connect(process, directory / "s", log)
            try:
                yield Server(tools, directory, client, process)
            finally:
                client.close()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _connect(process: subprocess.Popen[bytes], path: Path, log: Path) -> Client:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            client = Client(path)
        except OSError:
            time.sleep(0.01)
            continue
        try:
            client("PING")
        except (ServerError, OSError):
            # Still loading its files, or already on its way out.
            client.close()
            time.sleep(0.01)
            continue
        return client
    raise RuntimeError(f"redis-server did not start:\n{log.read_text(errors='replace')[-4000:]}")
