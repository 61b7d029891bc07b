# Differences of two lists: what `operations/diff/lists.py` says, in a compiled form.
#
# The greedy algorithm: `reach` holds, for each diagonal (index in the first less index in the second), how far so many
# edits get. A copy of it for each number of edits leads back to the script.

from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

cdef enum:
    NONE = -1                   # the diagonal was not reached


cdef bint are_equal(bytes first, bytes second) noexcept:
    return first is second or (
        len(first) == len(second) and memcmp(<char *>first, <char *>second, len(first)) == 0
    )


def find_hunks(first, second, long most_edits, long most_steps):
    """Return (start, stop, at, end) of each hunk: ``first[start:stop]`` is replaced by ``second[at:end]``."""
    return hunks_of(tuple(first), tuple(second), most_edits, most_steps)


cdef list hunks_of(tuple first, tuple second, long most_edits, long most_steps):
    cdef long head = 0, tail = 0, shorter = min(len(first), len(second))
    cdef long size, wanted
    cdef list hunks
    while head < shorter and are_equal(first[head], second[head]):
        head += 1
    while tail < shorter - head and are_equal(first[len(first) - 1 - tail], second[len(second) - 1 - tail]):
        tail += 1
    size = len(first) - tail - head
    wanted = len(second) - tail - head
    if size == 0 and wanted == 0:
        return []
    if size == 0 or wanted == 0:
        return [(head, head + size, head, head + wanted)]
    hunks = shortest(first, second, head, size, wanted, most_edits, most_steps)
    return hunks or by_place(first, second, head, size, wanted)


cdef list by_place(tuple first, tuple second, long head, long size, long wanted):
    """Compare elements of the same index; the longer list's rest follows."""
    cdef list hunks = []
    cdef long begun = -1, place, both = min(size, wanted)
    for place in range(both):
        if not are_equal(first[head + place], second[head + place]):
            begun = place if begun < 0 else begun
        elif begun >= 0:
            hunks.append((head + begun, head + place, head + begun, head + place))
            begun = -1
    if begun >= 0 or size != wanted:
        begun = both if begun < 0 else begun
        hunks.append((head + begun, head + size, head + begun, head + wanted))
    return hunks


cdef inline long step(const long *reach, long diagonal, long size, long wanted) noexcept:
    """Return how far one more edit gets on a diagonal, -1 if it leaves the lists."""
    cdef long inserted = reach[diagonal + 1]
    cdef long deleted = NONE if reach[diagonal - 1] == NONE else reach[diagonal - 1] + 1
    if inserted - diagonal > wanted:
        inserted = NONE
    if deleted > size:
        deleted = NONE
    return max(inserted, deleted)


cdef list shortest(tuple first, tuple second, long head, long size, long wanted, long most_edits, long most_steps):
    """Return the hunks of a shortest edit script; none if computing it would cost too much."""
    cdef long most = min(size + wanted, most_edits)
    cdef size_t width = 2 * (<size_t>most + 2) + 1
    # By diagonal, of which one on either side is looked at and never reached; and the copies, of so many edits those
    # diagonals that it can reach.
    cdef long *whole = <long *>malloc(width * sizeof(long))
    cdef long *copies = NULL
    cdef long *larger
    cdef long *reach
    cdef size_t copied = 0, room = 0, row
    cdef long edits, diagonal, x, begun, i, steps = 0, found = -1
    if whole == NULL:
        raise MemoryError
    try:
        for i in range(<long>width):
            whole[i] = NONE
        reach = whole + most + 2
        reach[1] = 0
        for edits in range(most + 1):
            row = 2 * <size_t>edits + 3
            if copied + row > room:
                room = room * 2 + row + 64
                larger = <long *>malloc(room * sizeof(long))
                if larger == NULL:
                    raise MemoryError
                if copied:
                    memcpy(larger, copies, copied * sizeof(long))
                free(copies)
                copies = larger
            memcpy(copies + copied, reach - edits - 1, row * sizeof(long))
            copied += row
            # Diagonals outside both lists are useless.
            diagonal = 2 * max(<long>0, edits - wanted) - edits
            while diagonal <= edits - 2 * max(<long>0, edits - size):
                x = step(reach, diagonal, size, wanted)
                if x < 0:
                    reach[diagonal] = NONE
                    diagonal += 2
                    continue
                begun = x
                while x < size and x - diagonal < wanted and are_equal(first[head + x], second[head + x - diagonal]):
                    x += 1
                steps += x - begun + 1
                reach[diagonal] = x
                if x == size and x - diagonal == wanted:
                    found = edits
                    break
                diagonal += 2
            if found >= 0:
                return walk_back(copies, found, head, size, wanted)
            if steps > most_steps:
                break
        return []
    finally:
        free(whole)
        free(copies)


cdef list walk_back(const long *copies, long edits, long head, long size, long wanted):
    """Collect the edits from the end to the beginning, and join adjacent ones."""
    cdef list hunks = []
    cdef const long *reach
    cdef long x = size, y = wanted, diagonal, start, stop, at, end
    # The hunk that edits are joined to.
    cdef long hunk_start = -1, hunk_stop = -1, hunk_at = -1, hunk_end = -1
    while edits > 0:
        # Those before take 3, 5, 7 ... numbers.
        reach = copies + edits * (edits + 2) + edits + 1
        diagonal = x - y
        x = step(reach, diagonal, size, wanted)
        y = x - diagonal
        # Common elements follow the edit; it was an insertion if that gets as far.
        if reach[diagonal + 1] == x:
            start, stop, at, end = x, x, y - 1, y
        else:
            start, stop, at, end = x - 1, x, y, y
        if stop == hunk_start and end == hunk_at:
            hunk_start, hunk_at = start, at
        else:
            if hunk_start >= 0:
                hunks.append((head + hunk_start, head + hunk_stop, head + hunk_at, head + hunk_end))
            hunk_start, hunk_stop, hunk_at, hunk_end = start, stop, at, end
        x = start
        y = at
        edits -= 1
    if hunk_start >= 0:
        hunks.append((head + hunk_start, head + hunk_stop, head + hunk_at, head + hunk_end))
    hunks.reverse()
    return hunks
