"""The checksum of RDB files, by the processor's carry-less multiplication where it has that."""

#: The processor has it.
IS_FAST: bool

def crc64(data: bytes | bytearray | memoryview, previous: int = 0) -> int:
    """Return the checksum of ``data`` appended to bytes whose checksum is ``previous`` (0: nothing before it)."""

def crc64_by_rows(data: bytes | bytearray | memoryview, previous: int = 0) -> int:
    """Do the same by tables alone, as where the processor lacks it."""
