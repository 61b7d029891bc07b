"""How keys get into a format of ``dump``.

Formats with a sink of the codec are driven by it; tables and CSV are made of records, here. When reading
fails half-way, what was complete before is written, and nothing that would close a document: a JSON
array that is cut stays open, so that nobody takes it for the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from rdbtool.core.errors import RdbToolError
from rdbtool.core.progress import Progress
from rdbtool.operations.convert.omissions import Door, Leaving, Left
from rdbtool.report.formats import DEFAULT_ESCAPES, Dumped, Format

if TYPE_CHECKING:
    from rdbtool._codec.encode.output import Output
    from rdbtool._codec.filters.selection import Selection
    from rdbtool.dataset.keys import KeySource


class _Output(Protocol):
    is_terminal: bool

    def write(self, data: bytes | bytearray | memoryview, /) -> None: ...


def write_keys(
    reader: KeySource,
    output: _Output,
    form: Format,
    *,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> Dumped:
    """Write the keys that ``selection`` takes. Raises what the reader and the output raise.

    Raises LossError for what a target of resp cannot hold, unless losses are allowed.
    """
    if form.name in {"table", "csv"}:
        records = reader.records(selection=selection, progress=progress)
        if form.name == "csv":
            from rdbtool.report.csv import write_csv  # noqa: PLC0415 - lazy: csv

            write_csv(records, output.write, raw=form.raw, is_terminal=output.is_terminal)
        else:
            from rdbtool.report.table import write_table  # noqa: PLC0415 - lazy: rich

            write_table(records, output.write, now_ms=form.now_ms, is_terminal=output.is_terminal)
        return Dumped([], Left({}, {}), [])
    if form.name == "resp":
        from rdbtool.report.commands import write_commands  # noqa: PLC0415 - targets are for commands

        return write_commands(reader, output.write, form, selection=selection, progress=progress)
    sink = _make_sink(form, output.write, is_terminal=output.is_terminal)
    # Nothing but lines of JSON has a place for what stands beside the keys.
    door = Door(form.leaving if form.name == "jsonl" else Leaving())
    try:
        reader.feed(door.wrap(sink), selection=selection, progress=progress)
    except RdbToolError:
        sink.flush()
        raise
    sink.close()
    return Dumped([], door.left, [])


def _make_sink(form: Format, write: Callable[[bytes], object], *, is_terminal: bool) -> Output:
    escape = form.escape or DEFAULT_ESCAPES.get(form.name, "")
    if form.name == "keys" and form.escape is None and is_terminal:
        escape = "utf8"
    # Imported one by one: each is a shared library, and a run needs one of them.
    match form.name:
        case "json":
            from rdbtool._codec.encode.json import Json  # noqa: PLC0415

            return Json(write, escape=escape)
        case "keys":
            from rdbtool._codec.encode.keys import Keys  # noqa: PLC0415

            return Keys(write, escape=escape)
    from rdbtool._codec.encode.jsonl import Jsonl  # noqa: PLC0415

    return Jsonl(write)
