"""From the model to a sink: the events that a decoder would have sent, from finished records."""

from rdbtool._codec.sink import Sink
from rdbtool.model import Item, KeyRecord, StreamValue

def feed_header(magic: str, version: int, sink: Sink) -> None:
    """Tell ``sink`` what file it is going to hear of."""

def feed_item(item: Item, sink: Sink) -> None:
    """Tell ``sink`` of an item that is not a record."""

def feed_record(record: KeyRecord, sink: Sink, raw: bytes | None = None) -> None:
    """Tell ``sink`` of a record and commit it. ``raw`` is the value as its file stores it, if there is a file."""

def feed_value(record: KeyRecord, sink: Sink, raw: bytes | None = None) -> None:
    """Tell ``sink`` of a record, without the commit."""

def feed_stream_tail(value: StreamValue, length: int, sink: Sink) -> None:
    """Tell ``sink`` of what follows the entries of a stream; ``length`` is their number."""
