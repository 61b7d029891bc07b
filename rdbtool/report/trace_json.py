"""Traced items as JSON: the complete tree of the hex view.

One object whose nodes (see ``item_json``) are written one per line while the file is read. ``damage`` is a finding,
``error`` a sentence on what this release cannot read; both say why reading stopped, and are null if it did not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from rdbtool.core.errors import json_name
from rdbtool.operations.inspect.tree import error_json, item_json
from rdbtool.reader.inspect.rdb import Traced


def write_trace_json(items: Iterable[Traced], write: Callable[[bytes], object], source: str) -> None:
    """Write all items of ``source`` as one JSON object, including an error; the caller raises it."""
    # Written with the first item: an input that cannot be opened gets no report.
    separator = head = f'{{"schema":1,"source":{json.dumps(json_name(source))},"items":[\n'
    damage = error = None
    for item in items:
        write((separator + json.dumps(item_json(item))).encode())
        separator = ",\n"
        damage, error = error_json(item, source)
    opening = head.removesuffix("\n") if separator is head else ""
    write(f'{opening}\n],"damage":{json.dumps(damage)},"error":{json.dumps(error)}}}\n'.encode())
