"""Keys on the way to other names and other databases, no two of them to the same place."""

from collections.abc import Callable, Mapping

from rdbtool._codec.filters.filter import Filter
from rdbtool._codec.sink import Sink

class Relocate(Filter):
    """Passes keys on to ``sink`` under the names that ``rename`` gives them, in the databases that ``moves`` names.

    ``rename`` returns a key's new name, None: names stay. Raises CollisionError for a key whose new place is taken.
    """

    def __init__(
        self, sink: Sink, *, rename: Callable[[bytes], bytes] | None = None, moves: Mapping[int, int] = ...
    ) -> None: ...
