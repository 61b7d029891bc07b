"""What a command answers instead of OK. Words follow the servers' replies, without the leading dash."""

from __future__ import annotations

from typing import Final


class CommandError(Exception):
    """An error reply: the command changed nothing. ``str(error)`` is the reply's text."""


class WrongTypeError(CommandError):
    """The key holds another kind of value."""

    def __init__(self) -> None:
        super().__init__("WRONGTYPE Operation against a key holding the wrong kind of value")


class UnknownCommandError(CommandError):
    """No server that we know has this command, or this subcommand; servers refuse to load such a log."""


class ArityError(CommandError):
    """Too few arguments for the command."""


class ScriptError(CommandError):
    """A script or function call: its effects are not in the log, and it is never executed here."""


NOT_AN_INTEGER: Final = "ERR value is not an integer or out of range"
NOT_A_FLOAT: Final = "ERR value is not a valid float"
OVERFLOW: Final = "ERR increment or decrement would overflow"
SYNTAX: Final = "ERR syntax error"
NO_SUCH_KEY: Final = "ERR no such key"
