"""The sink that builds the model's records."""

from rdbtool._codec.sink import Sink
from rdbtool.model import Item, KeyRecord

class Records(Sink):
    """Collects records into ``records``; with ``batch`` asks for a pause after this many of them.

    With ``items`` the header, aux fields and other items come too, in file order.
    """

    records: list[KeyRecord | Item]
    batch: int
    items: bool
    def __init__(self, batch: int = 0, items: bool = False) -> None: ...
    def take(self) -> list[KeyRecord | Item]:
        """Return what was collected, and reset."""
