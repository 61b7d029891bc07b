"""The command on damaged files: whole records, then one error, never a traceback, and no file anywhere."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import run
from corruption.damage import FIXTURES, SMALL

import rdbtool
from rdbtool.reader.rdb import open_rdb

COMMAND = str(Path(sys.executable).with_name("rdbtool"))


def damaged_files():
    """Cuts and flips over a real file of 61 keys, and a cut in the middle of each small file."""
    data = (FIXTURES / "redis-7.0.15/default.rdb").read_bytes()
    for part in range(1, 4):
        at = part * len(data) // 4
        yield f"cut at {at}", data[:at]
        yield f"flipped at {at}", data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
    yield "no checksum", data[:-8]
    yield "no end", data[:-9]
    for path in SMALL:
        small = path.read_bytes()
        yield f"{path.stem} cut in the middle", small[: len(small) // 2]


FILES = dict(damaged_files())


@pytest.mark.parametrize("name", FILES)
def test_dump(tmp_path, name):
    (tmp_path / "dump.rdb").write_bytes(FILES[name])
    done = run("dump", "-f", "jsonl", "dump.rdb", cwd=tmp_path)
    message = done.err
    assert done.code == 1, message
    assert message.startswith("rdbtool: dump.rdb: at 0x")
    assert "expected" in message
    assert "Traceback" not in message
    assert len(message.splitlines()) <= 4
    assert [path.name for path in tmp_path.iterdir()] == ["dump.rdb"]

    # Every line is whole, and the keys are those that the library gives before its error.
    assert done.out.endswith(b"\n")
    shown = [row for row in map(json.loads, done.out.splitlines()) if "key" in row]
    given = []
    with open_rdb(tmp_path / "dump.rdb") as reader, pytest.raises(rdbtool.FormatError) as caught:
        given.extend(record.kind for record in reader)
    assert [row["type"] for row in shown] == given
    assert len(given) == caught.value.keys_read
    assert f"readable up to {caught.value.readable_up_to:#x}" in message


def test_nothing_of_a_damaged_file_is_written_to_a_file(tmp_path):
    (tmp_path / "dump.rdb").write_bytes(FILES["no end"])
    done = subprocess.run(
        [COMMAND, "dump", "-f", "jsonl", "-o", "out.jsonl", "dump.rdb"],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["dump.rdb"]
