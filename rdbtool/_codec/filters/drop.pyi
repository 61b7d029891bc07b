"""What is taken out on the way, because somebody asked for it."""

from collections.abc import Iterable

from rdbtool._codec.filters.filter import WaitingFilter
from rdbtool._codec.sink import Sink

class Drop(WaitingFilter):
    """Passes on to ``sink`` all but ``parts`` and what the types ``modules`` own; ``dropped`` counts by part.

    ``parts`` are functions, scripts, aux, module-aux, slot-imports and groups; what modules own is counted as
    module-keys and module-aux. Aux fields that say what role a file has stay, and those in ``kept_aux``.
    """

    def __init__(
        self, sink: Sink, *, parts: Iterable[str] = (), modules: Iterable[str] = (), kept_aux: Iterable[bytes] = ()
    ) -> None: ...
