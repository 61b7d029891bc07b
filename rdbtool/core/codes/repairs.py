"""Codes of what a repair left out or changed."""

from __future__ import annotations

from typing import Final

from rdbtool.core.codes.code import Code

_NOT_THERE: Final = "The server loads the repaired file without it."

CODES: Final[tuple[Code, ...]] = (
    Code(
        "REP001",
        "damaged record left out",
        "A repair left out bytes that hold no record, or one that cannot be read.",
        _NOT_THERE,
    ),
    Code(
        "REP002",
        "doubtful record left out",
        "A repair left out a record beside damage that may be part of it: its length or expiry may be wrong.",
        _NOT_THERE,
    ),
    Code("REP003", "end cut off", "A repair cut off an end that ends early or holds nothing sound.", _NOT_THERE),
    Code(
        "REP004",
        "older value left out",
        "A key stood there twice, and a repair kept the last value of it.",
        _NOT_THERE,
    ),
    Code(
        "REP005",
        "elements left out",
        "A repair left out elements that servers refuse: those that stand there again, and scores that are no numbers.",
        _NOT_THERE,
    ),
    Code(
        "REP006",
        "refused record left out",
        "A repair left out a record or part that can be read, but that no server would load.",
        _NOT_THERE,
    ),
    Code(
        "REP007",
        "unlocated damage",
        "The checksum is wrong, but every record can be read. Some value is not what was saved; which one, nobody "
        "can say.",
        "The server does not load the file as it was, and loads the repaired one.",
    ),
    Code(
        "REP008",
        "cut transaction left out",
        "A repair left out a transaction whose EXEC was lost when the server stopped: at the end of a log, or up to "
        "where a server went on behind it.",
        "At the end the server does the same. Elsewhere it executes the commands of the transaction with the EXEC of "
        "the next one, or, if there is none, drops all that follows the MULTI.",
    ),
    Code(
        "REP009",
        "lone bracket left out",
        "A repair left out a MULTI whose EXEC is lost, or an EXEC whose MULTI is. The commands between them stay.",
        _NOT_THERE,
    ),
    Code(
        "REP010",
        "line ends made strict",
        "A repair wrote a command anew whose line ends were wrong in a way that servers accept.",
        "The server reads the same command.",
    ),
    Code(
        "REP011",
        "missing file left out",
        "A file that the manifest of a log names is missing, and the repaired log does without it.",
        _NOT_THERE,
    ),
    Code(
        "REP012",
        "manifest made anew",
        "The manifest of a log is damaged or missing, and a repair made a new one from the names of the files, or of "
        "the one that a server had not yet renamed.",
        _NOT_THERE,
    ),
    Code(
        "REP013",
        "header made anew",
        "The first nine bytes of an RDB are damaged, and a repair wrote those that the rest of the file suggests.",
        _NOT_THERE,
    ),
    Code(
        "REP014",
        "text conversion undone",
        "A program took the file for text and converted it: line ends, characters, a byte order mark. The repair undid "
        "that; the checksum, or the lengths of all records, prove that the result is what was saved.",
        "The server does not load the file as it was, and loads the repaired one.",
    ),
    Code(
        "REP015",
        "damaged byte put right",
        "One byte of an RDB was damaged, and a repair put it right. The checksum tells which one, and what it was.",
        "The server does not load the file as it was, and loads the repaired one.",
    ),
    Code(
        "REP016",
        "text conversion not undone",
        "Something took an RDB for text and converted all of it in a way that cannot be undone, or of which nothing "
        "proves that it was undone.",
        "The server loads what could be saved.",
    ),
    Code(
        "REP017",
        "records found within damage",
        "Records between two damaged places of an RDB were kept. Nothing proves that they belong to the sequence of "
        "its records; where a key stands there and in the sequence too, what is found is left out.",
        "The server loads them.",
    ),
    Code(
        "REP018",
        "checksum says nothing",
        "Beside other damage of an RDB the checksum is wrong, missing or disabled, so that nothing vouches for the "
        "values that are kept.",
        "The server loads them.",
    ),
)
