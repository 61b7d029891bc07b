"""Text report of a repair: what is kept, what is lost and where, and the digest of the result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rdbtool.core.errors import clean, describe_key
from rdbtool.report.formatting import show_count

if TYPE_CHECKING:
    from rdbtool.operations.repair.report import Repaired

#: Lost ranges listed in text; JSON has all.
_NAMED: Final = 100


def repair_lines(done: Repaired, *, is_dry: bool = False, target: str | None = None) -> Iterator[str]:
    """Yield the report as lines. ``is_dry``: nothing was written; ``target`` is the path that would be written."""
    yield from map(clean, _lines(done, is_dry=is_dry, target=target))


def _lines(done: Repaired, *, is_dry: bool, target: str | None) -> Iterator[str]:
    for lost in done.lost[:_NAMED]:
        key = (
            ""
            if lost.key is None
            else f" key {describe_key(lost.key)}" + ("" if lost.db is None else f" of db {lost.db}")
        )
        word = "changed" if lost.is_kept else "lost"
        size = show_count(lost.size, "byte")
        yield f"{lost.part}: at {lost.start:#x}: {word}: {size}{key}: {lost.message} · {lost.code}"
    if len(done.lost) > _NAMED:
        yield f"... and {len(done.lost) - _NAMED:,} more"
    lost_size = sum(lost.size for lost in done.lost if not lost.is_kept)
    kept = " and ".join(
        text
        for text in (
            show_count(done.keys, "key") if done.keys or done.kind == "rdb" else "",
            show_count(done.functions, "function library", "function libraries") if done.functions else "",
            show_count(done.commands, "command") if done.kind != "rdb" else "",
        )
        if text
    )
    if not done.lost:
        yield f"{done.source}: nothing is wrong with it: {kept}"
    else:
        yield f"{done.source}: kept {kept}, lost {show_count(lost_size, 'byte')}"
    yield from (f"not certain: {doubt}" for doubt in done.doubts[:_NAMED])
    names = ", ".join(done.foreign[:_NAMED])
    unverified = f" except for {names}: a server without it refuses to start · CMD201" if done.foreign else ""
    if done.destination is not None:
        yield f"{done.destination}: {show_count(done.bytes, 'byte')}, verified{unverified}"
        if done.digest is not None:
            yield f"digest {done.digest} ({done.rules})"
        else:
            yield f"no digest: {done.undigested}"
    elif not done.is_saved:
        yield f"nothing could be saved, and nothing {'would be' if is_dry else 'was'} written"
    elif is_dry and target is not None:
        yield f"{target}: would be written{unverified and ', and verified'}{unverified}"
    elif unverified:
        yield f"verified{unverified}"
