"""Traced items as JSON: the same tree that the hex view shows, whole.

A node is ``{"start", "stop", "name", "value", "children"}``; ``value`` is a string, a number, a base64 object
(bytes that are no UTF-8) or null, and ``"inner": true`` marks offsets within an inflated string. Nodes are
written one a line while the file is read, inside one object; ``damage`` is a finding, ``error`` a sentence on
what this release cannot read; both say why reading stopped, and are null where it did not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

from rdbtool.core.errors import FormatError, clean, json_name
from rdbtool.grammar import Node
from rdbtool.model import KeyRecord
from rdbtool.reader.inspect.rdb import Traced
from rdbtool.report.findings import finding_json, json_bytes
from rdbtool.report.hexview import is_plain_part


def write_trace_json(items: Iterable[Traced], write: Callable[[bytes], object], source: str) -> None:
    """Write all items of ``source`` as one JSON object. An error is part of it; raising it is the caller's."""
    write(f'{{"schema":1,"source":{json.dumps(json_name(source))},"items":['.encode())
    separator = "\n"
    damage = error = None
    for item in items:
        described = _node(item.trace.node)
        if isinstance(item.trace.item, KeyRecord):
            described |= {"record": item.record, "db": item.db, "key": json_bytes(item.trace.item.key)}
        if item.part:
            described["part"] = json_name(item.part)
        if item.command is not None:
            described |= {"command": item.command, "db": item.db}
        write((separator + json.dumps(described)).encode())
        separator = ",\n"
        if isinstance(item.trace.error, FormatError):
            damage = finding_json(item.trace.error, item.part or source)
        elif item.trace.error is not None:
            error = clean(str(item.trace.error))
    write(f'\n],"damage":{json.dumps(damage)},"error":{json.dumps(error)}}}\n'.encode())


def _node(node: Node) -> dict[str, Any]:
    described: dict[str, Any] = {
        "start": node.start,
        "stop": node.stop,
        "name": node.name,
        "value": None if is_plain_part(node) else _value(node.value),
    }
    if node.note:
        described["note"] = node.note
    if node.inner:
        described["inner"] = True
    if node.children:
        described["children"] = [_node(child) for child in node.children]
    return described


def _value(value: bytes | float | str | None) -> object:
    """JSON has no infinities and no NaN: they are their names."""
    if isinstance(value, bytes):
        return json_bytes(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
