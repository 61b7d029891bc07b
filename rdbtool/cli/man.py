"""The manual pages, written from the commands themselves: ``python -m rdbtool.cli.man DIRECTORY``.

One page a command, one for the whole, and ``rdbtool-findings(7)`` from the table of codes. What a
page says of options is what ``--help`` says, so it cannot fall behind; a test compares the
committed pages with what this module writes.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from rdbtool.cli.app import COMMANDS, PROGRAM, build_command, build_group
from rdbtool.core.codes import CODES

_EXIT_CODES = (
    ("0", "yes: the data is sound, and what was asked for is done"),
    ("1", "no: the data is damaged, or there is none such"),
    ("2", "wrong usage"),
    ("3", "could not answer: missing, unreadable, changed while reading, disk full, the output exists"),
    ("4", "a format or version that this release does not know"),
    ("70", "a bug in rdbtool"),
    ("130", "interrupted"),
    ("141", "the reader of the output went away"),
)

_EXAMPLES = {
    "rdbtool": (
        ("What is in a file:", "rdbtool info dump.rdb"),
        ("Its keys, as a table:", "rdbtool dump dump.rdb"),
        ("What a log leads to:", "rdbtool replay appendonlydir"),
    ),
    "info": (
        ("Versions, counts and checksum:", "rdbtool info dump.rdb"),
        ("For a script:", "rdbtool info --json dump.rdb"),
    ),
    "diff": (
        ("Whether a backup holds what the last one did:", "rdbtool diff old.rdb new.rdb"),
        ("What a log has that its snapshot has not:", "rdbtool diff dump.rdb appendonlydir"),
        (
            "What an hour did, in a log with annotations:",
            "rdbtool diff DIR DIR --until-a 2026-05-04T10:00 --until-b 2026-05-04T11:00",
        ),
        ("Bring a running server that holds A to what B holds:", "rdbtool diff --as-commands A B | redis-cli --pipe"),
    ),
    "dump": (
        ("Hashes whose key begins with user:, as JSON lines:", "rdbtool dump -t hash -k '^user:' -f jsonl dump.rdb"),
        ("Rebuild database 0 on a running server:", "rdbtool dump -n 0 -f resp dump.rdb | redis-cli --pipe"),
        ("From a compressed backup, into a file:", "rdbtool dump -o keys.csv dump.rdb.gz"),
        (
            "Replace keys of an older server by those of a file:",
            "rdbtool dump -f resp --restore --replace --target redis-7.0 -k '^user:' dump.rdb | redis-cli --pipe",
        ),
    ),
    "inspect": (
        ("Every byte of one key:", "rdbtool inspect --exact-key user:1 dump.rdb"),
        ("What is at an offset that an error named:", "rdbtool inspect --at 0x12c dump.rdb"),
    ),
    "repair": (
        ("What would be lost:", "rdbtool repair --dry-run dump.rdb"),
        ("Save what is sound, and keep the rest:", "rdbtool repair dump.rdb -o new.rdb --keep-damaged rest.bin"),
        ("A log of several parts, into a new directory:", "rdbtool repair appendonlydir -o repaired"),
    ),
    "validate": (
        ("Is last night's backup sound, and is it last night's?", "rdbtool validate --max-age 26h backups/dump.rdb"),
        ("Would that server load it?", "rdbtool validate --level server --rules valkey-9.1 dump.rdb"),
        ("All of them, for a test report:", "rdbtool validate --format junit backups/*.rdb > report.xml"),
        ("A log that a server is writing to:", "rdbtool validate --retry 5 /var/lib/redis/appendonlydir"),
    ),
    "replay": (
        ("What a log leads to, and what is wrong with it:", "rdbtool replay appendonlydir"),
        ("The state before somebody emptied everything:", "rdbtool replay --before flushall appendonlydir"),
        ("The state at a moment, by its annotations:", "rdbtool replay --until 2026-05-04T10:00:00Z appendonlydir"),
    ),
    "history": (
        ("Who deleted this key?", "rdbtool history appendonlydir session:42"),
        ("A key of database 3 that is no text:", "rdbtool history -n 3 appendonly.aof '\\xac\\xed\\x00\\x05t'"),
    ),
    "convert": (
        ("A Redis 8 snapshot for a Redis 7.0:", "rdbtool convert dump.rdb old.rdb --target redis-7.0"),
        (
            "A directory that a server starts from with appendonly yes:",
            "rdbtool convert dump.rdb /var/lib/redis/appendonlydir --to aof-dir",
        ),
        ("The keys of a log as an RDB:", "rdbtool convert appendonlydir dump.rdb"),
        ("Through an editor and back:", "rdbtool convert dump.rdb keys.jsonl; rdbtool convert keys.jsonl new.rdb"),
    ),
    "aof-rewrite": (
        ("A compact copy, whatever the server does:", "rdbtool aof-rewrite appendonlydir -o compact/ --retry 3"),
        ("In place, while the server is stopped:", "rdbtool aof-rewrite --in-place --backup old appendonlydir"),
        ("Everything up to the accident:", "rdbtool aof-rewrite --before flushall appendonlydir -o recovered/"),
        (
            "Everything but the accident, and what followed it:",
            "rdbtool aof-rewrite --skip-command flushall appendonlydir -o recovered/",
        ),
    ),
    "digest": (("Compare a backup with a running server:", "rdbtool digest dump.rdb; redis-cli DEBUG DIGEST"),),
}

#: Sections of their own: a title, and texts with the lines that they speak of.
_SECTIONS: dict[str, tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    "validate": (
        "CRON AND SYSTEMD",
        (
            (
                "A line of a crontab that mails a line about each backup that is not good, and nothing else:",
                ("30 6 * * * rdbtool validate -q --strict --max-age 26h --min-keys 1000 /srv/backup/*.rdb",),
            ),
            (
                "A systemd service; one that its OnFailure= names can tell somebody:",
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
                "Exit code 1 says that a backup is bad; 3 and 4 that nobody could tell: missing, changed, too new.",
                (),
            ),
        ),
    ),
    "aof-rewrite": (
        "CRON AND SYSTEMD",
        (
            (
                "A line of a crontab that makes a compact copy every night, and mails only what went wrong:",
                ("15 3 * * * rdbtool aof-rewrite -q --force --retry 3 /srv/copy/appendonlydir -o /srv/compact/",),
            ),
            (
                "A systemd drop-in that makes the log compact before the server starts, whether that succeeds or not:",
                (
                    "[Service]",
                    "ExecStartPre=-/usr/local/bin/rdbtool aof-rewrite -q --in-place /var/lib/redis/appendonlydir",
                ),
            ),
            (
                "Exit code 1 asks for a person: the log is damaged or in doubt. 3 says that it was in use, or changed.",
                (),
            ),
        ),
    ),
}


def pages() -> dict[str, str]:
    """Return the text of every page by its file name."""
    written = {f"{PROGRAM}.1": _group_page()}
    for name in COMMANDS:
        written[f"{PROGRAM}-{name}.1"] = _command_page(name, build_command(name))
    written[f"{PROGRAM}-findings.7"] = _findings_page()
    return written


def _group_page() -> str:
    group = build_group()
    lines = [*_head(PROGRAM, _sentence(group.help)), ".Sh SYNOPSIS", ".Nm", ".Ar command", ".Op Ar options", ".Ar SRC"]
    lines += [".Sh DESCRIPTION", *_prose(group.help), "The commands are:", ".Bl -tag -width Ds"]
    for name in COMMANDS:
        lines += [f".It Xr {PROGRAM}-{name} 1", *_prose(_sentence(build_command(name).help) + ".")]
    lines += [".El", ".Sh OPTIONS", *_options(group)]
    lines += _exit_status() + _examples("rdbtool")
    others = [f".Xr {PROGRAM}-{name} 1 ," for name in sorted(COMMANDS)]
    lines += [".Sh SEE ALSO", *others, f".Xr {PROGRAM}-findings 7"]
    return "\n".join(lines) + "\n"


def _command_page(name: str, command: Any) -> str:
    title = f"{PROGRAM}-{name}"
    arguments = [f".Ar {_escape(_metavar(p))}" for p in command.params if p.param_type_name == "argument"]
    lines = [
        *_head(title, _sentence(command.help)),
        ".Sh SYNOPSIS",
        f".Nm {PROGRAM} {name}",
        ".Op Ar options",
        *arguments,
    ]
    lines += [".Sh DESCRIPTION", *_prose(command.help), ".Sh OPTIONS", *_options(command)]
    lines += _exit_status() + _examples(name) + _section(name)
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
    # The date of a page would have to be changed with every change of an option: none is given.
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
        takes = "" if option.is_flag else f" Ar {_escape(_metavar(option))}"
        lines.append(".It " + " , ".join(f"Fl {_escape(name[1:])}{takes}" for name in names))
        lines += _prose(option.help + (" May be given several times." if option.multiple else ""))
    lines += [".It Fl h , Fl \\-help", "Show the options and exit.", ".El"]
    return lines


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _exit_status() -> list[str]:
    lines = [".Sh EXIT STATUS", ".Bl -tag -width Ds"]
    for code, meaning in _EXIT_CODES:
        lines += [f".It {code}", *_prose(meaning[0].upper() + meaning[1:] + ".")]
    return [*lines, ".El"]


def _examples(name: str) -> list[str]:
    lines = [".Sh EXAMPLES"]
    for text, command in _EXAMPLES[name]:
        lines += [*([] if lines[-1].startswith(".Sh") else [".Pp"]), _escape(text), f".Dl {_escape(command)}"]
    return lines


def _section(name: str) -> list[str]:
    """Return the section that only one page has."""
    if name not in _SECTIONS:
        return []
    title, texts = _SECTIONS[name]
    lines = [f".Sh {title}"]
    for text, shown in texts:
        lines += [*([] if lines[-1].startswith(".Sh") else [".Pp"]), *_prose(text)]
        if shown:
            lines += [".Bd -literal -offset indent", *map(_escape, shown), ".Ed"]
    return lines


def _sentence(text: str) -> str:
    """Return the first sentence of a help text, without its full stop."""
    return re.split(r"(?<=\.)\s", text.strip(), maxsplit=1)[0].rstrip(".").replace("\n", " ")


def _prose(text: str) -> list[str]:
    """Return paragraphs as roff, each sentence on a line of its own, as manual pages are kept."""
    lines: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        joined = " ".join(paragraph.split())
        lines += [".Pp"] if lines else []
        for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", joined):
            lines += map(_escape, textwrap.wrap(sentence, 72, break_on_hyphens=False))
    return lines


def _escape(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\\&" + escaped if escaped.startswith((".", "\\(aq")) else escaped


def main() -> None:
    """Write all pages into the directory named on the command line."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    main()
