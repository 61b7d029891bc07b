"""The mini-engine: it executes the write commands of a log and ends where a server ends."""

from rdbtool.engine.engine import Engine
from rdbtool.engine.errors import CommandError, UnknownCommandError

__all__ = ["CommandError", "Engine", "UnknownCommandError"]
