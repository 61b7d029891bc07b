"""Server releases: names, the RDB version each writes, and which release wrote a file.

A release is a family (``redis``, ``valkey``) with a major and a minor number: patches of one release read and write
alike. The table lists the known releases; everything that accepts a server name uses it.

What to write is a target, named by server (``redis-6.2``, ``valkey-9``) or by format (``rdb-9``): magic, version and
forms follow from it (format A1, A2). The release is kept for the cases in which releases of one RDB version differ.

Forks and products write RDB files and AOFs of their own without naming themselves. An RDB file is recognised by aux
fields that only one product writes, by its own opcodes, or by a version in ``redis-ver`` that Redis never released; an
AOF by commands that only one product has (``rdbtool.core.commands``).
"""

from __future__ import annotations

from rdbtool.core.errors import Loss
from rdbtool.core.light_typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, Self
from rdbtool.core.patterns import pattern
from rdbtool.core.rdb_types import REDIS, VALKEY, VERSIONS, WRITER_FIELDS, code_of, codes_of

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Major and minor number.
Release = tuple[int, int]

#: The releases of each family, oldest first, and the RDB version that each writes (format A2).
RELEASES: Final[dict[str, dict[Release, int]]] = {
    "redis": {
        (2, 0): 1, (2, 2): 1, (2, 4): 2, (2, 6): 6, (2, 8): 6, (3, 0): 6, (3, 2): 7, (4, 0): 8, (5, 0): 9, (6, 0): 9,
        (6, 2): 9, (7, 0): 10, (7, 2): 11, (7, 4): 12, (8, 0): 12, (8, 2): 12, (8, 4): 12, (8, 6): 13, (8, 8): 14,
        (8, 10): 15,
    },
    "valkey": {(7, 2): 11, (8, 0): 11, (8, 1): 11, (9, 0): 80, (9, 1): 80},
}  # fmt: skip

#: The newest RDB version that both families read: Valkey began as Redis 7.2.
COMMON_VERSION: Final = 11

#: The family of each aux field.
FAMILY_BY_FIELD: Final = {field: family for family, field in WRITER_FIELDS.items()}

_NAME: Final = pattern(r"(redis|valkey)-(\d{1,3})(?:\.(\d{1,3}))?((?:\.\d{1,5})*)(?:-[a-z0-9.]+)?")

#: The version of a build between releases is 255.255.255.
_UNRELEASED: Final = 255

#: Digits of a number in a version, at most.
_MOST_DIGITS: Final = 5

#: Maximum characters of a version shown.
_SHOWN: Final = 40


class Since(NamedTuple):
    """A feature of a release: ``name`` says what, such as ``XADD KEEPREF``.

    ``redis`` and ``valkey`` are the first releases of each family that have it, None for a family without it.
    """

    name: str
    redis: Release | None
    valkey: Release | None = (7, 2)


class Rules(NamedTuple):
    """The server whose behaviour applies: family ``redis`` or ``valkey``, and its release."""

    family: str
    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``redis-7.0``, ``redis-7.0.15`` or ``valkey-9``, which is the first release of Valkey 9.

        Raises ValueError for anything else, and for a release that is not in the table.
        """
        match = _NAME.fullmatch(text.strip().lower())
        if match is None:
            raise ValueError(f"{text!r} is not a server such as redis-7.0 or valkey-9")
        family, major = match[1], int(match[2])
        known = [release for release in RELEASES[family] if release[0] == major]
        if match[3] is None and known:
            return cls(family, *known[0])
        if match[3] is not None and (major, int(match[3])) in known:
            return cls(family, major, int(match[3]))
        if not known:
            raise ValueError(f"{text!r} is not a known release: {_list(family)}")
        raise ValueError(f"{text!r} is not a known release: {_list(family, known)}")

    @classmethod
    def oldest(cls, family: str) -> Self:
        """Return the oldest known release of a family."""
        return cls(family, *next(iter(RELEASES[family])))

    @classmethod
    def newest(cls, family: str) -> Self:
        """Return the newest known release of a family."""
        return cls(family, *next(reversed(RELEASES[family])))

    @property
    def release(self) -> Release:
        """Major and minor number."""
        return self.major, self.minor

    @property
    def rdb_version(self) -> int:
        """The RDB version that this server writes, which is the newest that it reads. Raises ValueError."""
        version = RELEASES[self.family].get(self.release)
        if version is None:
            raise ValueError(f"{self} is not a known release")
        return version

    @property
    def magic(self) -> str:
        """The first word of the RDB files that this server writes."""
        return VALKEY if self.rdb_version >= VERSIONS[VALKEY][0] else REDIS

    def has(self, redis: Release | None, valkey: Release | None = (7, 2)) -> bool:
        """Return whether this server has what Redis has since one release and Valkey since another; None: never."""
        since = redis if self.family == "redis" else valkey
        return since is not None and self.release >= since

    def reads(self, magic: str, version: int) -> bool:
        """Return whether this server reads RDB files of a version (format A1, A2)."""
        if magic == self.magic:
            return version <= self.rdb_version
        return magic == REDIS and version <= COMMON_VERSION

    @property
    def has_shortest_doubles(self) -> bool:
        """Doubles as text are the shortest that read back (format F5), not C's ``%.17g``."""
        return self.has((7, 2), (8, 0))

    @property
    def marks_field_expiry(self) -> bool:
        """The dataset digest includes whether a hash field has an expiry (format F6)."""
        return self.has((7, 4), None)

    @property
    def hides_expired_fields(self) -> bool:
        """The dataset digest skips expired hash fields (format F6)."""
        return self.has(None, (9, 0))

    def __str__(self) -> str:
        return f"{self.family}-{self.major}.{self.minor}"


