"""RDB encoder: records to RDB bytes."""

from collections.abc import Callable, Mapping, Sequence

from rdbtool._codec.encode.encoder import Encoder
from rdbtool.core.rdb_types import Role

class NotCopiedError(Exception):
    """A value was to be copied, but differs from the one that is stored: the record has to come again."""

class Rdb(Encoder):
    """The bytes of an RDB, passed to ``write``: header, items, keys, end mark and checksum.

    ``magic`` and ``version`` say what is written. ``release`` (family, major, minor) is the server that it is for,
    where servers of one version differ. ``compress``: compress strings by LZF. ``sizes`` ({db: (keys, expires)}) are
    the table sizes to announce; None: those that are received. ``role`` is the role of the file for its aux fields
    (``rdb_types.ROLES``), None: unchanged. ``copies``: values are written as the source stores them, if it passes them
    on and the version has their type; it must be a file of the same ``magic``. Raises NotCopiedError for a record whose
    value turns out to be changed: it has to be rolled back and come again, and is encoded then. Then whole records may
    come as they are stored, too, if the file gets a checksum (see ``takes_stored`` of a sink). A ``TargetFilter`` has
    to drop what the version cannot hold; otherwise raises ValueError.
    """

    magic: str
    version: int
    checksum: bool
    keys: int
    def __init__(
        self,
        write: Callable[[bytes], object],
        *,
        magic: str = "REDIS",
        version: int = 11,
        release: Sequence[str | int] | None = None,
        compress: bool = True,
        checksum: bool = True,
        sizes: Mapping[int, tuple[int, int]] | None = None,
        role: Role | None = None,
        copies: bool = False,
    ) -> None: ...
