"""What a command answers instead of OK. Words follow the servers' replies, without the leading dash."""

from __future__ import annotations

from rdbtool.core.light_typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


class CommandError(Exception):
    """An error reply: the command changed nothing. ``str(error)`` is the reply's text."""


class WrongTypeError(CommandError):
    """The key holds another kind of value."""

    def __init__(self) -> None:
        super().__init__("WRONGTYPE Operation against a key holding the wrong kind of value")


class UnknownEffectError(CommandError):
    """The effect of a command cannot be known here: it hangs on chance, on a clock, or on what is not in the AOF.

    Unlike an error reply it says nothing about what a server does. The engine's dataset did not change. ``code`` is
    that of the finding.
    """

    code: ClassVar[str] = "CMD208"


class UnknownOrderError(UnknownEffectError):
    """The command was executed, but in which order its elements come out differs from one load to the next."""

    code = "CMD209"


class DifferingEffectError(UnknownEffectError):
    """The command was executed, but servers that may have written the AOF differ in its effect."""

    code = "CMD211"


class UnknownCommandError(UnknownEffectError):
    """No server in the command table has this command, or this subcommand."""

    code = "CMD201"


class ArityError(CommandError):
    """Too few arguments for the command."""


class ScriptError(UnknownEffectError):
    """A script or function call: its effects are not in the AOF, and it is never executed here."""

    code = "CMD205"


class CarriedOutScriptError(ScriptError):
    """The plain calls of a script were executed; whether the server does the same is not known."""


def describe_subcommand(argv: Sequence[bytes]) -> str:
    """Return the reply to a subcommand that is called with words it does not have."""
    container, name = (text.decode("utf-8", "backslashreplace") for text in argv[:2])
    return f"ERR unknown subcommand or wrong number of arguments for '{name}'. Try {container.upper()} HELP."


NOT_AN_INTEGER: Final = "ERR value is not an integer or out of range"
NOT_A_FLOAT: Final = "ERR value is not a valid float"
OVERFLOW: Final = "ERR increment or decrement would overflow"
SYNTAX: Final = "ERR syntax error"
NO_SUCH_KEY: Final = "ERR no such key"
