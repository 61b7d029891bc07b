"""Output of ``dump``: tables are rendered from records here; other forms are written by their sink."""

from __future__ import annotations

from rdbtool.core.light_typing import TYPE_CHECKING, Protocol
from rdbtool.core.progress import Progress
from rdbtool.operations.convert.omissions import Left
from rdbtool.operations.dump.report import Dumped, DumpOptions

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool.core.progress import Progress
    from rdbtool.dataset.dataset import Dataset


class _Output(Protocol):
    is_terminal: bool

    def write(self, data: bytes | bytearray | memoryview, /) -> None: ...


def write_keys(
    dataset: Dataset,
    output: _Output,
    options: DumpOptions,
    *,
    selection: Selection | None = None,
    progress: Progress | None = None,
) -> Dumped:
    """Write the keys that ``selection`` matches. Raises what the dataset and the output raise.

    Raises LossError for what a resp target cannot hold, unless losses are allowed.
    """
    if options.form == "table":
        from rdbtool.report.table import write_table  # noqa: PLC0415 - lazy: rich

        write_table(
            dataset,
            output.write,
            now_ms=options.now_ms,
            is_terminal=output.is_terminal,
            selection=selection,
            progress=progress,
        )
        return Dumped([], Left({}, {}), [])
    from rdbtool.operations.dump.dump import dump_keys  # noqa: PLC0415 - tables are made of records

    if options.form == "keys" and options.escape is None and output.is_terminal:
        options = options._replace(escape="utf8")
    return dump_keys(
        dataset, output.write, options, selection=selection, progress=progress, is_terminal=output.is_terminal
    )
