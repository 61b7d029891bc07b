"""The base of all sinks, which ignores everything."""

class Sink:
    """Receives the records of a source. Compiled subclasses override C-level methods."""

    def close(self) -> None:
        """Finish the output: close what is open, write what is held back."""
    def flush(self) -> None:
        """Write what is committed, without closing anything that is open."""

class Null(Sink):
    """A sink that ignores everything: reading with it checks structure and checksum."""
