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

_LOADS = "The server loads it."
_NOT_READ = "Servers do not read JSON lines."

_GOES_ON = "The server logs the error, before Redis 7.0 not even that, and goes on."

_NOT_THERE = "The server loads the repaired file without it."

CODES: Final[tuple[Code, ...]] = (
    Code(
        "SRC001",
        "compressed stream",
        "The gzip, zstd or lz4 data around the file is damaged or ends early.",
        "Servers do not read compressed files, except Valkey its own.",
    ),
    Code(
        "CHK011",
        "too few keys",
        "The source holds fewer keys than --min-keys asks for.",
        "Servers do not ask.",
    ),
    Code(
        "CHK012",
        "age",
        "The source is older than --max-age allows, from the future, or does not tell its age.",
        "Servers do not ask.",
    ),
    Code(
        "CHK013",
        "version",
        "The source is of an RDB version, or of a server, below --min-version, or does not tell.",
        "Servers do not ask.",
    ),
    Code(
        "CHK014",
        "other data",
        "The digest of the data is not the one that --expect-digest gives, or cannot be computed.",
        "DEBUG DIGEST on a server that loads it gives that other digest.",
    ),
    Code(
        "CHK015",
        "keys of a database",
        "A database holds fewer or more keys than --expect-keys asks for.",
        "Servers do not ask.",
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
        "RDB301",
        "duplicate key",
        "A key stands twice in one database. Which value counts, nobody can say.",
        "The server aborts while it loads.",
    ),
    Code("RDB302", "empty key name", "The name of a key has no bytes.", _LOADS),
    Code(
        "RDB303",
        "expiry before 1970",
        "A key expires at or before 1970: the time was damaged, or computed wrongly.",
        "The server drops the key as expired while it loads.",
    ),
    Code(
        "RDB304",
        "expiry after 9999",
        "A key expires after the year 9999: the time was damaged, or given in another unit.",
        _LOADS,
    ),
    Code(
        "RDB305",
        "idle time and frequency",
        "A key has an idle time (LRU) and a frequency (LFU). Servers write one of them.",
        "The server loads the key and uses the one that its policy asks for.",
    ),
    Code(
        "RDB306",
        "database number",
        "A database has a number that a server with so many databases (16 unless --databases says other) does not "
        "have.",
        "The server exits.",
    ),
    Code(
        "RDB310",
        "empty collection",
        "A list, set, sorted set, hash or array has no elements. Servers delete a key with its last element.",
        "Servers since Redis 6.2 leave the key out and load the rest, but exit over an empty zipmap; RESTORE and their "
        "check tool refuse it.",
    ),
    Code(
        "RDB311",
        "duplicate member",
        "A member stands twice in a set or a sorted set.",
        "The server exits; Redis looks into listpacks only when it is told to, and can hang or crash over one later.",
    ),
    Code(
        "RDB312",
        "duplicate field",
        "A field stands twice in a hash. Which value counts, nobody can say.",
        "The server exits; Redis loads both from listpacks, and from small hashes of any form.",
    ),
    Code(
        "RDB313",
        "score that is no number",
        "A member of a sorted set has NaN for a score, and so no place in the order.",
        "The server exits; Redis does not look at the scores of packed sorted sets.",
    ),
    Code(
        "RDB314",
        "order of a sorted set",
        "The members of a packed sorted set are not in the order of their scores, and of their names within a score.",
        "The server loads it, and answers range commands wrongly.",
    ),
    Code(
        "RDB315",
        "order of an intset",
        "The numbers of an intset do not rise, or one stands there twice.",
        "Redis loads it and does not find some members; Valkey 9.1 and later exit.",
    ),
    Code(
        "RDB316",
        "order of field expiries",
        "The fields of a packed hash are not in the order of their expiries, those without one at the end.",
        "Redis loads it unless it is told to look, and lets fields expire too late or never.",
    ),
    Code("RDB317", "duplicate index", "An index stands twice in an array.", "Not known: no server was at hand."),
    Code(
        "RDB321",
        "order of entries",
        "The ids of a stream's entries do not rise.",
        "The server loads it, and answers range commands wrongly.",
    ),
    Code(
        "RDB322",
        "entry behind the last id",
        "A stream has an entry with an id above its last one, so that ids will be given twice.",
        _LOADS,
    ),
    Code(
        "RDB323",
        "length of a stream",
        "A stream has another number of entries than it says.",
        "The server exits where there are entries announced and no nodes; Valkey 9.1 and later over any difference. "
        "Others load it and can crash later.",
    ),
    Code(
        "RDB324",
        "deleted entries only",
        "A stream without entries has nodes, in which everything is deleted. Servers remove such nodes.",
        "Servers up to Redis 8.6 load it, later ones refuse it.",
    ),
    Code(
        "RDB325",
        "first id of a stream",
        "The first id that a stream notes is not that of its first entry.",
        "The server loads it, and reports lags wrongly.",
    ),
    Code(
        "RDB326",
        "largest deleted id",
        "The largest deleted id that a stream notes is above its last id.",
        "The server loads it, and reports lags wrongly.",
    ),
    Code(
        "RDB327",
        "added entries",
        "A stream counts fewer entries as ever added than it has.",
        "The server loads it, and reports lags wrongly.",
    ),
    Code(
        "RDB328",
        "counter of a stream",
        "A stream, or a group of one, counts more entries than a server can.",
        "Servers up to Redis 8.6 load it as a negative number, later ones refuse it.",
    ),
    Code("RDB331", "duplicate group", "A stream has two groups of one name.", _EXITS),
    Code(
        "RDB332",
        "entries read",
        "A group has read more entries than were ever added to the stream.",
        "The server loads it. XGROUP SETID can set it so.",
    ),
    Code(
        "RDB333",
        "group behind the last id",
        "A group has been given an id above the last one of the stream.",
        "The server loads it. XGROUP SETID can set it so.",
    ),
    Code("RDB334", "duplicate consumer", "A group has two consumers of one name.", _EXITS),
    Code(
        "RDB335",
        "pending entry without consumer",
        "An entry of a group's pending list belongs to no consumer.",
        "Redis looks only when it is told to, and can crash later; Valkey 9.1 and later exit.",
    ),
    Code(
        "RDB336",
        "pending entry with two consumers",
        "An entry of a group's pending list belongs to two consumers (CVE-2026-63639).",
        "Servers without the corrections of 2026 load it, and use memory after it was freed; others exit. It counts as "
        "refused by all.",
    ),
    Code(
        "RDB337",
        "pending entry behind the last id",
        "An entry of a group's pending list has an id above the last one of the stream.",
        _LOADS,
    ),
    Code(
        "RDB338",
        "duplicate producer",
        "A stream remembers an idempotent producer, or one of its ids, twice.",
        "Not known: no server was at hand.",
    ),
    Code(
        "RDB341",
        "library header",
        "The first line of a function library names no library, or an engine other than lua.",
        "The server does not load the library, and exits.",
    ),
    Code(
        "RDB342",
        "duplicate library",
        "A function library stands there twice.",
        "The server does not load the second, and exits.",
    ),
    Code(
        "RDB343",
        "pre-release library",
        "A function library is in the form of the release candidates of Redis 7.0.",
        "Released servers do not know the form, and exit.",
    ),
    Code(
        "RDB351",
        "announced sizes",
        "A database holds another number of keys, or of keys with an expiry, than was announced in front of it.",
        "The server makes tables of the announced sizes, and loads what is there. Redis before 4.0.10 counts expired "
        "keys that it leaves out.",
    ),
    Code(
        "RDB352",
        "announced sizes of a slot",
        "A cluster slot holds another number of keys than was announced in front of it.",
        "The server makes tables of the announced sizes, and loads what is there.",
    ),
    Code(
        "RDB353",
        "values of modules",
        "The file holds values of modules. Their structure was judged, what is in them only their module knows.",
        "The server exits where it has not loaded the module.",
    ),
    Code(
        "RDB354",
        "aux field",
        "An aux field has a value that no server writes into it.",
        "The server loads the file and passes over most aux fields.",
    ),
    Code("RDB355", "created in the future", "The file says that it was created later than now.", _LOADS),
    Code(
        "RDB356",
        "sizes of a slot",
        "The aux field slot-info is not made of three or four numbers.",
        "Valkey 8.0 and later exit, other servers pass over it.",
    ),
    Code(
        "RDB361",
        "no checksum",
        "The file has no checksum: its version is older than 5, or rdbchecksum was off. Damage that leaves the "
        "structure sound cannot be seen.",
        _LOADS,
    ),
    Code(
        "RDB362",
        "trailing bytes",
        "Bytes follow the end of the RDB.",
        "The server does not look at them, unless the file is the beginning of a log: then they are commands.",
    ),
    Code(
        "RDB363",
        "version of another server",
        "The server by whose rules the file is judged does not read files of this magic and version.",
        "That server refuses to start.",
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
        "open transaction cut off",
        "A repair cut off a transaction without an end at the end of a log.",
        "The server does the same when it loads the log as it was.",
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
        "The manifest of a log is damaged, and a repair made a new one from the names of the files.",
        _NOT_THERE,
    ),
    Code(
        "REP013",
        "header made anew",
        "The first nine bytes of an RDB are damaged, and a repair wrote those that the rest of the file suggests.",
        _NOT_THERE,
    ),
)

BY_CODE: Final[dict[str, Code]] = {row.code: row for row in CODES}
