"""Reads RDB files: the codec does the work, the grammar decides in the end.

The decoder runs until it declines an item. Then the grammar reads the same bytes from the same window: it raises the
error for the user, or, if it accepts what the codec declined (a slow path, counted in ``fallbacks``), its record goes
to the same sink. With the ``grammar`` backend every item goes that way, to compare the two.
"""

from __future__ import annotations

import os

from rdbtool._codec.decode.decoder import DECLINED, ENDED, TOO_LARGE, Decoder
from rdbtool._codec.decode.window import Window, WindowLimitError
from rdbtool.core.cores import processes
from rdbtool.core.errors import FormatError, LimitError, OversizeError, RdbToolError, UncertainError, UnsupportedError
from rdbtool.core.light_typing import TYPE_CHECKING, BinaryIO, Final, Literal, NamedTuple, Self
from rdbtool.core.limits import limits
from rdbtool.core.progress import Progress
from rdbtool.core.servers import PRODUCT_BY_NAME, Product, RulesChoice, choose_rules
from rdbtool.io.source import Source, open_source
from rdbtool.model import Aux, End, FunctionLibrary, Header, Item, ModuleAux
from rdbtool.reader.backends import backend_of
from rdbtool.reader.open.windows import WindowStream, open_window, rest_remarks, too_large

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from rdbtool._codec.filters.selection import Selection
    from rdbtool._codec.sink import Sink
    from rdbtool._codec.sinks.key_table import KeyPrints
    from rdbtool._codec.sinks.records import Records
    from rdbtool.core.errors import Finding
    from rdbtool.grammar.outer import Outer
    from rdbtool.grammar.state import FileState
    from rdbtool.model import KeyRecord
    from rdbtool.reader.reading_place import ReadingPlace

#: Aux fields that some writers repeat for every key or slot: not kept.
REPEATED_AUX: Final = frozenset({b"mvcc-tstamp", b"keydb-subexpire-key", b"keydb-subexpire-when", b"slot-info"})

#: The size from which on several processes read a file: starting them takes as long as one takes for a tenth of it.
_LARGE: Final = 128 << 20

#: How many times as large the data of a compressed file is, at least.
_LEAST_RATIO: Final = 2

#: Records made at once: few, so that they are still in the CPU cache when they are used.
_BATCH: Final = 32


class Totals(NamedTuple):
    """What was read so far: all keys, those with an expiry, those selected, and counts by type and db.

    ``by_db`` maps a db to (keys, keys with an expiry).
    """

    keys: int
    expires: int
    selected: int
    by_kind: dict[str, int]
    by_db: dict[int, tuple[int, int]]


