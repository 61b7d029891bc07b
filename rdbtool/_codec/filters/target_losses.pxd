# The judge of what a target cannot hold: what is found of a record, refused or remembered.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Scratch
from rdbtool._codec.filters.filter cimport Filter

cdef class Judge(Filter):
    cdef readonly str magic
    cdef readonly int version
    cdef readonly bint allow_loss
    cdef int64_t key_db
    cdef Scratch name               # of the key at hand
    cdef size_t name_size
    cdef list found                 # of the record at hand: (what, severity, count, needs)
    cdef list kept                  # losses
    cdef dict notes                 # by what is said: Loss

    cdef bytes key(self)
    cdef int find(self, str what, str severity, uint64_t count, needs) except -1
    cdef int judge(self, db, key) except -1
    cdef int record_losses(self, db, key) except -1
