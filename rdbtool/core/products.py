"""Forks and products that write RDB files and AOFs of their own: how they are recognised.

None of them names itself. An RDB file is recognised by aux fields that only one product writes, by opcodes of its own,
or by a version in ``redis-ver`` that Redis never released; an AOF by commands that only one product has
(``rdbtool.core.commands``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from rdbtool.core.rdb_types import WRITER_FIELDS, code_of, codes_of


class Field(Protocol):
    """An aux field."""

    @property
    def key(self) -> bytes:
        """Its name."""

    @property
    def value(self) -> bytes:
        """Its text."""


class Product(NamedTuple):
    """A product and what only it writes.

    ``base`` is the Redis whose behaviour it has where no version is named. ``aux`` are names of aux fields,
    ``opcodes`` RDB opcodes that are read here. ``unread`` are the numbers of
    types and opcodes that mean something else in its files, or nothing that is known.
    """

    name: str
    base: str
    aux: frozenset[bytes] = frozenset()
    opcodes: frozenset[int] = frozenset()
    unread: range = range(0)


KEYDB: Final = Product(
    "KeyDB",
    "redis-6.2",
    aux=frozenset({b"mvcc-tstamp", b"keydb-subexpire-key", b"keydb-subexpire-when", b"repl-masters"}),
    # Its cron objects, whose layout is not known.
    unread=range(64, 65),
)

DRAGONFLY: Final = Product(
    "Dragonfly",
    "redis-7.2",
    aux=frozenset({b"df-ver", b"search-index", b"search-synonyms", b"shard-count", b"shard-id", b"table-mem"}),
    # Its own types begin where those that it shares with Redis end, and its opcodes reach up to 224.
    unread=range(code_of("STREAM_LISTPACKS_3") + 1, 225),
)

REDIS_ENTERPRISE: Final = Product(
    "Redis Enterprise",
    "redis-7.2",
    aux=frozenset({
        b"big-ram-overhead", b"big-used-data", b"big-used-disk", b"big-used-ram", b"bigdb-disk-keys",
        b"bigdb-ram-keys",
    }),
    opcodes=codes_of("RAM_LRU", "SLOT_NUM"),
    # Reserved for it. No others: they are letters, on which reading often comes to lie behind damage.
    unread=range(101, 103),
)  # fmt: skip

REDIS_ON_WINDOWS: Final = Product("Redis on Windows", "redis-3.2")

PRODUCTS: Final = (KEYDB, DRAGONFLY, REDIS_ENTERPRISE, REDIS_ON_WINDOWS)

#: A product by its name, and the one that an aux field's name or an opcode gives away.
BY_NAME: Final = {product.name: product for product in PRODUCTS}
BY_AUX: Final = {name: product for product in PRODUCTS for name in product.aux}
BY_OPCODE: Final = {code: product for product in PRODUCTS for code in product.opcodes}

#: Releases of KeyDB whose major and minor number Redis never had.
_KEYDB_VERSIONS: Final = frozenset({(5, 1), (5, 2), (5, 3), (6, 3)})

#: Patch numbers of the builds of Redis 2.8 to 3.2 for Windows begin here.
_WINDOWS_PATCH: Final = 100
_LAST_WINDOWS_MAJOR: Final = 3

_VERSION: Final = re.compile(rb"(\d{1,3})\.(\d{1,3})\.(\d{1,4})(\.\d{1,4})?")


def product_of_version(text: bytes) -> Product | None:
    """Return the product that the value of ``redis-ver`` gives away, None for versions of Redis itself."""
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    major, minor, patch = int(match[1]), int(match[2]), int(match[3])
    if match[4] is not None or (major <= _LAST_WINDOWS_MAJOR and patch >= _WINDOWS_PATCH):
        return REDIS_ON_WINDOWS
    return KEYDB if (major, minor) in _KEYDB_VERSIONS else None


def product_of_aux(key: bytes, value: bytes) -> Product | None:
    """Return the product that an aux field gives away, None for none."""
    return product_of_version(value) if key == WRITER_FIELDS["redis"] else BY_AUX.get(key)


def product_of(aux: Iterable[Field]) -> Product | None:
    """Return the product that wrote a file with these aux fields, None where nothing gives one away.

    The names of the fields count more than a version.
    """
    fields = list(aux)
    found = [BY_AUX.get(field.key) for field in fields]
    found += [product_of_aux(field.key, field.value) for field in fields]
    return next((product for product in found if product is not None), None)
