"""The protocol of whatever can be fed to a sink."""

from __future__ import annotations

from rdbtool.core.light_typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.core.progress import Progress


class Feeder(Protocol):
    """Anything that can be fed to a sink: the part of a dataset that a writer needs."""

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> object:
        """Feed ``sink`` with everything, but only the keys that ``selection`` matches. The sink is not closed."""
