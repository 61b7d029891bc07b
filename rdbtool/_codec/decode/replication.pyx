"""The stream of writes that a master sends to its replicas, as what an AOF holds of it.

Commands are framed as in an AOF (format C1). What is for replicas alone is no part of an AOF: PING, REPLCONF, messages of
channels, and what nodes of a cluster tell each other. Strict: a stream that is not framed as servers frame it is no
stream of theirs.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t


DEF LONGEST_NUMBER = 19


class StreamDamagedError(Exception):
    """Bytes in a stream that servers do not send."""


cdef inline char upper(char c) noexcept:
    return c - 32 if 97 <= c <= 122 else c


cdef bint is_word(const char *data, Py_ssize_t size, bytes word) noexcept:
    cdef const char *other = PyBytes_AS_STRING(word)
    cdef Py_ssize_t i
    if size != PyBytes_GET_SIZE(word):
        return False
    for i in range(size):
        if upper(data[i]) != other[i]:
            return False
    return True


cdef class Splitter:
    """Cuts a stream into whole commands: ``split`` gives what an AOF holds of them.

    ``offset`` is how many bytes of the stream were taken whole. ``db`` is the database that was selected there, -1: not
    known. ``is_open``: a transaction was begun and has not ended, so that no AOF may end here; ``safe_offset``,
    ``safe_db`` and ``safe_kept`` are what ``offset``, ``db`` and ``kept`` were where one may. ``kept`` counts the bytes
    that were returned, ``changes`` the commands, and ``asked`` how often the server asked for an acknowledgement.
    """

    cdef public int64_t offset
    cdef public int64_t db
    cdef public int64_t changes
    cdef public int64_t asked
    cdef public bint is_open
    cdef public int64_t kept
    cdef public int64_t safe_offset
    cdef public int64_t safe_db
    cdef public int64_t safe_kept
    cdef list rest
    cdef Py_ssize_t rest_size
    # Bytes that the current command has at least: before they are there, nothing is looked at.
    cdef Py_ssize_t needed

    def __init__(self, offset=0, db=-1):
        self.offset = offset
        self.db = db
        self.changes = 0
        self.asked = 0
        self.is_open = False
        self.kept = self.safe_kept = 0
        self.safe_offset = offset
        self.safe_db = db
        self.rest = []
        self.rest_size = 0
        self.needed = 0

    @property
    def held(self):
        """Bytes that were received of a command that is not whole yet."""
        return self.rest_size

    def split(self, data not None, largest):
        """Take a piece of the stream; return the bytes of whole commands that an AOF holds.

        Raises StreamDamagedError, also for a command of more than ``largest`` bytes.
        """
        cdef bytes joined = bytes(data)
        self.rest.append(joined)
        self.rest_size += PyBytes_GET_SIZE(joined)
        if self.rest_size < self.needed:
            return b""
        if len(self.rest) > 1:
            joined = b"".join(self.rest)
        cdef const char *begin = PyBytes_AS_STRING(joined)
        cdef const char *p = begin
        cdef const char *end = begin + PyBytes_GET_SIZE(joined)
        cdef const char *stop
        cdef const char *kept = begin
        cdef Py_ssize_t total = 0
        cdef list pieces = []
        cdef int verdict = 0
        cdef int64_t most = largest
        self.needed = 0
        while p < end:
            stop = self.skip(p, end, &verdict)
            if stop == NULL:
                break
            if verdict == 0:
                if p > kept:
                    pieces.append(PyBytes_FromStringAndSize(kept, p - kept))
                kept = stop
            else:
                self.kept += stop - p
            p = stop
            if not self.is_open:
                self.safe_offset = self.offset + (p - begin)
                self.safe_db = self.db
                self.safe_kept = self.kept
        if p > kept:
            pieces.append(PyBytes_FromStringAndSize(kept, p - kept))
        self.offset += p - begin
        self.rest = [PyBytes_FromStringAndSize(p, end - p)] if end > p else []
        self.rest_size = end - p
        if self.rest_size > most or self.needed > most:
            raise StreamDamagedError(f"a command of more than {largest:,} bytes")
        return b"".join(pieces)

    cdef const char *skip(self, const char *p, const char *end, int *verdict) except? NULL:
        """Pass one command; NULL: it is not whole. ``verdict`` 1: an AOF holds it."""
        cdef int64_t count, size, index
        cdef const char *name = NULL
        cdef const char *argument = NULL
        cdef const char *first = p
        cdef Py_ssize_t name_size = 0, argument_size = 0
        verdict[0] = 0
        if p[0] == b"\n":
            return p + 1
        if p[0] == b"\r":
            if end - p < 2:
                return NULL
            if p[1] != b"\n":
                raise StreamDamagedError(f"{bytes(p[:2])!r} in the place of a command")
            return p + 2
        p = number(p, end, b"*", &count)
        if p == NULL:
            return NULL
        if count < 1:
            raise StreamDamagedError(f"a command of {count} arguments")
        for index in range(count):
            p = number(p, end, b"$", &size)
            if p == NULL:
                return NULL
            if end - p < size + 2:
                self.needed = p - first + size + 2
                return NULL
            if p[size] != b"\r" or p[size + 1] != b"\n":
                raise StreamDamagedError("an argument that does not end where it says")
            if index == 0:
                name, name_size = p, size
            elif index == 1:
                argument, argument_size = p, size
            p += size + 2
        verdict[0] = self.classify(name, name_size, argument, argument_size)
        return p

    cdef int classify(self, const char *name, Py_ssize_t size, const char *argument, Py_ssize_t argument_size) except -1:
        cdef int64_t db = 0
        cdef Py_ssize_t i
        if size == 6 and is_word(name, size, b"SELECT"):
            for i in range(argument_size):
                if not 48 <= argument[i] <= 57 or i > 8:
                    raise StreamDamagedError(f"SELECT of {bytes(argument[:argument_size])[:40]!r}")
                db = db * 10 + argument[i] - 48
            self.db = db
            return 1
        if size == 4 and is_word(name, size, b"PING"):
            return 0
        if size == 5 and is_word(name, size, b"MULTI"):
            self.is_open = True
            return 1
        if size == 4 and is_word(name, size, b"EXEC"):
            self.is_open = False
            return 1
        if size == 8 and is_word(name, size, b"REPLCONF"):
            if argument_size == 6 and is_word(argument, argument_size, b"GETACK"):
                self.asked += 1
            return 0
        if size == 7 and (is_word(name, size, b"PUBLISH") or is_word(name, size, b"CLUSTER")):
            return 0
        if size == 8 and is_word(name, size, b"SPUBLISH"):
            return 0
        self.changes += 1
        return 1


cdef const char *number(const char *p, const char *end, char mark, int64_t *value) except? NULL:
    """Read a line with a mark and a number; NULL: it is not whole."""
    cdef int64_t found = 0
    cdef const char *first
    if p >= end:
        return NULL
    if p[0] != mark:
        raise StreamDamagedError(f"{bytes(p[:min(end - p, 16)])!r} in the place of {chr(mark)!r}")
    p += 1
    first = p
    while p < end and 48 <= p[0] <= 57:
        if p - first >= LONGEST_NUMBER - 1:
            raise StreamDamagedError("a number of too many digits")
        found = found * 10 + p[0] - 48
        p += 1
    if end - p < 2:
        if p < end and p[0] != b"\r":
            raise StreamDamagedError(f"{bytes(p[:1])!r} in a number")
        return NULL
    if p == first or p[0] != b"\r" or p[1] != b"\n":
        raise StreamDamagedError(f"{bytes(p[:2])!r} in a number")
    value[0] = found
    return p + 2
