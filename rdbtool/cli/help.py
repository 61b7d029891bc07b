"""Help of a command: usage, summary, examples, and options in groups.

Shared options are grouped by topic; options of one command only come first.
"""

from __future__ import annotations

from typer.core import TyperCommand

from rdbtool.cli.overview import help_width, rows, wrap
from rdbtool.core.light_typing import Any, Final

#: Group titles, and the first names of their options. Options not listed belong to their command.
GROUPS: Final = {
    "Output": (
        *("--format", "--output", "--force", "--escape", "--raw", "--fields", "--binary", "--keys-only"),
        *("--json", "--quiet", "--no-progress"),
    ),
    "Server": ("--password-file", "--ask-password"),
    "Filters": (
        *("--key", "--glob", "--exact-key", "--no-key", "--type", "--no-type", "--db", "--no-db"),
        *("--expired", "--slot", "--limit", "--now"),
    ),
    "Changes": (
        *("--target", "--allow-loss", "--functions", "--drop", "--rename", "--move-db", "--expiry"),
        *("--preamble", "--drop-unknown"),
    ),
    "Limits": ("--max-key", "--max-elements", "--max-no-ttl", "--max-memory", "--max-growth"),
    "AOF": (
        *("--until", "--before", "--before-last", "--skip-command", "--rules", "--rename-command", "--server-stopped"),
        *(f"--{name}-{side}" for name in ("until", "before", "before-last", "skip-command") for side in "ab"),
    ),
}

_GROUP_OF: Final = {name: title for title, names in GROUPS.items() for name in names}

#: Examples shown in help.
_SHOWN: Final = 3

#: Column where option texts begin, if the line is wide enough.
_COLUMN: Final = 26
_NARROW_COLUMN: Final = 12
_NARROW: Final = 70


class HelpfulCommand(TyperCommand):
    """A command whose ``--help`` has examples and option groups."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help to a formatter."""
        formatter.write(help_text(self, ctx.command_path) + "\n")


def help_text(command: Any, path: str) -> str:
    """Return the help of a command; ``path`` is how it is called, such as ``rdbtool dump``."""
    width = help_width()
    column = _COLUMN if width >= _NARROW else _NARROW_COLUMN
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    lines = wrap(f"Usage: {path} [OPTIONS] {' '.join(metavar(argument) for argument in arguments)}", width, "")
    for paragraph in command.help.strip().split("\n\n"):
        lines += ["", *wrap(paragraph, width)]
    lines += ["", "Examples:", *_examples(command.name, width)]
    if arguments:
        lines += ["", "Arguments:", *rows(((metavar(each), each.help) for each in arguments), width, column)]
    for title, options in groups(command).items():
        lines += ["", f"{title}:"]
        lines += rows(((term(option), described(option)) for option in options), width, column)
        if title == "Options":
            lines += rows([("-h, --help", "Print this help.")], width, column)
    return "\n".join(lines)


def groups(command: Any) -> dict[str, list[Any]]:
    """Return the visible options of a command by group title, its own first."""
    found: dict[str, list[Any]] = {title: [] for title in ("Options", *GROUPS)}
    for option in command.params:
        if option.param_type_name == "option" and not option.hidden:
            found[_GROUP_OF.get(option.opts[0], "Options")].append(option)
    return {title: options for title, options in found.items() if options or title == "Options"}


def metavar(parameter: Any) -> str:
    """Return the placeholder for the value of an argument or option."""
    return str(parameter.metavar or parameter.name.upper())


def term(option: Any) -> str:
    """Return an option's names and placeholder: ``-k, --key REGEX``."""
    names = sorted(option.opts, key=lambda name: name.startswith("--"))
    shown = ", ".join(names) if names[0][:2] != "--" else "    " + ", ".join(names)
    if option.secondary_opts:
        shown += " / " + ", ".join(option.secondary_opts)
    return shown if option.is_flag else f"{shown} {metavar(option)}"


def described(option: Any) -> str:
    """Return an option's help, and whether it may be repeated."""
    return f"{option.help} Repeatable." if option.multiple else str(option.help)


def _examples(name: str, width: int) -> list[str]:
    """Return the first examples, in two columns if they fit."""
    from rdbtool.cli.examples import EXAMPLES

    shown = EXAMPLES[name][:_SHOWN]
    column = 4 + max(len(example.line) for example in shown)
    if all(column + len(example.text) <= width for example in shown):
        return [f"  {example.line}".ljust(column) + example.text for example in shown]
    return [
        line for example in shown for line in (*wrap(f"# {example.text}", width), *_command_line(example.line, width))
    ]


def _command_line(line: str, width: int) -> list[str]:
    r"""Return a command line as a shell accepts it; if too long, broken at a blank with a backslash."""
    lines = wrap(line, width - 2)
    return [*(f"{part} \\" for part in lines[:-1]), lines[-1]] if len(lines) > 1 else lines
