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
        "SRC002",
        "replication stream",
        "The RDB is in what a master sent to a replica: after answers such as +FULLRESYNC, newlines, and $ with its "
        "size or $EOF: with the mark that ends it. The RDB was read, and the commands after it. As a warning: the "
        "master went on where the replica was (+CONTINUE), so there are commands only.",
        "Servers read it from their master, and refuse it as a file.",
    ),
    Code(
        "SRC003",
        "padding",
        "After the end of the RDB there is nothing but NUL bytes, as in files that were kept in pages, or the 40 "
        "bytes that end an RDB in replication, which redis-cli --rdb - leaves there.",
        "The server does not look at them.",
    ),
    Code(
        "SRC004",
        "second RDB",
        "After the end of the RDB another one begins: two files were run together. Only the first one was read.",
        "The server loads the first one and does not look any further.",
    ),
    Code(
        "SRC005",
        "DUMP payload",
        "The source is what DUMP answers: one value, the RDB version of its writer and a checksum, which is right. It "
        "has no key, and was read as an RDB of one.",
        "RESTORE reads it; no server loads it as a file.",
    ),
    Code(
        "SRC006",
        "inline commands",
        "The source is a text with a command on each line, as people type them. They were executed.",
        "redis-cli --pipe sends them to a server; no server loads them as an AOF.",
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