class RdbReader:
    """An open RDB. Iterating yields its ``KeyRecord``s; ``items`` also everything between them.

    ``header``, ``aux``, ``functions``, ``module_aux`` and ``end`` hold what was met so far. ``max_inflate`` limits a
    single decompressed string in bytes. Reading raises FormatError for bytes that no server writes, UnsupportedError
    for versions and types this release does not know, LimitError for what would take more memory than allowed,
    InputError if the input fails or changes.

    ``window`` is one over an input that was partly examined, and ``around`` are remarks on what was consumed of it;
    ``begin`` is the offset of the first byte after that. With ``embedded`` the RDB is part of an AOF, whose reader owns
    input and window: what follows the end mark stays in the window.
    """

    #: The kind of reader: an attribute, so that no caller imports all three classes to distinguish them.
    kind: Literal["rdb"] = "rdb"

    #: The contents of a file are certain: only effects of commands can be unknown.
    doubt: UncertainError | None = None
    obstacle: UncertainError | None = None
    extent: None = None

    #: What was read is not kept, and database sizes are those that the file announces.
    repeatable = False
    sizes: None = None

    def __init__(
        self,
        source: Source,
        *,
        max_inflate: int | None = None,
        backend: str | None = None,
        window: Window | None = None,
        embedded: bool = False,
        around: Sequence[Finding] = (),
    ) -> None:
        self.source = source
        self.around = around
        self.embedded = embedded
        self.aux: list[Aux] = []
        self.functions: list[FunctionLibrary] = []
        self.module_aux: list[ModuleAux] = []
        self.end: End | None = None
        #: The DUMP payload that it was made from, if any.
        self.payload: bytes | None = None
        self.backend = backend_of(backend)
        #: Items that the codec declined and the grammar accepted.
        self.fallbacks = 0
        self._preamble: list[Item] = []
        self._selected = 0
        self._max_inflate = limits().string if max_inflate is None else max_inflate
        self._window = window or open_window(source, self._max_inflate)
        self._decoder = Decoder(self._window, self._max_inflate)
        self._decoder.embedded = embedded
        self._decoder.on_item = self._note
        self.begin = self._window.at
        self.header = self._read_header()

    @property
    def remarks(self) -> Sequence[str]:
        """Remarks on the dataset, as far as it was read."""
        return rest_remarks(self.end, self.name)

    @property
    def name(self) -> str:
        """The name of the input in errors."""
        return self.source.name

    @property
    def size(self) -> int | None:
        """The size of the input in bytes, None if unknown."""
        return self.source.size

    @property
    def choice(self) -> RulesChoice:
        """The default server rules, as far as the file was read."""
        return choose_rules(self)

    @property
    def product(self) -> Product | None:
        """The product that wrote the file, as far as it was read, None for Redis and Valkey themselves."""
        name = self._decoder.fork
        return None if name is None else PRODUCT_BY_NAME[name]

    @property
    def totals(self) -> Totals:
        """What was read so far."""
        by_kind, by_db = self._decoder.counts()
        return Totals(self._decoder.keys, self._decoder.expires, self._selected, by_kind, by_db)

    def read_preamble(self) -> list[Item]:
        """Read up to the first key and return what precedes it: then the writer is known.

        Later reads begin with what was read here. After keys were read there is no preamble.
        """
        decoder = self._decoder
        if self._preamble or decoder.keys:
            return self._preamble
        sink = _make_records(items=True)
        decoder.stops_at_key = True
        try:
            while not (decoder.finished or decoder.is_at_key()):
                self._advance(sink, None, None)
        finally:
            decoder.stops_at_key = False
        from rdbtool.model import KeyRecord  # noqa: PLC0415 - most sinks take no objects

        self._preamble = [item for item in sink.take() if not isinstance(item, KeyRecord)]
        return self._preamble

    def feed(self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None) -> Totals:
        """Feed ``sink`` with the rest of the file and return what was read.

        The sink receives the records that ``selection`` matches, each whole or not at all, in file order. ``progress``
        is called with the number of bytes read, about twice a megabyte. The sink is not closed.
        """
        self._begin(sink)
        finished = self._feed_ranges(sink, selection, progress) if self._divides(sink, selection) else False
        while not finished:
            finished = self._advance(sink, selection, progress)
        return self.totals

    def can_pair(self, other: RdbReader) -> bool:
        """Return whether both can be read side by side by ``feed_with``."""
        from rdbtool._codec.sinks.key_pairs import KeyPairs  # noqa: PLC0415 - for diff only

        for reader in (self, other):
            # Compressed input is inflated ahead: two at a time would take twice the memory.
            if reader.backend == "grammar" or reader.payload is not None or reader.source.compressed_size is not None:
                return False
        return KeyPairs.can_pair(self._decoder, other._decoder)

    def feed_with(
        self,
        prints: KeyPrints,
        other: RdbReader,
        others: KeyPrints,
        *,
        progress: Progress | None = None,
        begin_rest: Callable[[], object] = bool,
    ) -> None:
        """Feed ``prints`` with this file and ``others`` with ``other``, side by side while their keys are the same.

        Both sinks are closed. ``begin_rest`` is called when this file was read and the rest of the other one follows.
        Raises OutOfStepError and what reading raises: then what the sinks received is of no use.
        """
        from rdbtool._codec.sinks.key_pairs import APART, FIRST, KeyPairs  # noqa: PLC0415 - for diff only

        self._begin(prints)
        other._begin(others)
        pairs = KeyPairs(self._decoder, other._decoder, prints, others)
        while (state := pairs.run(progress)) != APART:
            if state == FIRST:
                self._advance_by_item(prints, progress)
            else:
                other._advance_by_item(others, None)
            pairs.note()
        finished = False
        while not finished:
            finished = self._advance(prints, None, progress)
        prints.close()
        begin_rest()
        pairs.part()
        finished = False
        while not finished:
            finished = other._advance(others, None, progress)
        others.close()

    def pauses(
        self, sink: Sink, *, selection: Selection | None = None, progress: Progress | None = None
    ) -> Iterator[None]:
        """Drive ``sink`` as ``feed`` does, and yield whenever it asks for a pause, and at the end.

        Where reading fails, it yields before the error is raised.
        """
        self._begin(sink)
        finished = False
        while not finished:
            try:
                finished = self._advance(sink, selection, progress)
            except RdbToolError:
                yield
                raise
            yield

    def items(
        self, *, selection: Selection | None = None, progress: Progress | None = None
    ) -> Iterator[Item | KeyRecord]:
        """Yield every item of the file, in order, from the header to the end mark."""
        yield self.header
        yield from self._collect(_make_records(items=True), selection, progress)

    def records(self, *, selection: Selection | None = None, progress: Progress | None = None) -> Iterator[KeyRecord]:
        """Yield the key records that ``selection`` matches, in file order."""
        return self._collect(_make_records(), selection, progress)  # type: ignore[return-value]  # no items were asked for

    def __iter__(self) -> Iterator[KeyRecord]:
        return self.records()

    def pass_over(self) -> Outer | None:
        """Skip the record that a FormatError was raised for, if the strings that hold its value are intact.

        Its key counts as read, and reading continues after it. None: nothing was skipped.
        """
        from rdbtool.grammar.outer import read_outer  # noqa: PLC0415 - construct takes 40 ms and is rarely needed

        state = self.state()
        try:
            outer = read_outer(WindowStream(self._window), state)
        except WindowLimitError:
            return None
        if outer is not None:
            self._decoder.count_key(outer.kind, state.expire_at_ms is not None)
            self._window.skip_to(outer.stop)
            self._decoder.pending = (None, None, None, None)
            self._decoder.pending_start = -1
        return outer

    def close(self) -> None:
        """Close the source, unless it belongs to the caller."""
        if not self.embedded:
            self.source.close()
            # Reader and decoder reference each other, and a replay opens a reader for every RESTORE of an AOF.
            self._decoder.on_item = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def place(self) -> ReadingPlace:
        """Where it reads."""
        from rdbtool.reader.reading_place import ReadingPlace  # noqa: PLC0415 - for ranges only

        return ReadingPlace(self.source, self._window, self._decoder)

    def tally(self) -> tuple[int, ...]:
        """Return the numbers of what was read so far."""
        return self._selected, self.fallbacks, *self._decoder.tally()

    def add_tally(self, numbers: tuple[int, ...], selection: Selection | None) -> None:
        """Count records of the current db that a copy of this reader read; see ``tally``."""
        selected, fallbacks, *rest = numbers
        self._selected += selected
        self.fallbacks += fallbacks
        self._decoder.add_tally(*rest)
        if selection is not None:
            selection.taken += selected

    def _divides(self, sink: Sink, selection: Selection | None) -> bool:
        """Return whether several processes may read the file for ``sink``."""
        source = self.source
        if self.embedded or not sink.divides or self.backend == "grammar" or processes() == 1:
            return False
        # A limit depends on what precedes a range.
        if selection is not None and selection.has_limit:
            return False
        size = source.size if source.compressed_size is None else source.compressed_size * _LEAST_RATIO
        if size is None or size - self._window.at < _LARGE:
            return False
        return source.can_reread or source.share()

    def _feed_ranges(self, sink: Sink, selection: Selection | None, progress: Progress | None) -> bool:
        """Feed ``sink`` by several processes; return True if the file was read to its end, False if a rest is left."""
        from rdbtool.reader.ranges import RangeReading  # noqa: PLC0415 - for large files only

        def advance() -> bool:
            return self._advance(sink, selection, progress)

        # One of them decompresses.
        count = processes() if self.source.can_reread else max(2, processes() - 1)
        return RangeReading(self, sink, advance, processes=count, selection=selection, progress=progress).run()

    def _begin(self, sink: Sink) -> None:
        """Feed ``sink`` with the header, and what was read before."""
        self._decoder.announce(sink)
        if self._preamble:
            from rdbtool._codec.replay_record import feed_item  # noqa: PLC0415 - most files are read in one go

            for item in self._preamble:
                feed_item(item, sink)
            self._preamble = []

    def _collect(
        self, sink: Records, selection: Selection | None, progress: Progress | None
    ) -> Iterator[Item | KeyRecord]:
        self._begin(sink)
        failure: RdbToolError | None = None
        finished = False
        while not finished:
            try:
                finished = self._advance(sink, selection, progress)
            except RdbToolError as error:
                # Complete records before it are returned first.
                failure = error
            yield from sink.take()
            if failure is not None:
                raise failure

    def _advance(self, sink: Sink, selection: Selection | None, progress: Progress | None) -> bool:
        """Continue until the sink is full or the file ends; return True at the end."""
        taken = 0 if selection is None else selection.taken
        keys = self._decoder.keys
        status = DECLINED
        try:
            if self.backend == "codec":
                status = self._decoder.run(sink, selection, progress)
            if status == TOO_LARGE:
                raise self._too_large()
            if status == DECLINED and not self._decoder.finished:
                self._read_by_grammar(sink, selection)
                self.fallbacks += self.backend == "codec"
        except FormatError as error:
            raise self._located(error) from None
        except OversizeError as error:
            error.place(error.where._replace(source=self.source.name))
            raise
        except UnsupportedError as error:
            raise UnsupportedError(f"{self.source.name}: {error}") from None
        except MemoryError:
            raise LimitError(
                f"{self.source.name}: at {self._window.at:#x}: not enough memory for this record"
            ) from None
        finally:
            self._selected += self._decoder.keys - keys if selection is None else selection.taken - taken
        if status == ENDED or self._decoder.finished:
            if not self.embedded:
                self.source.check_unchanged()
            return True
        return selection is not None and selection.is_full

    def _advance_by_item(self, sink: Sink, progress: Progress | None) -> None:
        self._decoder.stops_at = self._window.at + 1
        try:
            self._advance(sink, None, progress)
        finally:
            self._decoder.stops_at = -1

    def _read_header(self) -> Header:
        try:
            if self.backend == "grammar" or not self._decoder.read_header():
                header = self._check_header()
                self._decoder.set_format(header.magic, header.version)
        except FormatError as error:
            raise self._located(error) from None
        except UnsupportedError as error:
            raise UnsupportedError(f"{self.source.name}: {error}") from None
        return Header(self._decoder.magic, self._decoder.version)

    def _check_header(self) -> Header:
        from rdbtool.grammar import read_header  # noqa: PLC0415 - construct takes 40 ms and is rarely needed

        return read_header(WindowStream(self._window))

    def _read_by_grammar(self, sink: Sink, selection: Selection | None) -> None:
        """Read the current item by the grammar: it raises, or its record is fed to ``sink``."""
        from rdbtool._codec.replay_record import feed_item, feed_record  # noqa: PLC0415 - as below
        from rdbtool.grammar import read_item  # noqa: PLC0415 - construct takes 40 ms and is rarely needed
        from rdbtool.model import KeyRecord  # noqa: PLC0415 - likewise

        decoder = self._decoder
        stream = WindowStream(self._window)
        state = self.state()
        try:
            item = read_item(stream, state)
        except WindowLimitError:
            raise self._too_large() from None
        if isinstance(item, KeyRecord):
            decoder.count_key(item.kind, item.expire_at_ms is not None)
            if selection is None or selection.take(item):
                value_at = item.stop if state.value_at is None else state.value_at
                value_stop = item.stop if state.value_stop is None else state.value_stop
                feed_record(item, sink, self._window.peek(value_at, value_stop - value_at))
        if isinstance(item, End):
            decoder.finish()
        if self.embedded or not isinstance(item, End):
            self._window.skip_to(stream.tell())
        if item is not None and not isinstance(item, KeyRecord):
            assert decoder.on_item is not None
            decoder.on_item(item)
            feed_item(item, sink)
        if state.db != decoder.db:
            decoder.enter(state.db)
        decoder.pending = (state.expire_at_ms, state.idle_s, state.freq, state.meta)
        decoder.pending_start = -1 if state.pending_start is None else state.pending_start
        decoder.fork = state.fork

    def state(self) -> FileState:
        """Return the grammar's state before the current item."""
        from rdbtool.grammar import FileState  # noqa: PLC0415 - as above

        decoder = self._decoder
        expire, idle, freq, meta = decoder.pending
        return FileState(
            decoder.magic,
            decoder.version,
            db=decoder.db,
            expire_at_ms=expire,
            idle_s=idle,
            freq=freq,
            meta=meta,
            pending_start=None if decoder.pending_start < 0 else decoder.pending_start,
            templates=decoder.templates,
            fork=decoder.fork,
            records=decoder.keys,
            max_inflate=self._max_inflate,
            crc_at=self._window.checksum_up_to,
            embedded=self.embedded,
        )

    def _note(self, item: Item) -> None:
        if isinstance(item, Aux):
            if item.key not in REPEATED_AUX:
                self.aux.append(item)
        elif isinstance(item, FunctionLibrary):
            self.functions.append(item)
        elif isinstance(item, ModuleAux):
            self.module_aux.append(item)
        elif isinstance(item, End):
            self.end = item

    def _located(self, error: FormatError) -> FormatError:
        error.where = error.where._replace(source=self.source.name)
        if error.readable_up_to is None:
            start = self._decoder.pending_start
            error.readable_up_to = self._window.at if start < 0 else start
            error.keys_read = self._decoder.keys
        return error

    def _too_large(self) -> LimitError:
        return too_large(self.source, self._window, self._max_inflate)


def _make_records(*, items: bool = False) -> Records:
    """Return a sink that makes records, with ``items`` also what is between them."""
    from rdbtool._codec.sinks.records import Records  # noqa: PLC0415 - most sinks make none

    return Records(_BATCH, items=items)


def open_rdb(
    target: str | os.PathLike[str] | bytes | BinaryIO,
    *,
    name: str | None = None,
    max_inflate: int | None = None,
    backend: str | None = None,
) -> RdbReader:
    """Open an RDB: a path, ``-`` for standard input, bytes, or a binary stream, compressed or not.

    Raises InputError, UnsupportedError or FormatError; the source is closed then.
    """
    source = open_source(target, name=name)
    try:
        return RdbReader(source, max_inflate=max_inflate, backend=backend)
    except BaseException:
        source.close()
        raise
