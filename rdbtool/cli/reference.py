"""The pages of docs/commands, generated from the commands: ``python -m rdbtool.cli.reference DIRECTORY``.

Same content as ``--help`` and the manual page, as Markdown; a test compares the committed pages with this module's
output.
"""

from __future__ import annotations

from collections.abc import Iterable

from rdbtool.cli.app import COMMANDS
from rdbtool.cli.examples import EXAMPLES
from rdbtool.cli.help import described, groups, metavar, term
from rdbtool.cli.man import SECTIONS, write_pages
from rdbtool.cli.notes import NOTES
from rdbtool.cli.overview import EXIT_CODES, PROGRAM, SUMMARIES
from rdbtool.cli.typer_commands import build_command
from rdbtool.core.light_typing import Any


def pages() -> dict[str, str]:
    """Return the text of every page by file name."""
    written = {f"{name}.md": _page(name, build_command(name)) for name in COMMANDS}
    rows = ((f"[{name}]({name}.md)", summary) for name, summary in SUMMARIES.items())
    lines = ["# Commands", "", *_table(("Command", "What it does"), rows)]
    lines += ["", "## Common to all", "", *_paragraphs(NOTES[""])]
    lines += ["", "## Exit codes", "", *_table(("Code", "Answer"), EXIT_CODES)]
    return {"README.md": "\n".join(lines) + "\n", **written}


def _page(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    synopsis = " ".join([PROGRAM, name, "[OPTIONS]", *map(metavar, arguments)])
    lines = [f"# {PROGRAM} {name}", "", SUMMARIES[name], "", *_code([synopsis])]
    lines += ["", *_paragraphs(f"{command.help}\n\n{NOTES.get(name, '')}")]
    lines += ["", "## Examples", "", *_code(line for each in EXAMPLES[name] for line in (f"# {each.text}", each.line))]
    if arguments:
        lines += [
            "",
            "## Arguments",
            "",
            *_table(("Argument", ""), ((f"`{metavar(each)}`", each.help) for each in arguments)),
        ]
    for title, options in groups(command).items():
        rows = [(f"`{term(option).strip()}`", described(option)) for option in options]
        if rows:
            lines += ["", f"## {title}", "", *_table(("Option", ""), rows)]
    if name in SECTIONS:
        title, texts = SECTIONS[name]
        lines += ["", f"## {title.capitalize()}"]
        for text, shown in texts:
            lines += ["", text, *(["", *_code(shown)] if shown else [])]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> list[str]:
    """Return paragraphs, one line each, separated by blank lines."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")).splitlines()


def _code(lines: Iterable[str]) -> list[str]:
    return ["```", *lines, "```"]


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> list[str]:
    cells = [head, ("---", "---"), *((_cell(term), _cell(text)) for term, text in rows)]
    return [f"| {term} | {text} |" for term, text in cells]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    write_pages(pages())
