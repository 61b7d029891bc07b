"""``rdbtool digest``: what DEBUG DIGEST gave on the server that wrote the file."""

import json

import pytest
from command import FIXTURES, run

DIGESTS = [
    (f"{server}/{name}", digest)
    for server, files in json.loads((FIXTURES / "digests.json").read_text()).items()
    for name, digest in files.items()
    if name.endswith(".rdb")
]


@pytest.mark.parametrize(("name", "digest"), DIGESTS)
def test_the_digest_is_the_servers(name, digest):
    assert run("digest", FIXTURES / name) == (0, digest.encode() + b"\n", "")


def test_json():
    name, digest = DIGESTS[0]
    report = json.loads(run("digest", "--json", FIXTURES / name).out)
    assert (report["schema"], report["digest"], report["source"]) == (1, digest, str(FIXTURES / name))


def test_target_is_another_word_for_rules():
    path = FIXTURES / "redis-7.0.15" / "default.rdb"
    assert run("digest", "--rules", "redis-7.0", path) == run("digest", "--target", "redis-7.0", path)
    assert run("digest", "--rules", "rabbit-1", path).code == 2


def test_an_empty_dataset_is_zeros():
    assert run("digest", "-", stdin=b"REDIS0004\xff").out == b"0" * 40 + b"\n"


def test_a_selection_has_a_digest_of_its_own():
    path = FIXTURES / "redis-7.0.15" / "default.rdb"
    assert run("digest", "-n", "77", path).out == b"0" * 40 + b"\n"
    assert run("digest", "-n", "9", path).out not in (b"0" * 40 + b"\n", run("digest", path).out)
