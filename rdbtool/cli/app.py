"""The application: which commands there are, and how a command line reaches one of them.

A command's module is imported when it is asked for, so that ``rdbtool dump`` does not pay for the
others. typer is used for what it does well, options from type hints; its own error screens and
the rich markup of its help are off, because they would cost half of the start-up time.

What commands say about a dataset that is uncertain, beside their answer, is here as well: on standard error, and by the
exit code.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

from rdbtool.core.errors import clean

if TYPE_CHECKING:
    from rdbtool.core.errors import UncertainError
    from rdbtool.engine.replay.stops import Extent

#: The commands in the order of the help; each lives in the module of its name.
COMMANDS: Final = (
    *("info", "dump", "inspect", "validate", "repair", "diff"),
    *("digest", "replay", "history", "convert", "aof-rewrite"),
)

PROGRAM: Final = "rdbtool"

#: What click raises for a wrong command line. typer exports one of its subclasses only.
UsageError: Final[Any] = typer.BadParameter.__mro__[1]

_SETTINGS: Final[dict[str, Any]] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 100},
}


class LazyGroup(TyperGroup):
    """A group that imports the module of a command when the command is looked up."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Return the names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - likewise
        """Return the command of this name, or None."""
        return build_command(cmd_name) if cmd_name in COMMANDS else None


def build_command(name: str) -> Any:
    """Import one command's module and return its click command."""
    attribute = name.replace("-", "_")
    module = importlib.import_module(f"rdbtool.cli.{attribute}")
    single = typer.Typer(**_SETTINGS)
    single.command(name)(getattr(module, attribute))
    return get_command(single)


def build_group() -> Any:
    """Return the click group of all commands."""
    group = typer.Typer(cls=LazyGroup, no_args_is_help=True, **_SETTINGS)
    group.callback()(rdbtool)
    return get_command(group)


def rdbtool(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,  # noqa: FBT002
) -> None:
    """Read, replay, explain, convert and rewrite the persistence files of Redis and Valkey: RDB snapshots and AOF logs.

    Exit codes: 0 yes, 1 no: the data is damaged, 2 usage, 3 could not answer, 4 an unknown format or
    version, 130 interrupted, 141 closed pipe.
    """


def run_command(arguments: list[str]) -> int:
    """Run one command line and return its exit code. Wrong usage is explained on standard error: 2.

    Everything else that goes wrong passes through as an exception.
    """
    if "RDBTOOL_BACKEND" in os.environ:
        from rdbtool.reader import rdb  # noqa: PLC0415 - for comparisons of the two

        rdb.default_backend = os.environ["RDBTOOL_BACKEND"]
    group = build_group()
    try:
        with group.make_context(PROGRAM, arguments) as context:
            group.invoke(context)
    except UsageError as error:
        error.show()
        return 2
    except typer.Exit as exit_:
        return int(exit_.exit_code)
    return 0


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
