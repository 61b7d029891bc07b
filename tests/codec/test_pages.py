"""Files that get their name at their end are written in whole pages; what others read, record by record."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from codec.driving import make, rdb

from rdbtool._codec.encode.json import Json
from rdbtool._codec.encode.jsonl import Jsonl
from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.encode.resp import Resp
from rdbtool.reader.rdb import open_rdb
from rdbtool.writer.atomic.output import open_output

PAGE = 4096
FORMS = {"json": Json, "jsonl": Jsonl, "rdb": Rdb, "resp": Resp}
NOISE = random.Random(1).randbytes(6000)
DATA = rdb(*[make.key(0, b"k%d" % at, make.string(NOISE[at : at + at % 1000])) for at in range(5000)])


class Pages:
    takes_pages = True

    def __init__(self, *, views: bool) -> None:
        self.takes_views = views
        self.pieces: list[bytes] = []

    def write(self, piece: bytes | memoryview) -> None:
        assert not isinstance(piece, memoryview) or self.takes_views
        self.pieces.append(bytes(piece))


def written(form: str, pages: Pages) -> bytes:
    sink = FORMS[form](pages.write)
    with open_rdb(DATA) as reader:
        reader.feed(sink)
    sink.close()
    assert sink.handed_on == sum(map(len, pages.pieces))
    return b"".join(pages.pieces)


@pytest.mark.parametrize("views", [False, True])
@pytest.mark.parametrize("form", ["json", "jsonl", "resp", "rdb"])
def test_whole_pages(form: str, *, views: bool) -> None:
    pages = Pages(views=views)
    plain: list[bytes] = []
    sink = FORMS[form](plain.append)
    with open_rdb(DATA) as reader:
        reader.feed(sink)
    sink.close()
    assert written(form, pages) == b"".join(plain)
    stops = list(itertools.accumulate(map(len, pages.pieces)))
    assert len(stops) > 5
    # An RDB ends with its checksum, on its own.
    assert all(stop % PAGE == 0 for stop in stops[:-2])
    assert max(map(len, pages.pieces)) < 300_000


def test_a_file_takes_pages_and_a_pipe_does_not(tmp_path: Path) -> None:
    with open_output(str(tmp_path / "new")) as output:
        assert getattr(output, "takes_pages", False)
    with open_output("/dev/null") as output:
        assert not getattr(output, "takes_pages", False)
