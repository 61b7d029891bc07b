"""The scanner: frames commands in the RESP of an AOF, strictly."""

from collections.abc import Callable, Container

from rdbtool._codec.decode.raw_commands import RawCommands
from rdbtool._codec.decode.window import Window

ENDED: int
PAUSED: int
DECLINED: int
TOO_LARGE: int

MULTI: int
EXEC: int

NOTHING: int
EXHAUSTED: int

class Scanner:
    """Scans the AOF in a window from its position. ``batch`` is the number of commands after which it pauses.

    Of an input that can be read twice, a SET of a string of 1 MiB or more is read past the window: ``check`` never
    holds the value, ``run`` once, and with ``omits_long`` it is collected with None in place of the value.

    ``count`` is the number of commands read so far. ``good`` is the offset after the last record outside an open MULTI,
    ``good_count`` the number of commands before it. ``multi_at`` is the offset of the open MULTI or -1. ``strays``
    counts MULTI inside a transaction and EXEC outside one, which servers ignore; ``stray_at`` is the offset of the
    first, or -1. ``end`` and ``zeros_at``: see ``resync``.

    With ``containers``, upper-case names that are followed by a subcommand, commands are counted by name, as written,
    and annotated times are compared: ``falls`` counts those earlier than the previous one, the first at offset
    ``fall_at`` (-1: none), from ``fall_from`` back to ``fall_to`` (Unix seconds). ``annotation_at`` is the offset of
    the first annotation or -1, ``use_count`` the number of names in the table.
    """

    count: int
    good_count: int
    good: int
    multi_at: int
    strays: int
    stray_at: int
    end: int
    zeros_at: int
    falls: int
    fall_at: int
    annotation_at: int
    fall_from: int
    fall_to: int
    use_count: int
    def __init__(
        self, window: Window, batch: int = 256, containers: Container[bytes] | None = None, *, omits_long: bool = False
    ) -> None: ...
    def run(self, progress: Callable[[int], object] | None = None) -> int:
        """Collect commands; return PAUSED (a full batch or table), ENDED, DECLINED (not valid) or TOO_LARGE."""
    def check(self, progress: Callable[[int], object] | None = None) -> int:
        """Count commands without building objects; return ENDED, DECLINED, TOO_LARGE or PAUSED (a full table)."""
    def take_uses(
        self,
    ) -> list[tuple[bytes, int, tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]]:
        """Return (name, calls, the first, the one with fewest arguments, the one with most) since the last call.

        A name is shortened to 80 bytes; a subcommand follows it after a space; an empty one is a NUL byte. A call is
        (arguments with the name, offset, number of the command within the part).
        """
    def take(
        self,
    ) -> tuple[RawCommands, memoryview[int], list[tuple[int, bytes]], list[tuple[int, int]]]:
        """Return (commands, their offsets, annotations, marks) collected since the last call.

        An annotation is the index of the command it precedes and its line; a mark is the index of a command and MULTI
        or EXEC.
        """
    def accept(self, argv: tuple[bytes, ...], stop: int, *, collect: bool = True) -> None:
        """Accept the current record, a command that the caller parsed, up to offset ``stop``."""
    def accept_annotation(self, text: bytes, stop: int) -> None:
        """Accept the current record, an annotation line that the caller parsed, up to offset ``stop``."""
    def resync(self, known: Container[bytes]) -> int:
        """Search after the first byte of the current record for a complete command with a known name.

        ``known`` holds names in upper case. Returns the command's offset, to which the scanner moves; NOTHING: ``end``
        is then the offset of the end of the AOF and ``zeros_at`` the one from which there are only NUL bytes; or
        EXHAUSTED after a search in input made to be endless.
        """
