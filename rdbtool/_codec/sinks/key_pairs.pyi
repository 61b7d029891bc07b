"""Two datasets whose keys are in about the same order, read side by side."""

from rdbtool._codec.decode.decoder import Decoder
from rdbtool._codec.sinks.key_table import KeyPrints
from rdbtool.core.progress import Progress

#: What ``KeyPairs.run`` returns: one of the datasets has to be advanced by an item, or both are read to their ends.
FIRST: int
SECOND: int
APART: int

class OutOfStepError(Exception):
    """Records that were the same in both datasets are not what they seemed to be."""

class KeyPairs:
    """Two decoders before their first keys, and the sinks of their datasets: ``prints`` for the first one."""

    def __init__(self, first: Decoder, second: Decoder, prints: KeyPrints, others: KeyPrints) -> None: ...
    @staticmethod
    def can_pair(first: Decoder, second: Decoder) -> bool:
        """Return whether the same bytes are the same record in both files."""
    def run(self, progress: Progress | None = None) -> int:
        """Read both side by side; return FIRST, SECOND or APART. After the other two, ``note`` has to be called.

        ``progress`` is called with the first one's offset. Raises OutOfStepError and what reading raises.
        """
    def note(self) -> None:
        """Take note of what was read of one of them since ``run`` returned."""
    def part(self) -> None:
        """Begin with the rest of the second dataset: all of the first one was received."""
