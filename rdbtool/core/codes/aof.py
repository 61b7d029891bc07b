"""Codes of logs: framing (AOF1xx) and what it frames (AOF2xx), commands (CMD), manifests and directories (MAN)."""

from __future__ import annotations

from typing import Final

from rdbtool.core.codes.code import EXITS, Code

_CUTS: Final = (
    "The server cuts the last file of a log there and starts, unless its aof-load-truncated is off; it exits over an "
    "earlier file."
)
_LENGTH_LIES: Final = "It does not see whether sound commands follow, and cuts them off as well."
_GOES_ON: Final = "The server logs the error, before Redis 7.0 not even that, and goes on."

CODES: Final[tuple[Code, ...]] = (
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
        EXITS,
    ),
    Code(
        "AOF103",
        "number",
        "A number of arguments or a size is not written in decimal digits, or has more than 18 of them.",
        "Redis takes the digits that it begins with, 0 if there are none, and goes on from there; over a negative size "
        "it crashes.",
    ),
    Code("AOF104", "no arguments", "A command has no arguments, not even a name.", EXITS),
    Code("AOF105", "argument", "The size of an argument does not begin with $.", EXITS),
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
        "AOF111",
        "inline command",
        "A line with an inline command cannot be split into words, for a quote is not closed or not followed by a "
        "blank, or is longer than 64 KiB.",
        "The server answers with a protocol error and closes the connection.",
    ),
    Code(
        "AOF201",
        "too many arguments",
        "A command has more arguments than it takes.",
        "Redis executes the command and passes over the rest; Valkey 9.1 and later refuse to start.",
    ),
    Code(
        "AOF202",
        "command of another server",
        "A command that the server by whose rules the log is judged does not have, but an other or a later one.",
        "That server refuses to start.",
    ),
    Code(
        "AOF203",
        "time goes back",
        "An annotated time is earlier than the one before it: a clock was set back, or parts of logs were joined.",
        "Servers load the log and pass over annotations; their check tool cuts at the first time that is too late.",
    ),
    Code(
        "AOF204",
        "RDB in an increment",
        "A file that the manifest calls an increment begins with an RDB.",
        "Servers load it; their check tool refuses it.",
    ),
    Code(
        "AOF205",
        "replay not finished",
        "The log was executed up to its first damage only, so what commands behind it do was not looked at.",
        "See the damage.",
    ),
    Code(
        "AOF206",
        "annotations",
        "The log holds annotations, which the server by whose rules it is judged does not know.",
        "Servers before Redis 7.0 exit.",
    ),
    Code(
        "AOF207",
        "multi-part log",
        "The log has a manifest, which the server by whose rules it is judged does not know.",
        "Servers before Redis 7.0 do not look at it and start with an empty log.",
    ),
    Code(
        "CMD201",
        "unknown command",
        "No server has a command or subcommand of this name. What it does is not known. A name with a dot is that of a "
        "module's command: a warning, for whether a server has the module is no question of the AOF.",
        "A server without it refuses to start; before Redis 7.0 it passes over an unknown subcommand without a word.",
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
    Code(
        "CMD208",
        "unknown effect",
        "What a command does hangs on chance, on a clock, or on something that is not in the AOF. It was not executed, "
        "so the dataset is uncertain. Servers never write such a command into an AOF, but they execute it.",
        "The server executes the command; the result can differ from one load to the next.",
    ),
    Code(
        "CMD209",
        "unknown order",
        "The elements of a set that compare as equal were sorted into a list. Their order is that of the server's hash "
        "table, which differs from one load to the next. One such order was taken.",
        "The server executes the command; the order of equal elements can differ from one load to the next.",
    ),
    Code(
        "CMD210",
        "command of another master",
        "KeyDB wrote into its AOF what another master sent it (RREPLAY). The commands inside were executed.",
        "KeyDB executes it when it comes from a master. When it loads an AOF it answers with an error and leaves the "
        "commands out, up to 6.3 at least; Redis and Valkey refuse to start.",
    ),
    Code(
        "CMD211",
        "servers differ",
        "What a command does depends on the release of the server, or on how it was built, and several may have "
        "written the AOF. It was executed as by one of them, so the dataset is uncertain; --rules names the server.",
        "The server executes the command, each in its way.",
    ),
    Code("MAN001", "empty manifest", "The manifest has no bytes.", EXITS),
    Code(
        "MAN002",
        "manifest line",
        "A line of the manifest is longer than 1024 bytes, has no newline at its end, or holds a NUL byte.",
        EXITS,
    ),
    Code("MAN003", "blank manifest line", "A line of the manifest is blank.", EXITS),
    Code("MAN004", "manifest quotes", "A quote in the manifest is not closed, or not followed by a blank.", EXITS),
    Code("MAN005", "manifest words", "A line of the manifest has fewer than six words, or an odd number.", EXITS),
    Code("MAN006", "manifest keys", "A line of the manifest lacks the file, its seq or its type.", EXITS),
    Code(
        "MAN007",
        "manifest file name",
        "A file in the manifest is named by a path. Its files stand beside it.",
        EXITS,
    ),
    Code("MAN008", "manifest seq", "The sequence number of a file in the manifest is 0 or none.", EXITS),
    Code("MAN009", "manifest type", "The type of a file in the manifest is none of b, h and i.", EXITS),
    Code("MAN010", "second base", "The manifest names more than one base file.", EXITS),
    Code(
        "MAN011",
        "order of increments",
        "The sequence numbers of the increments in the manifest do not rise.",
        EXITS,
    ),
    Code(
        "MAN012",
        "missing file",
        "A base file or an increment that the manifest names is not there. History files may be gone.",
        EXITS,
    ),
    Code(
        "MAN013",
        "missing manifest",
        "A directory has files of a log and no manifest that names them. A repair makes it anew.",
        "The server starts empty, makes a new manifest and writes over the base.",
    ),
    Code(
        "MAN101",
        "file that is not named",
        "A file beside the manifest has a name as parts of this log have, but the manifest does not name it: a rewrite "
        "that did not finish leaves such files, and so does a manifest that was replaced by another.",
        "The server does not load it.",
    ),
    Code(
        "MAN102",
        "temporary file",
        "A file beside the manifest has a temporary name: a rewrite is under way, or was interrupted.",
        "The server does not load it, and removes some of them.",
    ),
    Code(
        "MAN103",
        "file of an earlier log",
        "A file that the manifest calls history is still there.",
        "The server does not load it, and removes it.",
    ),
    Code(
        "MAN104",
        "base behind increments",
        "The base file is not the first one that the manifest names.",
        "The server loads the base first, wherever it stands.",
    ),
    Code(
        "MAN105",
        "nothing named",
        "The manifest names no base and no increment.",
        "The server starts with an empty log and makes new files.",
    ),
    Code(
        "MAN106",
        "gap between increments",
        "The sequence numbers of the increments leave one out: servers number them without gaps.",
        "The server loads those that are named.",
    ),
    Code(
        "MAN107",
        "no base",
        "The manifest names increments and no base, so that the log begins with nothing.",
        "The server loads the increments.",
    ),
)
