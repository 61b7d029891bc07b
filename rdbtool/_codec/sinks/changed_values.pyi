"""Values of keys that differ: what they weigh, and how two of them differ."""

from rdbtool.model import KeyRecord

def weigh(record: KeyRecord) -> int:
    """Return the approximate size of a record in bytes."""
