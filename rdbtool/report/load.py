"""Text output of ``load``: what was loaded, then what was kept, refused or dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rdbtool.core.errors import describe_key, describe_loss
from rdbtool.report.formatting import show_count

if TYPE_CHECKING:
    from rdbtool.live.load_report import LoadCheck, LoadedReport

#: Keys that are named: refused ones, and differing ones.
_SHOWN: Final = 5


def load_lines(done: LoadedReport) -> list[str]:
    """Return the report as lines of text."""
    verb = "would be loaded" if done.is_dry else "loaded"
    lines = [f"{show_count(done.loaded, 'key')} {verb} into {done.target} ({done.server}), by {done.form}"]
    if done.functions:
        lines[0] += f", {show_count(done.functions, 'function or script', 'functions and scripts')}"
    if done.resumed:
        lines.append(f"the connection was lost {show_count(done.resumed, 'time')} and reopened")
    if done.existed:
        db, key = done.existing[0]
        verb = "existed already and was" if done.existed == 1 else "existed already and were"
        lines.append(f"{show_count(done.existed, 'key')} {verb} kept, first {describe_key(key)} in db {db}")
    lines += [f"{describe_key(row.key)} in db {row.db} was refused: {row.reply}" for row in done.refused[:_SHOWN]]
    lines += [f"the server cannot hold {describe_loss(loss)}" for loss in done.losses]
    return lines if done.check is None else [*lines, *_check_lines(done.check)]


def _check_lines(check: LoadCheck) -> Iterator[str]:
    expired = f", {show_count(check.expired, 'key')} expired meanwhile" if check.expired else ""
    if not check.differing:
        yield f"verified: the server has {show_count(check.same, 'key')} as in the file{expired}"
        return
    verb = "differs" if check.differing == 1 else "differ"
    yield f"not verified: {show_count(check.differing, 'key')} of the file {verb} in the server{expired}"
    for row in check.named[:_SHOWN]:
        yield f"{describe_key(row.key)} in db {row.db} {'is missing' if row.missing else 'has other data'}"
