"""``rdbtool inspect``: every byte of a file, or of some of its records, explained."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from rdbtool.cli.options import Json, Source, expands, offset
from rdbtool.octets.source import open_source
from rdbtool.reader.trace import trace_file, trace_records
from rdbtool.sinks.inspection import write_inspection
from rdbtool.writer.output import open_output

#: Of longer rows of entries, the middle is left out.
_MAX_CHILDREN = 16


@expands
def inspect(
    src: Source,
    *,
    exact_key: Annotated[
        str | None, typer.Option("--exact-key", metavar="KEY", help="Only the records of the key KEY.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="OFFSET", help="Only the record that holds the byte at OFFSET (0x… or decimal)."),
    ] = None,
    record: Annotated[
        int | None, typer.Option("--record", metavar="N", min=1, help="Only the N-th key of the file, counted from 1.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Leave nothing out: all bytes, all entries, all parts.")] = False,
    as_json: Json = False,
) -> None:
    """Print what every byte of a file is: offset, bytes, name, value, nested as the format is.

    Offsets that begin with + count from the beginning of the inflated string whose compressed bytes
    stand above them. Of a damaged file, everything up to the damage is shown, and where it is.
    """
    if sum(choice is not None for choice in (exact_key, at, record)) > 1:
        raise typer.BadParameter("only one of them can be given", param_hint="--exact-key, --at, --record")
    max_children = None if full or as_json else _MAX_CHILDREN
    if exact_key is None and at is None and record is None:
        with open_source(src) as source, open_output(None) as output:
            write_inspection(trace_file(source, max_children=max_children), output, src, as_json=as_json, full=full)
    else:
        key = None if exact_key is None else os.fsencode(exact_key)
        items = trace_records(
            src, key=key, at=None if at is None else offset(at), number=record, max_children=max_children
        )
        with open_output(None) as output:
            write_inspection(items, output, src, as_json=as_json, full=full)
