"""Codes of what a repair dropped or changed."""

from __future__ import annotations

from rdbtool.core.codes.code import Code
from rdbtool.core.light_typing import Final

_WITHOUT_IT: Final = "The server loads the repaired file without it."

CODES: Final[tuple[Code, ...]] = (
    Code(
        "REP001",
        "damaged record lost",
        "Bytes that hold no record, or one that cannot be read, were not copied.",
        _WITHOUT_IT,
    ),
    Code(
        "REP002",
        "uncertain record lost",
        "A record next to damage that may be part of it was not copied: its length or expiry may be wrong.",
        _WITHOUT_IT,
    ),
    Code(
        "REP003",
        "end lost",
        "The end of the file is truncated or holds nothing intact, and was not copied.",
        _WITHOUT_IT,
    ),
    Code(
        "REP004",
        "older value skipped",
        "A key occurs twice; the last value of it was kept.",
        _WITHOUT_IT,
    ),
    Code(
        "REP005",
        "elements dropped",
        "Elements that servers refuse were dropped: those that occur again, and scores that are not numbers.",
        _WITHOUT_IT,
    ),
    Code(
        "REP006",
        "refused record dropped",
        "A record or part that can be read, but that no server would load, was dropped.",
        _WITHOUT_IT,
    ),
    Code(
        "REP007",
        "damage not located",
        "The checksum is wrong, but every record can be read. Some value is not what was saved; which one is unknown.",
        "The server does not load the file as it was, and loads the repaired one.",
    ),
    Code(
        "REP008",
        "open transaction dropped",
        "A transaction without EXEC was dropped: at the end of an AOF, or up to where the server resumed writing.",
        "At the end the server does the same. Elsewhere it executes the commands of the transaction with the EXEC of "
        "the next one, or, without one, drops all that follows the MULTI.",
    ),
    Code(
        "REP009",
        "MULTI without EXEC",
        "A MULTI whose EXEC is lost, or an EXEC whose MULTI is, was dropped. The commands between them were kept.",
        _WITHOUT_IT,
    ),
    Code(
        "REP010",
        "line ends corrected",
        "A command whose line ends were wrong in a way that servers accept was written with right ones.",
        "The server reads the same command.",
    ),
    Code(
        "REP011",
        "missing file skipped",
        "A file that the manifest of an AOF names is missing, and the repaired AOF does without it.",
        _WITHOUT_IT,
    ),
    Code(
        "REP012",
        "manifest rebuilt",
        "The manifest of an AOF is damaged, and a new one was made from the names of the files.",
        _WITHOUT_IT,
    ),
    Code(
        "REP013",
        "header rebuilt",
        "The first nine bytes of an RDB file are damaged, and were replaced by those that the rest of the file "
        "suggests.",
        _WITHOUT_IT,
    ),
    Code(
        "REP014",
        "text conversion undone",
        "A program took the file for text and converted it: line ends, characters, a byte order mark. The repair "
        "undid that; the checksum, or the lengths of all records, prove that the result is what was saved.",
        "The server does not load the file as it was, and loads the repaired one.",
    ),
    Code(
        "REP015",
        "damaged byte corrected",
        "One byte of an RDB file was damaged, and was corrected. The checksum proves which one, and what it was.",
        "The server does not load the file as it was, and loads the repaired one.",
    ),
    Code(
        "REP016",
        "text conversion not undone",
        "A program took the file for text and converted it in a way that cannot be undone, or nothing proves that "
        "it was undone.",
        "The server loads what could be saved.",
    ),
    Code(
        "REP017",
        "records found inside damage",
        "Records between two damaged places of an RDB file were kept. Nothing proves that they belong to the "
        "sequence of its records; where the sequence holds the key as well, what was found is skipped.",
        "The server loads them.",
    ),
    Code(
        "REP018",
        "kept values not verified",
        "Beside other damage of an RDB file the checksum is wrong, missing or disabled, so that "
        "the values that are kept are not verified.",
        "The server loads them.",
    ),
)
