"""Text report of ``load``: what was loaded, kept, rejected and dropped."""

from __future__ import annotations

from collections.abc import Iterator

from rdbtool.core.errors import describe_key
from rdbtool.core.light_typing import TYPE_CHECKING, Final
from rdbtool.report.convert import loss_lines
from rdbtool.report.formatting import show_count
from rdbtool.report.screen import Line, Styled, name

if TYPE_CHECKING:
    from rdbtool.live.load_report import LoadCheck, LoadedReport

#: Keys listed one by one: rejected ones, and differing ones.
_NAMED: Final = 5


def loaded_lines(done: LoadedReport) -> Iterator[Line]:
    """Yield the report: the counts, then what was not loaded."""
    counts = [show_count(done.loaded, "key")]
    if done.functions:
        counts.append(show_count(done.functions, "function library or script", "function libraries and scripts"))
    form = "RESTORE" if done.form == "restore" else "plain commands"
    verb = "would be loaded" if done.is_dry else "loaded"
    yield f"{', '.join(counts)} {verb} into ", name(done.target), f" ({done.server}), with {form}"
    if done.resumed:
        yield (f"the connection was lost and reopened {show_count(done.resumed, 'time')}",)
    if done.existed:
        db, key = done.existing[0]
        kept = f"{show_count(done.existed, 'key')} already existed and {'was' if done.existed == 1 else 'were'} kept"
        style = "" if done.is_fine_to_exist else "warning"
        yield Styled(kept, style), ", the first " if done.existed > 1 else ": ", name(describe_key(key)), f" of db {db}"
    for row in done.refused[:_NAMED]:
        yield Styled("rejected", "lost"), ": ", name(describe_key(row.key)), f" of db {row.db}: {row.reply}"
    if done.rejected > len(done.refused[:_NAMED]):
        yield (f"and {done.rejected - len(done.refused[:_NAMED]):,} more",)
    yield from loss_lines(list(done.losses))
    if done.check is not None:
        yield from _check_lines(done.check)


def _check_lines(check: LoadCheck) -> Iterator[Line]:
    expired = f", {show_count(check.expired, 'key')} expired meanwhile" if check.expired else ""
    if not check.differing:
        found = f": the server has {show_count(check.same, 'key')} as in the file{expired}"
        yield Styled("verified", "good"), found
        return
    verb = "differs" if check.differing == 1 else "differ"
    found = f": {show_count(check.differing, 'key')} of the file {verb} in the server{expired}"
    yield Styled("not verified", "bad"), found
    for row in check.named[:_NAMED]:
        yield name(describe_key(row.key)), f" of db {row.db} {'is missing' if row.missing else 'has other data'}"
