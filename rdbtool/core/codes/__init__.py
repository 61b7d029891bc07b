"""The table of finding codes: what a code means and what servers do with such a file.

Codes are stable: scripts match on them, ``rdbtool-findings(7)`` is generated from this table, and every
:class:`~rdbtool.core.errors.FormatError` takes its code from here. A code never changes its meaning and is never
reused.
"""

from __future__ import annotations

from rdbtool.core.codes import aof as logs
from rdbtool.core.codes import jsonl as lines
from rdbtool.core.codes import rdb, repairs, sources
from rdbtool.core.codes.code import Code
from rdbtool.core.light_typing import Final

CODES: Final[tuple[Code, ...]] = (*sources.CODES, *rdb.CODES, *logs.CODES, *lines.CODES, *repairs.CODES)

BY_CODE: Final[dict[str, Code]] = {row.code: row for row in CODES}

__all__ = ["BY_CODE", "CODES", "Code"]
