"""Well-framed commands that servers refuse: by their name, or because arguments are missing.

An unknown name may be a renamed command, or a module's: it is kept. Damaged are names that no user or module chooses,
and, if a MULTI or EXEC is missing, names similar to these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rdbtool._codec.decode.aof_scanner import PAUSED, Scanner
from rdbtool.core.commands import COMMANDS, CONTAINERS
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.servers import DEFAULT
from rdbtool.operations.salvage.input import Lost
from rdbtool.operations.validate.aof_commands import Grader, check_commands
from rdbtool.reader.aof.command_stats import Use, Uses
from rdbtool.reader.aof.text_parser import LineParser
from rdbtool.reader.open.files import Part
from rdbtool.reader.open.windows import WindowStream

if TYPE_CHECKING:
    from rdbtool.operations.salvage.input import Stock

#: Maximum calls of a name that damage explains.
_RARE: Final = 2

_BRACKETS: Final = (b"MULTI", b"EXEC")

#: Bytes of a name that the scanner compares.
_NAME: Final = 80

_UNKNOWN, _TOO_FEW = "CMD201", "CMD202"


class Strangers:
    """The commands to drop from ``stock`` in ``ranges`` (start, stop) of complete records.

    ``uses`` are the counts of commands, None: they are counted here. ``drop_unknown``: drop all unknown commands.
    ``is_cut``: a MULTI or EXEC is missing.

    ``dropped`` are those to drop, in order, and ``lone`` the offsets of those that may have been a MULTI or EXEC.
    ``foreign`` are the unknown names that are kept.
    """

    def __init__(
        self,
        stock: Stock,
        ranges: list[tuple[int, int]],
        renamed: Mapping[bytes, bytes] | None = None,
        uses: Uses | None = None,
        *,
        drop_unknown: bool = False,
        is_cut: bool = False,
    ) -> None:
        self.foreign: list[str] = []
        self.dropped: list[Lost] = []
        self.lone: list[int] = []
        self._stock = stock
        self._renamed = renamed or {}
        self._ranges = ranges
        self._unknown: set[bytes] = set()
        self._drop_unknown = drop_unknown
        self._is_cut = is_cut
        #: The minimum number of arguments, with names, of commands that were met with fewer.
        self._least: dict[bytes, int] = {}
        counted = uses or self._count()
        for name, use in counted.by_name.items():
            self._check(name, use)
        if counted.others and not drop_unknown:
            self.foreign.append(f"more names, called {counted.others:,} times")
        if self._unknown or self._least or (counted.others and drop_unknown):
            self.dropped = list(self._find())

    def _count(self) -> Uses:
        uses = Uses(self._renamed)
        for start, stop in self._ranges:
            scanner = Scanner(self._stock.view(start, stop).window, containers=uses.containers)
            status = PAUSED
            while status == PAUSED:
                status = scanner.check()
                uses.add(0, 0, scanner.take_uses())
        return uses

    def _check(self, name: bytes, use: Use) -> None:
        single = Uses()
        single.by_name[name] = use
        grader = Grader(DEFAULT, is_server_level=False, is_asked_for=False, writer=None)
        part = Part(self._stock.name, self._stock.name, "single", 1, None, "resp")
        findings = [finding for finding, _ in check_commands(single, [part], grader)]
        codes = {finding.code for finding in findings if finding.severity == "error" or finding.code == _UNKNOWN}
        if _UNKNOWN in codes:
            is_lone = self._is_cut and use.fewest.argc == 1 and _is_like_bracket(name)
            if self._drop_unknown or (use.calls <= _RARE and (is_lone or _is_garbled(use.name))):
                self._unknown.add(name)
            else:
                self.foreign.append(use.name.decode(errors="backslashreplace"))
        elif _TOO_FEW in codes:
            self._least[name] = abs(COMMANDS[name].arity)

    def _find(self) -> Iterator[Lost]:
        for start, stop in self._ranges:
            view = self._stock.view(start, stop)
            scanner = Scanner(view.window)
            status = PAUSED
            while status == PAUSED:
                status = scanner.run()
                argvs, offsets, _, _ = scanner.take()
                for argv, at in zip(argvs, offsets, strict=False):
                    fault = self._fault(argv)
                    if fault is not None:
                        yield self._lose(at, argv, *fault)

    def _fault(self, argv: tuple[bytes, ...]) -> tuple[str, str] | None:
        for name in _names(argv, self._renamed):
            is_unknown = name not in COMMANDS and name not in CONTAINERS
            if name in self._unknown or (self._drop_unknown and is_unknown):
                return _UNKNOWN, f"no server has a command {_show(name)}"
            least = self._least.get(name, 0)
            if len(argv) < least:
                return _TOO_FEW, f"{name.decode()} with {len(argv) - 1} arguments, expected {least - 1} or more"
        return None

    def _lose(self, at: int, argv: tuple[bytes, ...], code: str, message: str) -> Lost:
        record = LineParser(WindowStream(self._stock.view(at).window), self._stock.name).read(1)
        assert record is not None
        if code == _UNKNOWN and len(argv) == 1 and _is_like_bracket(argv[0].upper()):
            self.lone.append(at)
        key = argv[1] if code == _TOO_FEW and len(argv) > 1 else None
        return Lost(code, self._stock.name, at, at + record.stop - record.start, message, key=key)


def _names(argv: tuple[bytes, ...], renamed: Mapping[bytes, bytes]) -> Iterable[bytes]:
    """Return the names under which a command may be counted."""
    name = argv[0][:_NAME].upper() or b"\0"
    name = renamed.get(name, name)
    yield name
    if name in CONTAINERS and len(argv) > 1:
        yield (name + b" " + argv[1].upper())[:_NAME]


class UnreadFault(NamedTuple):
    """Why a command cannot be executed; ``is_certain``: it is damage, whatever the server."""

    message: str
    is_certain: bool


def fault_of_unread(argv: tuple[bytes, ...], renamed: Mapping[bytes, bytes]) -> UnreadFault | None:
    """Return the fault in the name or number of arguments of a command that was not counted, None: none."""
    *_, name = _names(argv, renamed)
    row = COMMANDS.get(name)
    if row is None:
        return UnreadFault(f"no server has a command {_show(name)}", _is_garbled(argv[0]))
    if len(argv) < abs(row.arity):
        return UnreadFault(f"{name.decode()} with {len(argv) - 1} arguments", is_certain=True)
    return None


def _is_garbled(name: bytes) -> bool:
    """Whether a name is not one that a user or module chooses."""
    try:
        return not name.decode().isprintable()
    except UnicodeDecodeError:
        return True


def _is_like_bracket(name: bytes) -> bool:
    """Whether a name is MULTI or EXEC except for one byte."""
    return any(
        len(name) == len(bracket) and sum(a != b for a, b in zip(name, bracket, strict=True)) == 1
        for bracket in _BRACKETS
    )


def _show(name: bytes) -> str:
    return name[:40].decode(errors="backslashreplace")
