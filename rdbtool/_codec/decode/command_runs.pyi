"""Long runs of commands that add to one key, emitted as the record that they make."""

from collections.abc import Callable, Sequence

from rdbtool._codec.sink import Sink
from rdbtool.core.progress import Progress

def find_run(argvs: Sequence[tuple[bytes, ...]], start: int) -> int:
    """Return the index from which on all commands may be one run, from ``start`` on; the size of ``argvs`` if none."""

def is_omitted(argv: tuple[bytes, ...]) -> bool:
    """Return whether a command lacks its last argument: it is too long to be held."""

class CommandRun:
    """A run of commands that add to one key, in a file that ``reread(view, at)`` reads from any offset.

    After ``check``: ``stop`` is the offset after the run, and ``settled`` that of the first command that is not about
    its key.
    """

    stop: int
    settled: int

    def __init__(self, reread: Callable[[memoryview, int], int]) -> None: ...
    def check(self, start: int, sink: Sink) -> bool:
        """Return whether the run at an offset adds what it says, and nothing else follows that changes the value.

        A long string is one only for a sink that takes pieces.
        """

    def locate(self, start: int) -> tuple[int, int]:
        """Return offset and size of the value of a SET of a long string."""

    def keeps(self, argv: tuple[bytes, ...]) -> bool:
        """Return whether a command of the run matters to the commands that follow it."""

    def emit(self, sink: Sink, db: int, expire_at_ms: int | None, tail: Callable[[int], object] | None = None) -> None:
        """Emit the key to ``sink``. ``tail(entries)`` is called where the tail of a stream is due."""

class PlainKeys(CommandRun):
    """Emits keys that plain commands make, in a file that ``reread(view, at)`` reads from any offset.

    ``has_streams``: the server has them; ``has_counters``: with counters.
    """

    db: int

    def __init__(self, reread: Callable[[memoryview, int], int], has_streams: bool, has_counters: bool) -> None: ...
    def emit_from(self, start: int, db: int, sink: Sink, progress: Progress | None = None) -> tuple[int, int]:
        """Emit the keys from an offset on, which is that of a command for ``db``.

        Return the offset of the first command that was not read, because it is not about a plain key, and the db there.
        ``progress`` is called with the offset.
        """

    def find_plain(self, start: int) -> int | None:
        """Return the offset of a command, far enough after an offset, that begins a key which may be plain.

        None if there is none, or if a transaction begins before it.
        """
