# RDB out: records to the bytes of a snapshot, for the version and magic that are asked for.
#
# A value's parts are collected first (bytes in an arena, rows that point into it), because its
# type byte stands before it and depends on how many and how large they are: the thresholds are the
# servers' defaults (format D7), the forms those of the target's release (format A2). What a target cannot
# hold is a loss: recorded, and refused unless losses are allowed.

from libc.math cimport isinf, isnan, signbit
from libc.stdint cimport INT64_MAX, int64_t, uint64_t, uint8_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memset
from rdbtool._codec.cursor cimport Bytes, Scratch, grow, release, rt_double_text, rt_i64_text, rt_parse_i64
from rdbtool._codec.encode cimport (
    Buffer, Ziplist, begin_listpack, begin_ziplist, end_listpack, end_ziplist, put_be64, put_blob, put_byte, put_bytes,
    put_entry, put_entry_int, put_le, put_length, put_string, put_ziplist_entry, rt_lzf_table
)
from rdbtool._codec.output cimport Output
from rdbtool._codec.sink cimport (
    ArrayItem, Consumer, Group, Head, ITEM_DOUBLE, ITEM_INT, Pending, Producers, StreamTail
)

from rdbtool._codec.encode import format_17g
from rdbtool.model.items import Aux, FunctionLibrary, ModuleAux, ResizeDb
from rdbtool.octets.crc64 import crc64

include "_types.pxi"
