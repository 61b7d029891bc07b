"""Parsing of scores, many at once."""

def parse_scores(argv: tuple[bytes, ...], start: int, step: int) -> list[float] | None:
    """Return the doubles at ``argv[start::step]``; None if one is not a plain double, or is doubtful.

    Doubtful are NaN, and texts that overflow to infinity or underflow to zero: the caller decides on those.
    """
