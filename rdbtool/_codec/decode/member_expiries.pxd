# Member expiries, which are known before the value is read again.

from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.sink cimport Sink

cdef class MemberExpiries(Sink):
    cdef Sink sink
    cdef dict expiries              # by member: Unix ms
    cdef dict found                 # those of members that the value has, in its order

    cdef int aim(self, Sink sink, dict expiries) except -1
    cdef int look_up(self, Bytes p, size_t size) except -1
    cdef int emit(self) except -1
