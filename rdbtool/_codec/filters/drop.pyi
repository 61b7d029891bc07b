"""Filter that drops parts of the data on request."""

from collections.abc import Iterable

from rdbtool._codec.filters.filter import WaitingFilter
from rdbtool._codec.sink import Sink

class Drop(WaitingFilter):
    """Passes on to ``sink`` all but ``parts`` and the data of the types ``modules``; ``dropped`` counts by part.

    ``parts`` are functions, scripts, aux, module-aux, slot-imports and groups; module data is counted as module-keys
    and module-aux. Aux fields with the role of the file are kept, and those in ``kept_aux``.
    """

    def __init__(
        self, sink: Sink, *, parts: Iterable[str] = (), modules: Iterable[str] = (), kept_aux: Iterable[bytes] = ()
    ) -> None: ...
