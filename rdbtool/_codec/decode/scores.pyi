"""Scores from their text, many at once."""

def parse_scores(argv: tuple[bytes, ...], start: int, step: int) -> list[float] | None:
    """Return the doubles at ``argv[start::step]``; None where one is no plain double, or one in doubt.

    In doubt are NaN, and texts that overflow to infinity or underflow to zero: whoever asks decides on those.
    """
