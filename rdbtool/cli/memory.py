"""``rdbtool memory``: print the memory usage of each key."""

from __future__ import annotations

import os

from rdbtool.cli.app import end_uncertain, json_line, print_extent, print_remarks
from rdbtool.cli.options import (
    Filters,
    Force,
    Json,
    NoProgress,
    OutputFile,
    RenamedCommands,
    Source,
    Stop,
    check_choice,
    check_rules,
    expands,
    renames_of,
)
from rdbtool.cli.parameters import Option, UsageError
from rdbtool.core.light_typing import Annotated, Final
from rdbtool.core.memory_models import ALLOCATORS

#: The output formats.
MEMORY_FORMS: Final = ("table", "csv", "jsonl")

#: Rows of a table without --top.
_SHOWN: Final = 20


@expands
def memory(
    src: Source,
    *,
    filters: Filters,
    stop: Stop,
    format_: Annotated[
        str | None,
        Option(
            "--format",
            "-f",
            "--command",
            "-c",
            metavar="FORMAT",
            help=f"One of {', '.join(MEMORY_FORMS)}. Default: by the suffix of FILE, such as .csv, else table "
            "on a terminal and jsonl elsewhere.",
        ),
    ] = None,
    largest: Annotated[
        int | None,
        Option(
            "--largest",
            "-l",
            metavar="N",
            minimum=0,
            help=f"Print only the N largest keys, largest first. Default: all keys, {_SHOWN} in a table.",
        ),
    ] = None,
    least: Annotated[
        str | None,
        Option("--bytes", "-b", metavar="SIZE", help="Print only keys of at least SIZE in memory, such as 64KiB."),
    ] = None,
    no_ttl: Annotated[bool, Option("--no-ttl", help="Print only keys without an expiry.")] = False,
    output: OutputFile = None,
    force: Force = False,
    raw: Annotated[
        bool,
        Option(
            "--raw",
            help="With csv: do not escape formulas and terminal control characters.",
        ),
    ] = False,
    rules: Annotated[
        str | None,
        Option(
            "--rules",
            metavar="SERVER",
            help="Server whose memory to calculate, such as redis-8.2 or valkey-9.1. Default: the one that wrote "
            "the file.",
        ),
    ] = None,
    allocator: Annotated[
        str,
        Option("--allocator", metavar="NAME", help=f"One of {', '.join(ALLOCATORS)}. Default: {ALLOCATORS[0]}."),
    ] = ALLOCATORS[0],
    cluster: Annotated[bool, Option("--cluster", help="Calculate for a server in cluster mode.")] = False,
    rename_command: RenamedCommands = None,
    as_json: Json = False,
    no_progress: NoProgress = False,
) -> None:
    """Print the memory usage of each key in a server: the reply of MEMORY USAGE, and the bytes of the allocator.

    The sizes are those after a restart from the file, on the server that wrote it or the one given by --rules. An AOF
    is replayed first. The table shows the largest keys, and the total of all keys and their hash tables.
    """
    from rdbtool.dataset.loading import load_keys
    from rdbtool.operations.memory.model import choose_memory_model
    from rdbtool.operations.memory.rows import WantedRows, largest_keys, write_rows
    from rdbtool.reader.open.dispatch import open_any
    from rdbtool.report.progress_bar import ProgressBar
    from rdbtool.writer.atomic.output import open_output

    check_choice("--format", format_, MEMORY_FORMS)
    check_choice("--allocator", allocator, ALLOCATORS)
    check_rules(rules)
    smallest = _size_of(least)
    selection, now_ms = filters.selection(), filters.milliseconds()
    places = stop.places(src)
    renames = renames_of(rename_command)
    with open_output(output, force=force, sources=[src]) as out:
        form = format_ or _form_of(output) or ("table" if out.is_terminal else "jsonl")
        if raw and (form != "csv" or as_json):
            raise UsageError("it is only for csv", parameter="--raw")
        show = not (no_progress or out.is_terminal)
        with (
            open_any(src, jsonl=True) as reader,
            ProgressBar(reader.size, "reading", reader.name, enabled=show) as progress,
        ):
            keys = load_keys(reader, rules, now_ms=now_ms, places=places, rename_commands=renames, progress=progress)
            choice = choose_memory_model(keys, rules, allocator=allocator, is_cluster=cluster)
            wanted = WantedRows(
                _SHOWN if largest is None and (form == "table" or as_json) else largest, smallest, no_ttl
            )
            if form == "table" or as_json:
                found = largest_keys(keys, choice, wanted, selection=selection, progress=progress)
                if as_json:
                    out.write(json_line(found.to_dict()).encode())
                else:
                    from rdbtool.report.memory import write_largest

                    write_largest(found, out.write, now_ms=now_ms, is_terminal=out.is_terminal)
            else:
                from rdbtool.report.memory import open_lines

                lines = open_lines(form, out.write, raw=raw, is_terminal=out.is_terminal)
                write_rows(keys, choice, lines, wanted, selection=selection, progress=progress)
    print_extent(keys.extent)
    print_remarks([*([str(choice)] if choice.is_nearest and (form != "table" or as_json) else []), *keys.remarks])
    end_uncertain(keys.obstacle)


def _size_of(text: str | None) -> int:
    """Parse a size in bytes. Raises UsageError."""
    if text is None:
        return 0
    from rdbtool.core.limits import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(str(error), parameter="--bytes") from None


def _form_of(output: str | None) -> str | None:
    """Return the output format by the suffix of a file name, None if the suffix is unknown."""
    suffix = "" if output is None else os.path.splitext(output)[1].lower()  # noqa: PTH122 - pathlib takes 3 ms of a short run
    return {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".txt": "table"}.get(suffix)
