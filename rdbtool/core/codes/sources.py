"""Codes of sources as a whole: compression, and what a user wants of a backup."""

from __future__ import annotations

from typing import Final

from rdbtool.core.codes.code import Code

CODES: Final[tuple[Code, ...]] = (
    Code(
        "SRC001",
        "damaged compressed stream",
        "The gzip, zstd or lz4 data around the file is damaged or truncated.",
        "Servers do not read compressed files, except Valkey its own.",
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
)
