"""``rdbtool digest``: the digest that a server with this data reports."""

from __future__ import annotations

from rdbtool.cli.app import end_uncertain, json_line, print_extent, print_remarks
from rdbtool.cli.options import (
    Filters,
    Json,
    NoProgress,
    RenamedCommands,
    Source,
    Stop,
    check_rules,
    expands,
    renames_of,
)
from rdbtool.cli.parameters import Option
from rdbtool.core.light_typing import Annotated


@expands
def digest(
    src: Source,
    *,
    filters: Filters,
    stop: Stop,
    rules: Annotated[
        str | None,
        Option(
            "--rules",
            "--target",
            metavar="SERVER",
            help="Whose digest, such as redis-8.0 or valkey-9.1. Default: that of the server that wrote the file.",
        ),
    ] = None,
    rename_command: RenamedCommands = None,
    as_json: Json = False,
    no_progress: NoProgress = False,
) -> None:
    """Print the digest of the data: the 40 hex digits of DEBUG DIGEST on a server that holds it.

    An AOF is replayed first. The digest covers keys, values and whether a key expires, not when; two files with the
    same data in another order or encoding have the same digest.
    """
    from rdbtool.dataset.loading import load_keys
    from rdbtool.operations.info.digest import compute_digest
    from rdbtool.reader.open.dispatch import open_any
    from rdbtool.report.progress_bar import ProgressBar
    from rdbtool.writer.atomic.output import open_output

    check_rules(rules)
    selection, now_ms = filters.selection(), filters.milliseconds()
    places = stop.places(src)
    renames = renames_of(rename_command)
    with (
        open_any(src, jsonl=True) as reader,
        ProgressBar(reader.size, "reading", reader.name, enabled=not no_progress) as progress,
    ):
        keys = load_keys(reader, rules, now_ms=now_ms, places=places, rename_commands=renames, progress=progress)
        result = compute_digest(keys, rules, now_ms=now_ms, selection=selection, progress=progress)
    with open_output(None) as output:
        output.write((json_line(result.to_dict()) if as_json else f"{result}\n").encode())
    print_extent(result.extent)
    # Servers of either family may have written it, and their digests differ.
    print_remarks([*([str(result.choice)] if result.choice.other is not None else []), *result.remarks])
    end_uncertain(result.doubt)
    filters.require_found(result.source, selection)
