"""Notes on commands beyond their options, for manual pages and docs/commands; ``""`` is for all commands."""

from __future__ import annotations

from rdbtool.core.light_typing import Final

#: Paragraphs by command, separated by blank lines. Backticks mark what is typed or printed.
NOTES: Final[dict[str, str]] = {
    "": r"""
SRC is an RDB file, an AOF (with or without an RDB preamble), a manifest or a directory with one, JSON lines,
or `-` for standard input. What it is, is decided by its content, never by its name. gzip, zstd, lz4, xz and
bzip2 are decompressed on the fly; archives and encodings are named with the command that unwraps them. Captures
of SYNC and PSYNC are read, with the commands after the RDB, and so are the payload that DUMP answers, as the
key `payload`, inline commands, and JSON lines that `cat` joined.

Data goes to standard output, everything else to standard error. All commands but `dump` print JSON with
`--json`. A progress bar appears when the work is long and standard error is a terminal, unless
`--no-progress` is given. `NO_COLOR` switches colours off, `FORCE_COLOR` on. No output is more open than its
source: group and others may do with it at most what they may with the source.

Servers differ, so every answer is given by the rules of one: the server that `--rules` names, else the one
that the file names, else one that is inferred, and that is said. The rules of an RDB file follow from its
version. Those of an AOF are Redis 7.2, or the oldest server that has all of its commands, option words and
payloads: `info` then says `rules inferred: at least redis-8.2 (XADD KEEPREF at 0x32)`. Under rules that were
named, a command or word that the server does not have is refused as that server refuses it.

Places in an AOF: `--until PLACE` stops at an ISO 8601 time or `ts:SECONDS` (by annotations, which
aof-timestamp-enabled writes), before `at:OFFSET` or `at:FILE:OFFSET`, or after `n:COUNT` commands. `--before
COMMAND` stops before the first such command, `--before-last COMMAND` before the last. `--skip-command N` or
`--skip-command FLUSHALL` skips one command and keeps what follows. A time without a zone is local time. A
place or command that is not in the AOF is exit code 1: nothing is written or printed, and the message says
why: `FLUSHALL not found; FLUSHDB is at …`.

Where a server renamed commands, `--rename-command SETHIDDEN=SET` says so. AOFs of KeyDB are replayed with its
own commands unless `--rules` names another server. The expiry of a hash field goes wherever the target has
it; that of a member of a set or sorted set is kept in JSON lines, and is a loss everywhere else.

Strings of up to 512 MiB are read, compressed ones by their decompressed size, and elements that are
packed into one string up to 64 MiB. `--max-value 2GiB` raises both. A larger value is not damage: the exit
code is 3, and the message names its key.

Whatever looks for duplicate keys remembers all keys, in 17 to 22 bytes each. What exceeds `--memory` (more than 30
million keys at the default) goes on in temporary files without names, in the directory `TMPDIR`: 24 bytes a key,
and more for those that may be duplicates. Findings, outputs and their order are the same, but a collision of
renamed keys is found after the last key, which standard output then has already. If that directory is full, the
exit code is 3.

A cron job can tell "the backup is corrupt" (1) from "it was not checked" (3, 4). What went wrong is one
sentence with the place and a code; rdbtool-findings(7) says what each code means, and what a server does with
such a file.
""",
    "dump": r"""
Without `--format` the suffix of FILE chooses the format: `.csv`, `.json`, `.jsonl`, `.resp`, `.keys`, or
`.txt` for the table. `jsonl` holds everything that the file stores about a key, one object per line, and `convert`
makes a file of it again. `--keys-only` writes the lines of keys only, and `--binary base64`, `latin1` or
`escape` all strings in one way, so that a column has one type; such lines are not read back. `json` has the
shape that rdbtools and rdb-cli print. `csv` is that of RFC 4180; `--fields name,email` makes columns of these
fields of hashes. A spreadsheet executes cells that begin like a formula, so such texts get a `'` in front,
and control characters are spelled `\x1b`; `--raw` writes cells as they are.

`resp` is ready for `redis-cli --pipe`: plain commands, or RESTORE with `--restore`. `--target redis-6.2` (or
`rdb-9`) names the server that executes them, and is needed with `--restore` unless that server is as new as
the one that wrote SRC. What the target cannot hold is refused, or dropped and named with `--allow-loss`. On a
server that has data, plain commands add to the keys that are there, RESTORE answers BUSYKEY, and FUNCTION
LOAD that the library exists. With `--replace` a key is deleted first, and a library is loaded with FUNCTION
LOAD REPLACE; keys that SRC does not have stay.

Function libraries, scripts (as SCRIPT LOAD), aux fields and module data outside the keys are included.
With a key filter only keys are, which is reported; `--functions` adds the rest, `--no-functions` skips functions,
scripts and data of modules. `--drop` skips `functions`, `scripts`, `aux`, `module-aux`, `groups` or
`module:NAME`.

`--rename REGEX=TEXT` replaces what REGEX finds in a key; in TEXT `\1` is a group and `\xHH` a byte.
`--move-db 5=0` moves the keys of a database. `--expiry drop` removes expiry times of keys and hash fields,
`+1h` or `-30m` moves them, `unexpired` skips what has expired (by `--now`). Two keys that would get the same
name are exit code 1, with both named.
""",
    "inspect": r"""
The whole file is shown, or the records that hold `--exact-key KEY`, or the byte `--at OFFSET`, or `--record
N`. The middle of long values and collections is skipped, unless `--full` is given.
""",
    "digest": r"""
The digest follows the rules of the server that wrote the file; `--rules redis-8.0` asks for another's.
""",
    "replay": r"""
Commands that a server would refuse, ignore or answer with an error are findings, each with file, offset,
number and what the server does; `--strict` ends at the first. The exit code is 1 when the AOF is truncated or
corrupt, or when the effect of a command is unknown: an unknown command, or a script.
""",
    "validate": r"""
Structure and meaning are checked: checksums, every packed value, duplicates, order, streams and their groups,
manifests, the framing of commands, commands by the server's table, and the replay (`--no-replay` skips it).
Of a corrupt RDB file every damage is named, and where reading resumed (of a pipe the first). `--level server
--rules valkey-9.1` asks whether that server would load the file. `--strict` counts warnings. Of several files
exit code 1 beats 4 beats 3.
""",
    "repair": r"""
Damage costs an AOF the damaged command, and an RDB file the damaged record and sometimes a neighbour that
cannot be trusted; what is lost is named by offset, size and key. Intact bytes of an AOF are copied as they
are. Of keys that occur twice the last counts. The result is read back and validated before it gets its name:
values in a wrong order or with a wrong count are rebuilt, and what servers still refuse is dropped and named.
Exit code 1: nothing could be saved, or the result is not certain. An AOF has no checksum: a length that
changed into the length of whole commands looks valid to every reader.

One damaged byte of an RDB file is corrected where the checksum proves which one. What a text program did
to a file (line ends, a byte order mark, Latin-1 written as UTF-8) is undone where the checksum or the lengths
prove it. Commands that no server has are kept, because they may be renamed, or a module's: the result is then
"verified except for" them; `--rename-command SETHIDDEN=SET` says what they are, `--drop-unknown` skips them.
A transaction whose EXEC was lost when the server stopped is skipped up to where the server resumed writing. A missing
or corrupt manifest is made from the files of its directory; a missing base file, or a gap between incr files,
is reported, with exit code 1.
""",
    "diff": r"""
`-` is only in A, `+` only in B, `~` in both and not the same, with what changed inside: fields, members,
scores, list positions, stream entries, groups, pending entries, expiry times. Order, encodings, eviction data
and the times at which consumers were seen do not count, and stream counters only where both sides store them.
So the same data written by another server version does not differ. About 50 bytes a key are kept in memory, up to
`--memory`; beyond it keys of both sides are kept in temporary files, in 40 bytes each, and in memory those that
differ.

Two moments of one AOF are compared with `diff X X --until-a … --until-b …`, and likewise `--before-a` and the
others.
""",
    "convert": r"""
The form follows from the name of DST (`.rdb`, `.aof`, `.resp`, `.jsonl`, a directory or a name that ends in
`/`) or from `--to`; `-` is standard output. `--target redis-6.2`, `valkey-9` or `rdb-9` says what to write
for; without it an output has the version of its source, and an AOF that names none is written as RDB 11, or
as the first newer version that its data needs. Commands are those of the target, of the server
that `--rules` names, or of the oldest server that may have written the AOF. What the target cannot hold is
refused with exit code 1, or dropped and named with `--allow-loss`.

Filters, `--functions`, `--drop`, `--rename`, `--move-db` and `--expiry` are those of `dump`. Filters look at
keys as SRC has them; what is written is what is verified.

Every output is written beside its place, synced, read back under the rules of the server it is for, compared
and validated, and only then gets its name. A source with data that servers refuse or misread (a key or a
member twice, a wrong order, an empty collection) is refused with the place of the first such record.
""",
    "aof-rewrite": r"""
In place means: if a server holds the files, or begins to read them meanwhile, nothing is changed and the exit
code is 3. An AOF that is corrupt or truncated, or that holds commands of unknown effect, is left unchanged
with exit code 1. Whether a server holds an AOF is found out by file leases; where these are unavailable (network
file systems, other people's files), `--server-stopped` asserts that none does. Pending entries stay pending when
their stream entry was deleted, which a server's own rewrite does not keep.
""",
    "stats": r"""
The header shows the writer of the file and `used_memory`: by how much used_memory in INFO grows on a server
started from it. `memory` is the sum of MEMORY USAGE over the keys and `share` its share of `used_memory`; `avg`,
`p99` and `max` are sizes of keys (`p99` at most 1/16 too large), `no TTL` is the share of keys without an
expiry, and `grew` the change since `--since`. `tables` are the hash tables of keys and expiries, which belong to
no key; `not in MEMORY USAGE` and `too much in MEMORY USAGE` correct the errors of that command.

Prefixes are built by splitting keys at separators, which are guessed for each part of the tree, or given by
`--sep`. `*` represents numbers, UUIDs, hex digits and long names, and names that were folded because they have
few keys each or because the tree is full; the number of folded names is shown. `≥` marks a prefix some of whose
keys are counted in `*`. Memory is bounded, whatever the number of keys.

`could save` is calculated from the data: expired keys that are still stored, keys without an expiry under
prefixes where most keys have one, and collections with up to twice as many entries, or bytes per entry, as the
limit of the compact encoding; that row is an estimate.

With `--since`, changed keys of at least `--bytes` on one side are listed; no table of all keys is kept in
memory. A limit (`--max-key` and the others) that is exceeded gives exit code 1 and a finding, in the formats of
`validate`. For a single AOF the commands are counted as well: by name, prefix and minute, with the hottest keys
and the savings of a rewrite. With a stop such as `--until`, only keys are counted.
""",
    "memory": r"""
The sizes are those on a server after a restart from the file: strings without spare capacity, hash tables of the
size that loading creates, and collections in the encoding that loading chooses under the default configuration.
A server that has run for long uses more, up to twice the tables. Keys that have expired by then are counted;
`--no-expired` skips them.

`memory` is the reply of `MEMORY USAGE key SAMPLES 0` on that server. `allocated` is the size of the blocks that
the allocator hands out; the two differ where the server counts wrongly, most of all for streams with pending
entries. `serialized` is the length of the record in the file, 0 for the keys of a replayed AOF. `elements`
counts elements, members, fields or entries, and is 1 for a string. `largest` is the length of the largest of
them: a string, a member, a field or a value, or the fields and values of a stream entry. `encoding` is the
encoding in memory. `expire_at_ms` is Unix time in milliseconds, `idle_s` the seconds since the last access and
`freq` the LFU counter, if the file has them. `at_least` (a `≥` in the table) marks module values and arrays:
only their length in the file is known, so the sizes are lower bounds.

The first eight columns of `csv` are those of rdbtools: `size_in_bytes` is `memory`, `num_elements` and
`len_largest_element` are `elements` and `largest`, and `expiry` is the time of expiry in UTC.

The lines below the table give the totals of all keys, and by how much `used_memory` exceeds that of an empty
server: `allocated` plus the hash tables of keys and expiries. Filters apply to the totals; `--largest`,
`--bytes` and `--no-ttl` do not.

Files do not record the allocator. `jemalloc` is the one bundled with servers, also in container images; servers
packaged by a distribution use the distribution's: `jemalloc-distro`, or from 5.3.1 on `jemalloc-distro-5.3.1`;
`libc` is for servers built without jemalloc. `INFO memory` shows which one a server uses. `--cluster` adds the
index of keys by slot. For releases that were not measured (before Redis 4.0 and after 8.2) the nearest measured
one is used, and reported.
""",
    "history": r"""
The key is text, with `\xHH` for other bytes. Commands of unknown effect (`FOO.SET`, scripts) are listed at
the end; one that has the key among its arguments is a record.

`--exact-key`, `--glob` and `--key` can be given together: keys are followed that one of them selects. A record
about several of them is a line for each, and the lines that name a key are its history. Lines are printed during
the replay, and memory does not grow with the number of keys: it is that of a replay, and while a FLUSHALL or
FLUSHDB is executed eight bytes for each selected key.
""",
    "capture": r"""
The server is read by replication (PSYNC), so the user needs the permissions `+psync +replconf +ping`, and
`+info` for the lag and for policies. A snapshot costs the server as much as a new replica: a fork, and an output
buffer for the writes meanwhile. By `repl-diskless-sync-delay` (default: 5 seconds) it waits before it starts.

With `--follow`, DIR holds a base file, the commands after it, and a manifest: `validate`, `dump --until`,
`aof-rewrite --before`, and servers from Redis 7.0 on read it. Annotations record the time of commands, and the
replication offset that the file reaches; the offset is synced together with the data before it. A capture that
was killed therefore requests the stream from that offset (PSYNC), and takes a new base beside the old one only
if the server no longer has it in its backlog: a larger `repl-backlog-size` makes this rarer. Only synced data is
acknowledged. While writing to disk fails, nothing more is read, and this is reported; with `--max-lag SIZE` the
connection is closed before the server has to buffer more than SIZE for it.

A new base is taken when the AOF has doubled, from 64 MiB on, and by each `--save SECONDS:CHANGES`. The previous
base and its commands are removed, or with `--keep` moved to a directory of their own in DIR/kept. SIGTERM and
Ctrl-C sync all data to disk and end the capture with exit code 0.
""",
    "get": r"""
In a pipe, a string is written as its bytes and nothing else, and a collection as the JSON of `dump -f jsonl`.
FIELD selects the value of a field, the element at an index (-1 is the last), the score of a member, the member
of a set if it exists, or the fields and values of a stream entry, one per line.
""",
    "load": r"""
Keys are sent in batches of up to 500. Before a batch is sent, EXISTS checks for its keys; a value sent as
commands is one transaction. Expired keys are sent with their expiry time, and the server drops them. `--dry-run`
counts the keys that exist. SRC may also be a server.
""",
}
