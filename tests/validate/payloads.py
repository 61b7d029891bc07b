"""Corrupt values: at least one of every class that servers, their fuzzers and their CVEs have met.

Each stands in a file that is otherwise sound, with a correct checksum, behind a sound key and before another. ``code``
is the finding that is expected, None for the one that is sound by design; ``path`` the way inside the value. ``of``
names the class: the number in the table of upstream's payloads, or where else it is from.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from validate.builders import (
    Raw,
    consumer,
    entry_of,
    group,
    intset,
    length,
    listpack,
    lp_entry,
    lzf,
    node,
    raw_id,
    rdb,
    record,
    stream,
    string,
    vector_set,
    ziplist,
    zipmap,
    zl_entry,
    zm_field,
    zm_value,
)

KEY = b"victim"
DB = 3
BEFORE = b"\xfa" + string(b"redis-ver") + string(b"7.0.15") + b"\xfe" + bytes([DB])
FIRST = entry_of(0, string(b"value"), b"before")
LAST = entry_of(0, string(b"value"), b"after")

#: Versions of files that hold a type (older ones: 10).
_SINCE = {7: 12, 20: 11, 21: 11, 22: 12, 23: 12, 24: 12, 25: 12}


class Payload(NamedTuple):
    """A value of a type (its number) and what is to be said of it."""

    name: str
    type_code: int
    value: bytes
    code: str | None
    path: str
    of: str

    @property
    def start(self) -> int:
        """Where the record begins in the file."""
        return 9 + len(BEFORE) + len(FIRST)

    @property
    def version(self) -> int:
        """The version of the file."""
        return _SINCE.get(self.type_code, 10)

    @property
    def record(self) -> bytes:
        """The record: type, key and value."""
        return entry_of(self.type_code, self.value, KEY)

    @property
    def file(self) -> bytes:
        """The whole file."""
        return rdb(BEFORE, FIRST, self.record, LAST, version=self.version)


NAN = struct.pack("<d", float("nan"))
ONE = struct.pack("<d", 1.0)
LONG = b"x" * 70

ZL_HASH = (b"f", b"v", b"g", b"w")


def blob(data: bytes) -> bytes:
    """A blob in its STR."""
    return string(data)


def quicklist(data: bytes) -> bytes:
    """A quicklist of one ziplist."""
    return length(1) + string(data)


def quicklist2(data: bytes, container: int = 2) -> bytes:
    """A quicklist of one listpack, or of one plain element."""
    return length(1) + bytes([container]) + string(data)


SIZES = [
    Payload("ziplist larger than its blob", 13, blob(ziplist(*ZL_HASH, total=1)), "RDB201", "value.zlbytes", "02"),
    Payload("ziplist smaller than its blob", 13, blob(ziplist(*ZL_HASH, total=-1)), "RDB201", "value.zlbytes", "02"),
    Payload("ziplist of 5 bytes", 13, blob(b"\x05\0\0\0\xff"), "RDB201", "value.zltail", "02"),
    Payload("listpack larger than its blob", 16, blob(listpack(b"f", b"v", total=1)), "RDB202", "value.total", "17"),
    Payload("listpack smaller than its blob", 17, blob(listpack(b"m", 1, total=-1)), "RDB202", "value.total", "17"),
    Payload("listpack of 6 bytes", 16, blob(b"\x06\0\0\0\0\0"), "RDB202", "value.total", "17"),
    Payload("intset longer than its blob", 11, blob(intset(1, 2, count=3)), "RDB203", "value.length", "35"),
    Payload("intset shorter than its blob", 11, blob(intset(1, 2, count=1)), "RDB203", "value.length", "35"),
    Payload(
        "intset whose size overflows 32 bits",
        11,
        blob(intset(1, width=8, count=0x20000001)),
        "RDB203",
        "value.length",
        "CVE-2021-29478",
    ),
    Payload("intset of 3-byte numbers", 11, blob(intset(1, 2, 3, width=3)), "RDB203", "value.encoding", "#5255"),
    Payload("intset without numbers", 11, blob(intset()), "RDB203", "value.length", "35"),
]

ENTRIES = [
    Payload(
        "ziplist entry behind the end",
        13,
        blob(ziplist(b"f", zl_entry(b"v", 3, claim=9))),
        "RDB201",
        "value.entry[1]",
        "01",
    ),
    Payload(
        "ziplist entry of 4 GB",
        13,
        blob(ziplist(b"f", Raw(b"\x03\x80\xff\xff\xff\xff"))),
        "RDB201",
        "value.entry[1]",
        "29",
    ),
    Payload(
        "ziplist entry whose header is cut",
        14,
        quicklist(ziplist(b"a", Raw(b"\x03\x40"))),
        "RDB201",
        "value.node[0].entry[1]",
        "29",
    ),
    Payload(
        "listpack entry behind the end",
        16,
        blob(listpack(b"f", lp_entry(b"v", claim=20))),
        "RDB202",
        "value.entry[1]",
        "63",
    ),
    Payload(
        "listpack entry of 4 GB",
        18,
        quicklist2(listpack(lp_entry(LONG, claim=0xFFFFFFFF))),
        "RDB202",
        "value.node[0].data.entry[0]",
        "66",
    ),
    Payload(
        "listpack entry that takes the end mark in",
        18,
        quicklist2(listpack(lp_entry(b"ab", claim=4))),
        "RDB202",
        "value.node[0].data.entry[0]",
        "65",
    ),
]

BACK_LENGTHS = [
    Payload(
        "ziplist entry behind too large a one",
        14,
        quicklist(ziplist(b"a", zl_entry(b"b", 0, prevlen=b"\xfe\xff\xff\xff\x0f"))),
        "RDB201",
        "value.node[0].entry[1]",
        "09",
    ),
    Payload(
        "ziplist entry behind too small a one",
        14,
        quicklist(ziplist(b"a", zl_entry(b"b", 2))),
        "RDB201",
        "value.node[0].entry[1]",
        "10",
    ),
    Payload(
        "first entry of a ziplist behind another",
        10,
        blob(ziplist(zl_entry(b"a", 1))),
        "RDB201",
        "value.entry[0]",
        "37",
    ),
    Payload(
        "ziplist entry with an end mark for the size before",
        14,
        quicklist(ziplist(b"a", zl_entry(b"b", 0, prevlen=b"\xff"))),
        "RDB201",
        "value.node[0].entry[1]",
        "36",
    ),
    Payload(
        "listpack back length too large",
        17,
        blob(listpack(b"m", lp_entry(1, back=b"\x02"))),
        "RDB202",
        "value.entry[1]",
        "20",
    ),
    Payload(
        "listpack back length too small",
        20,
        blob(listpack(lp_entry(b"member", back=b"\x06"))),
        "RDB202",
        "value.entry[0]",
        "58",
    ),
    Payload(
        "listpack back length too wide",
        16,
        blob(listpack(b"f", lp_entry(1, back=b"\x00\x81"))),
        "RDB202",
        "value.entry[1]",
        "58",
    ),
]

COUNTS = [
    Payload(
        "ziplist count too high",
        14,
        quicklist(ziplist(b"a", b"b", count=3)),
        "RDB201",
        "value.node[0].zllen",
        "11",
    ),
    Payload("ziplist count of 0", 10, blob(ziplist(b"a", b"b", count=0)), "RDB201", "value.zllen", "11"),
    Payload("set listpack count too high", 20, blob(listpack(b"a", b"b", count=3)), "RDB202", "value.count", "73"),
    Payload("zset listpack count too high", 17, blob(listpack(b"m", 1, count=4)), "RDB202", "value.count", "74"),
    Payload("hash listpack count too high", 16, blob(listpack(b"f", b"v", count=4)), "RDB202", "value.count", "75"),
    Payload("hash listpack count too low", 16, blob(listpack(*ZL_HASH, count=2)), "RDB202", "value.count", "75"),
    Payload("set listpack count of 0", 20, blob(listpack(b"a", count=0)), "RDB202", "value.count", "71"),
    Payload(
        "list listpack count too high",
        18,
        quicklist2(listpack(b"a", count=2)),
        "RDB202",
        "value.node[0].data.count",
        "65",
    ),
]

ENDS = [
    Payload("ziplist tail behind the end", 12, blob(ziplist(b"m", 1, tail=100)), "RDB201", "value.zltail", "46"),
    Payload("ziplist tail too low", 10, blob(ziplist(b"a", b"b", tail=-1)), "RDB201", "value.zltail", "16"),
    Payload(
        "data behind the end of a ziplist",
        14,
        quicklist(ziplist(b"a", Raw(b"\xff\x01\x02"), count=1)),
        "RDB201",
        "value.node[0].entry[1]",
        "52",
    ),
    Payload("ziplist without an end", 13, blob(ziplist(*ZL_HASH, end=b"\0")), "RDB201", "value.end", "12"),
    Payload(
        "listpack entry that begins with an end mark",
        18,
        quicklist2(listpack(Raw(b"\xff\x01"))),
        "RDB202",
        "value.node[0].data.entry[0]",
        "15",
    ),
    Payload("listpack without an end", 16, blob(listpack(b"f", b"v", end=b"\0")), "RDB202", "value.end", "19"),
]

ENCODINGS = [
    Payload(
        "ziplist encoding that does not exist",
        14,
        quicklist(ziplist(b"a", Raw(b"\x03\xc1\x00\x00"))),
        "RDB201",
        "value.node[0].entry[1]",
        "30",
    ),
    Payload(
        "listpack encoding that does not exist",
        16,
        blob(listpack(b"f", Raw(b"\xf5\x01"))),
        "RDB202",
        "value.entry[1]",
        "65",
    ),
    Payload(
        "quicklist container that does not exist",
        18,
        quicklist2(b"plain", 3),
        "RDB205",
        "value.node[0].container",
        "14",
    ),
    Payload("string encoding that does not exist", 0, b"\xc4\x01", "RDB103", "value", "33"),
]

UNEVEN = [
    Payload("hash ziplist of 3 entries", 13, blob(ziplist(b"f", b"v", b"g")), "RDB211", "value.entry", "32"),
    Payload("zset ziplist of 3 entries", 12, blob(ziplist(b"m", 1, b"n")), "RDB211", "value.entry", "32"),
    Payload("hash listpack of 3 entries", 16, blob(listpack(b"f", b"v", b"g")), "RDB211", "value.entry", "32"),
    Payload("zset listpack of 1 entry", 17, blob(listpack(b"m")), "RDB211", "value.entry", "32"),
    Payload(
        "hash listpack with expiries of 4 entries",
        25,
        struct.pack("<q", 0) + blob(listpack(b"f", b"v", 0, b"g")),
        "RDB211",
        "value.triples.entry",
        "32",
    ),
]

DUPLICATES = [
    Payload("hash ziplist: field twice", 13, blob(ziplist(b"f", b"v", b"f", b"w")), "RDB312", "field[1]", "03"),
    Payload("hash ziplist: number twice", 13, blob(ziplist(7, b"v", b"7", b"w")), "RDB312", "field[1]", "22"),
    Payload("hash listpack: field twice", 16, blob(listpack(b"f", b"v", b"f", b"w")), "RDB312", "field[1]", "23"),
    Payload("hash listpack: number and text", 16, blob(listpack(5, b"v", b"5", b"w")), "RDB312", "field[1]", "23"),
    Payload(
        "small hash: field twice",
        4,
        length(2) + (string(b"f") + string(b"v")) * 2,
        "RDB312",
        "field[1]",
        "24",
    ),
    Payload(
        "large hash: field twice",
        4,
        length(3) + string(b"g") + string(LONG) + (string(b"f") + string(b"v")) * 2,
        "RDB312",
        "field[2]",
        "#15413",
    ),
    Payload(
        "zipmap: field twice",
        9,
        blob(zipmap((zm_field(b"f"), zm_value(b"v")), (zm_field(b"f"), zm_value(b"w")))),
        "RDB312",
        "field[1]",
        "24",
    ),
    Payload(
        "set: member twice", 2, length(3) + string(b"a") + string(b"b") + string(b"a"), "RDB311", "member[2]", "34"
    ),
    Payload("set: number twice", 2, length(2) + b"\xc0\x07" + b"\xc0\x07", "RDB311", "member[1]", "34"),
    Payload("set listpack: member twice", 20, blob(listpack(b"a", b"a")), "RDB311", "member[1]", "72"),
    Payload("zset ziplist: member twice", 12, blob(ziplist(b"m", 1, b"m", 2)), "RDB311", "member[1]", "49"),
    Payload("zset listpack: member twice", 17, blob(listpack(b"m", 1, b"m", 2)), "RDB311", "member[1]", "#15415"),
    Payload("zset: member twice", 5, length(2) + (string(b"m") + ONE) * 2, "RDB311", "member[1]", "49"),
    Payload("old zset: member twice", 3, length(2) + (string(b"m") + b"\x011") * 2, "RDB311", "member[1]", "49"),
    Payload("intset: number twice", 11, blob(intset(1, 2, 2)), "RDB315", "member[2]", "22"),
    Payload(
        "hash with expiries: field twice",
        24,
        struct.pack("<q", 0) + length(2) + (b"\0" + string(b"f") + string(b"v")) * 2,
        "RDB312",
        "field[1]",
        "24",
    ),
]

EMPTY = [
    Payload("empty list", 1, length(0), "RDB310", "", "60"),
    Payload("empty set", 2, length(0), "RDB310", "", "35"),
    Payload("empty old zset", 3, length(0), "RDB310", "", "61"),
    Payload("empty hash", 4, length(0), "RDB310", "", "62"),
    Payload("empty zset", 5, length(0), "RDB310", "", "61"),
    Payload("empty zipmap", 9, blob(zipmap()), "RDB310", "", "25"),
    Payload("empty hash ziplist", 13, blob(ziplist()), "RDB310", "", "50"),
    Payload("quicklist of an empty ziplist", 14, quicklist(ziplist()), "RDB310", "", "13"),
    Payload("quicklist without nodes", 14, length(0), "RDB310", "", "60"),
    Payload("quicklist with a node of no bytes", 18, quicklist2(b""), "RDB205", "value.node[0].data", "14"),
    Payload("empty hash listpack", 16, blob(listpack()), "RDB310", "", "50"),
    Payload("empty zset listpack", 17, blob(listpack()), "RDB310", "", "61"),
    Payload("empty set listpack", 20, blob(listpack()), "RDB310", "", "71"),
]

HUGE = [
    Payload("set of 2^57 members", 2, length(1 << 57) + string(b"a"), "RDB101", "value.member", "45"),
    Payload("count of a length that does not exist", 2, b"\x82\0\0\0", "RDB102", "value.member", "53"),
    Payload("string of 2^62 bytes", 0, string(b"data", claim=1 << 62), "RDB101", "value", "54"),
    Payload("list blob of 2^31 bytes", 10, string(b"data", claim=1 << 31), "RDB101", "value", "44"),
    Payload(
        "quicklist node of 2^63 bytes", 14, length(1) + string(b"data", claim=1 << 63), "RDB101", "value.node[0]", "48"
    ),
    Payload(
        "group name of 2^40 bytes",
        19,
        stream((node(record(b"v")),), (string(b"g", claim=1 << 40),)),
        "RDB101",
        "value.group[0].name",
        "70",
    ),
]

COMPRESSED = [
    Payload(
        "LZF from before the beginning", 2, length(1) + lzf(b"\x00a\x20\x05", 4), "RDB104", "value.member[0]", "33"
    ),
    Payload("LZF that inflates to less", 0, lzf(b"\x01ab", 9), "RDB104", "value", "40"),
    Payload("LZF that inflates to more", 0, lzf(b"\x03abcd", 2), "RDB104", "value", "40"),
    Payload("LZF of nothing", 0, b"\xc3" + length(0) + length(5), "RDB104", "value", "40"),
    Payload(
        "LZF in a stream",
        15,
        length(1) + string(raw_id(1, 1)) + lzf(b"\x05abc", 40) + length(1) + b"\x01\x01" + length(0),
        "RDB104",
        "value.node[0].listpack",
        "40",
    ),
]

SCORES = [
    Payload("zset: score NaN", 5, length(1) + string(b"m") + NAN, "RDB313", "member[0]", "68"),
    Payload("old zset: score NaN", 3, length(1) + string(b"m") + b"\xfd", "RDB313", "member[0]", "68"),
    Payload("zset listpack: score NaN", 17, blob(listpack(b"m", b"nan")), "RDB313", "member[0]", "#15414"),
    Payload("zset ziplist: score NaN", 12, blob(ziplist(b"m", b"nan")), "RDB313", "member[0]", "#15414"),
    Payload(
        "old zset: score that is text", 3, length(1) + string(b"m") + b"\x03abc", "RDB106", "value.pair[0].score", "38"
    ),
    Payload("zset ziplist: score that is text", 12, blob(ziplist(b"m", b"abc")), "RDB106", "value.entry[1]", "38"),
    Payload(
        "old zset: number with text behind it",
        3,
        length(1) + string(b"m") + b"\x021x",
        "RDB106",
        "value.pair[0].score",
        "38",
    ),
    Payload("zset listpack: score in base 16", 17, blob(listpack(b"m", b"0x10")), "RDB106", "value.entry[1]", "38"),
    Payload("zset listpack: score that is text", 17, blob(listpack(b"m", b"abc")), "RDB106", "value.entry[1]", "38"),
    Payload("zset listpack: scores that fall", 17, blob(listpack(b"m", 2, b"n", 1)), "RDB314", "member[1]", "B5"),
    Payload("zset listpack: names that fall", 17, blob(listpack(b"n", 1, b"m", 1)), "RDB314", "member[1]", "B5"),
    Payload("intset: numbers that fall", 11, blob(intset(3, 1, 2)), "RDB315", "member[1]", "B5"),
]

ZIPMAPS = [
    Payload(
        "zipmap field behind the end",
        9,
        blob(zipmap((zm_field(b"f", claim=99), zm_value(b"v")))),
        "RDB204",
        "value.pair[0]",
        "25",
    ),
    Payload(
        "zipmap value of 1 GB",
        9,
        blob(zipmap((zm_field(b"f"), zm_value(b"v", claim=1 << 30)))),
        "RDB204",
        "value.pair[0]",
        "2026: zipmap value of 1 GB",
    ),
    Payload(
        "zipmap field with 5 bytes of length",
        9,
        blob(zipmap((zm_field(b"f", long=True), zm_value(b"v")))),
        "RDB204",
        "value.pair[0]",
        "CVE-2026-25243",
    ),
    Payload(
        "zipmap value with 5 bytes of length",
        9,
        blob(zipmap((zm_field(b"f"), zm_value(b"v", long=True)))),
        "RDB204",
        "value.pair[0]",
        "CVE-2026-25243",
    ),
    Payload(
        "zipmap field of 2^32 - 2 bytes",
        9,
        blob(zipmap((zm_field(b"f", claim=0xFFFFFFFE), zm_value(b"v")))),
        "RDB204",
        "value.pair[0]",
        "2026: zipmap field length",
    ),
    Payload(
        "zipmap with more unused bytes than there are",
        9,
        blob(zipmap((zm_field(b"f"), zm_value(b"v", free=9)))),
        "RDB204",
        "value.pair[0]",
        "25",
    ),
    Payload(
        "zipmap without an end",
        9,
        blob(zipmap((zm_field(b"f"), zm_value(b"v")), end=b"")),
        "RDB204",
        "value.end",
        "25",
    ),
    Payload(
        "zipmap count of 255",
        9,
        blob(zipmap((zm_field(b"f"), zm_value(b"v")), count=255)),
        "RDB204",
        "value.zmlen",
        "25",
    ),
    Payload(
        "zipmap count too high",
        9,
        blob(zipmap((zm_field(b"f"), zm_value(b"v")), count=2)),
        "RDB204",
        "value.zmlen",
        "25",
    ),
]

ENTRY = record(b"v")
NODE = node(ENTRY)
TOMB = record(b"v", flags=3)


def old(*nodes: bytes, size: int | None = None) -> bytes:
    """A stream of type 15 without groups."""
    return stream(nodes, version=1, size=size)


STREAMS = [
    Payload(
        "stream node with a key of 15 bytes",
        15,
        old(node(ENTRY, key=raw_id(1, 1)[:15])),
        "RDB206",
        "value.node[0].key",
        "57",
    ),
    Payload(
        "stream node of no bytes", 15, old(string(raw_id(1, 1)) + string(b"")), "RDB206", "value.node[0].listpack", "27"
    ),
    Payload(
        "stream node of an empty listpack",
        15,
        old(string(raw_id(1, 1)) + string(listpack())),
        "RDB206",
        "value.node[0].listpack.master",
        "57",
    ),
    Payload(
        "stream listpack of another size", 15, old(node(ENTRY, total=3)), "RDB202", "value.node[0].listpack.total", "17"
    ),
    Payload(
        "stream listpack of another count",
        15,
        old(node(ENTRY, count=99)),
        "RDB202",
        "value.node[0].listpack.count",
        "56",
    ),
    Payload(
        "stream entry behind the end",
        15,
        old(node(record(lp_entry(b"v", claim=50)))),
        "RDB202",
        "value.node[0].listpack.record[0]",
        "18",
    ),
    Payload(
        "stream entry with a wrong back length",
        15,
        old(node(record(lp_entry(b"v", back=b"\x07")))),
        "RDB202",
        "value.node[0].listpack.record[0]",
        "20",
    ),
    Payload(
        "stream id that is no number",
        15,
        old(node(record(b"v", delta=(b"abc", 0)))),
        "RDB206",
        "value.node[0].listpack.record[0].ms_delta",
        "59",
    ),
    Payload(
        "master entry with more fields than there are",
        15,
        old(node(ENTRY, num_fields=1 << 40)),
        "RDB206",
        "value.node[0].listpack.master",
        "42",
    ),
    Payload(
        "master entry with a number of fields below 0",
        15,
        old(node(ENTRY, num_fields=-1)),
        "RDB206",
        "value.node[0].listpack.master.num_fields",
        "47",
    ),
    Payload(
        "stream node with too many entries announced",
        15,
        old(node(ENTRY, live=2)),
        "RDB206",
        "value.node[0].listpack.master.count",
        "47",
    ),
    Payload(
        "stream node with entries announced and none there",
        15,
        old(node(live=1)),
        "RDB206",
        "value.node[0].listpack.master.count",
        "51",
    ),
    Payload(
        "stream node with -1 entries announced",
        19,
        stream((NODE, node(record(b"v"), key=raw_id(2, 1), live=-1)), last=(2, 1)),
        "RDB206",
        "value.node[1].listpack.master.count",
        "2026: counts that add up to 2^64",
    ),
    Payload(
        "stream node with too many deleted entries announced",
        19,
        stream((node(ENTRY, dead=1),)),
        "RDB206",
        "value.node[0].listpack.master.deleted",
        "2026: wrong deleted count",
    ),
    Payload(
        "stream node with a live entry too many and a deleted one too few",
        19,
        stream((node(ENTRY, record(b"w", delta=(1, 0), flags=3), live=2, dead=0),)),
        "RDB206",
        "value.node[0].listpack.master.count",
        "2026: wrong deleted count",
    ),
    Payload(
        "stream back length that the byte before completes",
        19,
        stream((node([2, 0, lp_entry(0, back=b"\x81"), b"v", 4]),)),
        "RDB202",
        "value.node[0].listpack.record[0]",
        "20",
    ),
    Payload(
        "stream record with a wrong count of elements",
        15,
        old(node(record(b"v", count=9))),
        "RDB206",
        "value.node[0].listpack.record[0].lp_count",
        "41",
    ),
    Payload(
        "stream record with a count of elements below 0",
        15,
        old(node(record(b"v", count=-4))),
        "RDB206",
        "value.node[0].listpack.record[0].lp_count",
        "43",
    ),
    Payload(
        "stream record that is cut",
        15,
        old(node([2, 0, 0])),
        "RDB206",
        "value.node[0].listpack.record[0]",
        "42",
    ),
    Payload(
        "master entry without its end",
        15,
        old(node(ENTRY, terminator=1)),
        "RDB206",
        "value.node[0].listpack.master.terminator",
        "26",
    ),
    Payload("stream with a node twice", 15, old(NODE, NODE), "RDB206", "value.node", "64"),
    Payload("stream of 3 entries without nodes", 19, stream(size=3), "RDB323", "", "69"),
    Payload("stream of more entries than there are", 19, stream((NODE,), size=5), "RDB323", "", "2026: length"),
    Payload("stream of fewer entries than there are", 19, stream((NODE,), size=0), "RDB323", "", "2026: length"),
    Payload("stream of deleted entries only", 19, stream((node(TOMB),), size=0), "RDB324", "", "2026: tombstones"),
    Payload(
        "stream ids that fall",
        19,
        stream((node(record(b"v", delta=(5, 0)), record(b"w", delta=(2, 0))),), size=2, last=(9, 0), first=(6, 1)),
        "RDB321",
        "entry[1]",
        "consistency",
    ),
    Payload(
        "stream entry behind the last id",
        19,
        stream((node(record(b"v", delta=(5, 0))),), last=(1, 1), first=(6, 1)),
        "RDB322",
        "",
        "consistency",
    ),
    Payload(
        "more entries added than a server can count",
        19,
        stream((NODE,), added=1 << 63),
        "RDB328",
        "",
        "2026: entries_added",
    ),
]

GROUPS = [
    Payload(
        "consumer twice",
        19,
        stream((NODE,), (group(b"g", (), (consumer(b"c"), consumer(b"c"))),)),
        "RDB334",
        'group "g".consumer "c"',
        "21",
    ),
    Payload("group twice", 19, stream((NODE,), (group(b"g"), group(b"g"))), "RDB331", 'group "g"', "B3"),
    Payload(
        "pending entry without consumer",
        15,
        stream((NODE,), (group(b"g", ((1, 1),), read=None),), version=1),
        "RDB335",
        'group "g".pending[0]',
        "55",
    ),
    Payload(
        "pending entry twice in the group",
        19,
        stream((NODE,), (group(b"g", ((1, 1), (1, 1))),)),
        "RDB206",
        "value.group[0]",
        "B3",
    ),
    Payload(
        "pending entry twice with a consumer",
        19,
        stream((NODE,), (group(b"g", ((1, 1),), (consumer(b"c", (1, 1), (1, 1)),)),)),
        "RDB206",
        "value.group[0]",
        "2026: duplicated consumer-PEL entry",
    ),
    Payload(
        "pending entry that the group has not",
        19,
        stream((NODE,), (group(b"g", (), (consumer(b"c", (1, 1)),)),)),
        "RDB206",
        "value.group[0]",
        "B3",
    ),
    Payload(
        "pending entry with two consumers",
        19,
        stream((NODE,), (group(b"g", ((1, 1),), (consumer(b"c", (1, 1)), consumer(b"d", (1, 1)))),)),
        "RDB336",
        'group "g".pending[0]',
        "CVE-2026-63639",
    ),
    Payload(
        "group that read more than a server can count",
        19,
        stream((NODE,), (group(b"g", read=1 << 63),)),
        "RDB328",
        'group "g"',
        "2026: entries_read",
    ),
    Payload(
        "consumer twice, with times",
        21,
        stream((NODE,), (group(b"g", (), (consumer(b"c", version=3), consumer(b"c", version=3))),), version=3),
        "RDB334",
        'group "g".consumer "c"',
        "21",
    ),
]

EXPIRIES = [
    Payload(
        "field expiry that is text", 23, blob(listpack(b"f", b"v", b"soon")), "RDB207", "value.triples.entry[2]", "04"
    ),
    Payload(
        "field expiry that is the text of a number",
        25,
        struct.pack("<q", 0) + blob(listpack(b"f", b"v", b"8388607")),
        "RDB207",
        "value.triples.entry[2]",
        "04",
    ),
    Payload(
        "earliest field expiry below 0",
        24,
        struct.pack("<q", -1) + length(1) + b"\0" + string(b"f") + string(b"v"),
        "RDB207",
        "value.min_expire",
        "08",
    ),
    Payload(
        "earliest field expiry above 2^48",
        24,
        struct.pack("<q", (1 << 48) + 1) + length(1) + b"\0" + string(b"f") + string(b"v"),
        "RDB207",
        "value.min_expire",
        "08",
    ),
    Payload(
        "field expiry that wraps at 64 bits",
        24,
        struct.pack("<q", 1 << 47) + length(1) + length((1 << 64) - 1) + string(b"f") + string(b"v"),
        "RDB207",
        "value.pair[0].ttl",
        "08",
    ),
    Payload(
        "packed field expiry of 2^48", 23, blob(listpack(b"f", b"v", 1 << 48)), "RDB207", "value.triples.entry[2]", "05"
    ),
    Payload(
        "packed field expiries that fall",
        25,
        struct.pack("<q", 1) + blob(listpack(b"f", b"v", 900, b"g", b"w", 800)),
        "RDB316",
        "field[1]",
        "06",
    ),
    Payload(
        "field with an expiry behind one without",
        25,
        struct.pack("<q", 1) + blob(listpack(b"f", b"v", 0, b"g", b"w", 800)),
        "RDB316",
        "field[1]",
        "07",
    ),
    Payload(
        "field expiry of 2^48",
        22,
        length(1) + length(1 << 48) + string(b"f") + string(b"v"),
        "RDB207",
        "value.pair[0].expire_at",
        "08",
    ),
    Payload(
        "field expiry that overflows",
        24,
        struct.pack("<q", 1 << 47) + length(1) + length(1 << 48) + string(b"f") + string(b"v"),
        "RDB207",
        "value.pair[0].ttl",
        "08",
    ),
]

VECTORS = [
    Payload(
        "vector set of an unknown quantisation",
        7,
        vector_set(quantisation=3, size=3),
        "RDB318",
        "quantisation",
        "2026: vector set quantisation",
    ),
    Payload("vector set with a short vector", 7, vector_set(size=2), "RDB318", "element[0].vector", "vectors"),
    Payload("vector set with a long vector", 7, vector_set(0, size=13), "RDB318", "element[0].vector", "vectors"),
    Payload("vector set with an element too few", 7, vector_set(count=2), "RDB318", "count", "vectors"),
    Payload("vector set with an element too many", 7, vector_set(count=0), "RDB318", "end", "vectors"),
    Payload(
        "vector set with a number too few in a node", 7, vector_set(numbers=9), "RDB318", "element[0].node", "vectors"
    ),
    Payload(
        "vector set with a short projection", 7, vector_set(projected=5, matrix=8), "RDB318", "projection", "vectors"
    ),
    Payload("empty vector set", 7, vector_set(elements=0), "RDB310", "", "#15386"),
]

SOUND = [
    Payload("hash whose values look like lengths", 13, blob(ziplist(b"f", b"\xff", b"g", b"\xfe\x01")), None, "", "31"),
]

PAYLOADS = [
    *SIZES,
    *ENTRIES,
    *BACK_LENGTHS,
    *COUNTS,
    *ENDS,
    *ENCODINGS,
    *UNEVEN,
    *DUPLICATES,
    *EMPTY,
    *HUGE,
    *COMPRESSED,
    *SCORES,
    *ZIPMAPS,
    *STREAMS,
    *GROUPS,
    *EXPIRIES,
    *VECTORS,
    *SOUND,
]
