"""Reads AOFs: one file or many, with or without an RDB preamble or base.

The scanner frames commands in batches. If it declines a record, the line-oriented parser reads the same bytes and
raises the error, or, in lax mode, accepts them as a server would. What follows a fault is examined before the AOF is
called truncated (``tail``). Nothing is executed here.
"""

from __future__ import annotations

import os

from rdbtool._codec.decode.aof_scanner import DECLINED, ENDED, TOO_LARGE, Scanner
from rdbtool._codec.decode.window import Window, WindowLimitError
from rdbtool.core.commands import AOF_WORDS
from rdbtool.core.errors import Finding, FormatError, InputError, LimitError
from rdbtool.core.light_typing import TYPE_CHECKING, BinaryIO, Final, Literal, NamedTuple, Self, TypedDict, Unpack
from rdbtool.core.limits import limits
from rdbtool.core.manifest import Manifest, looks_like_manifest
from rdbtool.core.progress import Progress, progress_after
from rdbtool.io.source import is_directory, is_regular
from rdbtool.reader.aof.batches import AofCommand, CommandBatch, iter_commands
from rdbtool.reader.aof.command_stats import Uses
from rdbtool.reader.aof.inline import BLANKS_PIECE, begins_inline, count_blanks, inline_finding
from rdbtool.reader.aof.tail import Tail, classify, open_multi
from rdbtool.reader.backends import backend_of
from rdbtool.reader.open.files import OpenPart, Part, find_log, list_parts, load_manifest, open_part
from rdbtool.reader.open.windows import MARK_SIZE, WindowStream, too_large

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from types import TracebackType

    from rdbtool.reader.rdb import RdbReader

#: What to do at a fault: raise it; end the iteration; resume after it, if possible.
OnFault = Literal["raise", "stop", "skip"]
Target = str | os.PathLike[str] | bytes | BinaryIO

#: Commands per batch.
_BATCH: Final = 1024

#: Deviations kept in lax mode; the rest is counted.
_KEPT_DEVIATIONS: Final = 100


class Strays(NamedTuple):
    """Number of MULTI or EXEC without effect in a part (an index), and the offset of the first."""

    part: int
    at: int
    times: int


class AofOptions(TypedDict, total=False):
    """Options of ``AofReader``.

    ``max_inflate`` is the maximum size of a decompressed string in bytes. ``omits_long``: a SET of a string of 1 MiB or
    more comes with None in place of its value, if the file can be read twice. ``start`` is the offset of the first
    command that is read, of a single file that can be read twice and begins with commands.
    """

    max_inflate: int | None
    backend: str | None
    lax: bool
    known: Container[bytes]
    omits_long: bool
    start: int


