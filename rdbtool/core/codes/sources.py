"""Codes of sources as a whole: compression, and what a user wants of a backup."""

from __future__ import annotations

from typing import Final

from rdbtool.core.codes.code import Code

CODES: Final[tuple[Code, ...]] = (
    Code(
        "SRC001",
        "compressed stream",
        "The gzip, zstd, lz4, xz or bzip2 data around the file is damaged or ends early.",
        "Servers do not read compressed files, except Valkey its own.",
    ),
    Code(
        "CHK011",
        "too few keys",
        "The source holds fewer keys than --min-keys asks for.",
        "Servers do not ask.",
    ),
    Code(
        "CHK012",
        "age",
        "The source is older than --max-age allows, from the future, or does not tell its age.",
        "Servers do not ask.",
    ),
    Code(
        "CHK013",
        "version",
        "The source is of an RDB version, or of a server, below --min-version, or does not tell.",
        "Servers do not ask.",
    ),
    Code(
        "CHK014",
        "other data",
        "The digest of the data is not the one that --expect-digest gives, or cannot be computed.",
        "DEBUG DIGEST on a server that loads it gives that other digest.",
    ),
    Code(
        "CHK015",
        "keys of a database",
        "A database holds fewer or more keys than --expect-keys asks for.",
        "Servers do not ask.",
    ),
    Code(
        "CHK016",
        "place to stop",
        "As a note: the AOF was executed up to the place that --until, --before or --before-last names, or without the "
        "commands that --skip-command names. As an error: it has no such place or command.",
        "Servers do not ask.",
    ),
)
