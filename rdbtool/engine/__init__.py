"""The mini-engine: it executes the write commands of an AOF and ends where a server ends."""

# Imported on first use: what infers a server from the words of an AOF executes nothing.

from __future__ import annotations

from rdbtool.core.light_typing import TYPE_CHECKING, Any
from rdbtool.engine.command_errors import CommandError, UnknownCommandError

if TYPE_CHECKING:
    from rdbtool.engine.engine import Engine

__all__ = ["CommandError", "Engine", "UnknownCommandError"]


def __getattr__(name: str) -> Any:
    if name == "Engine":
        from rdbtool.engine.engine import Engine  # noqa: PLC0415 - as above

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
