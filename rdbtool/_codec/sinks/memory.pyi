"""What keys take in the memory of a server that was started from the file (format E)."""

from rdbtool._codec.sink import Sink
from rdbtool._codec.sinks.key_sizes import KeyObserver
from rdbtool.core.memory_models import MemoryModel

class MemorySink(Sink):
    """Tells ``observer`` of each key what it takes in the memory of the server that ``model`` describes.

    ``allocator`` is one of ``core.memory_models.ALLOCATORS``. ``cluster``: the server is one of a cluster, which has
    tables by slot.
    """

    def __init__(
        self, model: MemoryModel, observer: KeyObserver, allocator: str = "jemalloc", cluster: bool = False
    ) -> None: ...
    def totals(self) -> dict[str, int]:
        """Return {keys, memory, allocated, tables, used_memory, serialized} of all keys so far, in bytes.

        ``tables`` are those that lead to keys and to their expiries, which no key counts; ``used_memory`` is
        ``allocated`` and ``tables``: the growth over an empty server.
        """

    def go_on(self) -> None:
        """Take more keys after a pause that the observer asked for."""
