"""Filter that renames keys and moves databases, and detects collisions."""

from collections.abc import Callable, Mapping

from rdbtool._codec.filters.filter import Filter
from rdbtool._codec.sink import Sink

class Relocate(Filter):
    """Passes keys on to ``sink``, renamed by ``rename``, in the databases given by ``moves``.

    ``rename`` returns a key's new name, None: names stay. Raises CollisionError for a key whose new place is taken: if
    the table of places would exceed its memory, in ``look_up``, which is called at the end.
    """

    def __init__(
        self, sink: Sink, *, rename: Callable[[bytes], bytes] | None = None, moves: Mapping[int, int] = ...
    ) -> None: ...
    def look_up(self) -> None:
        """Raise CollisionError for a key whose place was to be looked up at the end."""
