"""Running sinks over files, and making files to run them over.

Files are made with the functions of ``fixtures/make_small.py``, which shares no code with rdbtool.
"""

from __future__ import annotations

import importlib.util
import io
import itertools
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from sampling import sample

from rdbtool import KeyRecord
from rdbtool._codec.encode.json import Json
from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.encode.keys import Keys
from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.encode.resp import Resp
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.replay_record import feed_header, feed_record
from rdbtool.reader.rdb import open_rdb

FIXTURES = Path(__file__).parents[2] / "fixtures"
FILES = sorted(FIXTURES.glob("*/*.rdb"))
BY_SERVER = [path for path in FILES if path.parent.name != "small"]


def pairs(forms: Iterable[str]) -> list[tuple[Path, str]]:
    """Return a sample of all files in all forms, in which each file and so each form comes."""
    every = list(forms)
    chosen = sample(itertools.product(FILES, every), len(FILES), each=lambda row: row[0])
    lacking = set(every) - {form for _, form in chosen}
    return [*chosen, *((FILES[0], form) for form in sorted(lacking))]


def name_of_pair(value: Path | str) -> str:
    return name_of(value) if isinstance(value, Path) else value


def name_of(path: Path) -> str:
    """Return how a test calls a fixture."""
    return f"{path.parent.name}/{path.stem}"


def _load_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_small", FIXTURES / "make_small.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = _load_maker()


def rdb(*parts: bytes, magic: bytes = b"REDIS0011") -> bytes:
    """Return a file of these parts without a checksum (a stored 0 says that there is none)."""
    return magic + b"".join(parts) + b"\xff" + (b"" if magic < b"REDIS0005" else bytes(8))


def rdb_of(*records: KeyRecord) -> bytes:
    """Return the file that rdbtool writes of these records."""
    pieces: list[bytes] = []
    sink = Rdb(pieces.append, magic="REDIS", version=12)
    feed_header("REDIS", 12, sink)
    for record in records:
        feed_record(record, sink)
    sink.close()
    return b"".join(pieces)


class Trickle(io.RawIOBase):
    """A stream that cannot seek and gives at most so many bytes at once."""

    def __init__(self, data: bytes, at_once: Callable[[], int]) -> None:
        self._data = data
        self._at = 0
        self._at_once = at_once

    def readable(self) -> bool:
        return True

    def readinto(self, view: memoryview) -> int:  # type: ignore[override]
        size = min(len(view), self._at_once(), len(self._data) - self._at)
        view[:size] = self._data[self._at : self._at + size]
        self._at += size
        return size


Writer = Callable[[Callable[[bytes], object]], Any]

ESCAPES = ("raw", "print", "utf8", "base64")

#: Every sink that writes bytes, in every form it has but payloads.
WRITERS: dict[str, Writer] = {
    "jsonl": Jsonl,
    **{f"json-{escape}": partial(Json, escape=escape) for escape in ESCAPES},
    **{f"keys-{escape}": partial(Keys, escape=escape) for escape in ESCAPES},
    "resp": Resp,
    "resp-replace": partial(Resp, replace=True),
}


def written(source: Any, writer: Writer, *, selection: Selection | None = None, backend: str = "codec") -> bytes:
    """Return everything that a sink writes of a file, closed."""
    pieces: list[bytes] = []
    sink = writer(pieces.append)
    with open_rdb(source, backend=backend) as reader:
        reader.feed(sink, selection=selection)
        assert backend == "grammar" or reader.fallbacks == 0
    sink.close()
    return b"".join(pieces)


def read_into(source: Any, sink: Any, *, selection: Selection | None = None, backend: str = "codec") -> Any:
    """Return ``sink`` after a file was read into it."""
    with open_rdb(source, backend=backend) as reader:
        reader.feed(sink, selection=selection)
        assert backend == "grammar" or reader.fallbacks == 0
    sink.close()
    return sink


def records_of(source: Any, *, backend: str = "codec") -> list[KeyRecord]:
    """Return all records of a file."""
    with open_rdb(source, backend=backend) as reader:
        return list(reader)
