"""RDB files of many small keys, of which some are there twice, and what a command leaves in a bounded run."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Mapping
from pathlib import Path

from command import COMMAND, environment

from rdbtool.io.source import crc64

#: The least memory that a table of keys can do with.
TINY = "64KiB"


def snapshot(
    count: int,
    again: Mapping[int, int] | None = None,
    *,
    values: Mapping[int, bytes] | None = None,
    announced: int | None = None,
) -> bytes:
    """An RDB with the keys 0 to ``count`` - 1 in two databases; ``again`` says which have the name of another.

    ``announced`` is the number of keys that each database is said to have.
    """
    again, values = again or {}, values or {}
    records = []
    for number in range(count):
        if number in {0, count // 2}:
            records.append(bytes([0xFE, int(number > 0)]))
            if announced is not None:
                records.append(b"\xfb\x81" + announced.to_bytes(8, "big") + b"\x00")
        shown = again.get(number, number)
        # Some are longer than those that wait for their look-up.
        name = b"k%d" % shown + b"-" * (200 if shown % 100 == 7 else 0)
        size = bytes([len(name)]) if len(name) < 64 else bytes([0x40, len(name)])
        value = values.get(number, b"v")
        records.append(b"\x00" + size + name + bytes([len(value)]) + value)
    body = b"REDIS0011" + b"".join(records) + b"\xff"
    return body + crc64(body).to_bytes(8, "little")


def run_with_full_disk(*arguments: str | Path, room: Path, most: int = 40_000) -> tuple[int, str]:
    """Run a command that can write at most ``most`` bytes to a file; return its exit code and standard error."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(TMPDIR=os.fspath(room)),
        preexec_fn=limit,
    )
    return done.returncode, done.stderr + done.stdout
