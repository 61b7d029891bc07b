"""What a command says about a dataset that is uncertain, beside its answer: on standard error, and by its exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from rdbtool.core.errors import clean

if TYPE_CHECKING:
    from rdbtool.core.errors import UncertainError
    from rdbtool.engine.replay.stops import Extent


def print_extent(extent: Extent | None) -> None:
    """Print where the replay of an AOF stopped, if it was asked to, and what it skipped."""
    if extent is not None:
        print_remarks(extent.lines())


def print_remarks(remarks: Iterable[str]) -> None:
    """Print what whoever reads the dataset should know."""
    for remark in remarks:
        typer.echo(f"rdbtool: {clean(remark)}", file=sys.stderr)


def end_uncertain(doubt: UncertainError | None) -> None:
    """End with exit code 1 if the answer that was printed is uncertain. Raises UncertainError."""
    if doubt is not None:
        raise doubt
