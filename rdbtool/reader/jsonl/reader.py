"""Reads what the jsonl format writes: a line is the header, an aux field, a function, … or a key with all of it.

The reader has the interface of an RdbReader. The codec emits lines with a key to a sink, element by element, as an
RDB's is; what the codec declines, and whatever else stands on a line, is read here, line by line, so that memory goes
by the largest. What is wrong with a line is found without knowing where it stands; here it gets its place.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType

from rdbtool._codec.decode.jsonl import ENDED, PAUSED, LineDecoder
from rdbtool._codec.decode.window import Window, WindowLimitError
from rdbtool._codec.replay_record import feed_header, feed_item, feed_record
from rdbtool.core.errors import Finding, FormatError, LimitError, RdbToolError, UncertainError, UnsupportedError
from rdbtool.core.light_typing import TYPE_CHECKING, BinaryIO, Final, Literal, NoReturn, Self
from rdbtool.core.limits import limits
from rdbtool.core.location import Span, Where
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import KINDS, REDIS
from rdbtool.core.servers import RulesChoice, choose_rules
from rdbtool.io.source import Source, open_source
from rdbtool.model import Aux, End, FunctionLibrary, Header, Item, KeyRecord
from rdbtool.reader.jsonl.key_lines import RecordLines, read_header, read_item, refuse_one_way
from rdbtool.reader.jsonl.line_fields import Refusal
from rdbtool.reader.jsonl.lines import Line, parse_line
from rdbtool.reader.open.windows import open_window, too_large
from rdbtool.reader.rdb import REPEATED_AUX, Totals

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool._codec.sinks.check import Flagged


#: What lines without a header are, as logs without a snapshot.
DEFAULT_HEADER: Final = Header(REDIS, 11)


#: Bytes that are read at once to count lines.
_PIECE: Final = 1 << 20

#: What the Check sink flags a key with that was there before.
_TWICE: Final = "duplicate-key"


class _TwiceError(Exception):
    """A key was there before."""

    def __init__(self, row: Flagged) -> None:
        super().__init__(row.key)
        self.row = row


class JsonlReader:
    """Open lines of JSON. Iterating gives their ``KeyRecord``s; ``items`` also what stands between them.

    ``header``, ``aux`` and ``functions`` hold what was met so far. ``end`` is set after the last line, but is no
    item: there is no end mark. Offsets of records and spans are those of their lines. Reading raises FormatError
    JSN0xx for what the format does not have, UnsupportedError for versions that this release does not know,
    LimitError for a line that is too large for a compressed source or for memory, InputError where the source fails or
    changes. ``max_inflate`` is in bytes.

    ``window`` is one over the source that was read from before.
    """

    kind: Literal["jsonl"] = "jsonl"

    #: What the file holds is certain: only the effects of commands can be unknown.
    doubt: UncertainError | None = None
    obstacle: UncertainError | None = None
    remarks: Sequence[str] = ()
    around: Sequence[Finding] = ()
    extent: None = None

    #: What was read is gone, and how many keys there are is not announced.
    repeatable = False
    sizes: None = None

    def __init__(self, source: Source, *, max_inflate: int | None = None, window: Window | None = None) -> None:
        self.source = source
        self.header = DEFAULT_HEADER
        self.aux: list[Aux] = []
        self.functions: list[FunctionLibrary] = []
        self.end: End | None = None
        #: Lines with a key that the codec declined, and that were read here.
        self.fallbacks = 0
        self._selected = 0
        self._ahead: deque[Item | KeyRecord] = deque()
        self._max_inflate = limits().string if max_inflate is None else max_inflate
        self._window = window or open_window(source, self._max_inflate)
        self._window.forget_checksum()
        self._failure: RdbToolError | None = None
        self._decoder = LineDecoder(self._window)
        self._first: Line | None = None
        self._read_header()
        self._set_records(self.header)

    @property
    def name(self) -> str:
        """What errors call the source."""
        return self.source.name

    @property
    def size(self) -> int | None:
        """The size of the source in bytes, None if unknown."""
        return self.source.size

    @property
    def choice(self) -> RulesChoice:
        """The server rules that apply if none are named, as far as the file was read."""
        return choose_rules(self)

    @property
    def totals(self) -> Totals:
        """What was read so far."""
        keys, expires, by_kind, by_db = self._decoder.counts()
        return Totals(keys, expires, self._selected, by_kind, by_db)

    def read_preamble(self) -> list[Item]:
        """Read up to the first key and return what precedes it. See ``RdbReader.read_preamble``."""
        while not (self._decoder.count or (self._first is None and self._is_at_key())):
            item = self._read_item()
            if item is None:
                break
            self._ahead.append(item)
        return [item for item in self._ahead if not isinstance(item, KeyRecord)]

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> Totals:
        """Drive ``sink`` over the rest of the lines and return what was read. See ``RdbReader.feed``."""
        feed_header(self.header.magic, self.header.version, sink)
        self._begin(progress)
        while not self._advance(sink, selection):
            pass
        return self.totals

    def items(
        self, *, selection: Selection | None = None, progress: Progress | None = None
    ) -> Iterator[Item | KeyRecord]:
        """Yield the header, then what the lines hold, in their order."""
        yield self.header
        yield from self._read(selection, progress)

    def records(self, *, selection: Selection | None = None, progress: Progress | None = None) -> Iterator[KeyRecord]:
        """Yield the key records that ``selection`` takes, in the order of the lines."""
        for item in self._read(selection, progress):
            if isinstance(item, KeyRecord):
                yield item

    def __iter__(self) -> Iterator[KeyRecord]:
        return self.records()

    def refuse_twice(self) -> None:
        """Raise FormatError JSN011 for a key that is there again, maybe a few keys late; call it before reading.

        This takes 17 to 22 bytes a key.
        """
        from rdbtool._codec.sinks.check import Check  # noqa: PLC0415 - who tests records has a sink of his own

        self._decoder.keys = Check(on_row=_refuse_row, keys_only=True, size=self.size)

    def line_of(self, start: int) -> int | None:
        """Return the number of the line at an offset (bytes), None if it is neither one of the last nor read again."""
        number = self._decoder.line_of(start)
        return self._count_lines(start) if number is None else number

    def _count_lines(self, start: int) -> int | None:
        """Return the number of the line at an offset by reading up to there again, None if that is impossible."""
        again, number = self.source.again, 1
        if again is None:
            return None
        piece = memoryview(bytearray(_PIECE))
        with contextlib.suppress(RdbToolError, OSError), open_source(again) as source:
            while start > 0 and (count := source.readinto(piece[: min(start, _PIECE)])):
                number += bytes(piece[:count]).count(b"\n")
                start -= count
        return None if start else number

    def close(self) -> None:
        """Close the source, unless it belongs to the caller."""
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _read_header(self) -> None:
        """Take the header from the first line, or keep the line where it is another one."""
        if self._is_at_key():
            return
        line = self._next_line()
        if line is None:
            where = Where(self.source.name)
            self._fail(
                FormatError("JSN008", "empty", 0, "at least one line", "end of file", file_kind="jsonl", where=where)
            )
        row: dict[str, object] = {}
        try:
            row = parse_line(line)
            refuse_one_way(row)
            if "rdb" in row:
                self.header = read_header(row)
            else:
                self._first = line
        except Refusal as refusal:
            self._refuse(refusal, line, row)
        except UnsupportedError as error:
            self._fail(UnsupportedError(f"{self.source.name}: {error}"))

    def _set_records(self, header: Header) -> None:
        """Read what follows as records below a header."""
        self._records = RecordLines(header)
        self._decoder.set_codes(self._records.codes)

    def _begin(self, progress: Progress | None) -> None:
        """Go on reading, unless an error was the last word."""
        self._decoder.progress = progress
        if self._failure is not None:
            raise self._failure

    def _advance(self, sink: Sink, selection: Selection | None) -> bool:
        """Emit lines to ``sink`` as far as the codec goes, and of one more; return True at the end."""
        if not self._ahead and self._first is None:
            taken = 0 if selection is None else selection.taken
            keys = self._decoder.count
            try:
                status = self._decoder.run(sink, selection)
            except _TwiceError as error:
                self._fail_twice(error.row)
            except (WindowLimitError, MemoryError, RdbToolError) as error:
                self._fail_reading(error)
            finally:
                self._selected += self._decoder.count - keys if selection is None else selection.taken - taken
            if status == ENDED:
                self._end_keys()
                self._finish()
                return True
            if status == PAUSED:
                return True
        item = self._ahead.popleft() if self._ahead else self._read_item()
        if item is None:
            self._finish()
            return True
        if isinstance(item, KeyRecord):
            self.fallbacks += 1
            if selection is None or selection.take(item):
                self._selected += 1
                feed_record(item, sink)
        else:
            feed_item(item, sink)
        return selection is not None and selection.is_full

    def _read(self, selection: Selection | None, progress: Progress | None) -> Iterator[Item | KeyRecord]:
        """Yield what follows what was read before; an error stays the last word."""
        self._begin(progress)
        while (item := self._ahead.popleft() if self._ahead else self._read_item()) is not None:
            if isinstance(item, KeyRecord):
                if selection is not None and not selection.take(item):
                    continue
                self._selected += 1
            yield item
            if selection is not None and selection.is_full:
                return
        self._finish()

    def _finish(self) -> None:
        """Note the end of the source."""
        if self.end is None:
            self.source.check_unchanged()
            self.end = End(None, 0, Span(self._window.at, self._window.at))

    def _read_item(self) -> Item | KeyRecord | None:
        """Return what the next line says, None after the last one."""
        line = self._next_line()
        if line is None:
            self._end_keys()
            return None
        while (item := self._interpret(line)) is None:
            following = self._next_line()
            if following is None:
                self._end_keys()
                return None
            line = following
        if isinstance(item, KeyRecord):
            try:
                self._decoder.count_key(item)
            except _TwiceError as error:
                self._fail_twice(error.row)
        return item

    def _end_keys(self) -> None:
        """Look up the last keys."""
        keys, self._decoder.keys = self._decoder.keys, None
        if keys is not None:
            try:
                keys.close()
            except _TwiceError as error:
                self._fail_twice(error.row)

    def _fail_twice(self, row: Flagged) -> NoReturn:
        """Raise FormatError for a key that was there before."""
        self._decoder.keys = None
        number = self.line_of(row.start)
        path = "" if number is None else f"line {number}"
        where = Where(self.source.name, db=row.db, key=row.key, kind=row.kind, record=row.number, path=path)
        expected, found = "each key of a database once", "a key that is further up already"
        self._fail(
            FormatError("JSN011", "twice", row.start, expected, found, file_kind="jsonl", start=row.start, where=where)
        )

    def _is_at_key(self) -> bool:
        """Return whether a line with a key, and nothing unusual before its value, is what follows."""
        try:
            return self._decoder.is_at_key()
        except (WindowLimitError, MemoryError, RdbToolError) as error:
            self._fail_reading(error)

    def _next_line(self) -> Line | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            line = self._decoder.take_line()
        except (WindowLimitError, MemoryError, RdbToolError) as error:
            self._fail_reading(error)
        return None if line is None else Line(*line)

    def _fail_reading(self, error: Exception) -> NoReturn:
        """Raise what keeps a line from being read."""
        if isinstance(error, WindowLimitError):
            error = too_large(self.source, self._window, self._max_inflate)
        elif isinstance(error, MemoryError):
            error = self._no_memory(self._window.at)
        assert isinstance(error, RdbToolError)
        self._fail(error)

    def _interpret(self, line: Line) -> Item | KeyRecord | None:
        """Return what a line says, None for a header."""
        row: dict[str, object] = {}
        try:
            row = parse_line(line)
            refuse_one_way(row)
            if "key" in row:
                return self._records.read(line, row)
            if "rdb" in row:
                # Files were run together: what follows was written under another header.
                self._set_records(read_header(row))
                return None
            item = read_item(line, row)
        except Refusal as refusal:
            self._refuse(refusal, line, row)
        except MemoryError:
            self._fail(self._no_memory(line.start))
        except LimitError as error:
            self._fail(LimitError(f"{self.source.name}: line {line.number}: {error}"))
        except UnsupportedError as error:
            self._fail(UnsupportedError(f"{self.source.name}: line {line.number}: {error}"))
        if isinstance(item, Aux) and item.key not in REPEATED_AUX:
            self.aux.append(item)
        elif isinstance(item, FunctionLibrary):
            self.functions.append(item)
        return item

    def _refuse(self, refusal: Refusal, line: Line, row: dict[str, object]) -> NoReturn:
        """Raise what is wrong with a line, with its place. Where the line was not understood, ``row`` is empty."""
        try:
            # A file that grows under our eyes looks cut where it ended when it was opened.
            self.source.check_unchanged()
        except RdbToolError as error:
            self._fail(error)
        is_key = "key" in row
        key, db, kind = row.get("key"), row.get("db"), row.get("type")
        if isinstance(key, str):
            key = key.encode("utf-8", "surrogatepass")
        where = Where(
            self.source.name,
            db=(db if type(db) is int else 0) if is_key else None,
            key=key if isinstance(key, bytes) else None,
            kind=kind if isinstance(kind, str) and kind in KINDS else None,
            record=self._decoder.count + 1 if is_key else None,
            path=f"line {line.number}" + (f", {refusal.path.lstrip('.')}" if refusal.path else ""),
        )
        fault = FormatError(
            refusal.code,
            refusal.cause,
            line.start + (refusal.at or 0),
            refusal.expected,
            refusal.found,
            file_kind="jsonl",
            start=line.start,
            where=where,
            readable_up_to=line.start,
            keys_read=self._decoder.count,
        )
        self._fail(fault)

    def _no_memory(self, at: int) -> LimitError:
        return LimitError(f"{self.source.name}: at {at:#x}: not enough memory for this line")

    def _fail(self, error: RdbToolError) -> NoReturn:
        # A key before it that is there twice comes first.
        self._end_keys()
        self._failure = error
        raise error from None


def _refuse_row(row: Flagged) -> None:
    if row.flag == _TWICE:
        raise _TwiceError(row)


def open_jsonl(
    target: str | os.PathLike[str] | bytes | BinaryIO, *, name: str | None = None, max_inflate: int | None = None
) -> JsonlReader:
    """Open lines of JSON: a path, ``-`` for standard input, bytes, or a binary stream, compressed or not.

    Raises InputError, UnsupportedError or FormatError; the source is closed then.
    """
    source = open_source(target, name=name)
    try:
        return JsonlReader(source, max_inflate=max_inflate)
    except BaseException:
        source.close()
        raise
