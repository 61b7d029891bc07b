"""Text summary of any file; the AOF report is imported only when needed."""

from __future__ import annotations

from rdbtool.core.light_typing import TYPE_CHECKING
from rdbtool.operations.info.summary import Summary
from rdbtool.report.screen import Screen
from rdbtool.report.summary import summary_text

if TYPE_CHECKING:
    from rdbtool.operations.replay.report import AofSummary


def any_summary_text(summary: Summary | AofSummary, screen: Screen) -> str:
    """Return the summary, one fact per line."""
    if isinstance(summary, Summary):
        return summary_text(summary, screen)
    from rdbtool.report.replay import log_summary_text  # noqa: PLC0415 - the engine is for AOFs only

    return log_summary_text(summary.report, screen)
