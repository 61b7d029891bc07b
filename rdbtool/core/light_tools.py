"""What modules take from ``contextlib`` and ``functools``, without their import, which takes as long as a small file.

For type checkers the names are those of the standard library; at run time they are shorter ways to the same. Modules
that a command on a small file does not need import the standard ones. ``Applied`` is in neither.
"""

from __future__ import annotations

from rdbtool.core.light_typing import TYPE_CHECKING, Any

__all__ = ("Applied", "cache", "nullcontext", "partial", "suppress")

if TYPE_CHECKING:
    from contextlib import nullcontext, suppress
    from contextvars import ContextVar, Token
    from functools import cache, partial
else:
    from _functools import partial

    def cache(function):
        """Make a function whose results are kept by its arguments."""
        known = {}

        def cached(*arguments):
            try:
                return known[arguments]
            except KeyError:
                made = known[arguments] = function(*arguments)
                return made

        return cached

    class suppress:  # noqa: N801 - as in contextlib
        """Leave a ``with`` block at the first error of these classes, and go on after it."""

        __slots__ = ("_kinds",)

        def __init__(self, *kinds):
            self._kinds = kinds

        def __enter__(self):
            pass

        def __exit__(self, kind, _error, _trace):
            return kind is not None and issubclass(kind, self._kinds)

    class nullcontext:  # noqa: N801 - as in contextlib
        """A ``with`` block without a meaning."""

        __slots__ = ("_given",)

        def __init__(self, given=None):
            self._given = given

        def __enter__(self):
            return self._given

        def __exit__(self, *_error):
            pass


class Applied:
    """A ``with`` block in which context variables have the given values."""

    __slots__ = ("_given", "_tokens")

    def __init__(self, *given: tuple[ContextVar[Any], Any]) -> None:
        self._given = given
        self._tokens: list[tuple[ContextVar[Any], Token[Any]]] = []

    def __enter__(self) -> None:
        self._tokens += [(variable, variable.set(value)) for variable, value in self._given]

    def __exit__(self, *_error: object) -> None:
        for _ in self._given:
            variable, token = self._tokens.pop()
            variable.reset(token)
