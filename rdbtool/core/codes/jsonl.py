"""Codes of JSON lines."""

from __future__ import annotations

from typing import Final

from rdbtool.core.codes.code import Code

_NOT_READ: Final = "Servers do not read JSON lines."

CODES: Final[tuple[Code, ...]] = (
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
        "A line with magic and version names none that exist, or there are no lines at all. Files that were run "
        "together have several such lines.",
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
    Code(
        "JSN011",
        "key twice in JSON",
        "A key of a database is there again, as in files that were run together and share it.",
        "Servers do not read JSON lines; over such a key in an RDB file they abort.",
    ),
)
