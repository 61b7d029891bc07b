"""RDB codes: structure (1xx, 2xx), which ends reading, and meaning (3xx)."""

from __future__ import annotations

from rdbtool.core.codes.code import EXITS, LOADS, Code
from rdbtool.core.light_typing import Final

_UNCHECKED: Final = (
    "Redis loads a wrong entry without checking it (unless sanitize-dump-payload is on) and can crash at the "
    "first access; Valkey 9.1 checks every entry and exits."
)
_CONVERTS: Final = "Redis 7.0 and later check it while converting it to a listpack, and exit; older servers trust it."

CODES: Final[tuple[Code, ...]] = (
    Code(
        "RDB001",
        "not an RDB file",
        "The first nine bytes are neither REDIS nor VALKEY followed by a version number.",
        EXITS,
    ),
    Code(
        "RDB002",
        "unknown RDB version",
        "No server wrote this version number under this magic.",
        EXITS,
    ),
    Code(
        "RDB003",
        "damaged version number",
        "The version is below 5, which has no checksum, but the file holds data of later versions: a lowered "
        "version number switches the checksum off.",
        "The server loads the file and checks no checksum.",
    ),
    Code(
        "RDB004",
        "wrong checksum",
        "The CRC-64 at the end of the file differs from that of the bytes before it.",
        "The server exits, unless its rdbchecksum is off.",
    ),
    Code(
        "RDB101",
        "truncated file",
        "The file ends before the end mark, or inside a record.",
        EXITS,
    ),
    Code(
        "RDB102",
        "invalid length",
        "A length starts with a byte that encodes no length, or is larger than what the file can hold.",
        EXITS,
    ),
    Code(
        "RDB103",
        "invalid string encoding",
        "A string starts with a byte that encodes no string.",
        EXITS,
    ),
    Code(
        "RDB104",
        "invalid LZF data",
        "A compressed string does not decompress to exactly its declared size.",
        EXITS,
    ),
    Code(
        "RDB105",
        "unknown type or opcode",
        "A record begins with a byte that is neither a value type nor an opcode of this version.",
        "The server logs an unknown type, and exits.",
    ),
    Code(
        "RDB106",
        "invalid number",
        "A score or another floating point number is not written as a number.",
        "The server exits; in packed sorted sets it parses a numeric prefix, and uses 0 without one.",
    ),
    Code(
        "RDB107",
        "value out of range",
        "A database number, slot, count or flag is outside of what the format allows.",
        EXITS,
    ),
    Code(
        "RDB201", "corrupt ziplist", "The sizes, back lengths, count or end mark of a ziplist do not agree.", _CONVERTS
    ),
    Code(
        "RDB202",
        "corrupt listpack",
        "The sizes, back lengths, count or end mark of a listpack do not agree.",
        _UNCHECKED,
    ),
    Code("RDB203", "corrupt intset", "The size of an intset differs from its header, or it has no members.", EXITS),
    Code("RDB204", "corrupt zipmap", "The lengths, count or end mark of a zipmap do not agree.", _CONVERTS),
    Code("RDB205", "corrupt quicklist", "A quicklist node is empty or has an unknown container.", EXITS),
    Code(
        "RDB206",
        "corrupt stream",
        "The nodes, entries, groups, consumers or pending lists of a stream do not agree.",
        "Servers exit on pending lists, and on entries only where they check deeply.",
    ),
    Code("RDB207", "invalid field expiry", "The expiry of a hash field is not a time that servers accept.", EXITS),
    Code(
        "RDB208",
        "corrupt module data",
        "The value or data of a module is not made of the five known parts, or has no end mark.",
        "The server exits, whether the module is loaded or not.",
    ),
    Code("RDB209", "corrupt array", "The count, indexes or value tags of an array are impossible.", EXITS),
    Code(
        "RDB210", "invalid hash template", "A hash refers to a template that is missing, repeated or unsorted.", EXITS
    ),
    Code(
        "RDB211",
        "odd number of elements",
        "A packed hash or sorted set holds an element without its partner.",
        _UNCHECKED,
    ),
    Code(
        "RDB301",
        "duplicate key",
        "A key occurs twice in one database. Which value is the right one is unknown.",
        "The server aborts while it loads.",
    ),
    Code("RDB302", "empty key name", "The name of a key has no bytes.", LOADS),
    Code(
        "RDB303",
        "expiry before 1970",
        "A key expires in or before 1970: the time is damaged, or was computed wrongly.",
        "The server drops the key as expired while it loads.",
    ),
    Code(
        "RDB304",
        "expiry after 9999",
        "A key expires after the year 9999: the time is damaged, or was given in another unit.",
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
        "database number too high",
        "A server with this many databases (16 unless --databases says otherwise) does not have a database of "
        "this number.",
        "The server exits.",
    ),
    Code(
        "RDB310",
        "empty collection",
        "A list, set, sorted set, hash or array has no elements. Servers delete a key with its last element.",
        "Servers since Redis 6.2 skip the key and load the rest, but exit on an empty zipmap; RESTORE and "
        "redis-check-rdb refuse it.",
    ),
    Code(
        "RDB311",
        "duplicate member",
        "A member occurs twice in a set or a sorted set.",
        "The server exits; Redis checks listpacks only if configured to, and can hang or crash on one later.",
    ),
    Code(
        "RDB312",
        "duplicate field",
        "A field occurs twice in a hash. Which value is the right one is unknown.",
        "The server exits; Redis loads both from listpacks, and from small hashes of any form.",
    ),
    Code(
        "RDB313",
        "score is NaN",
        "A member of a sorted set has the score NaN, and so no place in the order.",
        "The server exits; Redis does not look at the scores of packed sorted sets.",
    ),
    Code(
        "RDB314",
        "unsorted sorted set",
        "The members of a packed sorted set are not in the order of their scores, and of their names within a score.",
        "The server loads it, and answers range commands wrongly.",
    ),
    Code(
        "RDB315",
        "unsorted intset",
        "The numbers of an intset are not in ascending order, or one occurs twice.",
        "Redis loads it and does not find some members; Valkey 9.1 and later exit.",
    ),
    Code(
        "RDB316",
        "unsorted field expiries",
        "The fields of a packed hash are not in the order of their expiries, with those that have none at the end.",
        "Redis loads it unless configured to check, and lets fields expire too late or never.",
    ),
    Code("RDB317", "duplicate index", "An index occurs twice in an array.", "Unknown: not tested on a server."),
    Code(
        "RDB318",
        "inconsistent vector set",
        "The quantisation of a vector set is unknown, or the sizes or numbers of its parts differ from what it "
        "declares.",
        "Redis 8.0 and later exit; other servers do not have the module, and exit.",
    ),
    Code(
        "RDB321",
        "entry IDs not increasing",
        "The IDs of a stream's entries are not in ascending order.",
        "The server loads it, and answers range commands wrongly.",
    ),
    Code(
        "RDB322",
        "entry ID above last-generated-id",
        "A stream has an entry with an ID above its last-generated-id, so that IDs will be given twice.",
        LOADS,
    ),
    Code(
        "RDB323",
        "wrong stream length",
        "The number of entries of a stream differs from the one that it declares.",
        "The server exits where there are entries announced and no nodes; Valkey 9.1 and later over any difference. "
        "Others load it and can crash later.",
    ),
    Code(
        "RDB324",
        "stream nodes without entries",
        "A stream without entries has nodes in which every entry is deleted. Servers remove such nodes.",
        "Servers up to Redis 8.6 load it, later ones refuse it.",
    ),
    Code(
        "RDB325",
        "wrong first ID",
        "The first ID that a stream declares is not that of its first entry.",
        "The server loads it, and reports lags wrongly.",
    ),
    Code(
        "RDB326",
        "max-deleted-entry-id above last-generated-id",
        "The largest deleted ID that a stream declares is above its last-generated-id.",
        "The server loads it, and reports lags wrongly.",
    ),
    Code(
        "RDB327",
        "entries-added too low",
        "A stream declares fewer entries as ever added than it has.",
        "The server loads it, and reports lags wrongly.",
    ),
    Code(
        "RDB328",
        "stream counter too high",
        "A stream, or a group of one, counts more entries than a server can.",
        "Servers up to Redis 8.6 load it as a negative number, later ones refuse it.",
    ),
    Code("RDB331", "duplicate group", "A stream has two groups of the same name.", EXITS),
    Code(
        "RDB332",
        "entries-read too high",
        "A group has read more entries than were ever added to the stream.",
        "The server loads it. XGROUP SETID can set it so.",
    ),
    Code(
        "RDB333",
        "group ID above last-generated-id",
        "The last delivered ID of a group is above the last-generated-id of the stream.",
        "The server loads it. XGROUP SETID can set it so.",
    ),
    Code("RDB334", "duplicate consumer", "A group has two consumers of the same name.", EXITS),
    Code(
        "RDB335",
        "pending entry without consumer",
        "An entry of a group's pending list belongs to no consumer.",
        "Redis checks only if configured to, and can crash later; Valkey 9.1 and later exit.",
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
        "pending ID above last-generated-id",
        "An entry of a group's pending list has an ID above the last-generated-id of the stream.",
        LOADS,
    ),
    Code(
        "RDB338",
        "duplicate producer",
        "A stream lists an idempotent producer, or one of its IDs, twice.",
        "Unknown: not tested on a server.",
    ),
    Code(
        "RDB341",
        "invalid library header",
        "The first line of a function library names no library, or an engine other than lua.",
        "The server does not load the library, and exits.",
    ),
    Code(
        "RDB342",
        "duplicate library",
        "A function library of this name occurs twice.",
        "The server does not load the second, and exits.",
    ),
    Code(
        "RDB343",
        "pre-release library",
        "A function library has the form of the release candidates of Redis 7.0.",
        "Released servers do not know this form, and exit.",
    ),
    Code(
        "RDB344",
        "library not compiled",
        "A function library was not compiled: rdbtool has no Lua. Its name and engine are known, not whether its "
        "code is valid.",
        "The server compiles it, and exits where that fails.",
    ),
    Code(
        "RDB345",
        "library without functions",
        "A function library cannot register a function: register_function does not occur in its code.",
        "The server does not load the library, and exits.",
    ),
    Code(
        "RDB351",
        "wrong announced size",
        "The number of keys in a database, or of keys with an expiry, differs from the one announced before it.",
        "The server makes tables of the announced sizes, and loads what is there. Redis before 4.0.10 counts "
        "expired keys that it skips.",
    ),
    Code(
        "RDB352",
        "wrong announced slot size",
        "The number of keys in a cluster slot differs from the one announced before it.",
        "The server makes tables of the announced sizes, and loads what is there.",
    ),
    Code(
        "RDB353",
        "module values",
        "The file holds values of modules. Their structure was checked; only the module can check their content.",
        "The server exits where it has not loaded the module.",
    ),
    Code(
        "RDB354",
        "unexpected aux value",
        "An aux field has a value that no server writes into it.",
        "The server loads the file and ignores most aux fields.",
    ),
    Code("RDB355", "created in the future", "The file's creation time is later than now.", LOADS),
    Code(
        "RDB356",
        "invalid slot-info",
        "The aux field slot-info is not made of three or four numbers.",
        "Valkey 8.0 and later exit, other servers ignore it.",
    ),
    Code(
        "RDB357",
        "module needed",
        "The file holds values of a module, or data that a module keeps outside the keys. The module is named by "
        "its type.",
        "A server that has not loaded the module refuses to start.",
    ),
    Code(
        "RDB361",
        "no checksum",
        "The file has no checksum: its version is older than 5, or rdbchecksum was off. Damage that leaves the "
        "structure valid cannot be detected.",
        LOADS,
    ),
    Code(
        "RDB362",
        "trailing bytes",
        "Bytes follow the end of the RDB file.",
        "The server does not look at them, unless the file is the base of an AOF: then they are commands.",
    ),
    Code(
        "RDB363",
        "version of another server",
        "The server of --rules does not read files of this magic and version.",
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
        "member expiry without its key",
        "An aux field of KeyDB says when a member expires, but it does not directly follow a set, sorted set or "
        "hash, or is not a number. It belongs to no key.",
        "KeyDB logs it and ignores it; other servers ignore the aux field.",
    ),
)
