"""Conversions and rewrites as text: what was written, and what was lost or left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rdbtool.core.errors import Loss, clean, describe_key, describe_loss, sum_up
from rdbtool.report.formatting import show_count

if TYPE_CHECKING:
    from rdbtool.operations.convert.convert import Converted
    from rdbtool.operations.convert.omissions import Left
    from rdbtool.operations.convert.rewrite import Rewritten
    from rdbtool.operations.dump.report import Dumped

#: Losses that are named one by one; the others are summed up by kind.
_NAMED: Final = 20


def converted_line(done: Converted) -> str:
    """Return one line about a conversion."""
    checked = "verified" if done.is_verified else "not read back" if done.is_tested else "neither tested nor read back"
    raised = " (the data needs this version)" if done.is_raised else ""
    what = done.form if done.form == "jsonl" else f"{done.form}, {_written_as(done)}{raised}"
    size = f"{show_count(done.keys, 'key')}, {show_count(done.bytes, 'byte')}"
    return f"{clean(done.destination)}: {what}: {size}, {checked}{_stop(done)}"


def rewritten_line(done: Rewritten) -> str:
    """Return one line about a rewrite."""
    before = "?" if done.bytes_before is None else f"{done.bytes_before:,}"
    raised = " (the data needs this version)" if done.is_raised else ""
    base = f"{'RDB' if done.encoding == 'rdb' else 'commands'}, {_written_as(done)}"
    return (
        f"{clean(done.destination)}: {show_count(done.commands, 'command')}, {before} bytes → "
        f"{show_count(done.keys, 'key')}, {show_count(done.bytes, 'byte')}, {base}{raised}, verified{_stop(done)}"
    )


def _stop(done: Converted | Rewritten) -> str:
    return "".join(f"; {line}" for line in done.extent.lines()) if done.extent is not None else ""


def _written_as(done: Converted | Rewritten) -> str:
    """Word the target: commands have no version, but the words of a server."""
    release = done.target.release
    if done.encoding == "commands" and release is not None:
        return f"as {release.family.capitalize()} {release.major}.{release.minor} knows them"
    return str(done.target)


def remark_lines(done: Converted | Rewritten, *, notes: bool = True) -> Iterator[str]:
    """Yield what was remarked, losses and notes; the latter only if ``notes`` are wanted."""
    yield from map(clean, done.remarks)
    yield from loss_lines(done.losses, notes=notes)
    if notes and done.error_replies:
        some = "command was" if done.error_replies == 1 else "commands were"
        yield f"note: {done.error_replies:,} {some} answered with an error, which changes nothing: see rdbtool replay"


def loss_lines(losses: list[Loss], *, notes: bool = True) -> Iterator[str]:
    """Yield a line for each loss (beyond the first ones, for each kind), and each note unless they are not wanted."""
    lost = [loss for loss in losses if loss.severity == "loss"]
    for loss in lost[:_NAMED]:
        yield f"lost: {describe_loss(loss)}"
    for loss in sum_up(lost[_NAMED:]):
        yield f"lost: {describe_loss(loss)} and others"
    if notes:
        for loss in sum_up(loss for loss in losses if loss.severity == "note"):
            yield f"note: {describe_loss(loss)}"


#: What stayed behind, by its part: one of it, and several.
_LEFT: Final = {
    "functions": ("function library", "function libraries"),
    "scripts": ("script", "scripts"),
    "aux": ("aux field", "aux fields"),
    "module-aux": ("piece of module data beside the keys", "pieces of module data beside the keys"),
    "module-keys": ("key of a module", "keys of modules"),
    "groups": ("consumer group", "consumer groups"),
    "slot-imports": ("slot import", "slot imports"),
    "expired-keys": ("key that has expired", "keys that have expired"),
    "expired-fields": ("hash field that has expired", "hash fields that have expired"),
}


def left_lines(left: Left, *, notes: bool = True) -> Iterator[str]:
    """Yield a line about what was dropped on request, and one about what a key filter left behind."""
    if left.dropped and notes:
        yield f"dropped on request: {_count_left(left.dropped)}"
    if left.beside and notes:
        yield f"with a key filter only keys are written, without {_count_left(left.beside)} (--functions writes them)"


def _count_left(counts: dict[str, int]) -> str:
    return ", ".join(show_count(count, *_LEFT[part]) for part, count in counts.items())


def dumped_lines(dumped: Dumped) -> Iterator[str]:
    """Yield what is to be said of a dump: losses, what stayed behind, values that are no RESTORE."""
    yield from loss_lines(dumped.losses)
    yield from left_lines(dumped.left)
    for value in dumped.large[:_NAMED]:
        yield (
            f"note: key {describe_key(value.key)} of db {value.db} is written as plain commands: its payload has "
            f"{value.size:,} bytes, more than servers take in one argument (proto-max-bulk-len)"
        )
    if len(dumped.large) > _NAMED:
        yield f"note: and so are {show_count(len(dumped.large) - _NAMED, 'other key')}"