#: The default if nothing identifies the server that wrote a file.
DEFAULT: Final = Rules("redis", 7, 2)

#: Modules that became part of servers, by the type name in files: the type of their values, and since which release.
BUILT_IN: Final = {"vectorset": Since("a vector set", (8, 0), None)}

#: The first servers whose AOF is a directory of files, and has times.
FIRST_WITH_PARTS: Final = Rules("redis", 7, 0)


def _list(family: str, known: list[Release] | None = None) -> str:
    """Return the known releases: of one major number, or all."""
    names = [f"{family}-{major}.{minor}" for major, minor in known or RELEASES[family]]
    if known is None:
        majors = sorted({major for major, _ in RELEASES[family]})
        return f"known are {names[0]} to {names[-1]}, of the major versions {_enumerate(majors)}"
    return f"known are {_enumerate(names)}"


def _enumerate(words: Iterable[object]) -> str:
    *most, last = map(str, words)
    return f"{', '.join(most)} and {last}" if most else last


def first_writer(magic: str, version: int) -> Rules:
    """Return the first server that wrote an RDB version, for unreleased versions the next one."""
    family = "valkey" if magic == VALKEY else "redis"
    newest = Rules.newest(family)
    return next((Rules(family, *release) for release, its in RELEASES[family].items() if its >= version), newest)


def server_of(magic: str, version: int, release: Rules | None) -> Rules:
    """Return the server that an output is for: the named one, else the first that wrote the version."""
    return first_writer(magic, version) if release is None else Rules(*release)


def release_since(family: str, since: Release | None) -> Rules | None:
    """Return the first known release of a family that is at least ``since``; None if none is."""
    if since is None:
        return None
    return next((Rules(family, *release) for release in RELEASES[family] if release >= since), None)


def first_with(since: Since) -> Rules:
    """Return the first server that has something, Redis if both families have it. Raises ValueError if none has."""
    for family, release in (("redis", since.redis), ("valkey", since.valkey)):
        if release is not None:
            return Rules(family, *release)
    raise ValueError(f"no server has {since.name}")


# ---- who wrote a file ------------------------------------------------------------------------------------------

#: Who determined the server rules: the caller, the file, or neither.
Origin = Literal["named", "file", "inferred"]


class VersionedHeader(Protocol):
    """The first bytes of an RDB file."""

    @property
    def magic(self) -> str:
        """``REDIS`` or ``VALKEY``."""

    @property
    def version(self) -> int:
        """The RDB version."""


class WrittenFile(Protocol):
    """A file with RDB header and aux fields, as far as it was read."""

    @property
    def header(self) -> VersionedHeader:
        """The header."""

    @property
    def aux(self) -> Iterable[Field]:
        """The aux fields."""


class Writer(NamedTuple):
    """The server that a file names.

    ``field`` is the name of the aux field and ``text`` its value as shown. ``release`` is the known release that
    behaves like it, None for a version that identifies none, or that is newer than the table (``is_newer``).
    """

    family: str
    field: str
    text: str
    product: Product | None
    release: Rules | None
    is_newer: bool = False

    @property
    def name(self) -> str:
        """The writer for people: ``Redis 7.0.15``, ``KeyDB 6.3.4``."""
        return f"{self.family.capitalize() if self.product is None else self.product.name} {self.text}"


