"""The mini-engine: it executes the write commands of an AOF and ends where a server ends."""

from rdbtool.engine.command_errors import CommandError, UnknownCommandError
from rdbtool.engine.engine import Engine

__all__ = ["CommandError", "Engine", "UnknownCommandError"]
