"""The place in an RDB file at which a reader is, and how it goes to another one."""

from __future__ import annotations

from rdbtool._codec.decode.skip_scan import SkipScan
from rdbtool._codec.room import NoResultError
from rdbtool.core.light_typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from rdbtool._codec.decode.decoder import Decoder
    from rdbtool._codec.decode.window import Window
    from rdbtool.io.source import Source
    from rdbtool.model import Item


class ItemError(NoResultError):
    """Something that is not a record occurs in a range of records."""


class ReadingPlace:
    """Moves a reader of an input that can be read again."""

    def __init__(self, source: Source, window: Window, decoder: Decoder) -> None:
        self._source = source
        self._window = window
        self._decoder = decoder

    @property
    def at(self) -> int:
        """Offset of the next item, in bytes."""
        return self._window.at

    @property
    def db(self) -> int:
        """The selected db."""
        return self._decoder.db

    @property
    def keys(self) -> int:
        """The number of records that were read."""
        return self._decoder.keys

    @property
    def is_between_records(self) -> bool:
        """Whether nothing was read that belongs to the next key, such as its expiry."""
        return self._decoder.pending_start < 0

    def may_have(self, size: int) -> bool:
        """Whether the input may have ``size`` bytes from here on."""
        left = self._window.left(self._window.at)
        return left is None or left >= size

    def can_reread(self, at: int) -> bool:
        """Whether the input can be read again from the offset ``at`` on."""
        return self._source.holds(at)

    def need(self, at: int) -> None:
        """Keep the input from the offset ``at`` on for reading again."""
        self._source.need(at)

    def scan(self, start: int) -> SkipScan:
        """Return a scan of the records from the offset ``start`` on."""
        return SkipScan(self._source.reread, start, self._decoder.magic)

    def checksum(self) -> int:
        """Return the CRC-64 of everything before this place; in a range, of what is before it in the range."""
        return self._window.checksum_up_to(self._window.at)

    def stop_at(self, offset: int) -> None:
        """Make the decoder pause before items at ``offset`` or later; -1: at none."""
        self._decoder.stops_at = offset

    def move(self, at: int, checksum: int) -> None:
        """Go to offset ``at``, between two records of the db; ``checksum`` is that of everything before it."""
        self._source.seek(at)
        self._window.move(at, checksum)

    def enter(self, start: int) -> None:
        """In a copy of the process: go to offset ``start``. Items other than records raise ItemError from now on."""
        at = start
        self._source.enter(start)

        def readinto(view: memoryview) -> int:
            nonlocal at
            count = self._source.reread(view, at)
            at += count
            return count

        self._decoder.on_item = _refuse
        self._window.move(start, 0, readinto)

    def fill(self, size: int) -> Window:
        """Return the window, which holds ``size`` bytes from here on, fewer only at the end of the input."""
        self._window.fill(size)
        return self._window

    def reset(self, db: int) -> None:
        """Select ``db`` and forget what belongs to a next key."""
        self._decoder.pending = (None, None, None, None)
        self._decoder.pending_start = -1
        if self._decoder.db != db:
            self._decoder.enter(db)


def _refuse(_item: Item) -> NoReturn:
    raise ItemError
