"""Byte-level walk over an AOF.

The line-oriented parser checks a record, and the same bytes are then divided where it divided them. An RDB preamble is
walked like a standalone RDB file. What was opened already is walked from its window, so that a pipe can be walked too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rdbtool.core.errors import FormatError
from rdbtool.core.light_typing import Final, Protocol
from rdbtool.core.limits import limits
from rdbtool.grammar import Node, Trace
from rdbtool.grammar.trace import Tracer
from rdbtool.model import End
from rdbtool.reader.aof.batches import read_time, selected_db
from rdbtool.reader.aof.inline import BLANKS_PIECE, begins_inline, count_blanks
from rdbtool.reader.aof.reader import open_manifest
from rdbtool.reader.aof.text_parser import Annotation, LineParser
from rdbtool.reader.inspect.rdb import (
    GrammarWindow,
    Readable,
    Traced,
    trace_bytes,
    trace_file,
    trace_payload,
    trace_rdb,
)
from rdbtool.reader.open.files import (
    HEAD_SIZE,
    OpenPart,
    begins_rdb,
    detect_source,
    find_log,
    open_part,
    refuse_jsonl,
    refuse_source,
)
from rdbtool.reader.payload import payload_in

#: The default number of databases of a server.
DATABASES: Final = 16

_COUNT_LINE: Final = re.compile(rb"\*(\d{1,18})\r\n")
_SIZE_LINE: Final = re.compile(rb"\$(\d{1,18})\r\n")

#: Bytes shown from where reading stopped.
_BEYOND: Final = 16


class MaybeCompressed(Readable, Protocol):
    """An input that may be compressed, or framed by a master."""

    compression: str | None


def _begin_of(source: MaybeCompressed) -> int:
    return source.begin if isinstance(source, RestOfPart) else 0


class RestOfPart:
    """The rest of an open part, with the bytes that its window holds."""

    def __init__(self, opened: OpenPart) -> None:
        self._source, self._window, framing = opened
        self.mark = b"" if framing is None else framing.mark
        self._window.forget_checksum()
        self.begin = self._window.at
        self.name = self._source.name
        left = self._window.left(self.begin)
        self.size = None if left is None else self.begin + left
        self.compression = self._source.compression

    def readinto(self, view: memoryview) -> int:
        """Fill the beginning of ``view``; 0 at the end."""
        data = self._window.peek(self._window.at, len(view))
        view[: len(data)] = data
        self._window.skip_to(self._window.at + len(data))
        return len(data)

    def check_unchanged(self) -> None:
        """Raise InputError if the file was replaced or changed."""
        self._source.check_unchanged()


def trace_any(
    target: str | bytes, *, max_children: int | None = None, max_inflate: int | None = None
) -> Iterator[Traced]:
    """Yield every item of an RDB or AOF, part by part. The last one carries the error, if any.

    Raises UnsupportedError if it is neither, InputError, and FormatError for a manifest.
    """
    path = target
    max_inflate = limits().string if max_inflate is None else max_inflate
    if isinstance(target, str) and target != "-" and Path(target).is_dir():
        path = str(find_log(target))
    opened = open_part(path, max_inflate=max_inflate)
    with opened.source as source:
        head = opened.head()
        kind = detect_source(source, head, opened.framing)
        if kind is None:
            payload = payload_in(opened, head)
            if payload is None:
                refuse_source(source, head)
            yield from trace_payload(payload, source, max_children=max_children, max_inflate=max_inflate)
            return
        if kind == "rdb":
            yield from _trace_framing(opened)
            rest = RestOfPart(opened)
            yield from trace_file(rest, begin=rest.begin, max_children=max_children, max_inflate=max_inflate)
            return
        if kind == "jsonl":
            refuse_jsonl(source.name)
        if kind == "aof":
            yield from _trace_framing(opened, source.name)
            yield from LogWalk(max_children, max_inflate).walk_part(RestOfPart(opened), source.name)
            return
    walk = LogWalk(max_children, max_inflate)
    with open_manifest(path) as reader:
        parts = reader.parts
    for part in parts:
        opened = open_part(part.path or "", max_inflate=max_inflate)
        with opened.source:
            yield from walk.walk_part(RestOfPart(opened), part.name)
        if walk.failed:
            return


def _trace_framing(opened: OpenPart, part: str = "") -> Iterator[Traced]:
    """Yield what a master sent before an RDB as an item."""
    if opened.framing is not None:
        yield trace_bytes("framing", opened.framing.text, 0, "what a master sent")._replace(part=part)


class LogWalk:
    """Walks the parts of an AOF one after the other. ``count`` is the number of commands so far."""

    def __init__(self, max_children: int | None, max_inflate: int | None) -> None:
        self.count = 0
        self.failed = False
        #: Whether commands may be inline.
        self.inline = False
        self._max_children = max_children
        self._max_inflate = limits().string if max_inflate is None else max_inflate

    def walk_part(self, source: MaybeCompressed, name: str) -> Iterator[Traced]:
        """Yield the items of a part, called ``name``; after an error ``failed`` is set."""
        window = self.open_window(source)
        begin = window.tell()
        if begins_rdb(window.held(begin, begin + _BEYOND)):
            items = trace_rdb(
                window, source, embedded=True, max_children=self._max_children, max_inflate=self._max_inflate
            )
            for item in items:
                self.failed = item.trace.error is not None
                yield item._replace(part=name)
                is_end = isinstance(item.trace.item, End)
            if not is_end:
                return
            window.drop()
            mark = source.mark if isinstance(source, RestOfPart) else b""
            if mark and window.held(window.tell(), window.tell() + len(mark)) == mark:
                yield trace_bytes("mark", window.read(len(mark)), window.tell() - len(mark))._replace(part=name)
                window.drop()
        window.skip(window.tell())
        self.inline = begins_inline(window.held(window.tell(), window.tell() + HEAD_SIZE))
        db = 0
        while (taken := self.read(window, source, name, db)) is not None:
            yield taken[0]
            if self.failed:
                return
            db = taken[1]
            window.drop()
        source.check_unchanged()

    def open_window(self, source: MaybeCompressed) -> GrammarWindow:
        """Return a window over a part of which nothing was read; decompressed data may fill it up to a limit."""
        limit = None if source.compression is None else self._max_inflate
        return GrammarWindow(source, limit, _begin_of(source))

    def read(self, window: GrammarWindow, source: Readable, name: str, db: int) -> tuple[Traced, int] | None:
        """Return the record at the window's position, and the db after it; None at the end of the part."""
        while self.inline and (piece := window.read(BLANKS_PIECE)):
            blanks = count_blanks(piece)
            window.seek(window.tell() - len(piece) + blanks)
            window.drop()
            if blanks < len(piece):
                break
        start = window.tell()
        try:
            record = LineParser(window, source.name, inline=self.inline).read(self.count + 1)
        except FormatError as error:
            source.check_unchanged()
            self.failed = True
            error.readable_up_to = start
            data = window.held(start, error.at + _BEYOND)
            node = _command_tree(data[: error.at - start], start, self._max_children)
            return Traced(Trace(node, error, None), data, None, None, part=name), db
        if record is None:
            return None
        data = window.held(start, record.stop)
        if isinstance(record, Annotation):
            node = Node("annotation", start)
            node.stop, node.value = record.stop, record.text
            time = read_time(record.text)
            node.note = "" if time is None else f"{time}"
            return Traced(Trace(node, None, None), data, None, None, part=name), db
        self.count += 1
        db = selected_db(record.argv, db, DATABASES)
        node = _command_tree(data, start, self._max_children)
        node.value = record.argv[0]
        if not node.children:
            node.stop, node.value = record.stop, data
            node.name = node.field = "inline"
        return Traced(Trace(node, None, None), data, None, db, self.count, name), db


def _command_tree(data: bytes, start: int, max_children: int | None) -> Node:
    """Return the tree of a command, as far as ``data``, which begins at ``start``, reaches."""
    tracer = Tracer(start, max_children)
    count = _COUNT_LINE.match(data)
    at = 0 if count is None else count.end()
    if count is not None:
        tracer.leaf("argc", start, start + at, int(count[1]), inner=False)
    index = 0
    while at and (line := _SIZE_LINE.match(data, at)) is not None:
        begin = line.end()
        stop = begin + int(line[1])
        argument = data[begin:stop]
        tracer.open("argument", start + at, inner=False, index=index)
        tracer.leaf("size", start + at, start + begin, int(line[1]), inner=False)
        tracer.leaf("data", start + begin, start + begin + len(argument), argument, inner=False)
        if stop + 2 > len(data):
            break
        tracer.leaf("end", start + stop, start + stop + 2, data[stop : stop + 2], inner=False)
        at = stop + 2
        tracer.close(start + at, argument)
        index += 1
    node = tracer.finish("command")
    if not node.children:
        node.stop = start
    return node
