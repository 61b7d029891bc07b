"""Products are recognised by what only they write."""

from typing import NamedTuple

import pytest

from rdbtool.core.commands import PRODUCT_BY_COMMAND
from rdbtool.core.servers import (
    DRAGONFLY,
    KEYDB,
    PRODUCT_BY_OPCODE,
    PRODUCTS,
    REDIS_ENTERPRISE,
    REDIS_ON_WINDOWS,
    product_of,
    product_of_version,
)


class Field(NamedTuple):
    key: bytes
    value: bytes


@pytest.mark.parametrize(
    ("version", "product"),
    [
        (b"7.4.2", None),
        (b"6.2.16", None),
        (b"6.1.241", None),
        (b"2.8.24", None),
        (b"255.255.255", None),
        (b"6.2.6-v9", None),
        (b"", None),
        (b"5.0.14.1", REDIS_ON_WINDOWS),
        (b"3.2.100", REDIS_ON_WINDOWS),
        (b"2.8.2104", REDIS_ON_WINDOWS),
        (b"6.3.4", KEYDB),
        (b"5.3.3", KEYDB),
    ],
)
def test_versions_that_redis_never_had_name_a_product(version, product):
    assert product_of_version(version) is product
    assert product_of([Field(b"redis-ver", version)]) is product


@pytest.mark.parametrize(
    ("name", "product"),
    [
        (b"mvcc-tstamp", KEYDB),
        (b"keydb-subexpire-key", KEYDB),
        (b"df-ver", DRAGONFLY),
        (b"bigdb-ram-keys", REDIS_ENTERPRISE),
        (b"redis-bits", None),
        (b"valkey-ver", None),
    ],
)
def test_aux_fields_name_a_product(name, product):
    fields = [Field(b"redis-ver", b"7.4.0"), Field(name, b"1")]
    assert product_of(fields) is product


def test_opcodes_and_commands_name_a_product():
    assert PRODUCT_BY_OPCODE[121] is REDIS_ENTERPRISE
    assert 254 not in PRODUCT_BY_OPCODE
    assert PRODUCT_BY_COMMAND[b"RREPLAY"] is KEYDB
    assert b"SET" not in PRODUCT_BY_COMMAND


def test_nothing_names_two_products():
    for names in ("aux", "opcodes"):
        rows = [getattr(product, names) for product in PRODUCTS]
        assert sum(map(len, rows)) == len(frozenset().union(*rows))
