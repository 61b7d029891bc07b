"""Text output of ``load``: what was loaded, then what was kept, refused or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdbtool.core.errors import describe_key, describe_loss
from rdbtool.report.formatting import show_count

if TYPE_CHECKING:
    from rdbtool.live.loading_server import LoadedReport

#: Refused keys that are named.
_SHOWN = 5


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
    return [*lines, *(f"the server cannot hold {describe_loss(loss)}" for loss in done.losses)]
