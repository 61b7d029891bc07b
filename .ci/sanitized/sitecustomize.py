"""In a run with AddressSanitizer no process bounds its address space, of which the sanitizer takes terabytes."""

import resource

_setrlimit = resource.setrlimit


def setrlimit(which: int, limits: tuple[int, int]) -> None:
    """Set a limit, but not that of the address space."""
    if which != resource.RLIMIT_AS:
        _setrlimit(which, limits)


resource.setrlimit = setrlimit
