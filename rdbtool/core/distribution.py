"""What this package is called where packages are installed from, and its version."""

from __future__ import annotations

from typing import Final

#: The name on the package index, where "rdbtool" is somebody else's project. It also stands in pyproject.toml.
DISTRIBUTION: Final = "redis-rdbtool"


def find_version() -> str:
    """Return the version that the build wrote down; ``0+unknown`` where nothing was built here."""
    try:
        from rdbtool._version import VERSION  # noqa: PLC0415 - a file that the build writes
    except ImportError:
        return "0+unknown"
    return str(VERSION)


def install_words(extra: str) -> str:
    """Return the command that installs what an extra of this package brings."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
