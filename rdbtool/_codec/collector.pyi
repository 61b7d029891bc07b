"""Keeping the cyclic collector away from containers that cannot be part of a cycle."""

from typing import TypeVar

_T = TypeVar("_T")

def untrack(container: _T) -> _T:
    """Hide a container that will only ever hold bytes and numbers from the cyclic collector; return it.

    The collector visits every container it knows again and again, and a keyspace holds millions.
    """
