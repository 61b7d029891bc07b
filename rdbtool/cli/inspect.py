"""``rdbtool inspect``: every byte of a file, or of some of its records, explained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rdbtool.cli.app import print_remarks
from rdbtool.cli.options import KEY_SPELLING, Json, Source, expands, key_bytes, place
from rdbtool.cli.parameters import Option, UsageError
from rdbtool.core.light_typing import TYPE_CHECKING, Annotated

#: For longer runs of entries, the middle is omitted.
_MAX_CHILDREN = 16

if TYPE_CHECKING:
    from rdbtool.reader.inspect.rdb import Traced


@expands
def inspect(
    src: Source,
    *,
    exact_key: Annotated[
        str | None,
        Option(
            "--exact-key",
            metavar="KEY",
            help=f"Only the records of the key KEY, or commands that name it; KEY {KEY_SPELLING}.",
        ),
    ] = None,
    at: Annotated[
        str | None,
        Option(
            "--at",
            metavar="OFFSET",
            help="Only the record that holds the byte at OFFSET (0x… or decimal), or at FILE:OFFSET of an AOF.",
        ),
    ] = None,
    record: Annotated[
        int | None,
        Option("--record", metavar="N", minimum=1, help="Only the N-th key of an RDB or command of an AOF, from 1."),
    ] = None,
    full: Annotated[bool, Option("--full", help="Show everything: all bytes, all entries, all files.")] = False,
    as_json: Json = False,
) -> None:
    """Print what every byte of a file is: offset, bytes, name, value, nested as the format is.

    The files of an AOF follow one another, each with offsets of its own; its commands are numbered over all of them.

    Offsets that begin with + count from the beginning of the decompressed string whose compressed bytes
    are above them. Of a damaged file, everything up to the damage is shown, and where it is.
    """
    from rdbtool.engine.keyspec import keys_of
    from rdbtool.reader.inspect.aof import trace_any
    from rdbtool.reader.inspect.search import Wanted, trace_wanted
    from rdbtool.report.inspection import write_inspection
    from rdbtool.writer.atomic.output import open_output

    if sum(choice is not None for choice in (exact_key, at, record)) > 1:
        raise UsageError("only one of them can be given", parameter="--exact-key, --at, --record")
    max_children = None if full or as_json else _MAX_CHILDREN
    if exact_key is None and at is None and record is None:
        items = trace_any(src, max_children=max_children)
    else:
        part, at_offset = (None, None) if at is None else place(at)
        wanted = Wanted(None if exact_key is None else key_bytes(exact_key), at_offset, part, record)
        items = trace_wanted(src, wanted, keys_of, max_children=max_children)
    remarks: list[str] = []
    with open_output(None) as output:
        write_inspection(_watch_end(items, src, remarks), output, src, as_json=as_json, full=full)
    print_remarks(remarks)


def _watch_end(items: Iterable[Traced], name: str, remarks: list[str]) -> Iterator[Traced]:
    """Pass items on, and collect what to report about data after the end of an RDB file."""
    from rdbtool.model import End
    from rdbtool.reader.open.windows import rest_remarks

    for item in items:
        yield item
        if isinstance(item.trace.item, End):
            remarks += rest_remarks(item.trace.item, name)
