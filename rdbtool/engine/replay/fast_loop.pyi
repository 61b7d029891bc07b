"""The loop over an AOF's plain commands."""

from collections.abc import Sequence
from typing import Any, Final

from rdbtool._codec.decode.raw_commands import RawCommands
from rdbtool.engine.engine import Engine
from rdbtool.engine.replay.watched_keys import WatchedKeys

#: What the loop has for a command, by the name of its row.
CODES: Final[dict[str, int]]

#: Whether memory that commands will need is asked for in advance: it takes knowing how this Python lays out its dicts.
LOOKS_AHEAD: Final[bool]

AT_MULTI: Final[int]
AT_EXEC: Final[int]
AT_CONTAINER: Final[int]

class Known:
    """What the loop knows of a command by its name as written: handler, least number of words, and code or 0.

    ``keys`` are first, last and step of the arguments that are keys; a step of 0: any of them may be one.
    """

    handler: Any
    least: int
    code: int
    def __init__(self, handler: Any, least: int, code: int, keys: tuple[int, int, int] = (0, 0, 0)) -> None: ...

class PlainCommands:
    """Executes commands, and transactions that are whole. ``index`` is that of the last command that was begun.

    ``exec_at`` is the index of the EXEC of a transaction that was begun, -1 without one; ``transactions`` counts those
    that were ended. ``compiles``: what has a code is carried out here where it can be; else all go to their handlers.
    ``watched``: a command that names one of these keys takes a closer look.
    """

    index: int
    exec_at: int
    transactions: int
    compiles: bool
    watched: WatchedKeys | None
    def __init__(self, watched: WatchedKeys | None = None) -> None: ...
    def execute(
        self,
        engine: Engine,
        argvs: list[Sequence[bytes]] | RawCommands,
        start: int,
        end: int,
        handlers: dict[bytes, Known],
    ) -> int:
        """Execute ``argvs[start:end]``; return ``end``, or the index of a command that takes a closer look.

        That is one whose name is not in ``handlers``, one with too few arguments, or a MULTI whose transaction does not
        end before ``end`` or holds such a command. What a handler raises passes through: ``index`` says where.
        """
