"""``rdbtool.diff``: compare two datasets."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Unpack

from rdbtool.api.arguments import (
    KeyFilters,
    ReadOptions,
    Source,
    check_flags,
    content_of,
    count_of,
    milliseconds_of,
    places_of,
    replaying_of,
    selection_of,
    takes,
)
from rdbtool.operations.diff.compare import Differences, DiffOptions, open_diff

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdbtool.engine.replay.places import Places


class CompareOptions(ReadOptions, total=False):
    """The options of ``ReadOptions``, and the places for each of the two files, with the suffixes ``_a`` and ``_b``."""

    until_a: str | None
    before_a: str | None
    before_last_a: str | None
    skip_a: str | int | Iterable[str | int] | None
    until_b: str | None
    before_b: str | None
    before_last_b: str | None
    skip_b: str | int | Iterable[str | int] | None


@takes(CompareOptions)
def diff(
    a: Source,
    b: Source,
    *,
    ignore_ttl: bool = False,
    ttl_tolerance: timedelta | str | int = 0,
    encodings: bool = False,
    functions: bool | None = None,
    aux: bool = False,
    **options: Unpack[CompareOptions],
) -> Differences:
    """Return the differences of two datasets: keys, types, values, expiry times, functions. Not bytes or order.

    ``ttl_tolerance`` (a timedelta, ms, or text such as ``1s``) is the tolerance for expiry times. ``encodings``,
    ``functions`` and ``aux`` say what else is compared; ``functions`` None: unless keys are filtered. AOFs are
    replayed; ``until_a``, ``until_b`` and the like are for one of them. All differing keys are held in memory:
    ``limit`` bounds them. Raises InputError if one file is missing, damaged or uncertain, UnsupportedError, PlaceError.
    """
    first, second = content_of(a, "a"), content_of(b, "b")
    if first == second == "-":
        raise ValueError("a, b: standard input can be one of the two, not both")
    check_flags(ignore_ttl=ignore_ttl, encodings=encodings, functions=functions, aux=aux)
    tolerance = milliseconds_of("ttl_tolerance", ttl_tolerance)
    how = replaying_of(options)
    names = KeyFilters(**options)  # type: ignore[typeddict-unknown-key]
    matched = KeyFilters()
    for name in ("type", "no_type", "expired"):
        matched[name] = names.pop(name, None)  # type: ignore[misc]
    limit = count_of("limit", names.pop("limit", None))
    comparing = DiffOptions(
        tolerance_ms=-1 if ignore_ttl else tolerance,
        encodings=encodings,
        functions=functions,
        aux=aux,
        names=selection_of(names, how.now_ms),
        matching=selection_of(matched, how.now_ms),
        limit=limit,
        rules=how.rules,
        now_ms=how.now_ms,
        places=_places(how.places, options),
        rename_commands=how.rename_commands,
    )
    with open_diff(first, second, comparing, how.progress) as comparison:
        return comparison.result()


def _places(shared: Places | None, options: CompareOptions) -> tuple[Places | None, Places | None]:
    first, second = places_of(options, "_a"), places_of(options, "_b")
    if shared is None:
        return first, second
    if first is not None or second is not None:
        raise ValueError("until, before, before_last, skip: use them for both files, or those that end in _a and _b")
    return shared, shared
