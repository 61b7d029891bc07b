"""Examples of every command: a description and a command line. Printed by help, manual pages and docs."""

from __future__ import annotations

from rdbtool.core.light_typing import Final, NamedTuple


class Example(NamedTuple):
    """A short description and a command line."""

    text: str
    line: str


#: By command; ``""`` is the program itself. At least three each; ``--help`` prints the first three.
EXAMPLES: Final[dict[str, tuple[Example, ...]]] = {
    "": (
        Example("show what a file holds", "rdbtool info dump.rdb"),
        Example("check a backup", "rdbtool validate dump.rdb"),
        Example("show the dataset of an AOF", "rdbtool replay appendonlydir"),
    ),
    "info": (
        Example("version, writer, key counts", "rdbtool info dump.rdb"),
        Example("the files and commands of an AOF", "rdbtool info appendonlydir"),
        Example("for a script", "rdbtool info --json dump.rdb"),
    ),
    "dump": (
        Example("a table (JSON lines in a pipe)", "rdbtool dump dump.rdb"),
        Example("only hashes whose key matches", "rdbtool dump -k '^user:' -t hash dump.rdb"),
        Example("load a file into a server", "rdbtool dump -f resp dump.rdb | redis-cli --pipe"),
        Example("from a compressed backup into a CSV file", "rdbtool dump -o keys.csv dump.rdb.gz"),
        Example(
            "replace keys of an older server",
            "rdbtool dump -f resp --restore --replace --target redis-7.0 -k '^user:' dump.rdb | redis-cli --pipe",
        ),
    ),
    "inspect": (
        Example("explain every byte of a key", "rdbtool inspect --exact-key user:1 dump.rdb"),
        Example("explain an offset that an error names", "rdbtool inspect --at 0x12c dump.rdb"),
        Example("the tenth record, for a script", "rdbtool inspect --record 10 --json dump.rdb"),
    ),
    "validate": (
        Example("check a backup and its age", "rdbtool validate --max-age 26h backups/dump.rdb"),
        Example("would that server load it?", "rdbtool validate --level server --rules valkey-9.1 dump.rdb"),
        Example("a report for CI", "rdbtool validate --format junit backups/*.rdb > report.xml"),
        Example("an AOF that a server is writing", "rdbtool validate --retry 5 /var/lib/redis/appendonlydir"),
    ),
    "repair": (
        Example("show what would be lost", "rdbtool repair --dry-run dump.rdb"),
        Example("save what is intact, keep the rest", "rdbtool repair dump.rdb -o new.rdb --keep-damaged rest.bin"),
        Example("a multi-part AOF into a new directory", "rdbtool repair appendonlydir -o repaired/"),
    ),
    "diff": (
        Example("compare two backups", "rdbtool diff old.rdb new.rdb"),
        Example("what an AOF has that its snapshot has not", "rdbtool diff dump.rdb appendonlydir"),
        Example(
            "make a server that holds A hold B",
            "rdbtool diff --as-commands A B | redis-cli --pipe",
        ),
        Example(
            "what an hour changed, by timestamps",
            "rdbtool diff DIR DIR --until-a 2026-05-04T10:00 --until-b 2026-05-04T11:00",
        ),
    ),
    "digest": (
        Example("the digest that DEBUG DIGEST gives", "rdbtool digest dump.rdb"),
        Example("compare a backup with a server", "rdbtool digest dump.rdb; redis-cli DEBUG DIGEST"),
        Example("of the dataset before an accident", "rdbtool digest --before flushall appendonlydir"),
    ),
    "replay": (
        Example("key counts, findings, digest", "rdbtool replay appendonlydir"),
        Example("the dataset before a FLUSHALL", "rdbtool replay --before flushall appendonlydir"),
        Example("the dataset at a moment", "rdbtool replay --until 2026-05-04T10:00:00Z appendonlydir"),
    ),
    "stats": (
        Example("memory usage by prefix and type", "rdbtool stats dump.rdb"),
        Example("growth in a week, with charts", "rdbtool stats dump.rdb --since last-week.rdb --html memory.html"),
        Example("memory on other servers", "rdbtool stats --compare redis-8.2,valkey-9.1 dump.rdb"),
        Example("memory limits in CI", "rdbtool stats --max-key 10MiB --max-no-ttl 20% -f junit dump.rdb"),
    ),
    "memory": (
        Example("the largest keys", "rdbtool memory dump.rdb"),
        Example("all keys, for a spreadsheet or SQL", "rdbtool memory -o memory.csv dump.rdb"),
        Example("large keys without an expiry", "rdbtool memory --bytes 1MiB --no-ttl -f jsonl dump.rdb"),
        Example("sizes on another server", "rdbtool memory --rules valkey-9.1 dump.rdb"),
    ),
    "history": (
        Example("who deleted this key?", "rdbtool history appendonlydir session:42"),
        Example("a key of database 3", "rdbtool history -n 3 appendonly.aof counter"),
        Example("all sessions in one replay", "rdbtool history --glob 'session:*' appendonlydir"),
        Example("a binary key", "rdbtool history appendonly.aof '\\xac\\xed\\x00\\x05t'"),
    ),
    "convert": (
        Example("a Redis 8 snapshot for Redis 7.0", "rdbtool convert dump.rdb old.rdb --target redis-7.0"),
        Example("the dataset of an AOF as RDB", "rdbtool convert appendonlydir dump.rdb"),
        Example("through an editor and back", "rdbtool convert a.rdb keys.jsonl; rdbtool convert keys.jsonl b.rdb"),
        Example(
            "a directory that a server with appendonly starts from",
            "rdbtool convert dump.rdb /var/lib/redis/appendonlydir --to aof-dir",
        ),
    ),
    "aof-rewrite": (
        Example("a compact copy", "rdbtool aof-rewrite appendonlydir -o compact/ --retry 3"),
        Example("in place, while the server is stopped", "rdbtool aof-rewrite --in-place --backup old appendonlydir"),
        Example("undo a FLUSHALL", "rdbtool aof-rewrite --before flushall appendonlydir -o recovered/"),
        Example(
            "all but the FLUSHALL, later commands included",
            "rdbtool aof-rewrite --skip-command flushall appendonlydir -o recovered/",
        ),
    ),
    "get": (
        Example("one value", "rdbtool get dump.rdb user:1"),
        Example("a field, before a FLUSHALL", "rdbtool get --before flushall appendonlydir user:1 name"),
        Example("an image from a server", "rdbtool get redis://localhost:6379 avatar:1 -o avatar.png"),
    ),
    "load": (
        Example("restore a backup into an empty server", "rdbtool load dump.rdb redis://localhost:6379 --verify"),
        Example("restore some keys, as before a FLUSHALL",
                "rdbtool load --before flushall -k '^user:' appendonlydir redis://localhost:6379 --skip-existing"),
        Example("copy from one server to another", "rdbtool load redis://old rediss://new --replace --rate 5000/s"),
        Example("copy a dataset into a cluster", "rdbtool load dump.rdb redis://node-1:6379 --cluster"),
    ),
    "capture": (
        Example("a snapshot, validated", "rdbtool capture redis://localhost:6379 -o dump.rdb"),
        Example(
            "every write from now on, with a new base each day, kept for a week",
            "rdbtool capture redis://db.example --follow backup/ --save 86400:1 --keep 7d",
        ),
        Example(
            "an encrypted snapshot, without a temporary file",
            "rdbtool capture rediss://db.example -o - --password-file secret | age -e -r KEY > dump.rdb.age",
        ),
        Example("the dataset before a FLUSHALL", "rdbtool aof-rewrite --before flushall backup/ -o recovered/"),
    ),
    "completion": (
        Example("bash, in ~/.bashrc", 'eval "$(rdbtool completion bash)"'),
        Example("zsh, in ~/.zshrc after compinit", 'eval "$(rdbtool completion zsh)"'),
        Example("fish", "rdbtool completion fish > ~/.config/fish/completions/rdbtool.fish"),
    ),
}  # fmt: skip
