from collections.abc import Callable

from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.sink import Sink

def select_version_dependent(keys: dict[bytes, object]) -> dict[bytes, object]:
    """Return the keys whose values not every version of every server holds: streams, parts that expire, and so on."""

def emit_db(
    db: int,
    keys: dict[bytes, object],
    expires: dict[bytes, int],
    sink: Sink,
    selection: Selection | None = None,
    progress: Callable[[int], object] | None = None,
) -> tuple[int, int, dict[str, int]]:
    """Emit the keys of a database that ``selection`` takes, until that is full.

    Returns how many keys were looked at, how many of those expire, and how many there are by kind. ``progress`` is
    called now and then with 0.
    """
