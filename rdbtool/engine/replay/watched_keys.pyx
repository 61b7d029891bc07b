# The keys that a replay looks for: some keys, and all that match a pattern.
#
# Compiled, because each command of an AOF is asked whether it names one.

from cython cimport final
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_SetItem, PyDict_Size
from cpython.object cimport PyObject
from cpython.set cimport PySet_Contains
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from rdbtool._codec.decode.raw_commands cimport Word
from rdbtool.engine.values cimport bytes_of, word_of

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

    cdef bint matches(self, Word key) noexcept:
        cdef const uint8_t *text = key.text
        cdef const uint8_t *maps = <const uint8_t *>PyBytes_AS_STRING(self.maps)
        cdef Py_ssize_t size = <Py_ssize_t>key.size, last = self.sizes[self.rows - 1], at, i
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


cdef inline uint64_t mark_of(Word word) noexcept:
    """Return one of 64 bits: few words have that of a key."""
    cdef size_t sum = word.size
    if word.size:
        sum += word.text[0] * 5 + word.text[word.size // 2] * 11 + word.text[word.size - 1] * 3
    return <uint64_t>1 << (sum & 63)


cdef class WatchedKeys:
    def __init__(self, exact=(), *, globs=(), patterns=()):
        self.exact = tuple(dict.fromkeys(exact))
        self.globs = tuple([Glob(pattern) for pattern in globs])
        self.patterns = tuple([pattern.search for pattern in patterns])
        self.has_patterns = bool(self.globs) or bool(self.patterns)
        self.chosen = frozenset(self.exact)
        self.marks = 0
        for key in self.exact:
            self.marks |= mark_of(word_of(<bytes?>key))
        self.known = {}

    def __contains__(self, bytes key not None):
        return self.is_chosen(word_of(key))

    def only(self, keys):
        """Return those of some keys that are chosen, in their order."""
        return [key for key in keys if self.is_chosen(word_of(<bytes?>key))]

    cdef inline bint is_exact(self, Word word) except -1:
        return self.marks & mark_of(word) and PySet_Contains(self.chosen, bytes_of(word))

    cdef bint is_chosen(self, Word word) except -1:
        cdef PyObject *found
        cdef Glob glob
        if self.is_exact(word):
            return True
        for glob in self.globs:
            if glob.matches(word):
                return True
        if not self.patterns:
            return False
        key = bytes_of(word)
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

    cdef bint names(
        self, const Word *words, Py_ssize_t size, Py_ssize_t first, Py_ssize_t last, Py_ssize_t step
    ) except -1:
        """Whether an argument is one of the exact keys, or an argument from ``first`` on matches a pattern.

        ``last`` and ``step`` are as in the command table; a ``step`` of 0: any argument may be a key.
        """
        cdef Py_ssize_t i
        if self.marks:
            for i in range(1, size):
                if self.is_exact(words[i]):
                    return True
        if self.has_patterns:
            if step == 0:
                first, last, step = 1, -1, 1
            if last < 0:
                last += size
            elif last >= size:
                last = size - 1
            while first <= last:
                if self.is_chosen(words[first]):
                    return True
                first += step
        return False
