"""Writes keys in the forms that have a sink of the codec.

When reading fails half-way, what was complete before is written, and nothing that would close a document: a JSON
array that is cut stays open, so that nobody takes it for the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdbtool.core.errors import RdbToolError
from rdbtool.dataset.forms import BY_NAME, SinkOptions
from rdbtool.operations.convert.omissions import Door, Leaving
from rdbtool.operations.dump.report import Dumped, DumpOptions

if TYPE_CHECKING:
    from rdbtool._codec.filters.selection import Selection
    from rdbtool.core.progress import Progress
    from rdbtool.dataset.dataset import Dataset
    from rdbtool.dataset.forms import Write


def dump_keys(
    dataset: Dataset,
    write: Write,
    options: DumpOptions,
    *,
    selection: Selection | None = None,
    progress: Progress | None = None,
    is_terminal: bool = False,
) -> Dumped:
    """Write the keys that ``selection`` takes, in a form that has a sink; ``is_terminal``: for somebody to look at.

    Raises what the dataset and ``write`` raise, and LossError for what a target of resp cannot hold, unless losses are
    allowed.
    """
    form = BY_NAME[options.form]
    if form.has_target:
        from rdbtool.operations.dump.command_output import write_commands  # noqa: PLC0415 - targets are for commands

        return write_commands(dataset, write, options, selection=selection, progress=progress)
    assert form.make_sink is not None
    escape = options.escape or form.escape or ""
    shape = SinkOptions(
        escape=escape,
        keys_only=options.keys_only,
        binary=options.binary,
        raw=options.raw,
        fields=options.fields,
        is_terminal=is_terminal,
    )
    sink = form.make_sink(write, options=shape)
    # Nothing but a whole dataset has a place for what stands beside the keys.
    door = Door(options.leaving, options.reshaping) if form.is_verifiable else Door(Leaving())
    try:
        dataset.feed(door.wrap(sink), selection=selection, progress=progress)
    except RdbToolError:
        sink.flush()
        raise
    sink.close()
    return Dumped([], door.left, [])
