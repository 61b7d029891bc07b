"""Memory usage of keys in a server started from the file (format E)."""

from rdbtool._codec.sink import Sink
from rdbtool._codec.sinks.key_sizes import KeyObserver
from rdbtool.core.memory_models import MemoryModel

class MemorySink(Sink):
    """Feeds ``observer`` with the memory usage of each key in the server that ``model`` describes.

    ``allocator`` is one of ``core.memory_models.ALLOCATORS``. ``cluster``: the server is in cluster mode, with hash
    tables per slot.
    """

    def __init__(
        self, model: MemoryModel, observer: KeyObserver, allocator: str = "jemalloc", cluster: bool = False
    ) -> None: ...
    def totals(self) -> dict[str, int]:
        """Return {keys, memory, allocated, tables, used_memory, serialized} of all keys so far, in bytes.

        ``tables`` are the hash tables of keys and of expiries, which belong to no key; ``used_memory`` is
        ``allocated`` plus ``tables``: the growth over an empty server.
        """

    def go_on(self) -> None:
        """Accept keys again after a pause that the observer requested."""
