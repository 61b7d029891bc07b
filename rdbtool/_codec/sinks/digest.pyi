"""The dataset digest: the 40 hex digits of DEBUG DIGEST on a server that holds the data."""

from rdbtool._codec.sink import Sink
from rdbtool.core.servers import Rules

#: How SHA-1 is computed: "best" is the fastest of those that the machine has.
SHA1_WAYS: dict[str, int]

def choose_sha1(way: str) -> bool:
    """For tests: compute SHA-1 in one of ``SHA1_WAYS``; return False if this machine does not have it."""

class Digest(Sink):
    """Computes DEBUG DIGEST by the rules of a server (``redis-7.0``, ``valkey-9.1``, or Rules).

    ``now_ms`` (Unix ms) is the moment of the command, for servers that skip expired fields. Module values and arrays
    have a digest of their own that is unknown here: ``opaque_keys`` counts them, and with any of them the result is not
    the server's.
    """

    opaque_keys: int
    def __init__(self, rules: str | Rules, now_ms: int = 0) -> None: ...
    def hexdigest(self) -> str:
        """Return the 40 lower-case hex digits over all keys received so far."""
