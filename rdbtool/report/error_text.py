"""Errors as lines for standard error, with the same styles as reports."""

from __future__ import annotations

from collections.abc import Iterator

from rdbtool.core.errors import (
    FormatError,
    InvalidDataError,
    LossError,
    OversizeError,
    RdbToolError,
    UncertainError,
    describe_error,
    describe_key,
)
from rdbtool.report.screen import Line, Styled, emphasize, name


def error_lines(error: RdbToolError) -> Iterator[Line]:
    """Yield the lines of ``describe_error``, with keys, codes and the next command in their styles."""
    parts = _parts_of(error)
    remedies = [] if error.remedy is None else error.remedy.command.strip("\n").splitlines()
    for line in describe_error(error).split("\n"):
        if line in remedies:
            yield emphasize(line, Styled("next:", "next"))
        else:
            yield emphasize(line, *parts)


def _parts_of(error: RdbToolError) -> list[Styled]:
    """Return the key and the code that an error names, in the order of its text."""
    match error:
        case FormatError():
            key, code = error.where.key, error.code
        case OversizeError():
            key, code = error.where.key, ""
        case InvalidDataError():
            key, code = error.finding.key, error.finding.code
        case UncertainError():
            key, code = None, error.findings[0].code
        case LossError():
            key, code = error.loss.key, ""
        case _:
            key, code = None, ""
    return [*([name(describe_key(key))] if key is not None else []), *([Styled(code, "code")] if code else [])]
