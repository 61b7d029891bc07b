"""The base of all sinks, which ignores everything."""

class Sink:
    """What hears the records of a source. Compiled subclasses override C-level methods."""

    def close(self) -> None:
        """Finish the output: what is open is closed, what is held back is written."""
    def flush(self) -> None:
        """Hand on what is committed, without closing anything that is open."""

class Null(Sink):
    """A sink that ignores everything: reading with it checks structure and checksum."""
