"""Summaries of anything: what says how a log is shown is imported when one is met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rdbtool.operations.info.summary import Summary
from rdbtool.report.summary import summary_json, summary_text

if TYPE_CHECKING:
    from rdbtool.operations.replay.report import ReplayReport


def any_summary_text(summary: Summary | ReplayReport) -> str:
    """Return the summary for people, one fact a line."""
    if isinstance(summary, Summary):
        return summary_text(summary)
    from rdbtool.report.replay import log_summary_text  # noqa: PLC0415 - the engine is for logs only

    return log_summary_text(summary)


def any_summary_json(summary: Summary | ReplayReport) -> dict[str, Any]:
    """Return the summary as what ``info --json`` prints."""
    if isinstance(summary, Summary):
        return summary_json(summary)
    from rdbtool.report.replay import log_json  # noqa: PLC0415 - likewise

    return log_json(summary)
