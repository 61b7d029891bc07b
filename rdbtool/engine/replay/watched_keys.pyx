# The keys that a replay looks for: some keys, and all that match a pattern.
#
# Compiled, because each command of an AOF is asked whether it names one.

from cython cimport final
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_SetItem, PyDict_Size
from cpython.object cimport PyObject
from cpython.set cimport PySet_Contains
from cpython.tuple cimport PyTuple_GET_SIZE
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc

cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object mapping, object key) except? NULL

cdef enum:
    # Answers of regular expressions that are remembered.
    REMEMBERED = 1 << 16
    # Bytes that say which of the 256 bytes match.
    MAP = 32


@final
cdef class Glob:
    """A pattern as in KEYS: rows of byte sets between stars."""
    cdef Py_ssize_t rows
    # Of each row.
    cdef Py_ssize_t *sizes
    # Of each byte of each row.
    cdef bytes maps
    # Sum of the sizes, or what a pattern of stars alone asks for.
    cdef Py_ssize_t least

    def __cinit__(self, bytes pattern not None):
        from rdbtool.reader.globs import byte_maps
        cdef list rows = byte_maps(pattern)
        cdef Py_ssize_t i
        self.rows = len(rows)
        self.maps = b"".join([bits for row in rows for bits in row])
        self.sizes = <Py_ssize_t *>malloc(<size_t>self.rows * sizeof(Py_ssize_t))
        if self.sizes == NULL:
            raise MemoryError
        for i in range(self.rows):
            self.sizes[i] = len(rows[i])
        self.least = len(self.maps) // MAP
        if self.least == 0 and self.rows > 1 and pattern != b"*":
            # As in servers: the empty key matches one star, but not two.
            self.least = 1

    def __dealloc__(self):
        free(self.sizes)

    cdef bint matches(self, bytes key) noexcept:
        cdef const uint8_t *text = <const uint8_t *>PyBytes_AS_STRING(key)
        cdef const uint8_t *maps = <const uint8_t *>PyBytes_AS_STRING(self.maps)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(key), last = self.sizes[self.rows - 1], at, i
        if size < self.least:
            return False
        if self.rows == 1:
            return size == last and fits(maps, text, last)
        if not fits(maps, text, self.sizes[0]):
            return False
        if not fits(maps + (PyBytes_GET_SIZE(self.maps) - last * MAP), text + (size - last), last):
            return False
        # The first match of each row in between: a later one gains nothing.
        at = self.sizes[0]
        maps += at * MAP
        size -= last
        for i in range(1, self.rows - 1):
            while at + self.sizes[i] <= size and not fits(maps, text + at, self.sizes[i]):
                at += 1
            at += self.sizes[i]
            if at > size:
                return False
            maps += self.sizes[i] * MAP
        return True


cdef inline bint fits(const uint8_t *maps, const uint8_t *text, Py_ssize_t size) noexcept:
    cdef Py_ssize_t i
    for i in range(size):
        if not maps[i * MAP + (text[i] >> 3)] >> (text[i] & 7) & 1:
            return False
    return True


cdef class WatchedKeys:
    def __init__(self, exact=(), *, globs=(), patterns=()):
        self.exact = tuple(dict.fromkeys(exact))
        self.globs = tuple([Glob(pattern) for pattern in globs])
        self.patterns = tuple([pattern.search for pattern in patterns])
        self.has_patterns = bool(self.globs) or bool(self.patterns)
        self.chosen = frozenset(self.exact)
        self.sizes = 0
        for key in self.exact:
            self.sizes |= <uint64_t>1 << (PyBytes_GET_SIZE(<bytes?>key) & 63)
        self.known = {}

    def __contains__(self, bytes key not None):
        return self.is_chosen(key)

    def only(self, keys):
        """Return those of some keys that are chosen, in their order."""
        return [key for key in keys if self.is_chosen(<bytes?>key)]

    cdef bint is_chosen(self, bytes key) except -1:
        cdef PyObject *found
        cdef Glob glob
        if self.sizes >> (PyBytes_GET_SIZE(key) & 63) & 1 and PySet_Contains(self.chosen, key):
            return True
        for glob in self.globs:
            if glob.matches(key):
                return True
        if not self.patterns:
            return False
        found = PyDict_GetItemWithError(self.known, key)
        if found != NULL:
            return <object>found is True
        answer = False
        for search in self.patterns:
            if search(key) is not None:
                answer = True
                break
        if PyDict_Size(self.known) >= REMEMBERED:
            self.known.clear()
        PyDict_SetItem(self.known, key, answer)
        return answer is True

    cdef bint names(self, tuple argv, Py_ssize_t first, Py_ssize_t last, Py_ssize_t step) except -1:
        """Whether an argument is one of the exact keys, or an argument from ``first`` on matches a pattern.

        ``last`` and ``step`` are as in the command table; a ``step`` of 0: any argument may be a key.
        """
        cdef Py_ssize_t size = PyTuple_GET_SIZE(argv), i
        cdef bytes key
        if self.sizes:
            for i in range(1, size):
                key = <bytes?>argv[i]
                if self.sizes >> (PyBytes_GET_SIZE(key) & 63) & 1 and PySet_Contains(self.chosen, key):
                    return True
        if self.has_patterns:
            if step == 0:
                first, last, step = 1, -1, 1
            if last < 0:
                last += size
            elif last >= size:
                last = size - 1
            while first <= last:
                if self.is_chosen(<bytes?>argv[first]):
                    return True
                first += step
        return False
