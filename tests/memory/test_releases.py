"""Which server's memory is calculated, and blocks of allocators."""

import pytest

from rdbtool.core.memory_models import ALLOCATORS, MEMORY_MODELS, memory_model_of
from rdbtool.core.servers import RELEASES, Rules


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("redis-2.8", "redis-4.0"),
        ("redis-6.0", "redis-6.2"),
        ("redis-8.4", "redis-8.2"),
        ("redis-8.10", "redis-8.2"),
    ],
)
def test_the_nearest_release_stands_for_one_that_was_not_measured(asked, given):
    model, is_nearest = memory_model_of(Rules.parse(asked))
    assert (str(model.rules), is_nearest) == (given, True)


@pytest.mark.parametrize("name", ["redis-4.0", "redis-7.2", "redis-8.2", "valkey-7.2", "valkey-9.0", "valkey-9.1"])
def test_these_were_measured(name):
    assert not memory_model_of(Rules.parse(name))[1]


def test_every_release_has_a_model():
    for family, releases in RELEASES.items():
        for release in releases:
            assert memory_model_of(Rules(family, *release))[0] in MEMORY_MODELS
    assert len(set(ALLOCATORS)) == 4
