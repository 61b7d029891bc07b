"""The keys of a dataset that were seen, in bounded memory."""

class SeenKeys:
    """The keys that were seen. Raises InputError if a temporary file cannot be written."""

    memory: int
