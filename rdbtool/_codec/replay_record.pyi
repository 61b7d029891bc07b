"""From the model to a sink: the events that a decoder would have sent, from finished records."""

from rdbtool._codec.sink import Sink
from rdbtool.model import Item, KeyRecord, StreamValue

def feed_header(magic: str, version: int, sink: Sink) -> None:
    """Announce to ``sink`` the file that follows."""

def feed_item(item: Item, sink: Sink) -> None:
    """Emit an item to ``sink`` that is not a record."""

def feed_record(record: KeyRecord, sink: Sink, raw: bytes | None = None) -> None:
    """Emit a record to ``sink`` and commit it. ``raw`` is the value as its file stores it, if there is a file."""

def feed_value(record: KeyRecord, sink: Sink, raw: bytes | None = None) -> None:
    """Emit a record to ``sink``, without the commit."""

def feed_stream_tail(value: StreamValue, length: int, sink: Sink) -> None:
    """Emit what follows the entries of a stream to ``sink``; ``length`` is their number."""
