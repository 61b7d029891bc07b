"""Where the keys of a conversion come from: a file as it is read, or the state that a log leads to.

Who wrote a file stands in front of its first key, and what is written follows from that. So a file is read up to
that key, and what was read is told again when the rest is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeVar

from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.replay_record import feed_header, feed_item, feed_record
from rdbtool.core.location import NOWHERE
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import SCRIPT_AUX
from rdbtool.model import Aux, Header, Item, KeyRecord

if TYPE_CHECKING:
    from rdbtool._codec.sink import Sink
    from rdbtool.dataset.keys import KeySource
    from rdbtool.engine.export.engine_dataset import EngineState
    from rdbtool.engine.replay.loader import Loaded

#: Numbers of keys, and of keys with an expiry, by db.
Sizes = dict[int, tuple[int, int]]
_T = TypeVar("_T", Aux, Item | KeyRecord)

#: A state that commands led to is not the one that a replica had at this place of its master's stream.
_REPLICATION = frozenset({b"repl-stream-db", b"repl-id", b"repl-offset"})


#: What an RDB is: one of its own, the beginning of a log that is one file, or the base of a multi-part log.
Role = Literal["snapshot", "log", "base"]

#: The aux fields in which servers say so: readers of a lone file go by them.
_ROLES: Final[dict[Role, dict[bytes, bytes]]] = {
    "snapshot": {b"aof-preamble": b"0", b"aof-base": b"0"},
    "log": {b"aof-preamble": b"1", b"aof-base": b"0"},
    "base": {b"aof-preamble": b"0", b"aof-base": b"1"},
}


#: Bytes of an RDB file that are tested on their way into a pipe as well. Where nothing is read back, so that nothing is
#: called verified, testing more takes longer than all the rest.
_TESTED_UNREAD: Final = 16 << 20


class Origin(Protocol):
    """What tells a sink of everything. ``sizes`` are known for a state; None: as far as the file announces them."""

    header: Header
    aux: list[Aux]

    @property
    def sizes(self) -> Sizes | None:
        """The sizes of the databases."""

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> object:
        """Tell ``sink`` of everything that ``selection`` takes."""


def play(items: list[_T], role: Role) -> None:
    """Let the aux fields among ``items`` say what an RDB is going to be. What says nothing of it stays as it is."""
    said = _ROLES[role]
    last = 0
    missing = {key: value for key, value in said.items() if value == b"1"}
    for index, item in enumerate(items):
        if isinstance(item, Header):
            last = index + 1
        elif isinstance(item, Aux):
            last = index + 1
            if item.key in said:
                items[index] = item._replace(value=said[item.key])
                missing.pop(item.key, None)
    added = [Aux(key, value, NOWHERE) for key, value in missing.items()]
    items[last:last] = added


class SourceFile(NamedTuple):
    """The file that data comes from: its ``name`` and its ``size`` in bytes, None where it is unknown.

    ``line_of`` returns the number of the line at an offset, None: it has no lines.
    """

    name: str
    size: int | None = None
    line_of: Callable[[int], int | None] | None = None

    def is_tested(self, *, is_verified: bool) -> bool:
        """Return whether the data is tested while it is written to an output that is read back, or is not."""
        return is_verified or self.line_of is not None or self.size is None or self.size <= _TESTED_UNREAD


class WholeFile:
    """A file of which nothing was read yet, for outputs that do not depend on who wrote it."""

    def __init__(self, reader: KeySource) -> None:
        self.header = reader.header
        self.aux = reader.aux
        self.sizes: Sizes | None = None
        self.feed = reader.feed


class BegunFile:
    """A file of which everything up to the first key was read: ``begun``. It is fed once."""

    def __init__(self, reader: KeySource) -> None:
        self.reader = reader
        self.begun: list[Item | KeyRecord] = list(reader.items(selection=Selection(limit=1)))
        self.header = reader.header
        self.aux = list(reader.aux)
        self.sizes: Sizes | None = None

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> None:
        """Tell ``sink`` of what was read before, and of the rest."""
        feed_header(self.header.magic, self.header.version, sink)
        for item in self.begun:
            if isinstance(item, KeyRecord):
                if selection is None or selection.take(item):
                    feed_record(item, sink)
            elif not isinstance(item, Header):
                feed_item(item, sink)
        self.begun = []
        if selection is None or not selection.is_full:
            self.reader.feed(sink, selection=selection, progress=progress)


def origin_of_log(loaded: Loaded) -> EngineState:
    """Return the state that a replay led to. Raises where it is in doubt (see ``check_state``)."""
    from rdbtool.engine.export.engine_dataset import EngineState, script_fields  # noqa: PLC0415 - the engine is for logs only

    check_state(loaded)
    engine = loaded.replay.engine
    aux = [item for item in loaded.aux if item.key not in _REPLICATION and item.key != SCRIPT_AUX]
    return EngineState(engine, loaded.header, aux + script_fields(engine), loaded.module_aux)


def check_state(loaded: Loaded) -> None:
    """Raise what makes a state doubtful: damage (FormatError), or a command of unknown effect (UncertainError)."""
    if loaded.fault is not None:
        raise loaded.fault
    if loaded.obstacle is not None:
        raise loaded.obstacle


def remark_names(rename_commands: Mapping[str, str] | None, encoding: str) -> list[str]:
    """Return what to tell of an output of commands where the source has renamed ones."""
    if not rename_commands or encoding != "commands":
        return []
    names = ", ".join(sorted({name.upper() for name in rename_commands.values()}))
    return [f"commands have the names that servers give them: a server that renames {names} refuses to load them"]


def names_version(loaded: Loaded) -> bool:
    """Return whether a log begins with an RDB, which has a version."""
    return any(part.format in {"rdb", "rdb+resp"} for part in loaded.parts)
