"""``rdbtool get``: print one value."""

from __future__ import annotations

from rdbtool.cli.app import end_uncertain, print_extent, print_remarks
from rdbtool.cli.live_options import Access
from rdbtool.cli.options import (
    KEY_SPELLING,
    Clock,
    Force,
    NoProgress,
    RenamedCommands,
    Server,
    Source,
    Stop,
    check_rules,
    expands,
    key_bytes,
    renames_of,
)
from rdbtool.cli.parameters import Argument, Option
from rdbtool.core.light_typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from rdbtool.model import KeyRecord


@expands
def get(
    src: Source,
    key: Annotated[str, Argument(metavar="KEY", help=f"The key, {KEY_SPELLING}.")],
    field: Annotated[
        str | None,
        Argument(
            metavar="FIELD",
            help="A field of a hash, a member of a set or sorted set, an index of a list, or the ID of a stream entry.",
        ),
    ] = None,
    *,
    access: Access,
    stop: Stop,
    clock: Clock,
    output: Annotated[
        str | None, Option("--output", "-o", metavar="FILE", help="Write to FILE instead of standard output.")
    ] = None,
    force: Force = False,
    db: Annotated[
        int | None, Option("--db", "--dbnum", "-n", metavar="N", minimum=0, help="Look in database N only.")
    ] = None,
    rules: Server = None,
    rename_command: RenamedCommands = None,
    no_progress: NoProgress = False,
) -> None:
    """Print one value: raw bytes to a pipe or a file, readable text on a terminal.

    Collections are JSON in a pipe, as in dump -f jsonl, and rows on a terminal; FIELD selects one element. An RDB file
    is read only up to the key, an AOF is replayed, and only the key is fetched from a server. Without --db, the first
    database that has the key is used, or db 0 of a server. Exit code 1 if there is no such key.
    """
    from rdbtool.live.address import SCHEMES, scheme_of

    check_rules(rules)
    name = key_bytes(key)
    doubt = None
    if scheme_of(src) in SCHEMES:
        from rdbtool.live.fetching import fetch_key

        record = fetch_key(access.endpoint(src), name, db=db or 0)
    else:
        from rdbtool.dataset.loading import open_keys
        from rdbtool.operations.get.value import find_key
        from rdbtool.report.progress_bar import ProgressBar

        places = stop.places(src)
        with (
            open_keys(
                src, rules=rules, now_ms=clock.milliseconds(), places=places, rename_commands=renames_of(rename_command)
            ) as keys,
            ProgressBar(keys.size, enabled=not no_progress) as progress,
        ):
            record = find_key(keys, name, db=db, progress=progress)
            print_extent(keys.extent)
            print_remarks(keys.remarks)
            doubt = keys.doubt
    _print(record, None if field is None else key_bytes(field), src, output, force=force)
    end_uncertain(doubt)


def _print(record: KeyRecord, field: bytes | None, src: str, path: str | None, *, force: bool) -> None:
    from rdbtool.operations.get.value import element_bytes, raw_bytes
    from rdbtool.writer.atomic.output import open_output

    data = raw_bytes(record) if field is None else element_bytes(record, field, src)
    with open_output(path, force=force) as out:
        if out.is_terminal:
            from rdbtool.report.get import element_text, value_text

            data = (value_text(record) if field is None else element_text(data) + "\n").encode()
        out.write(data)
