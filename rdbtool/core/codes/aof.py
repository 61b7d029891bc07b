"""AOF codes: framing (AOF1xx), transactions and payloads (AOF2xx), commands (CMD), manifests and directories (MAN)."""

from __future__ import annotations

from rdbtool.core.codes.code import EXITS, Code
from rdbtool.core.light_typing import Final

_TRUNCATES: Final = (
    "The server truncates the last file of an AOF there and starts, unless its aof-load-truncated is off; it exits on "
    "an earlier file."
)
_IGNORES_REST: Final = "It does not check whether valid commands follow, and removes them as well."
_CONTINUES: Final = "The server continues; since Redis 7.0 it logs the error."

CODES: Final[tuple[Code, ...]] = (
    Code(
        "AOF101",
        "truncated command",
        "The AOF ends inside a command or an annotation: its end is missing, or a length is larger than what "
        "follows it.",
        f"{_TRUNCATES} {_IGNORES_REST}",
    ),
    Code(
        "AOF102",
        "invalid command header",
        "A command or an annotation begins with a byte other than * or #. Many NUL bytes are what a loss of power "
        "leaves.",
        EXITS,
    ),
    Code(
        "AOF103",
        "invalid count or length",
        "A number of arguments or a length is not written in decimal digits, or has more than 18 of them.",
        "Redis takes the digits that it begins with, 0 if there are none, and goes on from there; over a negative size "
        "it crashes.",
    ),
    Code("AOF104", "no arguments", "A command has no arguments, not even a name.", EXITS),
    Code("AOF105", "invalid argument header", "The length of an argument does not begin with $.", EXITS),
    Code(
        "AOF106",
        "invalid line end",
        "A line does not end in a carriage return and a newline.",
        "Servers read up to the newline, whatever precedes it; redis-check-aof refuses the file.",
    ),
    Code(
        "AOF107",
        "invalid argument end",
        "The two bytes after an argument are not a line end: its length is wrong, or one of the bytes.",
        "Servers skip the two bytes without looking; redis-check-aof refuses the file.",
    ),
    Code(
        "AOF108",
        "annotation too long",
        "An annotation line is longer than 1023 bytes.",
        "Servers take its rest for the beginning of a command, and exit.",
    ),
    Code(
        "AOF110",
        "open transaction",
        "The AOF ends between a MULTI and its EXEC.",
        "Redis 4.0 and later execute none of it and truncate the file before the MULTI, older ones execute what "
        "is there.",
    ),
    Code(
        "AOF111",
        "invalid inline command",
        "A line with an inline command cannot be split into words: a quote is not closed or not followed by a "
        "blank, or the line is longer than 64 KiB.",
        "The server answers with a protocol error and closes the connection.",
    ),
    Code(
        "AOF201",
        "too many arguments",
        "A command has more arguments than it takes.",
        "Redis executes the command and ignores the rest; Valkey 9.1 and later refuse to start.",
    ),
    Code(
        "AOF202",
        "command of another server",
        "The server of --rules does not have this command; another or a later one has.",
        "That server refuses to start.",
    ),
    Code(
        "AOF203",
        "timestamp goes back",
        "A timestamp annotation is earlier than the one before it: a clock was set back, or AOF files were joined.",
        "Servers load the AOF and ignore annotations; redis-check-aof truncates at the first time that is too late.",
    ),
    Code(
        "AOF204",
        "RDB in an incr file",
        "A file that the manifest calls an incr file begins with an RDB.",
        "Servers load it; redis-check-aof refuses it.",
    ),
    Code(
        "AOF205",
        "replay stopped at damage",
        "The AOF was replayed up to its first damage only; the commands after it were not executed.",
        "See the damage.",
    ),
    Code(
        "AOF206",
        "annotations not supported",
        "The AOF holds annotations, which the server of --rules does not support.",
        "Servers before Redis 7.0 exit.",
    ),
    Code(
        "AOF207",
        "manifest not supported",
        "The AOF has a manifest, which the server of --rules does not support.",
        "Servers before Redis 7.0 do not look at it and start with an empty AOF.",
    ),
    Code(
        "CMD201",
        "unknown command",
        "No server has a command or subcommand of this name. Its effect is unknown. A name with a dot is that of "
        "a module's command: a warning, because the AOF does not show whether a server has the module.",
        "A server without it refuses to start; before Redis 7.0 it ignores an unknown subcommand silently.",
    ),
    Code(
        "CMD202",
        "too few arguments",
        "A command has fewer arguments than it needs. It was not executed.",
        "Redis does not count them and executes the command as if it had the missing ones; Valkey 9.1 and later "
        "refuse to start.",
    ),
    Code(
        "CMD203",
        "error reply",
        "A command was answered with an error, such as WRONGTYPE, and changed nothing.",
        _CONTINUES,
    ),
    Code(
        "CMD204",
        "invalid SELECT",
        "A SELECT names no database, or one that a server with 16 of them does not have.",
        "The server stays on the database it was on, and what follows goes there.",
    ),
    Code(
        "CMD205",
        "script not executed",
        "A script or function is called that is more than a sequence of plain calls. rdbtool never executes "
        "scripts, so the effect of this one is missing.",
        "The server runs the script, which may have other effects there.",
    ),
    Code(
        "CMD206",
        "unexpected transaction command",
        "A MULTI occurs within a transaction, or an EXEC or DISCARD outside of one. It has no effect.",
        _CONTINUES,
    ),
    Code(
        "CMD207",
        "script of plain calls",
        "A script only calls commands with literal arguments. They were executed.",
        "The server runs the script.",
    ),
    Code(
        "CMD208",
        "unknown effect",
        "The effect of a command depends on chance, on a clock, or on something that is not in the AOF. It was "
        "not executed, so the dataset is uncertain. Servers never write such a command into an AOF, but they "
        "execute it.",
        "The server executes the command; the result can differ from one load to the next.",
    ),
    Code(
        "CMD209",
        "unknown order",
        "The elements of a set that compare as equal were sorted into a list. Their order is that of the server's "
        "hash table, which differs from one load to the next. One such order was used.",
        "The server executes the command; the order of equal elements can differ from one load to the next.",
    ),
    Code(
        "CMD210",
        "command of another master",
        "KeyDB wrote into its AOF what another master sent it (RREPLAY). The commands inside were executed.",
        "KeyDB executes it when it comes from a master. When it loads an AOF it answers with an error and skips "
        "the commands, up to 6.3 at least; Redis and Valkey refuse to start.",
    ),
    Code(
        "CMD211",
        "effect differs between servers",
        "The effect of a command depends on the release of the server, or on how it was built, and several may "
        "have written the AOF. It was executed as by one of them, so the dataset is uncertain; --rules names the "
        "server.",
        "Each server executes the command in its own way.",
    ),
    Code("MAN001", "empty manifest", "The manifest has no bytes.", EXITS),
    Code(
        "MAN002",
        "invalid manifest line",
        "A line of the manifest is longer than 1024 bytes, has no newline at its end, or holds a NUL byte.",
        EXITS,
    ),
    Code("MAN003", "blank manifest line", "A line of the manifest is blank.", EXITS),
    Code(
        "MAN004",
        "unbalanced quotes in manifest",
        "A quote in the manifest is not closed, or not followed by a blank.",
        EXITS,
    ),
    Code(
        "MAN005",
        "wrong number of words in manifest",
        "A line of the manifest has fewer than six words, or an odd number.",
        EXITS,
    ),
    Code("MAN006", "missing manifest field", "A line of the manifest lacks the file, its seq or its type.", EXITS),
    Code(
        "MAN007",
        "path in manifest",
        "A file in the manifest is named by a path. Its files are in its own directory.",
        EXITS,
    ),
    Code(
        "MAN008",
        "invalid seq in manifest",
        "The sequence number of a file in the manifest is 0 or not a number.",
        EXITS,
    ),
    Code("MAN009", "invalid type in manifest", "The type of a file in the manifest is not b, h or i.", EXITS),
    Code("MAN010", "second base file", "The manifest names more than one base file.", EXITS),
    Code(
        "MAN011",
        "incr files out of order",
        "The sequence numbers of the incr files in the manifest are not in ascending order.",
        EXITS,
    ),
    Code(
        "MAN012",
        "missing file",
        "A base or incr file that the manifest names does not exist. History files may be gone.",
        EXITS,
    ),
    Code(
        "MAN013",
        "missing manifest",
        "A directory has files of an AOF and no manifest that names them. A repair makes a new one.",
        "The server starts empty, makes a new manifest and writes over the base.",
    ),
    Code(
        "MAN101",
        "file not in manifest",
        "A file beside the manifest has a name as files of this AOF have, but the manifest does not name it: a "
        "rewrite that did not finish leaves such files, and so does a manifest that was replaced by another.",
        "The server does not load it.",
    ),
    Code(
        "MAN102",
        "temporary file",
        "A file beside the manifest has a temporary name: a rewrite is running, or was interrupted.",
        "The server does not load it, and removes some of them.",
    ),
    Code(
        "MAN103",
        "history file",
        "A file that the manifest calls history still exists.",
        "The server does not load it, and removes it.",
    ),
    Code(
        "MAN104",
        "base file not first",
        "The base file is not the first one that the manifest names.",
        "The server loads the base first, wherever it is named.",
    ),
    Code(
        "MAN105",
        "manifest names no files",
        "The manifest names no base file and no incr file.",
        "The server starts with an empty AOF and makes new files.",
    ),
    Code(
        "MAN106",
        "gap between incr files",
        "The sequence numbers of the incr files skip one: servers number them without gaps.",
        "The server loads those that are named.",
    ),
    Code(
        "MAN107",
        "no base file",
        "The manifest names incr files and no base file, so that the AOF begins with an empty dataset.",
        "The server loads the incr files.",
    ),
)
