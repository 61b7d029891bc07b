"""Differences outside the keys: function libraries, aux fields, module data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import eq

from rdbtool.core.errors import json_bytes
from rdbtool.core.light_typing import Any, Final, Literal, NamedTuple
from rdbtool.core.patterns import pattern
from rdbtool.dataset.dataset import Dataset
from rdbtool.model import FunctionLibrary, ModuleAux
from rdbtool.operations.diff.change import CHANGES, Sign, match_names
from rdbtool.reader.rdb import REPEATED_AUX

_NAME: Final = pattern(rb"(?i)#![^\n]*?\sname=[\"']?(\w+)")


class ItemDifference(NamedTuple):
    """A difference outside the keys. ``before`` and ``after`` are its content, None if missing."""

    sign: Sign
    what: Literal["function", "aux", "module"]
    name: bytes
    before: bytes | None
    after: bytes | None

    def to_dict(self) -> dict[str, Any]:
        """Return the object for ``diff --json``."""
        shown: dict[str, Any] = {"change": CHANGES[self.sign], "what": self.what, "name": json_bytes(self.name)}
        for side, data in (("before", self.before), ("after", self.after)):
            if data is not None:
                shown[side] = json_bytes(data)
        return shown


def compare_items(
    first: Dataset,
    second: Dataset,
    modules: Sequence[Sequence[ModuleAux]] | None,
    *,
    functions: bool,
    aux: bool,
) -> Iterator[ItemDifference]:
    """Yield the differences outside the keys. ``modules`` is the module data of both, None: not compared."""
    if functions:
        libraries = [{library_of(item): item.code for item in side.functions} for side in (first, second)]
        for sign, name, before, after in match_names(libraries[0], libraries[1], eq):
            yield ItemDifference(sign, "function", name, before, after)
    if modules is not None:
        rows = [_number(items) for items in modules]
        for sign, (name, _), before, after in match_names(rows[0], rows[1], eq):
            yield ItemDifference(sign, "module", name, before, after)
    if aux:
        fields = [
            {item.key: item.value for item in side.aux if item.key not in REPEATED_AUX} for side in (first, second)
        ]
        for sign, name, before, after in match_names(fields[0], fields[1], eq):
            yield ItemDifference(sign, "aux", name, before, after)


def library_of(library: FunctionLibrary) -> bytes:
    """Return the name in a library's first line; the whole source if there is none."""
    found = _NAME.match(library.code)
    return library.code if found is None else found[1]


def _number(items: Sequence[ModuleAux]) -> dict[tuple[bytes, int], bytes]:
    """Return module data by the module's name and a running number."""
    rows: dict[tuple[bytes, int], bytes] = {}
    for item in items:
        name, number = item.module.encode(), 0
        while (name, number) in rows:
            number += 1
        rows[name, number] = item.raw
    return rows
