"""The table of commands: name, arity, since when, and the function that executes it.

A family's module registers its commands with ``@command``. ``arity`` counts the command's name; negative
means at least so many. ``redis`` and ``valkey`` are the first versions that know the command (None: that
family never did; ``valkey`` defaults to what it took over from Redis 7.2).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from rdbtool.core.servers import Release
from rdbtool.engine.inference.release_words import Since
from rdbtool.engine.replies import Later, Reply

#: Takes the engine, which stands above this table, and the whole argv.
Handler = Callable[[Any, Sequence[bytes]], "Reply | Later"]

#: One module a command family; importing it registers its commands.
FAMILIES: Final = ("strings", "counters", "bits", "hyperloglog", "keys", "lists", "sets", "zsets", "zstores",
                   "hashes", "hashttl", "geo", "sort",
                   "streams", "groups", "claims", "restore", "server", "scripts", "admin", "unfollowed",
                   "keydb")  # fmt: skip


class Command(NamedTuple):
    """A row of the table. ``subcommands`` maps upper-case names for containers such as XGROUP."""

    name: str
    arity: int
    redis: str | None
    valkey: str | None
    handler: Handler

    @property
    def since(self) -> Since:
        """The first releases that have the command."""
        return Since(self.name, _release(self.redis), _release(self.valkey))

    @property
    def is_of_servers(self) -> bool:
        """Whether Redis or Valkey has it, and not a fork alone."""
        return self.redis is not None or self.valkey is not None


def _release(version: str | None) -> Release | None:
    if version is None:
        return None
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


#: By upper-case name; a subcommand under ``b"XGROUP CREATE"``, its container without a handler is not listed.
COMMANDS: dict[bytes, Command] = {}

#: Names that have subcommands.
CONTAINERS: set[bytes] = set()


def command(
    name: str, arity: int, redis: str | None = "1.0.0", valkey: str | None = "7.2.0"
) -> Callable[[Handler], Handler]:
    """Register a function as the execution of a command.

    It is called with the engine and the whole argv (``argv[0]`` is the name as written); it changes
    ``engine.db`` (the current database) and returns the reply, or raises CommandError and then has changed nothing.
    """

    def register(handler: Handler) -> Handler:
        COMMANDS[name.encode()] = Command(name, arity, redis, valkey, handler)
        if " " in name:
            CONTAINERS.add(name.split(maxsplit=1)[0].encode())
        return handler

    return register


def known_names() -> frozenset[bytes]:
    """Return the upper-case first words of all commands loaded, for whoever searches a log for one."""
    return frozenset(name.split(maxsplit=1)[0] for name in COMMANDS) | {b"MULTI", b"EXEC"}


def load_families() -> None:
    """Fill the table of commands."""
    for family in FAMILIES:
        importlib.import_module(f"rdbtool.engine.commands.{family}")
