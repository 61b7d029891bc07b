"""``rdbtool digest``: the digest that a server holding this data would report."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from rdbtool.analysis.digest import compute_digest
from rdbtool.analysis.keys import load_keys, size_of
from rdbtool.cli.certainty import end_uncertain, print_remarks
from rdbtool.cli.options import Filters, Json, NoProgress, Source, check_rules, expands
from rdbtool.errors import json_name
from rdbtool.reader.open import open_any
from rdbtool.sinks.progress import ProgressBar
from rdbtool.writer.output import open_output


@expands
def digest(
    src: Source,
    *,
    filters: Filters,
    rules: Annotated[
        str | None,
        typer.Option(
            "--rules",
            "--target",
            metavar="SERVER",
            help="Whose digest, such as redis-8.0 or valkey-9.1. Default: that of the server that wrote the file.",
        ),
    ] = None,
    as_json: Json = False,
    no_progress: NoProgress = False,
) -> None:
    """Print the digest of the data: the 40 hex digits of DEBUG DIGEST on a server that holds it.

    A log is replayed first. The digest covers keys, values and whether a key expires, not when; two files with the same
    data in another order or encoding have the same digest.
    """
    check_rules(rules)
    selection, now_ms = filters.selection(), filters.milliseconds()
    with open_any(src, jsonl=True) as reader, ProgressBar(size_of(reader), enabled=not no_progress) as progress:
        keys = load_keys(reader, rules, now_ms=now_ms, progress=progress)
        result = compute_digest(keys, rules, now_ms=now_ms, selection=selection, progress=progress)
    report = {
        "schema": 1,
        "source": json_name(keys.source.name),
        "digest": result.digest,
        "rules": str(result.rules),
        "keys": result.keys,
    }
    with open_output(None) as output:
        output.write((json.dumps(report) if as_json else result.digest).encode() + b"\n")
    print_remarks(keys.remarks)
    end_uncertain(keys.doubt)
