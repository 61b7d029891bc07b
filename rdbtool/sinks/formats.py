"""The formats of ``dump``: which there are, and how a reader's keys get into one.

Formats with a sink of the codec are driven by it; tables and CSV are made of records, here. When reading
fails half-way, what was complete before is written, and nothing that would close a document: a JSON
array that is cut stays open, so that nobody takes it for the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from rdbtool.errors import RdbToolError, UnsupportedError
from rdbtool.reader.rdb import RdbReader

if TYPE_CHECKING:
    from rdbtool._codec.output import Output
    from rdbtool._codec.selection import Selection
    from rdbtool.analysis.keys import KeySource

FORMATS: Final = ("table", "jsonl", "json", "csv", "keys", "resp")
ESCAPES: Final = ("raw", "print", "utf8", "base64")

#: Formats that write bytes in a way that can be chosen, and the way that rdbtools has without a choice.
DEFAULT_ESCAPES: Final = {"json": "utf8", "keys": "raw"}


class Format(NamedTuple):
    """A format and its options. ``escape`` is for json and keys; ``restore`` and ``replace`` are for resp."""

    name: str
    escape: str | None = None
    restore: bool = False
    replace: bool = False
    now_ms: int = 0


class _Output(Protocol):
    is_terminal: bool

    def write(self, data: bytes | bytearray | memoryview, /) -> None: ...


def write_keys(
    reader: KeySource,
    output: _Output,
    form: Format,
    *,
    selection: Selection | None = None,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write the keys that ``selection`` takes. Raises what the reader and the output raise.

    Raises UnsupportedError for RESTORE commands out of a log: their payloads are values as an RDB stores them.
    """
    if form.restore and not isinstance(reader, RdbReader):
        raise UnsupportedError(
            f"{reader.source.name}: no RESTORE commands can be made of a log: it holds no stored values, only commands"
        )
    if form.name in {"table", "csv"}:
        records = reader.records(selection=selection, progress=progress)
        if form.name == "csv":
            from rdbtool.sinks.csv import write_csv  # noqa: PLC0415 - lazy: csv

            write_csv(records, output.write)
        else:
            from rdbtool.sinks.table import write_table  # noqa: PLC0415 - lazy: rich

            write_table(records, output.write, now_ms=form.now_ms, is_terminal=output.is_terminal)
        return
    sink = _make_sink(form, output.write)
    try:
        reader.feed(sink, selection=selection, progress=progress)
    except RdbToolError:
        sink.flush()
        raise
    sink.close()


def _make_sink(form: Format, write: Callable[[bytes], object]) -> Output:
    escape = form.escape or DEFAULT_ESCAPES.get(form.name, "")
    # Imported one by one: each is a shared library, and a run needs one of them.
    match form.name:
        case "json":
            from rdbtool._codec.json import Json  # noqa: PLC0415

            return Json(write, escape=escape)
        case "keys":
            from rdbtool._codec.keys import Keys  # noqa: PLC0415

            return Keys(write, escape=escape)
        case "resp":
            from rdbtool._codec.resp import Resp  # noqa: PLC0415

            return Resp(write, restore=form.restore, replace=form.replace)
    from rdbtool._codec.jsonl import Jsonl  # noqa: PLC0415

    return Jsonl(write)
