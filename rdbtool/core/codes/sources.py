"""Codes of whole inputs: compression, and the policies of a backup check."""

from __future__ import annotations

from rdbtool.core.codes.code import Code
from rdbtool.core.light_typing import Final

CODES: Final[tuple[Code, ...]] = (
    Code(
        "SRC001",
        "damaged compressed stream",
        "The gzip, zstd, lz4, xz or bzip2 data around the file is damaged or truncated.",
        "Servers do not read compressed files, except Valkey its own.",
    ),
    Code(
        "SRC002",
        "replication stream",
        "The RDB file is inside of what a master sent to a replica: after answers such as +FULLRESYNC, newlines, "
        "and $ with its size or $EOF: with the mark that ends it. The RDB was read, and the commands after it. As "
        "a warning: the master continued where the replica was (+CONTINUE), so there are commands only.",
        "Servers read it from their master, and refuse it as a file.",
    ),
    Code(
        "SRC003",
        "padding",
        "Nothing but NUL bytes follows the end of the RDB, as in files that were kept in pages, or the 40 bytes "
        "that end an RDB in replication, which redis-cli --rdb - leaves there.",
        "The server does not look at them.",
    ),
    Code(
        "SRC004",
        "second RDB",
        "Another RDB begins after the end of the first: two files were joined. Only the first one was read.",
        "The server loads the first one and does not look any further.",
    ),
    Code(
        "SRC005",
        "DUMP payload",
        "The file is what DUMP answers: one value, the RDB version of its writer and a checksum, which is "
        "correct. It has no key, and was read as an RDB of one key.",
        "RESTORE reads it; no server loads it as a file.",
    ),
    Code(
        "SRC006",
        "inline commands",
        "The file is text with one command on each line, as people type them. They were executed.",
        "redis-cli --pipe sends them to a server; no server loads them as an AOF.",
    ),
    Code(
        "CHK011",
        "too few keys",
        "The file holds fewer keys than --min-keys requires.",
        "Servers do not check this.",
    ),
    Code(
        "CHK012",
        "backup too old",
        "The file is older than --max-age allows, is dated in the future, or has no date.",
        "Servers do not check this.",
    ),
    Code(
        "CHK013",
        "version too old",
        "The RDB version or the server that wrote the file is below --min-version, or is not named.",
        "Servers do not check this.",
    ),
    Code(
        "CHK014",
        "digest mismatch",
        "The digest of the dataset differs from --expect-digest, or cannot be computed.",
        "DEBUG DIGEST on a server that loads it gives that other digest.",
    ),
    Code(
        "CHK015",
        "wrong key count",
        "A database holds fewer or more keys than --expect-keys requires.",
        "Servers do not check this.",
    ),
    Code(
        "CHK016",
        "stopped before the end",
        "As a note: the AOF was replayed up to the place that --until, --before or --before-last names, or "
        "without the commands that --skip-command names. As an error: the AOF has no such place or command.",
        "Servers do not check this.",
    ),
    Code(
        "CHK021",
        "key too large",
        "A key takes more memory than --max-key of stats allows.",
        "Servers load it; deleting or migrating it may block them.",
    ),
    Code(
        "CHK022",
        "too many elements",
        "A key has more elements than --max-elements of stats allows.",
        "Servers load it; commands that read all of it block them.",
    ),
    Code(
        "CHK023",
        "too many keys without expiry",
        "More keys never expire than --max-no-ttl of stats allows.",
        "Servers do not check this.",
    ),
    Code(
        "CHK024",
        "too much memory",
        "The dataset takes more memory on a server than --max-memory of stats allows.",
        "A server with that maxmemory evicts keys, or refuses writes.",
    ),
    Code(
        "CHK025",
        "grew too much",
        "The memory of the dataset grew by more than --max-growth of stats allows since --since.",
        "Servers do not check this.",
    ),
)