class AofReader:
    """An open AOF, read once, from its beginning to its end.

    ``parts`` are its files and ``manifest`` names them, if there is one. At the end, ``tail`` says how reading ended,
    ``fault`` is the FormatError that ended it, and ``faults`` those that were skipped, with where valid commands
    resume. ``known`` holds upper-case command names for the search after damage. With ``lax``, records are accepted as
    servers accept them: ``deviations`` holds the first errors that strict reading would have raised,
    ``deviation_count`` counts all. ``strays`` lists parts with a MULTI inside a transaction or an EXEC outside one. An
    RDB's own faults end reading without a ``tail``.

    Until reading begins, these can be set: ``lax``, ``uses``, which counts command names and compares annotated times,
    and ``first_part``, the index of the first part to read.
    """

    kind: Literal["aof"] = "aof"

    def __init__(
        self,
        parts: list[Part],
        *,
        manifest: Manifest | None = None,
        single: OpenPart | None = None,
        **options: Unpack[AofOptions],
    ) -> None:
        self.parts = parts
        self.manifest = manifest
        self.tail: Tail | None = None
        self.fault: FormatError | None = None
        self.faults: list[tuple[FormatError, Tail]] = []
        self.deviations: list[FormatError] = []
        self.deviation_count = 0
        self.strays: list[Strays] = []
        #: Commands read so far.
        self.count = 0
        #: Records that the scanner declined and strict parsing accepted.
        self.fallbacks = 0
        self.backend = backend_of(options.get("backend"))
        self.lax = options.get("lax", False)
        self.uses: Uses | None = None
        self.first_part = 0
        #: Command names for the search after damage.
        self.known = options.get("known", AOF_WORDS)
        self._max_inflate = max_inflate_of(options)
        self._omits_long = options.get("omits_long", False)
        self._start = options.get("start", 0)
        self._open = single
        #: Remarks on what surrounds it.
        self.around: tuple[Finding, ...] = () if single is None else single.around
        #: Its commands are, or may be, inline: one per line.
        self.inline = False
        self._started = False
        self._collects = True
        #: Opens a single-file AOF again, from its beginning; None: it can be read only once.
        self.again_from: Callable[[], Target] | None = None

    def batches(
        self, *, on_fault: OnFault = "raise", progress: Progress | None = None
    ) -> Iterator[RdbReader | CommandBatch]:
        """Yield the AOF part by part: an RDB as its reader, then commands in batches.

        An RDB that was not read to its end is skipped. ``progress`` is called with the number of bytes read. Everything
        before a fault is yielded before ``on_fault`` applies; faults of an RDB are always raised. Raises FormatError,
        InputError, LimitError, UnsupportedError.
        """
        return self._read(on_fault, progress, collect=True)

    def count_rest(self, batches: Iterator[RdbReader | CommandBatch]) -> None:
        """Read the rest of ``batches`` without building commands: ``count`` is then their total.

        Raises what reading raises.
        """
        self._collects = False
        for _ in batches:
            pass

    def check(self, *, on_fault: OnFault = "raise", progress: Progress | None = None) -> int:
        """Check the framing of all parts without building commands, and return the number of commands."""
        for _ in self.snapshots(on_fault=on_fault, progress=progress):
            pass
        return self.count

    def snapshots(self, *, on_fault: OnFault = "raise", progress: Progress | None = None) -> Iterator[RdbReader]:
        """Yield each RDB of the AOF, and check the framing of everything after it without building commands."""
        for piece in self._read(on_fault, progress, collect=False):
            if not isinstance(piece, CommandBatch):
                yield piece

    def commands(
        self, *, on_fault: OnFault = "raise", databases: int = 16, progress: Progress | None = None
    ) -> Iterator[AofCommand]:
        """Yield the commands with their location. A SELECT beyond ``databases`` changes nothing."""
        batches = self.batches(on_fault=on_fault, progress=progress)
        return iter_commands((batch for batch in batches if isinstance(batch, CommandBatch)), databases)

    @property
    def name(self) -> str:
        """The manifest, or the only file, for errors."""
        return self.parts[0].name if self.manifest is None else self.manifest.path

    @property
    def path(self) -> str | None:
        """The path for opening the AOF again, of the manifest or the only file; None if there is none."""
        return self.parts[0].path if self.manifest is None else self.manifest.path

    @property
    def size(self) -> int | None:
        """The sum of the sizes of all parts in bytes, None if one of them is unknown."""
        sizes = [part.size for part in self.parts]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def compression(self) -> str | None:
        """The compression of the current file, None if uncompressed, or if none is open."""
        return None if self._open is None else self._open.source.compression

    @property
    def is_repeatable(self) -> bool:
        """Whether the AOF can be read ``again``."""
        return self.manifest is not None or self.again_from is not None

    def again(self) -> AofReader | None:
        """Return a new reader of the same AOF, None if it can be read only once. Raises what opening it raises."""
        options = AofOptions(max_inflate=self._max_inflate, backend=self.backend, lax=self.lax, known=self.known)
        if self.manifest is not None:
            return AofReader(self.parts, manifest=self.manifest, **options)
        if self.again_from is None:
            return None
        target = self.again_from()
        opened = open_part(target, name=self.parts[0].name, max_inflate=self._max_inflate)
        return single_log(opened, target, **options)

    def close(self) -> None:
        """Close what is open."""
        self._close_part()
        for part in self.parts:
            part.close()

    def _close_part(self) -> None:
        if self._open is not None:
            self._open.source.close()
            self._open = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _read(
        self, on_fault: OnFault, progress: Progress | None, *, collect: bool
    ) -> Iterator[RdbReader | CommandBatch]:
        if self._started:
            raise ValueError("an AOF is read once: open it again")
        self._started = True
        self._collects = collect
        try:
            yield from self._read_parts(on_fault, progress)
        finally:
            # Including those that damage hides.
            self.close()
        if self.tail is None and (self.fault is None or on_fault == "skip"):
            self.tail = Tail("clean", 0, 0, 0)

    def _read_parts(self, on_fault: OnFault, progress: Progress | None) -> Iterator[RdbReader | CommandBatch]:
        before = 0
        for index, part in enumerate(self.parts):
            if index < self.first_part:
                continue
            opened = self._open or part.open(self._max_inflate)
            self._open = opened
            try:
                yield from self._read_part(index, opened, on_fault, progress_after(progress, before))
                before += opened.source.position
            finally:
                self._close_part()
            if self.fault is not None and on_fault != "skip":
                if on_fault == "raise":
                    raise self.fault
                return

    def _read_part(
        self, index: int, opened: OpenPart, on_fault: OnFault, progress: Progress | None
    ) -> Iterator[RdbReader | CommandBatch]:
        source, window, framing = opened
        part = self.parts[index]
        part.format = opened.format()
        if part.format == "rdb":
            from rdbtool._codec.sink import Null  # noqa: PLC0415 - only for parts with an RDB: a check starts quickly
            from rdbtool.reader.rdb import RdbReader  # noqa: PLC0415 - likewise

            rdb = RdbReader(source, max_inflate=self._max_inflate, backend=self.backend, window=window, embedded=True)
            yield rdb
            if rdb.end is None:
                rdb.feed(Null(), progress=progress)
            if framing is not None and framing.mark and window.peek(window.at, MARK_SIZE) == framing.mark:
                window.skip_to(window.at + MARK_SIZE)
            if window.peek(window.at, 1):
                part.format = "rdb+resp"
        elif self._start:
            source.seek(self._start)
            window.move(self._start, 0)
        window.forget_checksum()
        yield from self._read_commands(index, opened, on_fault, progress)

    def _read_commands(
        self, index: int, opened: OpenPart, on_fault: OnFault, progress: Progress | None
    ) -> Iterator[CommandBatch]:
        containers = None if self.uses is None else self.uses.containers
        batch = 1 if self.backend == "grammar" else _BATCH
        scanner = Scanner(opened.window, batch, containers, omits_long=self._omits_long)
        before = self.count
        while True:
            first = self.count + 1
            collect = self._collects
            status, fault = self._advance(scanner, opened, before, progress, collect=collect)
            self.count = before + scanner.count
            if self.uses is not None:
                is_last = status == ENDED or fault is not None
                self.uses.count(index, before, scanner, is_last=is_last)
            argvs, offsets, annotations, marks = scanner.take()
            if argvs or (annotations and collect):
                yield CommandBatch(argvs, offsets, first, index, opened.window.at, annotations, marks)
            if status == ENDED and scanner.multi_at >= 0:
                fault = open_multi(scanner, opened.source.name)
            if fault is None and status != ENDED:
                continue
            self.tail = self._classify(index, scanner, opened, fault, keep=on_fault == "skip")
            opened.source.check_unchanged()
            self.strays = [row for row in self.strays if row.part != index]
            if scanner.strays:
                self.strays.append(Strays(index, scanner.stray_at, scanner.strays))
            if fault is None:
                return
            self.faults.append((fault, self.tail))
            if on_fault != "skip" or self.tail.next_good is None:
                self.fault = fault
                return

    def _advance(
        self, scanner: Scanner, opened: OpenPart, before: int, progress: Progress | None, *, collect: bool
    ) -> tuple[int, FormatError | None]:
        """Continue reading; return the scanner's status, and the fault if the current record is invalid."""
        source, window = opened.source, opened.window
        try:
            if self.backend == "codec":
                status = scanner.run(progress) if collect else scanner.check(progress)
            else:
                status = DECLINED if window.peek(window.at, 1) else ENDED
            fault = None
            if status == DECLINED:
                fault = self._read_by_lines(scanner, opened, before + scanner.count + 1, collect=collect)
        except WindowLimitError:
            status = TOO_LARGE
        except MemoryError:
            raise LimitError(f"{source.name}: at {window.at:#x}: not enough memory for this record") from None
        if status == TOO_LARGE:
            raise too_large(source, window, self._max_inflate)
        return status, fault

    def _read_by_lines(self, scanner: Scanner, opened: OpenPart, number: int, *, collect: bool) -> FormatError | None:
        """Parse the current record by lines; return the fault, or None if the record was accepted."""
        from rdbtool.reader.aof.text_parser import Annotation, LineParser  # noqa: PLC0415 - for what the scanner declines

        if self.inline and not _pass_blank_lines(opened.window):
            return None
        stream = WindowStream(opened.window)
        parser = LineParser(stream, opened.source.name, lax=self.lax, inline=self.inline)
        try:
            record = parser.read(number)
        except FormatError as fault:
            # An AOF that grows during the read looks damaged where it ended when it was opened.
            opened.source.check_unchanged()
            fault.readable_up_to = scanner.good
            return fault
        assert record is not None
        self.fallbacks += self.backend == "codec" and not (parser.deviations or self.inline)
        self.deviation_count += len(parser.deviations)
        self.deviations += parser.deviations[: max(0, _KEPT_DEVIATIONS - len(self.deviations))]
        if isinstance(record, Annotation):
            scanner.accept_annotation(record.text, record.stop)
        else:
            scanner.accept(record.argv, record.stop, collect=collect)
        return None

    def _classify(
        self, index: int, scanner: Scanner, opened: OpenPart, fault: FormatError | None, *, keep: bool
    ) -> Tail:
        window = opened.window
        try:
            return classify(scanner, window, fault, index, self.known, keep=keep)
        except MemoryError:
            raise LimitError(f"{opened.source.name}: at {window.at:#x}: not enough memory to search after") from None


