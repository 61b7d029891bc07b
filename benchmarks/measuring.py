"""What a command takes: CPU time, memory and time of a child process, or of a server that says so itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO, NamedTuple


class Usage(NamedTuple):
    """What one run took: CPU seconds, the peak of memory in MiB, and seconds on the clock.

    Resident memory; of a replay, without what is mapped from files; of a server, what it says that it uses.
    """

    cpu: float
    memory: float
    wall: float = 0.0


def measure(command: list[str], environment: dict[str, str], accepted: tuple[int, ...] = ()) -> Usage:
    """Run a command with its output thrown away; what is run with ``-c`` prints figures of its own."""
    if command[0] == "server":
        return measure_server(Path(command[1]), command[2])
    with open(os.devnull, "r+b") as null, tempfile.TemporaryFile() as told:
        output = told if "-c" in command else null
        began = time.perf_counter()
        child = subprocess.Popen(command, stdin=null, stdout=output, stderr=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        told.seek(0)
        words = told.read().decode().split()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, *accepted):
        sys.exit(f"exit code {child.returncode}: {' '.join(command)}")
    figures = {name: float(figure) for name, figure in zip(words[::2], words[1::2], strict=True)}
    # Linux counts kilobytes, macOS bytes.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    memory = figures["memory"] / 1024 if "memory" in figures else usage.ru_maxrss / unit
    return Usage(figures.get("cpu", usage.ru_utime + usage.ru_stime), memory, wall)


def measure_server(log: Path, step: str) -> Usage:
    """Let a server load the log as the only part of a multi-part log, do one more thing, and ask it what that took.

    ``step`` is ``load``, ``save`` or ``digest`` (both without the loading), or ``rewrite`` (with it, and with the
    process that rewrites).
    """
    with tempfile.TemporaryDirectory(prefix="rdbtool-bench-", dir=log.parent) as name:
        directory = Path(name) / "appendonlydir"
        directory.mkdir()
        # Linked, so never written to: the server appends to the increment behind it.
        os.link(log, directory / "appendonly.aof.1.base.aof")
        (directory / "appendonly.aof.1.incr.aof").touch()
        (directory / "appendonly.aof.manifest").write_text(
            "file appendonly.aof.1.base.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
        )
        address = str(Path(name) / "s")
        settings = ["--port", "0", "--unixsocket", address, "--dir", name, "--save", "", "--appendonly", "yes"]
        settings += ["--auto-aof-rewrite-percentage", "0", "--aof-use-rdb-preamble", "no"]
        settings += ["--enable-debug-command", "yes"]
        server = subprocess.Popen(["redis-server", *settings], stdout=subprocess.DEVNULL)
        try:
            with connect(address) as connection, connection.makefile("rb") as replies:
                while ask(connection, replies, b"PING")[:1] == b"-":
                    time.sleep(0.02)
                loaded = usage_of(connection, replies)
                if step in {"save", "digest"}:
                    ask(connection, replies, b"SAVE" if step == "save" else b"DEBUG DIGEST")
                    return Usage(usage_of(connection, replies).cpu - loaded.cpu, loaded.memory)
                if step == "rewrite":
                    ask(connection, replies, b"BGREWRITEAOF")
                    while b"aof_rewrite_in_progress:1" in ask(connection, replies, b"INFO persistence"):
                        time.sleep(0.02)
                    return usage_of(connection, replies)
                return loaded
        finally:
            server.kill()
            server.wait()


def usage_of(connection: socket.socket, replies: BinaryIO) -> Usage:
    """Return what a server says that it and its children took until now, and the memory that it uses."""
    lines = ask(connection, replies, b"INFO").splitlines()
    info = dict(line.split(b":", 1) for line in lines if b":" in line)
    clocks = (b"used_cpu_user", b"used_cpu_sys", b"used_cpu_user_children", b"used_cpu_sys_children")
    return Usage(sum(float(info[clock]) for clock in clocks), int(info[b"used_memory"]) / (1 << 20))


def ask(connection: socket.socket, replies: BinaryIO, command: bytes) -> bytes:
    """Return a reply: its line, or the bytes that the line announces; the line for none."""
    connection.sendall(command + b"\r\n")
    line = replies.readline()
    return replies.read(int(line[1:]) + 2) if line[:1] == b"$" and line[1:2] != b"-" else line


def connect(address: str) -> socket.socket:
    for _ in range(500):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(address)
        except OSError:
            connection.close()
            time.sleep(0.02)
        else:
            return connection
    sys.exit("redis-server did not start")
