"""The base of all sinks, which ignores everything."""

from rdbtool._codec.room import Room

class Sink:
    """Receives the records of a source. Compiled subclasses override C-level methods.

    ``divides``: records may come in ranges, from copies of the sink.
    """

    divides: bool
    def begin_range(self, room: Room, db: int) -> None:
        """In a copy: begin again, as after a record of ``db``, and leave bytes in ``room``."""
    def end_range(self) -> object:
        """In a copy: return what the records since ``begin_range`` make."""
    def add_range(self, result: object, room: Room) -> bool:
        """Add what a copy returned; False: the same records have to come from the reader, in place of the result."""

    def close(self) -> None:
        """Finish the output: close what is open, write what is held back."""
    def flush(self) -> None:
        """Write what is committed, without closing anything that is open."""

class Null(Sink):
    """A sink that ignores everything: reading with it checks structure and checksum."""
