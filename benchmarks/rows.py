"""What is measured: commands, what each is compared with, and what it is held to."""

from __future__ import annotations

import sys
from typing import NamedTuple

from data import RDBTOOL
from gen_changing import KINDS
from gen_shapes import SHAPES

PEER = "redis-check-rdb"
LOG_CHECK = "redis-check-aof"
LOADING = "redis-server loads it"
SAVING = "SAVE"
DECODING = "decode, no output"
REWRITING = "load, BGREWRITEAOF"
REWRITE = [RDBTOOL, "aof-rewrite", "-q", "--force"]
DIGESTING = "DEBUG DIGEST"
CONVERT = [RDBTOOL, "convert", "-q", "--force"]

DECODE = """import sys
from rdbtool._codec.sink import Null
from rdbtool.reader.rdb import open_rdb
open_rdb(sys.argv[1]).feed(Null())"""
ITERATE = "import rdbtool, sys\nfor record in rdbtool.open(sys.argv[1]):\n    pass"
CHECK_LOG = "import sys\nfrom rdbtool.reader.aof.reader import open_aof\nopen_aof(sys.argv[1]).check()"
#: At its end it says what memory of its own it took at most; and, like a server, it does not take the data apart.
REPLAY = """
import os, sys
from rdbtool.engine.replay.loader import replay_log
from rdbtool.engine.replay.replay_options import Options
from rdbtool.reader.aof.reader import open_aof
from rdbtool.core.servers import Rules
with open_aof(sys.argv[1]) as reader:
    loaded = replay_log(reader, Options(rules=Rules.parse("redis-7.0")))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
files = int(status["RssFile"].split()[0]) + int(status["RssShmem"].split()[0])
print("memory", int(status["VmHWM"].split()[0]) - files, flush=True)
os._exit(0)
"""
#: What saving takes of itself: replayed before, written to a file, as SAVE does it.
WRITE = """
import os, sys, time
from rdbtool.dataset.replayed import ReplayedDataset
from rdbtool.operations.convert.transfer import Transfer
from rdbtool.engine.replay.loader import replay_log
from rdbtool.reader.aof.reader import open_aof
from rdbtool.core.servers import Target
with open_aof(sys.argv[1]) as reader:
    dataset = ReplayedDataset(replay_log(reader), reader.name, reader.size).settled()
with open(sys.argv[2], "wb", buffering=0) as file:
    began = time.process_time()
    Transfer(dataset, "rdb", Target("REDIS", 10), sizes=dataset.sizes).write(file.write)
    os.fsync(file.fileno())
    print("cpu", time.process_time() - began, flush=True)
os._exit(0)
"""
#: What a digest of the engine takes of itself.
DIGEST_ENGINE = """
import os, sys, time
from rdbtool._codec.sinks.digest import Digest
from rdbtool.core.servers import Rules
from rdbtool.dataset.replayed import ReplayedDataset
from rdbtool.engine.replay.loader import replay_log
from rdbtool.reader.aof.reader import open_aof
with open_aof(sys.argv[1]) as reader:
    dataset = ReplayedDataset(replay_log(reader), reader.name, reader.size).settled()
began = time.process_time()
sums = Digest(Rules.parse("redis-7.0"), 0)
dataset.feed(sums)
sums.close()
print("cpu", time.process_time() - began, flush=True)
os._exit(0)
"""


class Row(NamedTuple):
    """One thing to measure: a command, and what it is held to.

    Words in capitals stand for paths (``paths_of``); a command that begins with ``server`` stands for what a server
    does that has loaded the log named second. ``max_of_peer``: how many times the memory that the peer says it uses.
    ``by_clock``: the ratio is that of the times on the clock. ``group`` is its part of the table.
    """

    name: str
    command: list[str]
    ratio_to: str | None = None
    max_ratio: float | None = None
    max_ms: float | None = None
    max_mb: float | None = None
    max_of_peer: float | None = None
    by_clock: bool = False
    accepted: tuple[int, ...] = ()
    group: str = ""


def _python(script: str, *words: str) -> list[str]:
    return [sys.executable, "-c", script, *words]


