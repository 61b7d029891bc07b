"""Text reports of convert, aof-rewrite and dump: what was written, lost and dropped."""

from __future__ import annotations

from collections.abc import Iterator

from rdbtool.core.errors import Loss, describe_key, describe_loss, sum_up
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.report.formatting import show_count
from rdbtool.report.screen import Line, Styled, emphasize, name

if TYPE_CHECKING:
    from rdbtool.operations.convert.convert import Converted
    from rdbtool.operations.convert.omissions import Left
    from rdbtool.operations.convert.rewrite import Rewritten
    from rdbtool.operations.dump.report import Dumped

_VERIFIED: Final = Styled("verified", "good")
_LOST: Final = Styled("lost", "lost")
_NOTE: Final = Styled("note", "note")

#: Losses listed one by one; the rest is summarised by kind.
_NAMED: Final = 20


def converted_line(done: Converted) -> Line:
    """Return the summary line of a conversion."""
    unchecked = "not read back" if done.is_tested else "neither tested nor read back"
    checked = _VERIFIED if done.is_verified else Styled(unchecked, "warning")
    raised = " (the data needs this version)" if done.is_raised else ""
    form = [] if done.form == "rdb" else [done.form]
    written = [] if done.form == "jsonl" else [f"{_written_as(done)}{raised}"]
    what = ", ".join([*form, *written, show_count(done.keys, "key"), show_count(done.bytes, "byte")])
    return name(done.destination), f": {what}, ", checked, _stop(done)


def rewritten_line(done: Rewritten) -> Line:
    """Return the summary line of a rewrite."""
    before = "?" if done.bytes_before is None else f"{done.bytes_before:,}"
    raised = " (the data needs this version)" if done.is_raised else ""
    after = f"{show_count(done.keys, 'key')}, {show_count(done.bytes, 'byte')}, {_written_as(done)}{raised}, "
    words = f": {show_count(done.commands, 'command')}, {before} bytes → {after}"
    return name(done.destination), words, _VERIFIED, _stop(done)


def _stop(done: Converted | Rewritten) -> str:
    return "".join(f"; {line}" for line in done.extent.lines()) if done.extent is not None else ""


def _written_as(done: Converted | Rewritten) -> str:
    """Describe the target format; an AOF of commands has no RDB version, only a server whose commands it uses."""
    release = done.target.release
    if done.encoding != "commands":
        return str(done.target)
    return f"commands {f'of {release}' if release is not None else f'for {done.target}'}"


def remark_lines(done: Converted | Rewritten, *, notes: bool = True) -> Iterator[Line]:
    """Yield lines for losses and, if ``notes`` is set, for notes."""
    yield from ((remark,) for remark in done.remarks)
    yield from loss_lines(done.losses, notes=notes)
    if notes and done.error_replies:
        some = "command was" if done.error_replies == 1 else "commands were"
        yield (
            _NOTE,
            f": {done.error_replies:,} {some} answered with an error and changed nothing: rdbtool replay lists them",
        )


def loss_line(loss: Loss) -> Line:
    """Return the description of a loss."""
    return emphasize(describe_loss(loss), *(() if loss.key is None else (name(describe_key(loss.key)),)))


def loss_lines(losses: list[Loss], *, notes: bool = True) -> Iterator[Line]:
    """Yield a line for each loss (after the first ones, for each kind of loss) and, if wanted, for each note."""
    lost = [loss for loss in losses if loss.severity == "loss"]
    for loss in lost[:_NAMED]:
        yield _LOST, ": ", *loss_line(loss)
    for loss in sum_up(lost[_NAMED:]):
        yield _LOST, ": ", *loss_line(loss), " and others"
    if notes:
        for loss in sum_up(loss for loss in losses if loss.severity == "note"):
            yield _NOTE, ": ", *loss_line(loss)


#: Nouns of what was dropped, by its kind: singular and plural.
_LEFT: Final = {
    "functions": ("function library", "function libraries"),
    "scripts": ("script", "scripts"),
    "aux": ("aux field", "aux fields"),
    "module-aux": ("piece of module data outside the keys", "pieces of module data outside the keys"),
    "module-keys": ("key of a module", "keys of modules"),
    "groups": ("consumer group", "consumer groups"),
    "slot-imports": ("slot import", "slot imports"),
    "expired-keys": ("key that has expired", "keys that have expired"),
    "expired-fields": ("hash field that has expired", "hash fields that have expired"),
}


def left_lines(left: Left, *, notes: bool = True) -> Iterator[Line]:
    """Yield a line about what was dropped on request, and one about what a key filter skipped."""
    if left.dropped and notes:
        yield (f"dropped on request: {_count_left(left.dropped)}",)
    if left.beside and notes:
        yield (f"skipped because of the key filter: {_count_left(left.beside)} (--functions writes them)",)


def _count_left(counts: dict[str, int]) -> str:
    return ", ".join(show_count(count, *_LEFT[part]) for part, count in counts.items())


def dumped_lines(dumped: Dumped) -> Iterator[Line]:
    """Yield the remarks on a dump: losses, what was dropped, values that RESTORE cannot express."""
    yield from loss_lines(dumped.losses)
    yield from left_lines(dumped.left)
    for value in dumped.large[:_NAMED]:
        size = f"its payload has {value.size:,} bytes, more than servers take in one argument (proto-max-bulk-len)"
        yield _NOTE, ": key ", name(describe_key(value.key)), f" of db {value.db} is written as plain commands: {size}"
    if len(dumped.large) > _NAMED:
        yield _NOTE, f": and so are {show_count(len(dumped.large) - _NAMED, 'other key')}"
