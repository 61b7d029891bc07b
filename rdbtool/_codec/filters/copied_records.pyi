"""Records that are copied from one file to another as they are stored, and where they went."""

from rdbtool._codec.encode.rdb import Rdb
from rdbtool._codec.filters.filter import Filter
from rdbtool._codec.sink import Sink

class CopiedRecords:
    """Runs of records in the output of ``encoder``; ``keys`` counts the records.

    Memory: 24 bytes for each run, which has 4 KiB or more.
    """

    keys: int
    def __init__(self, encoder: Rdb) -> None: ...
    @property
    def checksum(self) -> int:
        """The CRC-64 of what was written."""

class Copying(Filter):
    """Passes everything on to ``sink``, but records as they are stored to the encoder alone, which ``copied`` notes.

    That encoder has to receive what ``sink`` does.
    """

    def __init__(self, sink: Sink, copied: CopiedRecords) -> None: ...

class BesideCopied(Filter):
    """Passes on the records of a file that are not ``copied``; ``keys`` counts those that are.

    ``checksum`` is the one that the file ends with, None until it was read.
    """

    keys: int
    checksum: int | None
    def __init__(self, sink: Sink, copied: CopiedRecords) -> None: ...
