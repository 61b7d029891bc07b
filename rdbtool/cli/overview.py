"""One-line summaries of the commands, and the help of ``rdbtool`` itself, without importing the commands."""

from __future__ import annotations

import os

from rdbtool.core.light_typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

PROGRAM: Final = "rdbtool"
ABOUT: Final = "Read, check, repair, convert and replay the persistence files of Redis and Valkey: RDB and AOF"

#: The commands in the order of the help, with their summaries. A command is the module of its name.
SUMMARIES: Final = {
    "info": "Show a file's version, writer and key counts.",
    "dump": "Print keys as a table, JSON, CSV or commands.",
    "inspect": "Explain every byte of a record.",
    "validate": "Check backups, and what servers would do with them.",
    "repair": "Save the intact part of a damaged file.",
    "diff": "Compare the datasets of two files.",
    "digest": "Print the digest that DEBUG DIGEST gives.",
    "replay": "Replay an AOF and report the dataset.",
    "stats": "Show memory usage by prefix, type and key.",
    "memory": "Print the memory usage of each key.",
    "history": "List the AOF commands that touched a key, or several.",
    "convert": "Convert between RDB, AOF, JSON lines and versions.",
    "aof-rewrite": "Rewrite an AOF to its shortest form.",
    "get": "Print one value.",
    "load": "Load a file into a running server.",
    "capture": "Back up a running server: a snapshot, or every write.",
    "completion": "Print a completion script for bash, zsh or fish.",
}

#: Exit codes of every command, with their meanings.
EXIT_CODES: Final = (
    ("0", "yes: valid, identical, done and verified"),
    ("1", "no: invalid data, a difference, a loss refused, an unknown effect"),
    ("2", "wrong usage"),
    ("3", "no answer: missing, unreadable, in use, disk full, a limit"),
    ("4", "a format or version that this release does not know"),
    ("70", "a bug in rdbtool"),
    ("130", "interrupted"),
    ("141", "closed pipe: the reader of the output went away"),
)

#: Maximum width of help lines.
_WIDEST: Final = 100


def help_width() -> int:
    """Return the maximum width of a help line."""
    import shutil

    return max(40, min(_WIDEST, shutil.get_terminal_size().columns))


def overview() -> str:
    """Return the help of the program."""
    width = help_width()
    options = (("-V, --version", "Print the version."), ("-h, --help", "Print this help."))
    more = f"{PROGRAM} help COMMAND shows a command's options; {PROGRAM} FILE is {PROGRAM} info FILE."
    lines = [f"Usage: {PROGRAM} COMMAND [OPTIONS] SRC", "", *wrap(f"{ABOUT}.", width)]
    for title, pairs in (("Commands", tuple(SUMMARIES.items())), ("Exit codes", EXIT_CODES), ("Options", options)):
        lines += ["", f"{title}:", *rows(pairs, width)]
    return "\n".join([*lines, "", *wrap(more, width)]) + "\n"


def wrap(text: str, width: int, indent: str = "  ") -> list[str]:
    """Return a paragraph as indented lines; options and command lines are never broken."""
    import textwrap

    return textwrap.wrap(
        " ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def rows(pairs: Iterable[tuple[str, str]], width: int, column: int = 0) -> list[str]:
    """Return terms and their texts in two columns; the second begins at ``column`` (0: after the longest term)."""
    terms = list(pairs)
    column = column or 4 + max(len(term) for term, _ in terms)
    lines = []
    for term, text in terms:
        wrapped = wrap(text, width, " " * column) or [""]
        if len(term) + 4 <= column:
            wrapped[0] = f"  {term}".ljust(column) + wrapped[0].lstrip()
        else:
            lines.append(f"  {term}")
        lines += wrapped
    return lines


def guess_command(word: str) -> str | None:
    """Return the command nearest to a misspelt one, None if none is near."""
    import difflib

    return next(iter(difflib.get_close_matches(word, SUMMARIES, n=1)), None)


def is_file(word: str) -> bool:
    """Return whether a word in the place of a command names an existing file."""
    return word not in SUMMARIES and not word.startswith("-") and os.path.lexists(word)
