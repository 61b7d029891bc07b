"""The fixtures are what they are said to be: origin, checksums, size, and what they cover."""

import hashlib
import importlib.util
import json
import re
import subprocess
from pathlib import Path

import pytest

from rdbtool.core.rdb_types import OPCODES, VALUE_TYPES

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
SMALL = sorted((FIXTURES / "small").glob("*.rdb"))


def load_maker(name="make_small"):
    spec = importlib.util.spec_from_file_location(name, FIXTURES / f"{name}.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker


def test_the_small_files_are_what_the_script_makes():
    assert {path.name: path.read_bytes() for path in SMALL} == load_maker().make()


def test_the_damaged_files_are_what_the_script_makes():
    made = load_maker("make_damaged").make()
    assert {path.name: path.read_bytes() for path in (FIXTURES / "damaged").iterdir()} == made


def test_the_small_files_are_small():
    assert len(SMALL) >= 6
    assert max(path.stat().st_size for path in SMALL) <= 1024


def test_every_file_has_its_checksum():
    """But what a fuzzer keeps, which is made anew again and again."""
    rows = (FIXTURES / "SHA256SUMS").read_text().splitlines()
    listed = {name: digest for digest, name in (row.split("  ") for row in rows)}
    present = {
        str(path.relative_to(FIXTURES)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FIXTURES.rglob("*")
        if path.is_file()
        and path.suffix not in {".md", ".py", ".pyc"}
        and path.parent not in {FIXTURES, FIXTURES / "fuzz"}
    }
    assert listed == present


def test_every_server_file_has_its_digest():
    digests = json.loads((FIXTURES / "digests.json").read_text())
    listed = {f"{server}/{name}" for server, files in digests.items() for name in files}
    rdbs = [path for path in FIXTURES.glob("*/*.rdb") if path.parent.name not in {"small", "cases"}]
    logs = [path for path in FIXTURES.glob("*/aof-*") if path.is_dir() or path.suffix == ".aof"]
    present = {str(path.relative_to(FIXTURES)) for path in (*rdbs, *logs)}
    assert listed == present
    assert all(re.fullmatch("[0-9a-f]{40}", digest) for files in digests.values() for digest in files.values())


def test_all_of_it_stays_small():
    assert sum(-(-path.stat().st_size // 4096) * 4096 for path in FIXTURES.rglob("*") if path.is_file()) < 8 << 20


def test_every_type_and_opcode_is_there(monkeypatch):
    """Counted where they are made, since nothing but the maker knows without rdbtool what a byte is."""
    maker = load_maker()
    seen = set()
    real_key, real_rdb = maker.key, maker.rdb

    def key(code, name, payload):
        seen.add(code)
        return real_key(code, name, payload)

    def rdb(magic, *parts):
        # An opcode stands at the beginning of a part, and after the expiry or eviction data of a key.
        seen.update(part[0] for part in parts)
        return real_rdb(magic, *parts)

    monkeypatch.setattr(maker, "key", key)
    monkeypatch.setattr(maker, "rdb", rdb)
    maker.make()
    assert seen | {255} == {row.code for row in VALUE_TYPES} | {row.code for row in OPCODES}


JUDGED = [path for path in SMALL if path.read_bytes()[:5] == b"REDIS" and int(path.read_bytes()[5:9]) <= 10]


@pytest.mark.server
@pytest.mark.parametrize("path", JUDGED, ids=lambda path: path.stem)
def test_the_check_tool_of_redis_accepts(path, redis_tools):
    done = subprocess.run([redis_tools.check_rdb, path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert "RDB looks OK" in done.stdout


# The pre-release form of functions and unknown modules are skipped by the check tool, but no server loads them.
LOADED = [path for path in JUDGED if not re.search(r"module|lru-lfu|-rc-", path.name)]


@pytest.mark.server
@pytest.mark.parametrize("path", LOADED, ids=lambda path: path.stem)
def test_a_server_loads(path, start_server):
    with start_server(files={"dump.rdb": path}, config={"sanitize-dump-payload": "yes"}) as server:
        assert server.client("DBSIZE") > 0