class RulesChoice(NamedTuple):
    """The server rules that apply, who determined them, and why.

    ``reason`` is what names the server, or what it was inferred from. ``is_least`` is set if ``rules`` are the oldest
    that may apply; ``other`` is the oldest server of the other family that may.
    """

    rules: Rules
    origin: Origin
    reason: str = ""
    is_least: bool = False
    other: Rules | None = None

    @property
    def is_known(self) -> bool:
        """Whether the rules were named by the caller or by the file."""
        return self.origin != "inferred"

    def __str__(self) -> str:
        if self.origin == "named":
            return f"rules: {self.rules}"
        if self.origin == "file":
            return f"rules of the writer: {self.rules} ({self.reason})"
        if self.is_least:
            other = "" if self.other is None else f" or {self.other}"
            return f"rules inferred: at least {self.rules}{other} ({self.reason})"
        return f"rules inferred from {self.reason}: {self.rules}"


def writer_of(aux: Iterable[Field]) -> Writer | None:
    """Return the server that the aux fields name, None if they name none."""
    fields = list(aux)
    for field in fields:
        family = FAMILY_BY_FIELD.get(field.key.lower())
        if family is not None:
            shown = field.value[:_SHOWN].decode("ascii", "backslashreplace")
            product = product_of(fields)
            release = find_release(family, shown, product)
            is_newer = release is None and _is_newer(family, shown)
            return Writer(family, field.key.lower().decode(), shown, product, release, is_newer)
    return None


def find_release(family: str, text: str, product: Product | None = None) -> Rules | None:
    """Return the known release of a version (``7.0.15``, ``5.0.14.1``), or the one that it behaves like, None for none.

    Numbers between two releases are release candidates, which behave like the release that followed, or versions of a
    product, which behaves like the release that it was made from.
    """
    number = _read_version(text)
    if number is None:
        return None
    older = [release for release in RELEASES[family] if release <= number]
    if product is not None and older:
        return Rules(family, *older[-1])
    return release_since(family, number)


def _is_newer(family: str, text: str) -> bool:
    """Return whether a version is newer than all known releases."""
    number = _read_version(text)
    return number is not None and Rules.newest(family).release < number and number[0] < _UNRELEASED


def _read_version(text: str) -> Release | None:
    major, _, rest = text.partition(".")
    minor = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    is_short = len(major) <= _MOST_DIGITS and len(minor) <= _MOST_DIGITS
    return (int(major), int(minor)) if major.isdecimal() and minor and is_short else None


def choose_rules(source: WrittenFile) -> RulesChoice:
    """Return the rules of the server that a file names, else those that follow from its RDB version.

    The fields that name it are at the front of a file, so call this after reading its first record, or later.
    """
    header = source.header
    first = first_writer(header.magic, header.version)
    writer = writer_of(source.aux)
    if writer is None:
        product = product_of(source.aux)
        if product is not None:
            return RulesChoice(Rules.parse(product.base), "inferred", f"a file of {product.name}")
        return RulesChoice(first, "inferred", f"RDB version {header.version}")
    said = f"{writer.field} {writer.text}"
    if writer.release is not None:
        if not writer.release.reads(header.magic, header.version):
            return RulesChoice(first, "inferred", f"RDB version {header.version}, which {writer.name} does not write")
        fork = "" if writer.product is None else f" of {writer.product.name}"
        return RulesChoice(writer.release, "file", said + fork)
    if writer.is_newer:
        newest = Rules.newest(writer.family)
        return RulesChoice(newest, "inferred", f"{said}, newer than any release that is known")
    return RulesChoice(first, "inferred", f"RDB version {header.version}, as {said} is not a known release")


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

    ``base`` is the Redis whose behaviour applies if no version is named. ``aux`` are names of aux fields, ``opcodes``
    RDB opcodes that rdbtool reads. ``unread`` are the numbers of types and opcodes that mean something else in its
    files, or are unknown.
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
    # Its cron objects, whose layout is unknown.
    unread=range(64, 65),
)

DRAGONFLY: Final = Product(
    "Dragonfly",
    "redis-7.2",
    aux=frozenset({b"df-ver", b"search-index", b"search-synonyms", b"shard-count", b"shard-id", b"table-mem"}),
    # Its own types start after those that it shares with Redis, and its opcodes go up to 224.
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
    # Reserved for it. No others: they are letters, on which reading often lands after damage.
    unread=range(101, 103),
)  # fmt: skip

