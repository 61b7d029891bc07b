"""Walk over the items of an RDB from any offset, reading just enough of them to name a key.

The compiled decoder does the work: its window begins with the header and continues wherever an item is assumed to
begin.
"""

from __future__ import annotations

import itertools

from rdbtool._codec.decode.decoder import DECLINED, ENDED, Decoder
from rdbtool._codec.filters.selection import Selection
from rdbtool._codec.sink import Null
from rdbtool.core.errors import FormatError, LimitError, RdbToolError, UnsupportedError
from rdbtool.core.light_typing import TYPE_CHECKING, Final, NamedTuple
from rdbtool.core.rdb_types import CHECKSUM_SINCE, code_of, value_types
from rdbtool.io.lzf import inflate

if TYPE_CHECKING:
    from rdbtool._codec.sink import Sink
    from rdbtool.operations.salvage.input import Stock

#: Bytes of opcodes that may precede a record, by number; IDLE has a length.
_SIZES: Final = {code_of("EXPIRETIME_MS"): 9, code_of("EXPIRETIME"): 5, code_of("FREQ"): 2}
_IDLE: Final = code_of("IDLE")
_END: Final = bytes([code_of("EOF")])

#: Bytes that hold most heads: eight opcodes, and a key whose length takes a byte.
_NEAR: Final = 160
_SHORT: Final = 0x40

#: Bytes of a key that are read to name it.
_LONGEST_KEY: Final = 1 << 16

#: First bytes of strings stored as integers.
_NUMBERS: Final = frozenset((0xC0, 0xC1, 0xC2))

#: The first byte of a compressed string.
_LZF: Final = 0xC3

#: The limit of a selection that is counted up to it from below.
_MANY: Final = 1 << 40

_NULL: Final = Null()


class Layout(NamedTuple):
    """What a walk needs: the magic and version by which items are read, and bounds.

    ``max_inflate`` bounds a decompressed string in bytes. ``embedded``: commands follow the RDB.
    """

    magic: str
    version: int
    max_inflate: int
    embedded: bool = False

    @property
    def head(self) -> bytes:
        """The nine header bytes of an RDB of this form."""
        return f"{self.magic}{self.version:0{9 - len(self.magic)}}".encode()

    @property
    def codes(self) -> frozenset[int]:
        """The numbers of the value types."""
        return frozenset(value_types(self.magic))

    @property
    def trailer(self) -> int:
        """Size of the checksum after the end mark, in bytes."""
        return 8 if self.version >= CHECKSUM_SINCE else 0


class Position(NamedTuple):
    """The beginning of an item, and what must be known of what precedes it. ``is_first``: no key precedes it."""

    at: int
    db: int = 0
    templates: dict[int, tuple[bytes, ...]] = {}  # noqa: RUF012 - never changed
    fork: str | None = None
    is_first: bool = False


class Walker:
    """A decoder before an item at ``place``; ``stop`` is where the data ends.

    ``is_last``: it was read before, and is not needed again.
    """

    def __init__(
        self,
        stock: Stock,
        form: Layout,
        place: Position,
        *,
        stop: int | None = None,
        limit: int | None = None,
        is_last: bool = False,
    ) -> None:
        self.stock = stock
        self.form = form
        self.stop = stock.size if stop is None else stop
        self.view = stock.view(place.at, self.stop, head=form.head, limit=limit, is_last=is_last)
        if is_last:
            self.view.window.forget_checksum()
        self.decoder = Decoder(self.view.window, form.max_inflate)
        self.decoder.embedded = True
        # It requires a non-empty window.
        self.view.window.peek(self.view.at, 9)
        self.decoder.set_format(form.magic, form.version)
        self.decoder.enter(place.db)
        self.decoder.templates.update(place.templates)
        self.decoder.fork = place.fork
        self.decoder.is_inside = not place.is_first
        self._selection = Selection(limit=_MANY)

    @property
    def at(self) -> int:
        """Offset of the current item: of a record, that of its first opcode."""
        pending = self.decoder.pending_start
        return self.view.at if pending < 0 else pending

    @property
    def place(self) -> Position:
        """The current place."""
        decoder = self.decoder
        is_first = not decoder.is_inside and not decoder.keys
        return Position(self.at, decoder.db, dict(decoder.templates), decoder.fork, is_first)

    def step(self, records: int = 1, sink: Sink = _NULL) -> int:
        """Skip up to so many records; return the decoder's status: PAUSED if all of them were there."""
        self._selection.taken = _MANY - records
        return self.decoder.run(sink, self._selection)

    def is_at_end(self, status: int) -> bool:
        """Whether the walk stopped at the end mark of the whole file, whatever its checksum."""
        return status == ENDED or (status == DECLINED and is_end(self.stock, self.form, self.view.at, self.stop))

    def explain(self) -> FormatError | LimitError | None:
        """Return the grammar's error for the item that was declined; None if the grammar accepts it.

        Raises UnsupportedError if it is not damage: a number of another product, which the file names.
        """
        from rdbtool.grammar import FileState, read_item  # noqa: PLC0415 - construct takes 40 ms and is rarely needed
        from rdbtool.reader.open.windows import WindowStream  # noqa: PLC0415 - likewise

        state = FileState(
            self.decoder.magic,
            self.decoder.version,
            db=self.decoder.db,
            templates=self.decoder.templates,
            fork=self.decoder.fork,
            records=self.decoder.keys + self.decoder.is_inside,
            max_inflate=self.form.max_inflate,
            crc_at=self.view.window.checksum_up_to,
            embedded=True,
        )
        try:
            read_item(WindowStream(self.view.window), state)
        except FormatError as error:
            # The error can be kept for long, and the frames of its traceback hold the window.
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        except LimitError as error:
            return error
        except UnsupportedError as error:
            if self.decoder.fork is not None:
                words = f"data that only {self.decoder.fork} can read: rdbtool cannot repair the file"
                raise UnsupportedError(f"{self.stock.name}: at {self.at:#x}: {words}") from None
            return FormatError("RDB105", "type", self.at, "a value that can be read", str(error), file_kind="rdb")
        except RdbToolError as error:
            return FormatError("RDB105", "type", self.at, "a value that can be read", str(error), file_kind="rdb")
        return None

    def outer_stop(self) -> int | None:
        """Return where the current record ends by the strings that hold its value; None if those are damaged too."""
        from rdbtool.grammar import FileState  # noqa: PLC0415 - as in explain
        from rdbtool.grammar.outer import read_outer  # noqa: PLC0415 - likewise
        from rdbtool.reader.open.windows import WindowStream  # noqa: PLC0415 - likewise

        state = FileState(self.decoder.magic, self.decoder.version, max_inflate=self.form.max_inflate, embedded=True)
        try:
            outer = read_outer(WindowStream(self.view.window), state)
        except RdbToolError:
            return None
        return None if outer is None else outer.stop


