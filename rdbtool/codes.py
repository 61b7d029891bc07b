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
_CUTS = (
    "The server cuts the last file of a log there and starts, unless its aof-load-truncated is off; it exits over an "
    "earlier file."
)
_LENGTH_LIES = "It does not see whether sound commands follow, and cuts them off as well."

_NOT_READ = "Servers do not read JSON lines."

_GOES_ON = "The server logs the error, before Redis 7.0 not even that, and goes on."

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
    Code(
        "AOF101",
        "log ends early",
        "The log ends inside a command or an annotation: the tail was cut, or a length is larger than what follows it.",
        f"{_CUTS} {_LENGTH_LIES}",
    ),
    Code(
        "AOF102",
        "record",
        "Where a command or an annotation begins, there is another byte than * or #. Many NUL bytes are "
        "what a loss of power leaves behind.",
        _EXITS,
    ),
    Code(
        "AOF103",
        "number",
        "A number of arguments or a size is not written in decimal digits, or has more than 18 of them.",
        "Redis takes the digits that it begins with, 0 if there are none, and goes on from there; over a negative size "
        "it crashes.",
    ),
    Code("AOF104", "no arguments", "A command has no arguments, not even a name.", _EXITS),
    Code("AOF105", "argument", "The size of an argument does not begin with $.", _EXITS),
    Code(
        "AOF106",
        "line end",
        "A line does not end in a carriage return and a newline.",
        "Servers read up to the newline, whatever stands before it; their check tool refuses the file.",
    ),
    Code(
        "AOF107",
        "argument end",
        "The two bytes behind an argument are no line end: its size is wrong, or one of the bytes.",
        "Servers skip the two bytes without looking; their check tool refuses the file.",
    ),
    Code(
        "AOF108",
        "annotation",
        "An annotation line is longer than 1023 bytes.",
        "Servers take its rest for the beginning of a command, and exit.",
    ),
    Code(
        "AOF110",
        "open transaction",
        "The log ends between a MULTI and its EXEC.",
        "Redis 4.0 and later execute none of it and cut the file before the MULTI, older ones execute what is there.",
    ),
    Code(
        "CMD201",
        "unknown command",
        "No server has a command or subcommand of this name, or it is a module's. What it did is not known.",
        "The server refuses to start; before Redis 7.0 it passes over an unknown subcommand without a word.",
    ),
    Code(
        "CMD202",
        "too few arguments",
        "A command has fewer arguments than it needs. It was not executed.",
        "Redis does not count them and executes the command with arguments that are not there; Valkey 9.1 and later "
        "refuse to start.",
    ),
    Code(
        "CMD203",
        "error reply",
        "A command was answered with an error, such as WRONGTYPE, and changed nothing.",
        _GOES_ON,
    ),
    Code(
        "CMD204",
        "bad SELECT",
        "A SELECT names no database, or one that a server with 16 of them does not have.",
        "The server stays on the database it was on, and what follows goes there.",
    ),
    Code(
        "CMD205",
        "script",
        "A script or function is called that is more than a row of plain calls. Scripts are never executed here, so "
        "what it did is missing.",
        "The server runs the script, and the same script may do other things there.",
    ),
    Code(
        "CMD206",
        "stray transaction command",
        "A MULTI stands within a transaction, or an EXEC or DISCARD outside of one. It has no effect.",
        _GOES_ON,
    ),
    Code(
        "CMD207",
        "script of plain calls",
        "A script is nothing more than a row of calls with their arguments spelled out. They were carried out.",
        "The server runs the script.",
    ),
    Code("MAN001", "empty manifest", "The manifest has no bytes.", _EXITS),
    Code(
        "MAN002",
        "manifest line",
        "A line of the manifest is longer than 1024 bytes, has no newline at its end, or holds a NUL byte.",
        _EXITS,
    ),
    Code("MAN003", "blank manifest line", "A line of the manifest is blank.", _EXITS),
    Code("MAN004", "manifest quotes", "A quote in the manifest is not closed, or not followed by a blank.", _EXITS),
    Code("MAN005", "manifest words", "A line of the manifest has fewer than six words, or an odd number.", _EXITS),
    Code("MAN006", "manifest keys", "A line of the manifest lacks the file, its seq or its type.", _EXITS),
    Code(
        "MAN007",
        "manifest file name",
        "A file in the manifest is named by a path. Its files stand beside it.",
        _EXITS,
    ),
    Code("MAN008", "manifest seq", "The sequence number of a file in the manifest is 0 or none.", _EXITS),
    Code("MAN009", "manifest type", "The type of a file in the manifest is none of b, h and i.", _EXITS),
    Code("MAN010", "second base", "The manifest names more than one base file.", _EXITS),
    Code(
        "MAN011",
        "order of increments",
        "The sequence numbers of the increments in the manifest do not rise.",
        _EXITS,
    ),
    Code(
        "MAN012",
        "missing file",
        "A base file or an increment that the manifest names is not there. History files may be gone.",
        _EXITS,
    ),
    Code("JSN001", "no JSON", "A line is not one JSON object.", _NOT_READ),
    Code(
        "JSN002",
        "no UTF-8",
        "A line holds bytes that are not UTF-8, or an escape that is half of a character. Such bytes stand as base64.",
        _NOT_READ,
    ),
    Code("JSN003", "cut line", "The file ends inside a line.", _NOT_READ),
    Code(
        "JSN004",
        "member",
        "An object has a member that nobody knows, lacks one that it needs, or has one twice.",
        _NOT_READ,
    ),
    Code(
        "JSN005",
        "shape",
        "A value is of another JSON type than its place wants, or is none of the words that may stand there.",
        _NOT_READ,
    ),
    Code("JSN006", "range", "A number is out of the range that files have room for.", _NOT_READ),
    Code("JSN007", "base64", "What is said to be base64 is none.", _NOT_READ),
    Code(
        "JSN008",
        "header",
        "The line with magic and version is not the first, names none that exist, or there are no lines at all.",
        _NOT_READ,
    ),
    Code(
        "JSN009",
        "module data in JSON",
        "The bytes of a module's value or data are not those of a module, or of another one than is named.",
        _NOT_READ,
    ),
    Code(
        "JSN010",
        "pending entries in JSON",
        "An entry stands in a pending list again, with the same or no consumer, out of order, or with other counts.",
        _NOT_READ,
    ),
)

BY_CODE: Final[dict[str, Code]] = {row.code: row for row in CODES}