READING = [
    Row(PEER, [PEER, "FILE"]),
    Row(DECODING, _python(DECODE, "FILE"), PEER, 0.24, max_mb=96),
    Row("dump -f json", [RDBTOOL, "dump", "-f", "json", "FILE"], PEER, 0.7, max_mb=96),
    Row("dump -f jsonl", [RDBTOOL, "dump", "-f", "jsonl", "FILE"], PEER, 0.7, max_mb=96),
    Row("dump -f resp", [RDBTOOL, "dump", "-f", "resp", "FILE"], PEER, 0.7, max_mb=96),
    Row("dump -f resp --restore", [RDBTOOL, "dump", "-f", "resp", "--restore", "FILE"], PEER, 0.7, max_mb=96),
    Row("dump -f csv", [RDBTOOL, "dump", "-f", "csv", "FILE"], "dump -f json", 1.5, max_mb=96),
    Row("dump -f table", [RDBTOOL, "dump", "-f", "table", "FILE"], "dump -f json", 8.0, max_mb=96),
    Row("iterate records", _python(ITERATE, "FILE"), PEER, 1.0, max_mb=96),
    Row("validate", [RDBTOOL, "validate", "-q", "FILE"], PEER, 0.42, max_mb=96),
    Row("memory -f csv", [RDBTOOL, "memory", "-f", "csv", "FILE"], PEER, 1.0, max_mb=96),
    Row("stats", [RDBTOOL, "stats", "FILE"], PEER, 0.6, max_mb=96),
    Row(DIGESTING, ["server", "LOG", "digest"]),
    Row("digest", [RDBTOOL, "digest", "FILE"], DIGESTING, 0.13, max_mb=96),
    Row("digest of the engine", _python(DIGEST_ENGINE, "LOG"), DIGESTING, 0.15),
    # A hundred bytes for each of 882,060 keys beside the program itself.
    Row("diff, the same data", [RDBTOOL, "diff", "FILE", "OTHER"], DECODING, 3.0, max_mb=24 + 84),
    Row("diff, 1 % changed", [RDBTOOL, "diff", "FILE", "CHANGED-1"], DECODING, 4.5, accepted=(1,), max_mb=24 + 84),
    # And the first values of 441,030 keys.
    Row(
        "diff, 50 % changed", [RDBTOOL, "diff", "FILE", "CHANGED-50"], DECODING, 7.0, accepted=(1,), max_mb=24 + 84 + 52
    ),
    Row(
        "repair of a damaged file", [RDBTOOL, "repair", "DAMAGED", "-o", "OUT", "--force"], DECODING, 8.0, accepted=(1,)
    ),
    Row("convert to resp", [RDBTOOL, "convert", "-q", "FILE", "/dev/null", "--to", "resp"], PEER, 0.7, max_mb=96),
    Row("convert to Redis 6.2", [*CONVERT, "FILE", "OUT", "--to", "rdb", "--target", "redis-6.2"], max_mb=96),
    Row("convert to jsonl", [*CONVERT, "FILE", "OUT", "--to", "jsonl"], DECODING, 8.0, max_mb=96),
    Row("convert from jsonl", [*CONVERT, "JSONL", "OUT", "--to", "rdb"], DECODING, 9.0, max_mb=96),
]

LOGS = [
    Row(LOG_CHECK, [LOG_CHECK, "LOG"]),
    Row("validate a log", [RDBTOOL, "validate", "-q", "--no-replay", "LOG"], LOG_CHECK, 0.065, max_mb=96),
    Row("framing check", _python(CHECK_LOG, "LOG"), LOG_CHECK, 0.1, max_mb=96),
    Row(LOADING, ["server", "LOG", "load"]),
    Row("replay", _python(REPLAY, "LOG"), LOADING, 0.28, max_of_peer=1.2),
    Row("history of a key", [RDBTOOL, "history", "LOG", "user:77:session"], "replay", 1.3),
    Row(
        "history of five keys",
        [RDBTOOL, "history", "LOG", *[f"--exact-key=user:{number}:session" for number in (77, 770, 7700, 77000, 7)]],
        "replay",
        1.3,
    ),
    Row("history of a pattern", [RDBTOOL, "history", "LOG", "--glob", "user:77?:session"], "replay", 1.4),
    Row("stats of a log", [RDBTOOL, "stats", "LOG"], "replay"),
    Row(SAVING, ["server", "LOG", "save"]),
    Row("write RDB", _python(WRITE, "LOG", "OUT"), SAVING, 0.8),
    Row(REWRITING, ["server", "LOG", "rewrite"]),
    Row("aof-rewrite", [*REWRITE, "LOG", "-o", "OUT"], REWRITING, 0.35),
    Row("aof-rewrite --preamble", [*REWRITE, "--preamble", "LOG", "-o", "OUT"], REWRITING, 0.35),
]