REDIS_ON_WINDOWS: Final = Product("Redis on Windows", "redis-3.2")

PRODUCTS: Final = (KEYDB, DRAGONFLY, REDIS_ENTERPRISE, REDIS_ON_WINDOWS)

#: A product by its name, and the product that an aux field or an opcode identifies.
PRODUCT_BY_NAME: Final = {product.name: product for product in PRODUCTS}
PRODUCT_BY_AUX: Final = {name: product for product in PRODUCTS for name in product.aux}
PRODUCT_BY_OPCODE: Final = {code: product for product in PRODUCTS for code in product.opcodes}

#: KeyDB releases whose major and minor number Redis never had.
_KEYDB_VERSIONS: Final = frozenset({(5, 1), (5, 2), (5, 3), (6, 3)})

#: Patch numbers of the Windows builds of Redis 2.8 to 3.2 start here.
_WINDOWS_PATCH: Final = 100
_LAST_WINDOWS_MAJOR: Final = 3

#: Digits of each number of a version, at most; Windows builds have four numbers.
_PRODUCT_DIGITS: Final = (3, 3, 4, 4)


def product_of_version(text: bytes) -> Product | None:
    """Return the product that the value of ``redis-ver`` identifies, None for versions of Redis itself."""
    numbers = text.split(b".")
    limits = zip(numbers, _PRODUCT_DIGITS, strict=False)
    if len(numbers) not in (3, 4) or not all(number.isdigit() and len(number) <= most for number, most in limits):
        return None
    major, minor, patch = map(int, numbers[:3])
    if len(numbers) > 3 or (major <= _LAST_WINDOWS_MAJOR and patch >= _WINDOWS_PATCH):
        return REDIS_ON_WINDOWS
    return KEYDB if (major, minor) in _KEYDB_VERSIONS else None


def product_of_aux(key: bytes, value: bytes) -> Product | None:
    """Return the product that an aux field identifies, None for none."""
    return product_of_version(value) if key == WRITER_FIELDS["redis"] else PRODUCT_BY_AUX.get(key)


def product_of(aux: Iterable[Field]) -> Product | None:
    """Return the product that wrote a file with these aux fields, None if nothing identifies one.

    Field names take precedence over the version.
    """
    fields = list(aux)
    found = [PRODUCT_BY_AUX.get(field.key) for field in fields]
    found += [product_of_aux(field.key, field.value) for field in fields]
    return next((product for product in found if product is not None), None)


_FORMAT: Final = pattern(r"rdb-(\d{1,3})")


class Target(NamedTuple):
    """An output format: magic, RDB version, and the server it is for, if one was named."""

    magic: str
    version: int
    release: Rules | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``redis-6.2``, ``valkey-9``, ``valkey-8.1.2`` or ``rdb-9``. Raises ValueError for anything else."""
        match = _FORMAT.fullmatch(text.strip().lower())
        if match is None:
            return cls.of_release(Rules.parse(text))
        version = int(match[1])
        for magic, (low, high) in VERSIONS.items():
            if low <= version <= high:
                return cls(magic, version)
        raise ValueError(f"{text!r} is not a known RDB version")

    @classmethod
    def of_release(cls, release: Rules) -> Self:
        """Return what a server writes."""
        return cls(release.magic, release.rdb_version, release)

    def raised_for(self, losses: Iterable[Loss]) -> Self:
        """Return the oldest target, this one or a newer version of Redis, that avoids all avoidable losses."""
        if self.magic != REDIS:
            return self
        needed = max((loss.needs or 0 for loss in losses if loss.severity == "loss"), default=0)
        return self if needed <= self.version else self._replace(version=needed, release=None)

    def __str__(self) -> str:
        family = "" if self.magic == REDIS else f" of {self.magic.capitalize()}"
        return f"RDB {self.version}{family}" + (f" for {self.release}" if self.release else "")


def default_target(header: VersionedHeader | None, aux: Iterable[Field] = ()) -> Target:
    """Return the format of the source: its magic, version and writer; RDB 11 if it has no RDB."""
    if header is None:
        return Target(REDIS, COMMON_VERSION)
    return Target(header.magic, header.version, _writer(header, aux))


def _writer(header: VersionedHeader, aux: Iterable[Field]) -> Rules | None:
    """Return the server that the aux fields name, unless it does not write what the header says."""
    writer = writer_of(aux)
    if writer is None or writer.release is None:
        return None
    release = writer.release
    return release if (release.magic, release.rdb_version) == (header.magic, header.version) else None