def is_end(stock: Stock, form: Layout, at: int, stop: int) -> bool:
    """Whether the end mark of the whole data is at ``at``, by what follows it: nothing, or commands."""
    data = stock.read(at, 2 + form.trailer)
    if data[:1] != _END:
        return False
    rest = stop - at - 1 - form.trailer
    return rest <= 0 if not form.embedded else rest <= 0 or data[1 + form.trailer :] in {b"*", b"#"}


def is_plausible(key: bytes) -> bool:
    """Whether a key looks like one: text, without control characters."""
    try:
        return bool(key) and key.decode().isprintable()
    except UnicodeDecodeError:
        return False


class Head(NamedTuple):
    """The beginning of a record: its key, whether it is an integer, and the offset of the value after it."""

    code: int
    key: bytes
    value_at: int
    is_number: bool = False

    @property
    def is_plausible(self) -> bool:
        """Whether the key looks like one. Integers are rare as keys, but common as members and values."""
        return not self.is_number and is_plausible(self.key)


def read_head(stock: Stock, form: Layout, at: int) -> Head | None:
    """Read the type and key of a record whose first opcode, or type, is at ``at``; None if there is none."""
    types = value_types(form.magic)
    data = stock.read(at, _NEAR)
    place = 0
    for _ in itertools.repeat(None, 8):
        if place >= len(data):
            return None
        code = data[place]
        if code in _SIZES:
            place += _SIZES[code]
        elif code == _IDLE:
            length = read_length(data[place + 1 : place + 10])
            if length is None:
                return None
            place += 1 + length[1]
        elif code not in types:
            return None
        else:
            place += 1
            size = data[place] if place < len(data) else 0
            if size < _SHORT and place + 1 + size <= len(data):
                return Head(code, data[place + 1 : place + 1 + size], at + place + 1 + size)
            found = read_key(stock, at + place)
            return None if found is None else Head(code, *found, size in _NUMBERS)
    return None


def read_key(stock: Stock, at: int) -> tuple[bytes, int] | None:
    """Read a string at ``at``: its value and the offset after it; None if there is none, or only a very long one."""
    data = stock.read(at, 24)
    if not data:
        return None
    if data[0] in {0xC0, 0xC1, 0xC2}:
        size = 1 << (data[0] - 0xC0)
        text = str(int.from_bytes(data[1 : 1 + size], "little", signed=True)).encode()
        return (text, at + 1 + size) if len(data) > size else None
    if data[0] == _LZF:
        return _read_packed(stock, at, data)
    length = read_length(data)
    if length is None or length[0] > _LONGEST_KEY or data[0] >= 0xC0:
        return None
    key = stock.read(at + length[1], length[0])
    return (key, at + length[1] + length[0]) if len(key) == length[0] else None


def _read_packed(stock: Stock, at: int, data: bytes) -> tuple[bytes, int] | None:
    packed = read_length(data[1:])
    full = None if packed is None else read_length(data[1 + packed[1] :])
    if packed is None or full is None or max(packed[0], full[0]) > _LONGEST_KEY:
        return None
    begin = at + 1 + packed[1] + full[1]
    try:
        return inflate(stock.read(begin, packed[0]), full[0], limit=_LONGEST_KEY), begin + packed[0]
    except ValueError:
        return None


def read_length(data: bytes) -> tuple[int, int] | None:
    """Read a length: its value and the number of bytes it takes; None if there is none."""
    if not data:
        return None
    size = {0: 1, 1: 2}.get(data[0] >> 6) or {0x80: 5, 0x81: 9}.get(data[0], 0)
    if not size or len(data) < size:
        return None
    number = int.from_bytes(data[:size], "big")
    return (number & 0x3FFF if size == 2 else int.from_bytes(data[1:size], "big") if size > 2 else number), size
