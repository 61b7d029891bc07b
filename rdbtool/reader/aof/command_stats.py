"""Statistics of an AOF's commands: how often each is called, and with how many arguments.

The scanner counts by name while it reads the commands, part by part; this module merges the counts, and names
that differ only in case. An AOF may consist of distinct unknown names only: these are kept up to a limit, and the rest
is counted.
"""

from __future__ import annotations

from rdbtool.core.commands import COMMANDS, CONTAINERS
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rdbtool._codec.decode.aof_scanner import Scanner

#: Maximum names in the scanner before they are merged.
_MANY: Final = 256

#: Unknown names that are kept.
_KEPT: Final = 1000

_Counted = tuple[bytes, int, tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]


class Call(NamedTuple):
    """A command: its number of arguments, with its name, and its location.

    ``part`` is an index, ``at`` an offset in bytes within the part, ``number`` counts over the whole AOF from 1.
    """

    argc: int
    part: int
    at: int
    number: int


class Use(NamedTuple):
    """A name as first written, with a subcommand after a space; the number of its calls, and the calls to check."""

    name: bytes
    calls: int
    first: Call
    fewest: Call
    most: Call


class Fall(NamedTuple):
    """Annotated times of a part that are earlier than the previous one: how many, and the first (Unix seconds)."""

    at: int
    earlier: int
    later: int
    times: int


class Uses:
    """Commands by their upper-case name.

    ``renamed`` maps renamed commands of the AOF to their original names, under which they are counted. ``containers``
    are first words, under any name, that are followed by a subcommand.

    ``others`` counts calls of unknown names beyond those kept, ``falls`` has decreasing times by part, ``annotations``
    the offset of the first annotation by part.
    """

    def __init__(self, renamed: Mapping[bytes, bytes] | None = None) -> None:
        self.renamed = renamed or {}
        more = {new for new, name in self.renamed.items() if name in CONTAINERS}
        self.containers = CONTAINERS | more if more else CONTAINERS
        self.by_name: dict[bytes, Use] = {}
        self.others = 0
        self.falls: dict[int, Fall] = {}
        self.annotations: dict[int, int] = {}

    def count(self, part: int, before: int, scanner: Scanner, *, is_last: bool) -> None:
        """Merge the scanner's counts of a part, if they are many, or if ``is_last``."""
        if not is_last and scanner.use_count < _MANY:
            return
        self.add(part, before, scanner.take_uses())
        if scanner.falls:
            self.falls[part] = Fall(scanner.fall_at, scanner.fall_from, scanner.fall_to, scanner.falls)
        if scanner.annotation_at >= 0:
            self.annotations[part] = scanner.annotation_at

    def add(self, part: int, before: int, counted: Iterable[_Counted]) -> None:
        """Add the scanner's counts of a part (an index) that ``before`` commands precede."""
        for written, count, *calls in counted:
            name = written.upper()
            if self.renamed:
                first_word, blank, rest = name.partition(b" ")
                name = self.renamed.get(first_word, first_word) + blank + rest
            first, fewest, most = (Call(argc, part, at, before + number) for argc, at, number in calls)
            old = self.by_name.get(name)
            if old is None:
                if len(self.by_name) >= _KEPT and name not in COMMANDS:
                    self.others += count
                    continue
                self.by_name[name] = Use(written, count, first, fewest, most)
                continue
            self.by_name[name] = Use(
                written if first.number < old.first.number else old.name,
                old.calls + count,
                min(old.first, first, key=_number),
                fewest if fewest.argc < old.fewest.argc else old.fewest,
                most if most.argc > old.most.argc else old.most,
            )


def _number(call: Call) -> int:
    return call.number
