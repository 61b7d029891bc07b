"""JSON text: strings in their forms, and base64."""

def is_wide(off: bool = False) -> bool:
    """Return whether 8 bytes are escaped at once, as the processor permits; ``off``: no longer in this process."""
