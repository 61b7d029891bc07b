"""Writer of keys that differ."""

from collections.abc import Callable
from typing import Any

from rdbtool._codec.sink import Sink

class DiffLines(Sink):
    """Writes the differing keys, as text or JSON (``as_json``); ``brief``: one line per key, without details.

    ``show(data, limit)`` returns the text of bytes that are not ASCII; ``describe(difference)`` the lines of a
    difference without the last line end. It is not fed: ``changed_keys.Side`` calls it.
    """

    describe: Callable[[Any], str]
    def __init__(
        self,
        write: Callable[[bytes], object],
        *,
        as_json: bool,
        brief: bool,
        show: Callable[[bytes, int], str],
        describe: Callable[[Any], str],
    ) -> None: ...
    @property
    def has_keys(self) -> bool:
        """Whether a key was written."""
