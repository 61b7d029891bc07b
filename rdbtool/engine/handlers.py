"""The handlers of commands, by the names of the command table (``rdbtool.core.commands``).

A family's module registers its handlers with ``@command``; it is imported when one of them is first needed: an AOF
holds commands of few families, and the compiled loop executes most of those.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

from rdbtool.core.commands import COMMANDS, FAMILIES, CommandRow
from rdbtool.core.light_typing import Any, Final
from rdbtool.engine.replies import Later, Reply

#: Takes the engine, which stands above this table, and the whole argv.
Handler = Callable[[Any, Sequence[bytes]], "Reply | Later"]

#: By the name of the command, as in its row: those of the families that were loaded.
HANDLERS: Final[dict[str, Handler]] = {}


def command(name: str) -> Callable[[Handler], Handler]:
    """Register a function as the execution of a command of the table.

    Raises ValueError for a name that has no row, or a handler already (an ``inert`` command has one).
    It is called with the engine and the whole argv (``argv[0]`` is the name as written); it changes
    ``engine.db`` (the current database) and returns the reply, or raises CommandError and then has changed nothing.
    """
    if name.encode() not in COMMANDS:
        raise ValueError(f"{name} has no row in the command table")
    if name in HANDLERS:
        raise ValueError(f"{name} has a handler already")

    def register(handler: Handler) -> Handler:
        HANDLERS[name] = handler
        return handler

    return register


def handler_of(row: CommandRow) -> Handler:
    """Return what executes a command of the table, which is no transaction's."""
    handler = HANDLERS.get(row.name)
    if handler is None:
        importlib.import_module(f"rdbtool.engine.commands.{row.family}")
        handler = HANDLERS[row.name]
    return handler


def load_families() -> None:
    """Have all handlers registered."""
    for family in FAMILIES:
        importlib.import_module(f"rdbtool.engine.commands.{family}")
