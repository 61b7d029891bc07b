# C-level view of the keyspace, for the loop that executes an AOF's plain commands.

cdef class Db:
    cdef readonly dict keys
    cdef readonly dict expires

    cpdef replace(self, bytes key, value)
    cpdef put(self, bytes key, value)
    cdef bint remove(self, bytes key) except -1
    cdef object holder(self, bytes key, kind)
