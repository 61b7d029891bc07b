"""Values of context variables that hold in a ``with`` block."""

from __future__ import annotations

from contextvars import ContextVar

from rdbtool.core.light_typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextvars import Token


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
