"""Output of keys in the forms that have a codec sink.

If reading fails, what was complete is written, but nothing that would close a document: a truncated JSON array stays
open, so that it is not mistaken for a complete one.
"""

from __future__ import annotations

from rdbtool.core.errors import RdbToolError
from rdbtool.core.light_typing import TYPE_CHECKING
from rdbtool.dataset.forms import BY_NAME, SinkOptions
from rdbtool.operations.convert.omissions import FilterChain, Leaving
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
    """Write the keys that ``selection`` matches, in a form that has a sink; ``is_terminal``: a person reads it.

    Raises what the dataset and ``write`` raise, and LossError for what a resp target cannot hold, unless losses are
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
    # Data outside the keys is only written for an unfiltered dataset.
    chain = FilterChain(options.leaving, options.reshaping) if form.is_verifiable else FilterChain(Leaving())
    try:
        chain.feed(dataset, sink, selection=selection, progress=progress)
    except RdbToolError:
        sink.flush()
        raise
    sink.close()
    return Dumped([], chain.left, [])
