"""Failures to write, as errors of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rdbtool.core.errors import InputError


def failed(name: str, error: OSError) -> InputError:
    """Return the error for a failure to write ``name``."""
    return InputError(f"cannot write to {name}: {error.strerror or error}")


@contextlib.contextmanager
def failures_of(name: str) -> Iterator[None]:
    """Turn a failing system call on an output into an InputError."""
    try:
        yield
    except OSError as error:
        raise failed(name, error) from error
