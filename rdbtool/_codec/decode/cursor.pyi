"""Bounds-checked reading: the exception for invalid bytes."""

class Declined(Exception):  # noqa: N818 - it is no error: the grammar says what is
    """The bytes are not valid."""
