"""Untracking of containers from the cyclic garbage collector."""

from typing import TypeVar

_T = TypeVar("_T")

def untrack(container: _T) -> _T:
    """Untrack a container of bytes and numbers from the cyclic collector; return it.

    The collector visits every tracked container repeatedly, and a keyspace holds millions.
    """
