"""The dataset digest: the 40 hex digits of DEBUG DIGEST on a server that holds the data."""

from rdbtool._codec.sink import Sink
from rdbtool.core.servers import Rules

def use_portable_sha1(portable: bool) -> None:
    """For tests: compute SHA-1 without (True) or with (False) the CPU's SHA instructions."""

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
