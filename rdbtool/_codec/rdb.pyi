"""RDB out: records to the bytes of a snapshot."""

from collections.abc import Callable, Mapping, Sequence

from rdbtool._codec.output import Output
from rdbtool.errors import Loss

class Rdb(Output):
    """The bytes of an RDB, handed to ``write``: header, items, keys, end mark and checksum.

    ``magic`` and ``version`` say what is written. ``release`` (family, major, minor) is the server that it is for,
    where servers of one version differ. ``compress``: strings, by LZF. ``sizes`` ({db: (keys, expires)}) are the
    table sizes to announce; None: those that are heard. Raises LossError unless ``allow_loss``.
    """

    magic: str
    version: int
    checksum: bool
    allow_loss: bool
    keys: int
    handed_on: int
    def __init__(
        self,
        write: Callable[[bytes], object],
        *,
        magic: str = "REDIS",
        version: int = 11,
        release: Sequence[str | int] | None = None,
        compress: bool = True,
        checksum: bool = True,
        allow_loss: bool = False,
        sizes: Mapping[int, tuple[int, int]] | None = None,
    ) -> None: ...
    @property
    def losses(self) -> list[Loss]:
        """What the target cannot hold: each loss by its key, and each kind of note once, with a count."""
