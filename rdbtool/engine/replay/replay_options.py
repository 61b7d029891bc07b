"""How to replay: by which server rules, to which place, and what is skipped."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence

from rdbtool.core.commands import FIRST_WORDS
from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import BinaryIO, NamedTuple
from rdbtool.core.servers import Rules
from rdbtool.engine.engine import DATABASES
from rdbtool.engine.keyspec import is_called
from rdbtool.engine.replay.executor import Watcher
from rdbtool.engine.replay.places import Place, Places, command_named, describe_place, skipped_command
from rdbtool.engine.replay.stops import Stops
from rdbtool.engine.replay.watched_keys import WatchedKeys
from rdbtool.model import KeyRecord
from rdbtool.reader.aof.batches import CommandBatch
from rdbtool.reader.aof.reader import AofReader
from rdbtool.reader.open.dispatch import open_any

Target = str | os.PathLike[str] | bytes | BinaryIO


class Options(NamedTuple):
    """How to replay.

    ``rules`` None: those of the snapshot's writer, else the default; what the AOF uses may raise them, and then it is
    replayed again, unless it can be read only once, or it has a receiver that cannot begin again (``on_restart``).
    Without rules the commands of all products are executed, too. ``rename_commands`` maps names in the AOF to those
    that servers have (see ``Renames``).

    ``until``, ``before`` (a command's upper-case name) or ``before_number`` (the number of one) is the place to stop,
    and ``place`` is ``until`` in words; ``skip`` holds numbers and upper-case names of commands to skip.
    ``on_snapshot`` receives each record of a snapshot and the name of its part, ``on_batch`` of commands before they
    are executed (of the last ones, before it is known how many will be). ``databases``: see ``Engine``; ``watcher``
    and ``watched``: see ``Replay``.
    """

    rules: Rules | None = None
    now_ms: int = 0
    until: Place | None = None
    before: bytes | None = None
    before_number: int | None = None
    place: str = ""
    skip: tuple[int | bytes, ...] = ()
    strict: bool = False
    databases: int = DATABASES
    rename_commands: Mapping[str, str] | None = None
    watcher: Watcher | None = None
    watched: WatchedKeys | None = None
    on_snapshot: Callable[[str, KeyRecord], None] | None = None
    on_batch: Callable[[CommandBatch], None] | None = None
    on_restart: Callable[[], None] | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether the receivers of the replay can begin again."""
        observer = self.on_batch or self.on_snapshot or self.watcher
        return observer is None or self.on_restart is not None

    def stops(self) -> Stops:
        """Return what finds the place to stop, and the commands to skip."""
        place = self.place or "the place to stop"
        return Stops(until=self.until, before=self.before, number=self.before_number, skip=self.skip, place=place)


def replay_options(
    source: Target,
    places: Places | None,
    *,
    rules: str | None = None,
    strict: bool = False,
    now_ms: int = 0,
    rename_commands: Mapping[str, str] | None = None,
) -> Options:
    """Return the options of a replay of ``source``, which is read for the last command of a name. See ``replay``."""
    parsed = None if rules is None else Rules.parse(rules)
    options = Options(rules=parsed, now_ms=now_ms, strict=strict, rename_commands=rename_commands)
    if places is None:
        return options
    until, before, before_last, skip = places
    if sum(text is not None for text in (until, before, before_last)) > 1:
        raise ValueError("only one place to stop can be given")
    options = options._replace(skip=tuple(map(skipped_command, skip)))
    if until is not None:
        return options._replace(until=Place.parse(until), place=describe_place(until))
    if before is not None:
        return options._replace(before=command_named(before))
    if before_last is not None:
        name = command_named(before_last)
        if not _can_be_read_twice(source):
            raise InputError("the last command of a name is found by reading the AOF twice, which a pipe cannot be")
        number = find_last(source, name, rename_commands)
        # One that is not there is looked for again: what the replay meets instead is worth telling.
        return options._replace(before=name) if number is None else options._replace(before_number=number)
    return options


def _can_be_read_twice(source: Target) -> bool:
    if isinstance(source, bytes):
        return True
    if not isinstance(source, str | os.PathLike) or source == "-":
        return False
    try:
        mode = os.stat(source).st_mode  # noqa: PTH116 - pathlib takes 2 ms to import
    except OSError:
        # Opening it says why it cannot be opened.
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def find_last(
    target: str | os.PathLike[str] | bytes | BinaryIO, name: bytes, rename_commands: Mapping[str, str] | None = None
) -> int | None:
    """Return the number of the last command called ``name`` (upper case) in an AOF, None if there is none.

    Commands that follow damage count: it may be one of them that is meant, and a replay does not get there.
    """
    renames = Renames(rename_commands)
    last = None
    with open_any(target) as reader:
        if isinstance(reader, AofReader):
            reader.known = FIRST_WORDS
            for piece in reader.batches(on_fault="skip"):
                if isinstance(piece, CommandBatch):
                    for index, argv in enumerate(renames.apply(piece.argvs) if renames else piece.argvs):
                        if is_called(argv, name):
                            last = piece.first_number + index
    return last


Argv = tuple[bytes, ...]


class Renames:
    """New names of commands, in any case. ``names`` maps them to those that servers have, all in upper case."""

    def __init__(self, commands: Mapping[str, str] | None = None) -> None:
        """Take {new name: command}. Raises ValueError for what names no command."""
        self.names: dict[bytes, bytes] = {}
        for new, name in (commands or {}).items():
            written, command = new.encode(errors="surrogateescape"), name.encode(errors="surrogateescape").upper()
            if not written:
                raise ValueError(f"{name}: its new name is empty")
            if command not in FIRST_WORDS:
                raise ValueError(f"{name!r} is not a command that a server has")
            self.names[written.upper()] = command

    def __bool__(self) -> bool:
        return bool(self.names)

    def apply(self, argvs: Sequence[Argv]) -> list[Argv]:
        """Return commands under the names that servers have."""
        names = self.names
        return [(names[argv[0].upper()], *argv[1:]) if argv[0].upper() in names else argv for argv in argvs]
