"""The data that is measured: made once, by a redis-server of this machine, and kept where it is asked for."""

from __future__ import annotations

import importlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from measuring import ask, connect

HERE = Path(__file__).parent
RDBTOOL = str(Path(sys.executable).parent / "rdbtool")

#: Keys of the data set at scale 1.
_KEYS = 882_060


@contextmanager
def cache_directory(given: Path | None) -> Iterator[Path]:
    if given is None:
        with tempfile.TemporaryDirectory(prefix="rdbtool-bench-") as name:
            yield Path(name)
    else:
        given.mkdir(parents=True, exist_ok=True)
        yield given


def make_rdb(target: Path, generator: str, *words: str | int) -> Path:
    """Return an RDB with what a generator beside this file writes; a server makes it unless it is there."""
    if target.exists():
        return target
    with serving() as (connection, replies, directory):
        feed(connection, replies, [sys.executable, str(HERE / generator), *map(str, words)])
        save(connection, replies)
        shutil.move(directory / "dump.rdb", target)
    return target


def make_log(target: Path, generator: str, *words: str | int) -> Path:
    """Return what a generator beside this file writes as an AOF; its commands are one as they are."""
    if not target.exists():
        with target.open("wb") as file:
            subprocess.run([sys.executable, str(HERE / generator), *map(str, words)], stdout=file, check=True)
    return target


def make_other(file: Path) -> Path:
    """Return the same data as another version writes it."""
    target = file.with_name(f"{file.stem}-old.rdb")
    if not target.exists():
        words = ["convert", "-q", "--force", str(file), str(target), "--target", "redis-7.2"]
        subprocess.run([RDBTOOL, *words], check=True)
    return target


def make_jsonl(file: Path) -> Path:
    """Return the same data as JSON lines."""
    target = file.with_suffix(".jsonl")
    if not target.exists():
        subprocess.run([RDBTOOL, "convert", "-q", "--force", str(file), str(target)], check=True)
    return target


def make_old(file: Path) -> Path:
    """Return most keys of the data set as RDB 9, which redis-rdb-tools reads."""
    target = file.with_name(f"{file.stem}-rdb9.rdb")
    if not target.exists():
        words = ["--target", "redis-6.2", "--key", "[13579]"]
        subprocess.run([RDBTOOL, "convert", "-q", "--force", *words, str(file), str(target)], check=True)
    return target


def make_changed(file: Path, percent: int) -> Path:
    """Return the data set with so many percent of its keys changed, as a server saves it."""
    target = file.with_name(f"{file.stem}-changed-{percent}.rdb")
    if target.exists():
        return target
    count = _KEYS * percent // 100
    with serving(file) as (connection, replies, directory):
        script = "for at = 0, ARGV[1] - 1 do redis.call('SET', 'user:' .. at .. ':session', 'changed' .. at) end"
        words = [b"EVAL", script.encode(), b"0", b"%d" % count]
        text = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
        if ask(connection, replies, text.removesuffix(b"\r\n"))[:1] == b"-":
            sys.exit("the server could not change the data")
        save(connection, replies)
        shutil.move(directory / "dump.rdb", target)
    return target


def make_damaged(file: Path) -> Path:
    """Return a copy of an RDB with one damaged block in its middle."""
    target = file.with_name(f"{file.stem}-damaged.rdb")
    if not target.exists():
        shutil.copyfile(file, target)
        with target.open("r+b") as copy:
            copy.seek(file.stat().st_size // 2)
            copy.write(b"\xff" * 512)
    return target


def make_compressed(file: Path) -> Path:
    """Return an RDB, compressed by zstd at its default level."""
    target = file.with_name(f"{file.name}.zst")
    if not target.exists():
        name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
        with importlib.import_module(name).open(target, "wb") as packed, file.open("rb") as source:
            shutil.copyfileobj(source, packed, 1 << 20)
    return target


@contextmanager
def serving(file: Path | None = None) -> Iterator[tuple[socket.socket, BinaryIO, Path]]:
    """Yield a connection to a server, with the data of a file, its replies, and the directory that it saves to."""
    with tempfile.TemporaryDirectory(prefix="rdbtool-bench-") as name:
        address = str(Path(name) / "s")
        if file is not None:
            shutil.copyfile(file, Path(name) / "dump.rdb")
        settings = ["--port", "0", "--unixsocket", address, "--dir", name, "--save", "", "--appendonly", "no"]
        server = subprocess.Popen(["redis-server", *settings], stdout=subprocess.DEVNULL)
        try:
            with connect(address) as connection, connection.makefile("rb") as replies:
                while ask(connection, replies, b"PING")[:1] == b"-":
                    time.sleep(0.02)
                yield connection, replies, Path(name)
        finally:
            server.kill()
            server.wait()


def save(connection: socket.socket, replies: BinaryIO) -> None:
    if ask(connection, replies, b"SAVE") != b"+OK\r\n":
        sys.exit("the server could not save")


def feed(connection: socket.socket, replies: BinaryIO, command: list[str]) -> None:
    """Send all commands that a generator writes, with replies turned off so that nothing has to be read meanwhile."""
    connection.sendall(b"CLIENT REPLY OFF\r\n")
    maker = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert maker.stdout is not None
    with maker.stdout as commands:
        while piece := commands.read(1 << 20):
            connection.sendall(piece)
    if maker.wait():
        sys.exit(f"{command[1]} failed")
    connection.sendall(b"CLIENT REPLY ON\r\n")
    line = replies.readline()
    if line != b"+OK\r\n":
        sys.exit(f"the server answered {line!r}")
