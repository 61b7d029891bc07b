"""What drives a sink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool.core.progress import Progress


@runtime_checkable
class Feeder(Protocol):
    """Anything that can be fed to a sink: all that a writer asks of a dataset."""

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> object:
        """Feed everything to ``sink``, of the keys those that ``selection`` takes. The sink is not closed."""
