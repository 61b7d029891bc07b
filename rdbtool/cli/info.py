"""``rdbtool info``: what a file is and how much it holds."""

from __future__ import annotations

import json

from rdbtool.analysis.summary import summarize
from rdbtool.cli.options import Json, NoProgress, Source, expands
from rdbtool.reader.rdb import open_rdb
from rdbtool.sinks.progress import ProgressBar
from rdbtool.sinks.summary import summary_json, summary_text
from rdbtool.writer.output import open_output


@expands
def info(src: Source, *, as_json: Json = False, no_progress: NoProgress = False) -> None:
    """Print what a file is and holds: version, writer, checksum, counts, aux fields, functions.

    The counts come from reading the whole file, values included, so what is printed without an
    error is sound in structure. Of a damaged file, all up to the damage is counted.
    """
    with open_rdb(src) as reader, ProgressBar(reader.source.size, enabled=not no_progress) as progress:
        summary = summarize(reader, progress)
    text = json.dumps(summary_json(summary)) + "\n" if as_json else summary_text(summary)
    with open_output(None) as output:
        output.write(text.encode())
    if summary.damage is not None:
        raise summary.damage
