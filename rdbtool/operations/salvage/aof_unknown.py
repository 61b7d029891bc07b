"""Commands that are framed soundly and that servers refuse: by their name, or because arguments are missing.

A name that no server has is damaged if it is met once or twice. Used more often, or with a dot, it was meant: a renamed
command, or a module's, which stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from rdbtool._codec.decode.aof_scanner import PAUSED, Scanner
from rdbtool.core.commands import COMMANDS, CONTAINERS
from rdbtool.core.servers import DEFAULT
from rdbtool.operations.salvage.input import Lost
from rdbtool.operations.validate.aof_commands import Grader, judge_commands
from rdbtool.reader.aof.command_stats import Use, Uses
from rdbtool.reader.aof.text_parser import LineParser
from rdbtool.reader.open.parts import Part
from rdbtool.reader.open.windows import WindowStream

if TYPE_CHECKING:
    from rdbtool.operations.salvage.input import Stock

#: Calls of a name that damage explains.
_RARE: Final = 2

#: Bytes of a name that the scanner compares.
_NAME: Final = 80

_UNKNOWN, _TOO_FEW = "CMD201", "CMD202"


class Strangers:
    """What is refused of the commands of ``stock`` in ``ranges`` (start, stop) of whole records.

    ``uses`` has counted them, None: they are counted here.
    ``dropped`` are those to leave out, in order, and ``lone`` the offsets of those that have no argument: each can have
    been the EXEC of a transaction. ``foreign`` are the names that stay although no server has them.
    """

    def __init__(
        self,
        stock: Stock,
        ranges: list[tuple[int, int]],
        renamed: Mapping[bytes, bytes] | None = None,
        uses: Uses | None = None,
    ) -> None:
        self.foreign: list[str] = []
        self.dropped: list[Lost] = []
        self.lone: list[int] = []
        self._stock = stock
        self._renamed = renamed or {}
        self._ranges = ranges
        self._unknown: set[bytes] = set()
        #: The least number of arguments, names included, of commands that were met with fewer.
        self._least: dict[bytes, int] = {}
        for name, use in (uses or self._count()).by_name.items():
            self._judge(name, use)
        if self._unknown or self._least:
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

    def _judge(self, name: bytes, use: Use) -> None:
        single = Uses()
        single.by_name[name] = use
        grader = Grader(DEFAULT, is_server_level=False, is_asked_for=False, writer=None)
        part = Part(self._stock.name, self._stock.name, "single", 1, None, "resp")
        findings = [finding for finding, _ in judge_commands(single, [part], grader)]
        codes = {finding.code for finding in findings if finding.severity == "error" or finding.code == _UNKNOWN}
        if _UNKNOWN in codes:
            if b"." in name or use.calls > _RARE:
                self.foreign.append(use.name.decode(errors="backslashreplace"))
            else:
                self._unknown.add(name)
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
            if name in self._unknown:
                return _UNKNOWN, f"no server has a command {name[:40].decode(errors='backslashreplace')}"
            least = self._least.get(name, 0)
            if len(argv) < least:
                return _TOO_FEW, f"{name.decode()} with {len(argv) - 1} arguments, expected {least - 1} or more"
        return None

    def _lose(self, at: int, argv: tuple[bytes, ...], code: str, message: str) -> Lost:
        record = LineParser(WindowStream(self._stock.view(at).window), self._stock.name).read(1)
        assert record is not None
        if code == _UNKNOWN and len(argv) == 1:
            self.lone.append(at)
        key = argv[1] if code == _TOO_FEW and len(argv) > 1 else None
        return Lost(code, self._stock.name, at, at + record.stop - record.start, message, key=key)


def _names(argv: tuple[bytes, ...], renamed: Mapping[bytes, bytes]) -> Iterable[bytes]:
    """Return what a command may be counted as."""
    name = argv[0][:_NAME].upper() or b"\0"
    name = renamed.get(name, name)
    yield name
    if name in CONTAINERS and len(argv) > 1:
        yield (name + b" " + argv[1].upper())[:_NAME]
