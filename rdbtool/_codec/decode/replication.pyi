"""The replication stream: extract the commands that an AOF records from what a master sends to replicas."""

class StreamDamagedError(Exception):
    """The stream contains bytes that servers do not send."""

class Splitter:
    """Splits a stream into complete commands.

    ``offset`` is the number of bytes consumed as complete commands. ``db`` is the database selected there, -1 if
    unknown. ``is_open``: a transaction has begun and not ended, so an AOF must not end here; ``safe_offset``,
    ``safe_db`` and ``safe_kept`` are the values of ``offset``, ``db`` and ``kept`` at the last point where it may.
    ``kept`` counts the bytes returned, ``changes`` the commands, and ``asked`` the server's requests for an
    acknowledgement.
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
        """Bytes received of an incomplete command."""
    def split(self, data: bytes | bytearray | memoryview, largest: int) -> bytes:
        """Add a piece of the stream; return the complete commands that an AOF records, encoded.

        Raises StreamDamagedError, also for a command of more than ``largest`` bytes.
        """
