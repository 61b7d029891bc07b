"""The framing of records alone: where ranges of a file may end. And checksums of parts."""

from collections.abc import Callable

from rdbtool._codec.decode.window import Window

class SkipScan:
    """Skips records from the offset ``at`` on, of an input that ``reread`` reads (memoryview, offset → bytes read).

    Only keys count as records. Everything else ends the scan, and so does what it cannot skip: ``ended`` is set then.
    """

    ended: bool
    def __init__(self, reread: Callable[[memoryview, int], int], at: int, magic: str) -> None: ...
    def next_stop(self, least: int) -> int:
        """Skip records, and return where the last of them begins: ``least`` bytes on, or less if the scan ends."""
    def stop_within(self, window: Window, least: int) -> int:
        """Do the same, but stop at the last record that ``window`` holds, unless it is the first one."""

def checksum_behind(before: int, checksum: int, size: int) -> int:
    """Return the CRC-64 of bytes followed by ``size`` others: from that of the former, and that of the latter alone."""
