"""RDB versions: a file of each that is known is read, by codec and grammar alike."""

import pytest
from specimen import specimen

from rdbtool.core.errors import UnsupportedError
from rdbtool.core.rdb_types import REDIS, VERSIONS
from rdbtool.reader.rdb import open_rdb

#: One string key and no checksum (an all-zero one, from version 5 on).
BODY = "FE 00 00 01 6B 01 76 FF"


def data_of(version: int) -> bytes:
    return b"REDIS%04d" % version + specimen(BODY) + bytes(8 if version >= 5 else 0)


@pytest.mark.parametrize("backend", ["codec", "grammar"])
@pytest.mark.parametrize("version", range(1, VERSIONS[REDIS][1] + 1))
def test_a_file_of_each_version_is_read(version, backend):
    with open_rdb(data_of(version), backend=backend) as reader:
        (record,) = reader
    assert (record.key, record.value.data) == (b"k", b"v")


def test_a_newer_version_is_named():
    newest = VERSIONS[REDIS][1]
    with pytest.raises(UnsupportedError, match=rf"RDB version {newest + 1} is newer .* \(up to {newest}\)"):
        open_rdb(data_of(newest + 1))
