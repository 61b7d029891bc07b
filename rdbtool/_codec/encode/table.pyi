"""Writer of table rows for people."""

from collections.abc import Callable, Iterable, Sequence

from rdbtool._codec.encode.encoder import Encoder

class Table(Encoder):
    """Writes a row per key: db, key, type, size, TTL, and the beginning of the value."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        *,
        key_width: int,
        width: int,
        kinds: Iterable[str],
        key_style: Sequence[str],
        show: Callable[..., str],
        fit: Callable[[str, int], str],
        ttl: Callable[[int], str],
        at_once: bool,
    ) -> None: ...
