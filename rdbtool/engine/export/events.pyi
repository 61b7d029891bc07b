from collections.abc import Callable

from rdbtool._codec.sink import Sink

def tell_db(
    db: int,
    keys: dict[bytes, object],
    expires: dict[bytes, int],
    sink: Sink,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Tell ``sink`` of all keys of a database. ``progress`` is called now and then with 0."""
