"""The scanner: commands out of the RESP of an append-only log, framed strictly."""

from array import array
from collections.abc import Callable, Container

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
    """Scans the log in a window from where it stands. ``batch`` is the number of commands after which it pauses.

    ``count`` commands were read so far. ``good`` is the offset behind the last record outside of an open
    MULTI, ``good_count`` the number of commands before it. ``multi_at`` is the offset of the open MULTI or -1.
    ``strays`` counts MULTI inside of a transaction and EXEC outside of one, which servers ignore; ``stray_at`` is
    the offset of the first, or -1. ``end`` and ``zeros_at``: see ``resync``.

    With ``containers``, upper-case names that a subcommand belongs to, commands are counted by name, as written, and
    annotated times are compared: ``falls`` counts those that are earlier than the one before, the first at offset
    ``fall_at`` (-1: none), which goes from ``fall_from`` back to ``fall_to`` (Unix seconds). ``annotation_at`` is the
    offset of the first annotation or -1, ``use_count`` the number of names that wait to be taken.
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
    def __init__(self, window: Window, batch: int = 256, containers: Container[bytes] | None = None) -> None: ...
    def run(self, progress: Callable[[int], object] | None = None) -> int:
        """Collect commands; return PAUSED (a full batch or table), ENDED, DECLINED (not sound) or TOO_LARGE."""
    def check(self, progress: Callable[[int], object] | None = None) -> int:
        """Count commands and make no objects; return ENDED, DECLINED, TOO_LARGE or PAUSED (a full table)."""
    def take_uses(
        self,
    ) -> list[tuple[bytes, int, tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]]:
        """Return (name, calls, the first, the one with fewest arguments, the one with most) since the last time.

        A name is cut to 80 bytes; a subcommand follows it behind a space; an empty one is a NUL byte. A call is
        (arguments with the name, offset, number of the command within the part).
        """
    def take(
        self,
    ) -> tuple[list[tuple[bytes, ...]], array[int], list[tuple[int, bytes]], list[tuple[int, int]]]:
        """Return (commands, their offsets, annotations, marks) collected since the last time.

        An annotation is the index of the command it precedes and its line; a mark is the index of a
        command and MULTI or EXEC.
        """
    def accept(self, argv: tuple[bytes, ...], stop: int, *, collect: bool = True) -> None:
        """Take the record at hand, a command that somebody else read, up to offset ``stop``."""
    def accept_annotation(self, text: bytes, stop: int) -> None:
        """Take the record at hand, an annotation line that somebody else read, up to offset ``stop``."""
    def resync(self, known: Container[bytes]) -> int:
        """Search behind the first byte of the record at hand for a whole command with a known name.

        ``known`` holds names in upper case. Returns the command's offset, where the scanner then stands;
        NOTHING, where ``end`` is the offset of the end of the log and ``zeros_at`` the one from which
        there is nothing but NUL; or EXHAUSTED after a search that was made to be endless.
        """
