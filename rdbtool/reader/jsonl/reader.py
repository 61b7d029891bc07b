"""Reads what the jsonl format writes: a line is the header, an aux field, a function, … or a key with all of it.

The reader wears the face of an RdbReader. Lines are read one by one from any source, so that memory goes by the
largest. What is wrong with a line is found without knowing where it stands; here it gets its place.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, NoReturn, Self

from rdbtool._codec.decode.window import Window, WindowLimitError
from rdbtool._codec.replay_record import feed_header, feed_item, feed_record
from rdbtool.core.errors import Finding, FormatError, LimitError, RdbToolError, UncertainError, UnsupportedError
from rdbtool.core.limits import limits
from rdbtool.core.location import Span, Where
from rdbtool.core.progress import Progress
from rdbtool.core.rdb_types import KINDS, REDIS
from rdbtool.core.servers import RulesChoice, choose_rules
from rdbtool.io.source import Source, open_source
from rdbtool.model import Aux, End, FunctionLibrary, Header, Item, KeyRecord
from rdbtool.reader.jsonl.key_lines import RecordLines, read_header, read_item, refuse_one_way
from rdbtool.reader.jsonl.line_fields import Refusal
from rdbtool.reader.jsonl.lines import Line, parse_line, split_lines
from rdbtool.reader.open.windows import open_window, too_large
from rdbtool.reader.rdb import REPEATED_AUX, Totals, TotalsCounter

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool._codec.sinks.check import Check, Flagged


#: What lines without a header are, as logs without a snapshot.
DEFAULT_HEADER: Final = Header(REDIS, 11)


#: Lines whose numbers are remembered.
_RECENT: Final = 64

#: What the Check sink flags a key with that was there before.
_TWICE: Final = "duplicate-key"


class JsonlReader:
    """Open lines of JSON. Iterating gives their ``KeyRecord``s; ``items`` also what stands between them.

    ``header``, ``aux`` and ``functions`` hold what was met so far. ``end`` is set behind the last line, but is no
    item: there is no end mark. Offsets of records and spans are those of their lines. Reading raises FormatError
    JSN0xx for what the format does not have, UnsupportedError for versions that this release does not know,
    LimitError for a line that is too large for a compressed source or for memory, InputError where the source fails or
    changes. ``max_inflate`` is in bytes.

    ``window`` is one over the source that somebody has looked into.
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
        self._counter = TotalsCounter()
        self._ahead: deque[Item | KeyRecord] = deque()
        self._recent: deque[tuple[int, int]] = deque(maxlen=_RECENT)
        self._max_inflate = limits().string if max_inflate is None else max_inflate
        self._window = window or open_window(source, self._max_inflate)
        self._window.forget_checksum()
        self._progress: Progress | None = None
        self._failure: RdbToolError | None = None
        self._lines = split_lines(self._window, self._tell)
        self._first: Line | None = None
        #: Keys so far, and the first that was there before; None: nobody asks.
        self._keys: Check | None = None
        self._twice: Flagged | None = None
        self._read_header()
        self._records = RecordLines(self.header)

    @property
    def name(self) -> str:
        """What errors call the source."""
        return self.source.name

    @property
    def size(self) -> int | None:
        """The size of the source in bytes, None where nobody knows."""
        return self.source.size

    @property
    def choice(self) -> RulesChoice:
        """Whose rules apply where nobody names them, as far as the file was read."""
        return choose_rules(self)

    @property
    def totals(self) -> Totals:
        """What was read so far."""
        return self._counter.totals

    def read_preamble(self) -> list[Item]:
        """Read up to the first key and return what stands in front of it. See ``RdbReader.read_preamble``."""
        while not (self._counter.keys or (self._ahead and isinstance(self._ahead[-1], KeyRecord))):
            item = self._read_item()
            if item is None:
                break
            self._ahead.append(item)
        return [item for item in self._ahead if not isinstance(item, KeyRecord)]

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> Totals:
        """Drive ``sink`` over the rest of the lines and return what was read. See ``RdbReader.feed``."""
        feed_header(self.header.magic, self.header.version, sink)
        for item in self._read(selection, progress):
            if isinstance(item, KeyRecord):
                feed_record(item, sink)
            else:
                feed_item(item, sink)
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

        This takes 24 to 36 bytes a key.
        """
        from rdbtool._codec.sinks.check import Check  # noqa: PLC0415 - who tests records has a sink of his own

        self._keys = Check(on_row=self._hear_row)

    def line_of(self, start: int) -> int | None:
        """Return the number of the line at an offset (bytes), None unless it is one of the last that were read."""
        return next((number for at, number in self._recent if at == start), None)

    def close(self) -> None:
        """Close the source, unless it belongs to the caller."""
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _tell(self, at: int) -> None:
        if self._progress is not None:
            self._progress(at)

    def _read_header(self) -> None:
        """Take the header from the first line, or keep the line where it is another one."""
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

    def _read(self, selection: Selection | None, progress: Progress | None) -> Iterator[Item | KeyRecord]:
        """Yield what stands behind what was read before; an error stays the last word."""
        self._progress = progress
        if self._failure is not None:
            raise self._failure
        while (item := self._ahead.popleft() if self._ahead else self._read_item()) is not None:
            if isinstance(item, KeyRecord):
                self._counter.add(item)
                if selection is not None and not selection.take(item):
                    continue
                self._counter.selected += 1
            yield item
            if selection is not None and selection.is_full:
                return
        if self.end is None:
            self.source.check_unchanged()
            self.end = End(None, 0, Span(self._window.at, self._window.at))

    def _read_item(self) -> Item | KeyRecord | None:
        """Return what the next line says, None behind the last one."""
        line = self._next_line()
        if line is None:
            self._end_keys()
            return None
        while (item := self._understand(line)) is None:
            following = self._next_line()
            if following is None:
                self._end_keys()
                return None
            line = following
        self._recent.append((line.start, line.number))
        if self._keys is not None and isinstance(item, KeyRecord):
            feed_record(item, self._keys)
            self._judge_twice()
        return item

    def _end_keys(self) -> None:
        """Look up the last keys."""
        if self._keys is not None:
            self._keys.close()
            self._keys = None
            self._judge_twice()

    def _hear_row(self, row: Flagged) -> None:
        if row.flag == _TWICE and self._twice is None:
            self._twice = row

    def _judge_twice(self) -> None:
        """Raise FormatError for a key that was there before."""
        row = self._twice
        if row is None:
            return
        number = self.line_of(row.start)
        path = "" if number is None else f"line {number}"
        where = Where(self.source.name, db=row.db, key=row.key, kind=row.kind, record=row.number, path=path)
        expected, found = "each key of a database once", "a key that is further up already"
        self._fail(
            FormatError("JSN011", "twice", row.start, expected, found, file_kind="jsonl", start=row.start, where=where)
        )

    def _next_line(self) -> Line | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            return next(self._lines, None)
        except WindowLimitError:
            self._fail(too_large(self.source, self._window, self._max_inflate))
        except MemoryError:
            self._fail(self._no_memory(self._window.at))
        except RdbToolError as error:
            self._fail(error)

    def _understand(self, line: Line) -> Item | KeyRecord | None:
        """Return what a line says, None for a header."""
        row: dict[str, object] = {}
        try:
            row = parse_line(line)
            refuse_one_way(row)
            if "key" in row:
                return self._records.read(line, row)
            if "rdb" in row:
                # Files were run together: what follows was written under another header.
                self._records = RecordLines(read_header(row))
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
            record=self._counter.keys + 1 if is_key else None,
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
            keys_read=self._counter.keys,
        )
        self._fail(fault)

    def _no_memory(self, at: int) -> LimitError:
        return LimitError(f"{self.source.name}: at {at:#x}: not enough memory for this line")

    def _fail(self, error: RdbToolError) -> NoReturn:
        self._failure = error
        raise error from None


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
