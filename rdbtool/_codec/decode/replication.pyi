"""The stream of writes that a master sends to its replicas, as what an AOF holds of it."""

class StreamDamagedError(Exception):
    """Bytes in a stream that servers do not send."""

class Splitter:
    """Cuts a stream into whole commands.

    ``offset`` is how many bytes of the stream were taken whole. ``db`` is the database that was selected there, -1: not
    known. ``is_open``: a transaction was begun and has not ended, so that no log may end here; ``safe_offset``,
    ``safe_db`` and ``safe_kept`` are what ``offset``, ``db`` and ``kept`` were where one may. ``kept`` counts the bytes
    that were returned, ``changes`` the commands, and ``asked`` how often the server asked for an acknowledgement.
    """

    offset: int
    db: int
    changes: int
    asked: int
    is_open: bool
    kept: int
    safe_offset: int
    safe_db: int
    safe_kept: int
    def __init__(self, offset: int = 0, db: int = -1) -> None: ...
    @property
    def held(self) -> int:
        """Bytes that were received of a command that is not whole yet."""
    def split(self, data: bytes | bytearray | memoryview, largest: int) -> bytes:
        """Take a piece of the stream; return the bytes of whole commands that an AOF holds.

        Raises StreamDamagedError, also for a command of more than ``largest`` bytes.
        """
