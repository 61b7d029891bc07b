"""The one table of finding codes: what a code means and what servers do with such a file.

A code is stable: scripts match on it, ``rdbtool-findings(7)`` is written from this table, and
whoever raises a :class:`~rdbtool.errors.FormatError` takes its code from here. A code is never
given another meaning and never reused.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Code(NamedTuple):
    """One code: a title of a few words, what it means, and what a server does when it loads such a file."""

    code: str
    title: str
    meaning: str
    server: str


_EXITS = "The server logs an error and exits."
_UNCHECKED = (
    "Redis loads a wrong entry without looking (unless sanitize-dump-payload is on) and can crash at the first access; "
    "Valkey 9.1 checks every entry and exits."
)
_CONVERTS = "Redis 7.0 and later check it while converting it to a listpack, and exit; older servers trust it."

CODES: Final[tuple[Code, ...]] = (
    Code(
        "SRC001",
        "compressed stream",
        "The gzip, zstd or lz4 data around the file is damaged or ends early.",
        "Servers do not read compressed files, except Valkey its own.",
    ),
    Code(
        "RDB001",
        "not an RDB",
        "The first nine bytes are neither REDIS nor VALKEY followed by a version number.",
        _EXITS,
    ),
    Code(
        "RDB002",
        "version",
        "The version number is none that any server wrote under this magic.",
        _EXITS,
    ),
    Code(
        "RDB003",
        "version field damaged",
        "The version is below 5, which has no checksum, but the file holds things that came later: "
        "a lowered version number switches the checksum off.",
        "The server loads the file and checks no checksum.",
    ),
    Code(
        "RDB004",
        "checksum",
        "The CRC-64 at the end of the file differs from that of the bytes before it.",
        "The server exits, unless its rdbchecksum is off.",
    ),
    Code(
        "RDB101",
        "data ends early",
        "The file ends before the end mark, or inside a record.",
        _EXITS,
    ),
    Code(
        "RDB102",
        "length encoding",
        "A length starts with a byte that encodes no length, or announces more than the file can hold.",
        _EXITS,
    ),
    Code(
        "RDB103",
        "string encoding",
        "A string starts with a byte that encodes no string.",
        _EXITS,
    ),
    Code(
        "RDB104",
        "LZF",
        "A compressed string does not inflate to exactly the size that it declares.",
        _EXITS,
    ),
    Code(
        "RDB105",
        "unknown type or opcode",
        "A byte where a record begins is neither a value type nor an opcode of this version.",
        "The server logs that it does not know the type, and exits.",
    ),
    Code(
        "RDB106",
        "number",
        "A score or another floating point number is not written as a number.",
        _EXITS,
    ),
    Code(
        "RDB107",
        "value out of range",
        "A database number, slot, count or flag is outside of what the format allows.",
        _EXITS,
    ),
    Code("RDB201", "ziplist", "A ziplist contradicts itself: sizes, back lengths, count or end mark.", _CONVERTS),
    Code("RDB202", "listpack", "A listpack contradicts itself: sizes, back lengths, count or end mark.", _UNCHECKED),
    Code("RDB203", "intset", "An intset has another size than its header says, or no members.", _EXITS),
    Code("RDB204", "zipmap", "A zipmap contradicts itself: lengths, count or end mark.", _CONVERTS),
    Code("RDB205", "quicklist", "A quicklist node is empty or of an unknown container.", _EXITS),
    Code(
        "RDB206",
        "stream",
        "A stream's nodes, entries, groups, consumers or pending lists contradict each other.",
        "Servers exit over pending lists, and over entries only where they check deeply.",
    ),
    Code("RDB207", "field expiry", "The expiry of a hash field is not a time that servers accept.", _EXITS),
    Code(
        "RDB208",
        "module data",
        "A module's value or data is not made of the five known parts, or has no end mark.",
        "The server exits, whether the module is loaded or not.",
    ),
    Code("RDB209", "array", "An array's count, indexes or value tags are impossible.", _EXITS),
    Code("RDB210", "hash template", "A hash refers to a template that is missing, repeated or unsorted.", _EXITS),
    Code(
        "RDB211",
        "uneven count",
        "A packed hash or sorted set holds a member without its partner.",
        _UNCHECKED,
    ),
)

BY_CODE: Final[dict[str, Code]] = {row.code: row for row in CODES}
