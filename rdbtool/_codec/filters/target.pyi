"""Filter for a target: the only place that decides what it can hold."""

from collections.abc import Sequence

from rdbtool._codec.filters.filter import Filter
from rdbtool._codec.sink import Sink
from rdbtool.core.errors import Loss

class TargetFilter(Filter):
    """Passes on to ``sink`` what a target can hold, and records what it cannot (``losses``).

    ``magic`` and ``version`` are those of the target, ``release`` (family, major, minor) is the server it is for. With
    ``commands`` that server receives commands, with ``payloads`` RESTORE of values, else it loads an RDB file.
    ``announces``: write the source's table sizes. Raises LossError, with the record rolled back, unless ``allow_loss``.
    """

    magic: str
    version: int
    allow_loss: bool
    commands: bool
    keys: int
    has_functions: bool
    def __init__(
        self,
        sink: Sink,
        *,
        magic: str = "REDIS",
        version: int = 11,
        release: Sequence[str | int] | None = None,
        commands: bool = False,
        payloads: bool = False,
        allow_loss: bool = False,
        announces: bool = True,
    ) -> None: ...
    @property
    def losses(self) -> list[Loss]:
        """What the target cannot hold: each loss by its key, and each kind of note once, with a count."""
