"""Codes of JSON lines."""

from __future__ import annotations

from rdbtool.core.codes.code import Code
from rdbtool.core.light_typing import Final

_NOT_READ: Final = "Servers do not read JSON lines."

CODES: Final[tuple[Code, ...]] = (
    Code("JSN001", "invalid JSON", "A line is not one JSON object.", _NOT_READ),
    Code(
        "JSN002",
        "invalid UTF-8",
        "A line holds bytes that are not UTF-8, or an escape that is half of a character. Such bytes are written "
        "as base64.",
        _NOT_READ,
    ),
    Code("JSN003", "truncated line", "The file ends inside a line.", _NOT_READ),
    Code(
        "JSN004",
        "unexpected or missing member",
        "An object has an unknown member, lacks a required one, or has one twice.",
        _NOT_READ,
    ),
    Code(
        "JSN005",
        "wrong JSON type",
        "A value has another JSON type than expected, or is not one of the values allowed there.",
        _NOT_READ,
    ),
    Code("JSN006", "number out of range", "A number is out of the range that files have room for.", _NOT_READ),
    Code("JSN007", "invalid base64", "The text of a base64 value is not base64.", _NOT_READ),
    Code(
        "JSN008",
        "invalid header line",
        "The line with magic and version is not the first, names none that exist, or there are no lines at all.",
        _NOT_READ,
    ),
    Code(
        "JSN009",
        "invalid module data in JSON",
        "The bytes of a module's value or data are not those of a module, or belong to another one than is named.",
        _NOT_READ,
    ),
    Code(
        "JSN010",
        "invalid pending list in JSON",
        "An entry occurs in a pending list twice, with the same or no consumer, out of order, or with other counts.",
        _NOT_READ,
    ),
    Code(
        "JSN011",
        "duplicate key in JSON",
        "A key of a database occurs twice, as in files that were joined and share it.",
        "Servers do not read JSON lines; over such a key in an RDB file they abort.",
    ),
)
