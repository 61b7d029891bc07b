"""Codes of RDBs: structure (1xx, 2xx), which ends reading, and meaning (3xx)."""

from __future__ import annotations

from typing import Final

from rdbtool.core.codes.code import EXITS, LOADS, Code

_UNCHECKED: Final = (
    "Redis loads a wrong entry without looking (unless sanitize-dump-payload is on) and can crash at the first access; "
    "Valkey 9.1 checks every entry and exits."
)
_CONVERTS: Final = "Redis 7.0 and later check it while converting it to a listpack, and exit; older servers trust it."

CODES: Final[tuple[Code, ...]] = (
    Code(
        "RDB001",
        "not an RDB",
        "The first nine bytes are neither REDIS nor VALKEY followed by a version number.",
        EXITS,
    ),
    Code(
        "RDB002",
        "version",
        "The version number is none that any server wrote under this magic.",
        EXITS,
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
        EXITS,
    ),
    Code(
        "RDB102",
        "length encoding",
        "A length starts with a byte that encodes no length, or announces more than the file can hold.",
        EXITS,
    ),
    Code(
        "RDB103",
        "string encoding",
        "A string starts with a byte that encodes no string.",
        EXITS,
    ),
    Code(
        "RDB104",
        "LZF",
        "A compressed string does not inflate to exactly the size that it declares.",
        EXITS,
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
        "The server exits; in packed sorted sets it reads what is like a number, and else takes 0.",
    ),
    Code(
        "RDB107",
        "value out of range",
        "A database number, slot, count or flag is outside of what the format allows.",
        EXITS,
    ),
    Code("RDB201", "ziplist", "A ziplist contradicts itself: sizes, back lengths, count or end mark.", _CONVERTS),
    Code("RDB202", "listpack", "A listpack contradicts itself: sizes, back lengths, count or end mark.", _UNCHECKED),
    Code("RDB203", "intset", "An intset has another size than its header says, or no members.", EXITS),
    Code("RDB204", "zipmap", "A zipmap contradicts itself: lengths, count or end mark.", _CONVERTS),
    Code("RDB205", "quicklist", "A quicklist node is empty or of an unknown container.", EXITS),
    Code(
        "RDB206",
        "stream",
        "A stream's nodes, entries, groups, consumers or pending lists contradict each other.",
        "Servers exit over pending lists, and over entries only where they check deeply.",
    ),
    Code("RDB207", "field expiry", "The expiry of a hash field is not a time that servers accept.", EXITS),
    Code(
        "RDB208",
        "module data",
        "A module's value or data is not made of the five known parts, or has no end mark.",
        "The server exits, whether the module is loaded or not.",
    ),
    Code("RDB209", "array", "An array's count, indexes or value tags are impossible.", EXITS),
    Code("RDB210", "hash template", "A hash refers to a template that is missing, repeated or unsorted.", EXITS),
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
    Code("RDB302", "empty key name", "The name of a key has no bytes.", LOADS),
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
        LOADS,
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
        "RDB318",
        "vector set",
        "A vector set has an unknown quantisation, or parts of other sizes or numbers than it says.",
        "Redis 8.0 and later exit; other servers do not have the module, and exit.",
    ),
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
        LOADS,
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
    Code("RDB331", "duplicate group", "A stream has two groups of one name.", EXITS),
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
    Code("RDB334", "duplicate consumer", "A group has two consumers of one name.", EXITS),
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
        LOADS,
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
        "RDB344",
        "library not compiled",
        "A function library was not compiled: rdbtool has no Lua. Its name and engine are known, not whether its code "
        "is valid.",
        "The server compiles it, and exits where that fails.",
    ),
    Code(
        "RDB345",
        "library without functions",
        "A function library has no way to register a function: register_function does not occur in its code.",
        "The server does not load the library, and exits.",
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
    Code("RDB355", "created in the future", "The file says that it was created later than now.", LOADS),
    Code(
        "RDB356",
        "sizes of a slot",
        "The aux field slot-info is not made of three or four numbers.",
        "Valkey 8.0 and later exit, other servers pass over it.",
    ),
    Code(
        "RDB357",
        "module needed",
        "The file holds values of a module, or data that a module keeps beside the keys. It is named by its type.",
        "A server that has not loaded the module refuses to start.",
    ),
    Code(
        "RDB361",
        "no checksum",
        "The file has no checksum: its version is older than 5, or rdbchecksum was off. Damage that leaves the "
        "structure sound cannot be seen.",
        LOADS,
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
        "RDB364",
        "opcode of another product",
        "The file holds opcodes that only Redis Enterprise writes: marks of slots and memory, and no data.",
        "Redis Enterprise loads the file; Redis and Valkey do not know the opcode and exit.",
    ),
    Code(
        "RDB365",
        "expiry of a member without its key",
        "An aux field of KeyDB says when a member expires, but it does not directly follow a set, sorted set or hash, "
        "or is no number. It belongs to no key.",
        "KeyDB logs it and ignores it; other servers pass over the aux field.",
    ),
)
