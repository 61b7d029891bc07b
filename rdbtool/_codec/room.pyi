"""Memory in which one process leaves the results of a sink for another."""

class NoResultError(Exception):
    """A copy of a sink has no result of a range: the first process has to read it."""

class RoomFullError(NoResultError):
    """The result is larger than its room."""

class OutdatedCopyError(Exception):
    """A copy of a sink made a result as the sink no longer takes it: new copies have to be made."""

class Room:
    """A writable buffer that several processes map; ``used`` bytes of it are a result."""

    used: int
    def __init__(self, data: memoryview) -> None: ...
