"""Traced items for people or programs, with the error that ended them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rdbtool.core.errors import RdbToolError
from rdbtool.core.light_typing import Protocol
from rdbtool.reader.inspect.rdb import Traced
from rdbtool.report.hexview import HexView
from rdbtool.report.trace_json import write_trace_json


class _Output(Protocol):
    is_terminal: bool

    def write(self, data: bytes, /) -> None: ...


def write_inspection(items: Iterable[Traced], output: _Output, source: str, *, as_json: bool, full: bool) -> None:
    """Write all items, then raise the error that ended them, if any."""
    errors: list[RdbToolError] = []
    watched = _watch(items, errors)
    if as_json:
        write_trace_json(watched, output.write, source)
    else:
        HexView(output.write, is_terminal=output.is_terminal, full=full).show(watched)
    if errors:
        raise errors[0]


def _watch(items: Iterable[Traced], errors: list[RdbToolError]) -> Iterator[Traced]:
    for item in items:
        if item.trace.error is not None:
            errors.append(item.trace.error)
        yield item
