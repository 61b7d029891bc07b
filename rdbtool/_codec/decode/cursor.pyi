"""Reading of bytes that may end: what stops it."""

class Declined(Exception):  # noqa: N818 - it is no error: the grammar says what is
    """What stands there is not sound."""
