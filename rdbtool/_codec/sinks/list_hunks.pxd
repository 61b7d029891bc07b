# Differences of two lists.

cdef list hunks_of(tuple first, tuple second, long most_edits, long most_steps)
cdef bint are_equal(bytes first, bytes second) noexcept
