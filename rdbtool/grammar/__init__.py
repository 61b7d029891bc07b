"""The RDB specification, executable: every opcode, value type and packed encoding as a construct.

It parses and builds, one item at a time, and is the only code that explains errors: what it refuses is a FormatError
with offset, key and path. Bulk work belongs to the compiled codec, which accepts exactly the same files. No construct
Container leaves this package: items and records are the model's.
"""

from rdbtool.grammar.blocks import (
    Parsed,
    ParsedRecord,
    ParsedValue,
    build_record,
    build_value,
    parse_record,
    parse_value,
)
from rdbtool.grammar.intset import scan_intset
from rdbtool.grammar.items import read_header, read_item, trace_header, trace_item
from rdbtool.grammar.listpack import scan_listpack
from rdbtool.grammar.lzf import scan_lzf
from rdbtool.grammar.packed import PackedEntry
from rdbtool.grammar.reading import Bytestream, MemoryStream
from rdbtool.grammar.state import FileState
from rdbtool.grammar.trace import Node, Trace
from rdbtool.grammar.ziplist import scan_ziplist
from rdbtool.grammar.zipmap import scan_zipmap

__all__ = [
    "Bytestream",
    "FileState",
    "MemoryStream",
    "Node",
    "PackedEntry",
    "Parsed",
    "ParsedRecord",
    "ParsedValue",
    "Trace",
    "build_record",
    "build_value",
    "parse_record",
    "parse_value",
    "read_header",
    "read_item",
    "scan_intset",
    "scan_listpack",
    "scan_lzf",
    "scan_ziplist",
    "scan_zipmap",
    "trace_header",
    "trace_item",
]
