# Commands as the scanner found them: their words are places in a copy of the AOF.

from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes


cdef extern from "word.h":
    ctypedef struct Word "rt_word":
        Bytes text
        size_t size


cdef struct Head:
    size_t first                # index of the first word
    Py_ssize_t count            # of words; 0: there is only `argv`
    PyObject *name              # the first word (owned), NULL where there is only `argv`
    PyObject *key               # the second word (owned); NULL: not made yet
    PyObject *argv              # all words (owned); NULL: likewise


cdef class SharedNames:
    cdef PyObject **seen        # recent names, by hash; NULL: none yet
    cdef PyObject *take(self, Bytes p, size_t size) except NULL


cdef class RawCommands:
    cdef Py_ssize_t count
    cdef Py_ssize_t room
    cdef Head *heads
    cdef Word *words
    cdef size_t word_count
    cdef size_t word_room
    cdef uint8_t *text          # what the words are in
    cdef size_t text_size
    cdef bint has_made          # some command is a tuple from the beginning: those with long words are
    cdef SharedNames names

    cdef void drop_all(self) noexcept
    cdef Word *next_words(self, size_t count) except NULL
    cdef int add(self, Bytes begin, Bytes stop, Py_ssize_t count) except -1
    cdef int add_made(self, tuple argv) except -1
    cdef int clear(self) except -1
    cdef PyObject *make(self, const Word *words, Py_ssize_t count, PyObject *name, PyObject *key) except NULL
    cdef PyObject *argv(self, Py_ssize_t at) except NULL
    cdef PyObject *key(self, Py_ssize_t at) except? NULL
    cdef void drop_key(self, Py_ssize_t at) noexcept
    cdef Py_ssize_t place(self, Py_ssize_t index) except -1
