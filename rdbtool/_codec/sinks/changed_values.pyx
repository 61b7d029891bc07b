# Two values of a key, compared part by part: hashes, lists, sets and sorted sets, as `operations/diff/values.py` does.
#
# Parts are written in its order: those that only the first has, then the others as they are in the second.

from cpython.dict cimport PyDict_Contains, PyDict_GetItem, PyDict_SetItem
from cpython.ref cimport PyObject
from libc.stdint cimport INT64_MIN, int64_t, uint64_t
from libc.string cimport memcmp
from rdbtool._codec.encode.diff_lines cimport DiffLines
from rdbtool._codec.sinks.key_table cimport are_near
from rdbtool._codec.sinks.list_hunks cimport are_equal, hunks_of
from rdbtool.model.values cimport (
    HashValue, KeyRecord, ListValue, OpaqueValue, SetValue, StreamEntry, StreamGroup, StreamValue, StringValue, ZSetValue
)


def weigh(KeyRecord record not None):
    """Return the approximate size of a record in bytes."""
    return weight_of(record)


cdef uint64_t weight_of(KeyRecord record) except? 0:
    cdef object value = record.value
    cdef uint64_t size = ELEMENT
    cdef bytes part
    cdef tuple row
    cdef StreamEntry entry
    cdef StreamGroup group
    if type(value) is StringValue:
        size += len((<StringValue>value).data)
    elif type(value) is OpaqueValue:
        size += len((<OpaqueValue>value).raw)
    elif type(value) is ListValue or type(value) is SetValue:
        for part in (<ListValue>value).elements if type(value) is ListValue else (<SetValue>value).members:
            size += len(part) + ELEMENT
    elif type(value) is ZSetValue:
        for row in (<ZSetValue>value).members:
            size += len(<bytes>row[0]) + 2 * ELEMENT
    elif type(value) is HashValue:
        for row in (<HashValue>value).fields:
            size += len(<bytes>row[0]) + len(<bytes>row[1]) + 3 * ELEMENT
    elif type(value) is StreamValue:
        for entry in (<StreamValue>value).entries:
            size += 3 * ELEMENT
            for row in entry.fields:
                size += len(<bytes>row[0]) + len(<bytes>row[1]) + 2 * ELEMENT
        for group in (<StreamValue>value).groups:
            size += 3 * ELEMENT * len(group.pending)
    else:
        size += ELEMENT * <uint64_t>len(value)
    return size


cdef bint is_compiled(KeyRecord first, KeyRecord second) noexcept:
    """Return whether records may be of those that are compared here: not with metadata, or expiries of members."""
    return (
        type(first.value) is type(second.value) and first.meta is None and second.meta is None
        and first.member_expiries is None and second.member_expiries is None
    )


cdef bint put_values(DiffLines lines, object first, object second, const Bounds *bounds) except -1:
    """Write the parts that differ and return True; False: they must be compared elsewhere, and are to be forgotten.

    Those are other types, and values in which a name is there twice.
    """
    if type(first) is HashValue:
        return put_hashes(lines, (<HashValue>first).fields, (<HashValue>second).fields, bounds.tolerance_ms)
    if type(first) is SetValue:
        return put_sets(lines, (<SetValue>first).members, (<SetValue>second).members)
    if type(first) is ZSetValue:
        return put_zsets(lines, (<ZSetValue>first).members, (<ZSetValue>second).members)
    if type(first) is ListValue:
        return put_lists(lines, (<ListValue>first).elements, (<ListValue>second).elements, bounds)
    return False


cdef inline int64_t expiry_of(tuple row) except? -1:
    return INT64_MIN if row[2] is None else <int64_t>row[2]


cdef dict by_name(tuple rows):
    """Return rows by their first item."""
    cdef dict found = {}
    cdef tuple row
    for row in rows:
        PyDict_SetItem(found, row[0], row)
    return found


cdef bint put_hashes(DiffLines lines, tuple first, tuple second, int64_t tolerance_ms) except -1:
    cdef dict ours = by_name(first), theirs = by_name(second)
    cdef tuple row, other
    cdef PyObject *found
    if len(ours) != len(first) or len(theirs) != len(second):
        return False
    for row in first:
        if not PyDict_Contains(theirs, row[0]):
            lines.field(c"-", row[0], row[1], None)
            if not are_near(expiry_of(row), INT64_MIN, tolerance_ms):
                lines.field_expiry(c"-", row[0], expiry_of(row), INT64_MIN)
    for row in second:
        found = PyDict_GetItem(ours, row[0])
        if found == NULL:
            lines.field(c"+", row[0], None, row[1])
            if not are_near(INT64_MIN, expiry_of(row), tolerance_ms):
                lines.field_expiry(c"+", row[0], INT64_MIN, expiry_of(row))
            continue
        other = <tuple>found
        if not are_equal(other[1], row[1]):
            lines.field(c"~", row[0], other[1], row[1])
        if not are_near(expiry_of(other), expiry_of(row), tolerance_ms):
            lines.field_expiry(c"~", row[0], expiry_of(other), expiry_of(row))
    return True


cdef bint put_sets(DiffLines lines, tuple first, tuple second) except -1:
    cdef set ours = set(first), theirs = set(second)
    cdef bytes member
    if len(ours) != len(first) or len(theirs) != len(second):
        return False
    for member in first:
        if member not in theirs:
            lines.member(c"-", member)
    for member in second:
        if member not in ours:
            lines.member(c"+", member)
    return True


cdef bint put_zsets(DiffLines lines, tuple first, tuple second) except -1:
    cdef dict ours = by_name(first), theirs = by_name(second)
    cdef tuple row, other
    cdef PyObject *found
    cdef double before, after
    if len(ours) != len(first) or len(theirs) != len(second):
        return False
    for row in first:
        if not PyDict_Contains(theirs, row[0]):
            lines.member_score(c"-", row[0], row[1], 0)
    for row in second:
        after = row[1]
        found = PyDict_GetItem(ours, row[0])
        if found == NULL:
            lines.member_score(c"+", row[0], 0, after)
            continue
        other = <tuple>found
        before = other[1]
        # Bit by bit: 0 is not -0, and all NaNs are equal.
        if memcmp(&before, &after, sizeof(double)) != 0 and not (before != before and after != after):
            lines.member_score(c"~", row[0], before, after)
    return True


cdef bint put_lists(DiffLines lines, tuple first, tuple second, const Bounds *bounds) except -1:
    cdef Py_ssize_t start, stop, at, end
    for start, stop, at, end in hunks_of(first, second, bounds.most_edits, bounds.most_steps):
        put_hunk(lines, first, second, start, stop, at, end)
    return True


cdef int put_hunk(DiffLines lines, tuple first, tuple second, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t at,
                  Py_ssize_t end) except -1:
    """Write that ``first[start:stop]`` is ``second[at:end]``."""
    cdef Py_ssize_t place, both = min(stop - start, end - at) if start == at else 0
    for place in range(start, start + both):
        lines.element_at(c"~", place, first[place], second[place])
    for place in range(start + both, stop):
        lines.element_at(c"-", place, first[place], None)
    for place in range(at + both, end):
        lines.element_at(c"+", place, None, second[place])
    return 0
