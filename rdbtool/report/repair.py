"""Text report of a repair: what is kept, what is lost and where, and the digest of the result."""

from __future__ import annotations

from collections.abc import Iterator

from rdbtool.core.errors import describe_key
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.report.formatting import show_count
from rdbtool.report.screen import Line, Styled, name

if TYPE_CHECKING:
    from rdbtool.operations.repair.report import Repaired

#: Lost ranges listed in text; JSON has all.
_NAMED: Final = 100


def repair_lines(done: Repaired, *, is_dry: bool = False, target: str | None = None) -> Iterator[Line]:
    """Yield the report as lines. ``is_dry``: nothing was written; ``target`` is the path that would be written."""
    for lost in done.lost[:_NAMED]:
        key = () if lost.key is None else (", key ", name(describe_key(lost.key)))
        yield (
            f"{lost.part}: at {lost.start:#x}: ",
            Styled("changed", "warning") if lost.is_kept else Styled("lost", "lost"),
            f": {show_count(lost.size, 'byte')}",
            *key,
            f" of db {lost.db}" if key and lost.db is not None else "",
            f": {lost.message} · ",
            Styled(lost.code, "code"),
        )
    if len(done.lost) > _NAMED:
        yield (f"... and {len(done.lost) - _NAMED:,} more",)
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
        yield (name(done.source), f": nothing is wrong with it: {kept}")
    else:
        lost_bytes = Styled(f"lost {show_count(lost_size, 'byte')}", "lost") if lost_size else "lost nothing"
        yield (name(done.source), f": kept {kept}, ", lost_bytes)
    yield from ((Styled("not certain", "warning"), f": {doubt}") for doubt in done.doubts[:_NAMED])
    names = ", ".join(done.foreign[:_NAMED])
    unverified: Line = ()
    if done.foreign:
        unverified = (Styled(f" except for {names}", "warning"), ": a server without it refuses to start · CMD201")
    if done.destination is not None:
        verified = Styled("verified", "good")
        yield (name(done.destination), f": {kept}, {show_count(done.bytes, 'byte')}, ", verified, *unverified)
        if done.digest is not None:
            yield (f"digest {done.digest} ({done.rules})",)
        else:
            yield (f"no digest: {done.undigested}",)
    elif not done.is_saved:
        yield (Styled(f"nothing could be saved, and nothing {'would be' if is_dry else 'was'} written", "bad"),)
    elif is_dry and target is not None:
        yield (name(target), f": would be written{', and verified' if unverified else ''}", *unverified)
    elif unverified:
        yield ("verified", *unverified)