def open_aof(target: Target, *, name: str | None = None, **options: Unpack[AofOptions]) -> AofReader:
    """Open an AOF: a file, a manifest, a directory with one, ``-`` for standard input, bytes, or a binary stream.

    A directory may also be the parent of the AOF's directory, or contain a single ``appendonly.aof``. ``name`` is the
    name of a single file in errors; ``options`` are those of ``AofReader``. Raises InputError, and FormatError for a
    manifest that servers refuse.
    """
    if is_directory(target):
        target = find_log(target)
        if target.suffix == ".manifest":
            return open_manifest(target, **options)
    opened = open_part(target, name=name, max_inflate=max_inflate_of(options))
    try:
        if not looks_like_manifest(opened.head()):
            return single_log(opened, target, **options)
    except BaseException:
        opened.source.close()
        raise
    opened.source.close()
    return open_manifest(target, **options)


def open_manifest(target: Target, **options: Unpack[AofOptions]) -> AofReader:
    """Open the AOF with the manifest at a path. Raises InputError without a path, because it names other files."""
    if not isinstance(target, str | os.PathLike) or target == "-":
        raise InputError("cannot read a manifest without the files that it names: give its path")
    manifest = load_manifest(target)
    return AofReader(list_parts(manifest), manifest=manifest, **options)


def single_log(opened: OpenPart, target: Target, **options: Unpack[AofOptions]) -> AofReader:
    """Return the reader of a single-file AOF that is open and of which nothing was consumed."""
    source = opened.source
    path = os.fspath(target) if isinstance(target, str | os.PathLike) and target != "-" else None
    part = Part(source.name, path, "single", number=1, size=source.size, format=opened.format())
    reader = AofReader([part], single=opened, **options)
    if begins_inline(opened.head()):
        reader.inline = True
        reader.around = (*reader.around, inline_finding(source.name))
    if isinstance(target, bytes) or (path is not None and is_regular(path)):
        reader.again_from = lambda: target
    return reader


def _pass_blank_lines(window: Window) -> bool:
    """Consume blank lines; return whether anything but the end follows."""
    while piece := window.peek(window.at, BLANKS_PIECE):
        blanks = count_blanks(piece)
        window.skip_to(window.at + blanks)
        if blanks < len(piece):
            return True
    return False


def max_inflate_of(options: AofOptions) -> int:
    """Return the maximum size of a decompressed string, in bytes."""
    given = options.get("max_inflate")
    return limits().string if given is None else given
