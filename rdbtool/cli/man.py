"""Manual pages, generated from the commands: ``python -m rdbtool.cli.man DIRECTORY``.

One page per command, one for the program, and ``rdbtool-findings(7)`` from the table of codes. Option texts come from
``--help``; a test compares the committed pages with this module's output.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from rdbtool.cli.app import COMMANDS
from rdbtool.cli.examples import EXAMPLES
from rdbtool.cli.help import metavar
from rdbtool.cli.notes import NOTES
from rdbtool.cli.overview import ABOUT, EXIT_CODES, PROGRAM, SUMMARIES
from rdbtool.cli.typer_commands import build_command
from rdbtool.core.codes import CODES
from rdbtool.core.light_typing import Any

#: Extra sections: a title, and texts with the lines that they explain.
SECTIONS: dict[str, tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    "validate": (
        "CRON AND SYSTEMD",
        (
            (
                "A crontab line that mails only problems, one line per backup:",
                ("30 6 * * * rdbtool validate -q --strict --max-age 26h --min-keys 1000 /srv/backup/*.rdb",),
            ),
            (
                "A systemd service; its OnFailure= unit sends the alert:",
                (
                    "[Unit]",
                    "Description=Check the backups of Redis",
                    "OnFailure=mail-operator@%n.service",
                    "[Service]",
                    "Type=oneshot",
                    "ExecStart=/bin/sh -c 'exec rdbtool validate -q --max-age 26h /srv/backup/*.rdb'",
                ),
            ),
            (
                "And its timer:",
                ("[Timer]", "OnCalendar=*-*-* 06:30", "Persistent=true", "[Install]", "WantedBy=timers.target"),
            ),
            (
                "Exit code 1 means that a backup is bad; 3 and 4 that it was not checked: missing, changed, too new.",
                (),
            ),
        ),
    ),
    "aof-rewrite": (
        "CRON AND SYSTEMD",
        (
            (
                "A crontab line that makes a compact copy every night, and mails only problems:",
                ("15 3 * * * rdbtool aof-rewrite -q --force --retry 3 /srv/copy/appendonlydir -o /srv/compact/",),
            ),
            (
                "A systemd drop-in that makes the AOF compact before the server starts, whether that succeeds or not:",
                (
                    "[Service]",
                    "ExecStartPre=-/usr/local/bin/rdbtool aof-rewrite -q --in-place /var/lib/redis/appendonlydir",
                ),
            ),
            (
                "Exit code 1 needs a person: the AOF is damaged or uncertain. 3 means that it was in use, or changed.",
                (),
            ),
        ),
    ),
}


def pages() -> dict[str, str]:
    """Return the text of every page by file name."""
    written = {f"{PROGRAM}.1": _group_page()}
    for name in COMMANDS:
        written[f"{PROGRAM}-{name}.1"] = _command_page(name, build_command(name))
    written[f"{PROGRAM}-findings.7"] = _findings_page()
    return written


def _group_page() -> str:
    lines = [
        *_head(PROGRAM, ABOUT),
        ".Sh SYNOPSIS",
        ".Nm",
        ".Ar command",
        ".Op Ar options",
        ".Ar SRC",
        ".Nm",
        ".Ar SRC",
    ]
    lines += [".Sh DESCRIPTION", *_prose(f"{ABOUT}. A file in the place of a command is shown as info does.")]
    lines += ["The commands are:", ".Bl -tag -width Ds"]
    for name, summary in SUMMARIES.items():
        lines += [f".It Xr {PROGRAM}-{name} 1", *_prose(summary)]
    lines += [".It Ic help Op Ar command", "Print the help of a command, or of the program.", ".El"]
    lines += [".Sh OPTIONS", ".Bl -tag -width Ds", ".It Fl V , Fl \\-version", "Print the version and exit."]
    lines += [".It Fl h , Fl \\-help", "Print the help and exit.", ".El"]
    lines += _notes("") + _exit_status() + _examples("")
    others = [f".Xr {PROGRAM}-{name} 1 ," for name in sorted(COMMANDS)]
    lines += [".Sh SEE ALSO", *others, f".Xr {PROGRAM}-findings 7"]
    return "\n".join(lines) + "\n"


def _command_page(name: str, command: Any) -> str:
    title = f"{PROGRAM}-{name}"
    arguments = [f".Ar {_escape(metavar(p))}" for p in command.params if p.param_type_name == "argument"]
    lines = [
        *_head(title, SUMMARIES[name].rstrip(".")),
        ".Sh SYNOPSIS",
        f".Nm {PROGRAM} {name}",
        ".Op Ar options",
        *arguments,
    ]
    lines += [".Sh DESCRIPTION", *_prose(command.help), ".Sh OPTIONS", *_options(command)]
    lines += _notes(name) + _exit_status() + _examples(name) + _section(name)
    lines += [".Sh SEE ALSO", f".Xr {PROGRAM} 1 ,", f".Xr {PROGRAM}-findings 7"]
    return "\n".join(lines) + "\n"


def _findings_page() -> str:
    title = f"{PROGRAM}-findings"
    lines = [*_head(title, "what the codes of findings mean", section=7), ".Sh DESCRIPTION"]
    lines += _prose(
        f"Every finding of {PROGRAM} about a file has a code. Codes are stable: a code never gets another meaning "
        "and is never used again."
    )
    lines.append(".Bl -tag -width RDB0000")
    for row in CODES:
        lines += [f".It {row.code} Pq {_escape(row.title)}", *_prose(row.meaning), *_prose(row.server)]
    lines += [".El", ".Sh SEE ALSO", f".Xr {PROGRAM} 1"]
    return "\n".join(lines) + "\n"


def _head(title: str, description: str, *, section: int = 1) -> list[str]:
    # Pages have no date: it would change with every change of an option.
    lowered = description[:1].lower() + description[1:]
    return [
        f'.\\" Written by python -m rdbtool.cli.man; do not edit.\n.Dd $Mdocdate$\n.Dt {title.upper()} {section}',
        f".Os\n.Sh NAME\n.Nm {title}\n.Nd {_escape(lowered)}",
    ]


def _options(command: Any) -> list[str]:
    lines = [".Bl -tag -width Ds"]
    for option in command.params:
        if option.param_type_name != "option" or option.hidden:
            continue
        names = [*option.opts, *option.secondary_opts]
        takes = "" if option.is_flag else f" Ar {_escape(metavar(option))}"
        lines.append(".It " + " , ".join(f"Fl {_escape(name[1:])}{takes}" for name in names))
        lines += _prose(option.help + (" May be given several times." if option.multiple else ""))
    lines += [".It Fl h , Fl \\-help", "Show the options and exit.", ".El"]
    return lines


def _notes(name: str) -> list[str]:
    if name not in NOTES:
        return []
    return [".Sh NOTES", *_prose(NOTES[name].replace("`", ""))]


def _exit_status() -> list[str]:
    lines = [".Sh EXIT STATUS", ".Bl -tag -width Ds"]
    for code, meaning in EXIT_CODES:
        lines += [f".It {code}", *_prose(meaning[0].upper() + meaning[1:] + ".")]
    return [*lines, ".El"]


def _examples(name: str) -> list[str]:
    lines = [".Sh EXAMPLES"]
    for text, command in EXAMPLES[name]:
        title = text[0].upper() + text[1:] + ("" if text.endswith("?") else ":")
        lines += [*([] if lines[-1].startswith(".Sh") else [".Pp"]), _escape(title), f".Dl {_escape(command)}"]
    return lines


def _section(name: str) -> list[str]:
    """Return the section that only this page has."""
    if name not in SECTIONS:
        return []
    title, texts = SECTIONS[name]
    lines = [f".Sh {title}"]
    for text, shown in texts:
        lines += [*([] if lines[-1].startswith(".Sh") else [".Pp"]), *_prose(text)]
        if shown:
            lines += [".Bd -literal -offset indent", *map(_escape, shown), ".Ed"]
    return lines


def _prose(text: str) -> list[str]:
    """Return paragraphs as roff, one sentence per line, as is the custom in manual pages."""
    lines: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        joined = " ".join(paragraph.split())
        lines += [".Pp"] if lines else []
        for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", joined):
            lines += map(_escape, textwrap.wrap(sentence, 66, break_on_hyphens=False))
    return lines


def _escape(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\\&" + escaped if escaped.startswith((".", "\\(aq")) else escaped


def write_pages(pages: dict[str, str]) -> None:
    """Write pages, by name, to the directory given on the command line."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    write_pages(pages())
