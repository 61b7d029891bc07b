"""The child of ``damage.run_batch``: reads pickled cases on standard input, writes a line of JSON for each.

The address space is limited after everything is imported. The last line is the peak of resident memory.
"""

from __future__ import annotations

import io
import json
import pickle
import resource
import sys
import time

import rdbtool
from rdbtool.core.errors import FormatError, RdbToolError, describe_error
from rdbtool.reader.rdb import open_rdb

NAME = "the file"


def peak_mb() -> float:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


def place(error: RdbToolError) -> dict[str, object]:
    if not isinstance(error, FormatError):
        return {}
    where = error.where
    return {
        "code": error.code,
        "at": error.at,
        "start": error.start,
        "key": None if where.key is None else where.key.hex(),
        "db": where.db,
        "record": where.record,
        "readable_up_to": error.readable_up_to,
        "keys_read": error.keys_read,
    }


class Stream(io.RawIOBase):
    """A pipe of sorts: nobody knows how much will come, and it comes in small pieces."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, view: memoryview) -> int:
        return self._inner.readinto(view[:4096])


def read(data: bytes, backend: str, *, sized: bool = True) -> dict[str, object]:
    items = keys = 0
    outcome: dict[str, object] = {"kind": "result"}
    try:
        with open_rdb(data if sized else Stream(data), name=NAME, backend=backend) as reader:
            for item in reader.items():
                items += 1
                keys += isinstance(item, rdbtool.KeyRecord)
    except RdbToolError as error:
        outcome = {"kind": "error", "text": describe_error(error), "error": type(error).__name__, **place(error)}
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is reported as a failure
        outcome = {"kind": "failure", "text": f"{type(error).__name__}: {error}"}
    return {"items": items, "keys": keys, **outcome}


def main() -> None:
    backend, address_space_mb, sized = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "sized"
    # What is imported late is imported now, so that the limit and the clock see the input alone.
    read(b"REDIS0011\x00\x01k\x01v", "codec")
    read(b"REDIS0011\x00\x01k\x01v", "grammar")
    cases = pickle.load(sys.stdin.buffer)
    limit = address_space_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for label, data, _ in cases:
        began = time.process_time()
        outcome = read(data, backend, sized=sized)
        row = {"label": label, "seconds": time.process_time() - began, **outcome}
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()
    sys.stdout.write(json.dumps({"peak_mb": peak_mb()}) + "\n")


if __name__ == "__main__":
    main()