CHANGING = [
    row
    for kind in KINDS
    for row in (
        Row(f"redis-server loads {kind}", ["server", f"LOG-{kind}", "load"]),
        Row(f"replay of {kind}", _python(REPLAY, f"LOG-{kind}"), f"redis-server loads {kind}", 0.6),
    )
]

FORMS = [
    row
    for shape in SHAPES
    for row in (
        Row(f"{PEER}: {shape}", [PEER, f"SHAPE-{shape}"]),
        Row(f"validate: {shape}", [RDBTOOL, "validate", "-q", f"SHAPE-{shape}"], f"{PEER}: {shape}", 0.6),
    )
] + [Row("dump -f json: large", [RDBTOOL, "dump", "-f", "json", "SHAPE-large"], max_ms=250)]

#: Jobs that use both cores, and the most of the time that one core takes.
_SHARED = {
    "dump -f json": (["dump", "-f", "json"], "FOUR", 0.6),
    "validate": (["validate", "-q"], "FOUR", 0.6),
    "digest": (["digest"], "FOUR", 0.55),
    "dump -f json of .zst": (["dump", "-f", "json"], "FOUR-ZST", 0.65),
}
CORES = [
    row
    for name, (words, file, bound) in _SHARED.items()
    for row in (
        Row(f"{name}, --jobs 1", [RDBTOOL, *words, "--jobs", "1", file], by_clock=True),
        Row(f"{name}, --jobs 2", [RDBTOOL, *words, "--jobs", "2", file], f"{name}, --jobs 1", bound, by_clock=True),
    )
]

STARTING = [
    Row("python -c pass", [sys.executable, "-c", "pass"]),
    Row("--version", [RDBTOOL, "--version"], "python -c pass", max_ms=40),
    Row("dump of a 1 KB file", [RDBTOOL, "dump", "TINY"], max_ms=180),
]

#: Tools that are measured where their path is given, and what they are called with.
LIBRDB, HDT3213, RDBTOOLS = "rdb-cli", "hdt3213-rdb", "rdbtools-rdb"
_LIBRDB = {"json": ["json"], "resp": ["resp"], "resp --restore": ["resp", "-r"]}
PEERS = {
    LIBRDB: [
        row
        for name, words in _LIBRDB.items()
        for row in (
            Row(f"{LIBRDB} {' '.join(words)}", [LIBRDB, "FILE", "--log-file", "/dev/null", *words]),
            Row(
                f"dump -f {name}", [RDBTOOL, "dump", "-f", *name.split(), "FILE"], f"{LIBRDB} {' '.join(words)}",
                {"json": 0.06, "resp": 0.17, "resp --restore": 0.4}[name],
            ),
        )
    ],
    HDT3213: [
        Row(f"{HDT3213} memory", [HDT3213, "-c", "memory", "-o", "OUT", "FILE"]),
        Row("memory -f csv", [RDBTOOL, "memory", "-f", "csv", "FILE"], f"{HDT3213} memory", 0.4),
    ],
    RDBTOOLS: [
        Row(f"{RDBTOOLS} memory", [RDBTOOLS, "-c", "memory", "OLD"]),
        Row("memory -f csv of RDB 9", [RDBTOOL, "memory", "-f", "csv", "OLD"], f"{RDBTOOLS} memory", 0.033),
    ],
}  # fmt: skip

#: Parts of the table, by name.
GROUPS = {
    "reading": ("One RDB file", READING),
    "logs": ("One AOF", LOGS),
    "changing": ("AOFs that change what they hold", CHANGING),
    "shapes": ("RDB files of one kind of data", FORMS),
    "cores": ("Two cores: time on the clock, four times the data", CORES),
    "start": ("Start", STARTING),
}
