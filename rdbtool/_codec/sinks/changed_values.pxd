# Two values of a key, compared part by part.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.encode.diff_lines cimport DiffLines
from rdbtool.model.values cimport KeyRecord

cdef enum:
    ELEMENT = 80                # overhead of an object in bytes

cdef struct Bounds:
    int64_t tolerance_ms        # for expiries of fields
    long most_edits             # of lists: see `list_hunks`
    long most_steps

cdef uint64_t weight_of(KeyRecord record) except? 0
cdef bint is_compiled(KeyRecord first, KeyRecord second) noexcept
cdef bint put_values(DiffLines lines, object first, object second, const Bounds *bounds) except -1
