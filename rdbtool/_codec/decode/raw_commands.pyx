# A batch of commands: a sequence of tuples of bytes, each of which is made when it is asked for, and then kept.
#
# Most commands of an AOF are executed from their words alone (rdbtool.engine.replay.fast_loop): the bytes of a collection
# go from the batch into a pack, and no object is made for them. The batch has a copy of its part of the AOF, because the
# window moves on.

from cython cimport final, no_gc
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy
from rdbtool._codec.decode.cursor cimport Bytes

cdef extern from "Python.h":
    # Declared with raw pointers: these results go straight into a tuple, which takes over the reference.
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *p, Py_ssize_t size)
    PyObject *new_tuple "PyTuple_New"(Py_ssize_t size)
    void set_item "PyTuple_SET_ITEM"(PyObject *tuple, Py_ssize_t at, PyObject *item)
    PyObject *get_item "PyTuple_GET_ITEM"(PyObject *tuple, Py_ssize_t at)
    Py_ssize_t tuple_size "PyTuple_GET_SIZE"(PyObject *tuple)
    void untrack "PyObject_GC_UnTrack"(PyObject *tuple)
    void keep "Py_INCREF"(PyObject *object)
    void drop "Py_XDECREF"(PyObject *object)
    char *bytes_data "PyBytes_AS_STRING"(PyObject *object)
    Py_ssize_t bytes_size "PyBytes_GET_SIZE"(PyObject *object)

cdef enum:
    MAX_SHARED = 32             # bytes of a name that may be shared
    SHARED_SHIFT = 54           # 64 less the bits of an index into the shared names
    SHARED = 1 << 10            # shared names at a time
    TEXT_ROOM = 1 << 21         # bytes of a batch; a command that does not fit is made at once
    FIRST_ROOM = 1 << 10        # words
    KEPT_ROOM = 1 << 18         # words for which a batch that is used again keeps room


@final
@no_gc
cdef class SharedNames:
    """Objects of the names of commands, which repeat: each has its hash already, and is the one that a dict has met."""

    def __cinit__(self):
        self.seen = <PyObject **>calloc(SHARED, sizeof(PyObject *))
        if self.seen == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef int place
        if self.seen != NULL:
            for place in range(SHARED):
                drop(self.seen[place])
            free(self.seen)

    cdef PyObject *take(self, Bytes p, size_t size) except NULL:
        """Return a new reference to these bytes: to the object of a recent equal name, if there is one."""
        cdef uint64_t first = 0, last = 0
        cdef PyObject **met
        cdef PyObject *item
        if size > MAX_SHARED:
            return made(p, size)
        if size >= 8:
            memcpy(&first, p, 8)
            memcpy(&last, p + size - 8, 8)
        else:
            memcpy(&first, p, size)
        first = (first ^ (last << 29 | last >> 35) ^ size) * <uint64_t>0x9E3779B97F4A7C15
        met = &self.seen[first >> SHARED_SHIFT]
        item = met[0]
        if item == NULL or <size_t>bytes_size(item) != size or memcmp(bytes_data(item), p, size):
            item = made(p, size)
            drop(met[0])
            met[0] = item
        keep(item)
        return item


cdef inline PyObject *made(Bytes p, size_t size) except NULL:
    cdef PyObject *item = new_bytes(<const char *>p, <Py_ssize_t>size)
    if item == NULL:
        raise MemoryError
    return item


@final
@no_gc
cdef class RawCommands:
    """Commands of an AOF, in order. ``room`` is the most that it holds."""

    def __cinit__(self, Py_ssize_t room, SharedNames names not None):
        self.names = names
        self.room = room
        self.heads = <Head *>calloc(<size_t>max(1, room), sizeof(Head))
        if self.heads == NULL:
            raise MemoryError

    def __dealloc__(self):
        self.drop_all()
        free(self.heads)
        free(self.words)
        free(self.text)

    cdef void drop_all(self) noexcept:
        cdef Py_ssize_t at
        for at in range(self.count):
            drop(self.heads[at].name)
            drop(self.heads[at].key)
            drop(self.heads[at].argv)
        self.count = 0

    # ---- filling it ------------------------------------------------------------------------------

    cdef int clear(self) except -1:
        """Forget all commands."""
        self.drop_all()
        self.word_count = self.text_size = 0
        if self.word_room > KEPT_ROOM:
            free(self.words)
            self.words = NULL
            self.word_room = 0
        return 0

    cdef Word *next_words(self, size_t count) except NULL:
        """Return where the words of the next command belong: there is room for ``count``."""
        cdef size_t room
        cdef Word *words
        if self.word_room - self.word_count < count:
            room = max(<size_t>FIRST_ROOM, self.word_count + count)
            if room < KEPT_ROOM:
                room += room // 2
            if room > <size_t>-1 // sizeof(Word):
                raise MemoryError
            words = <Word *>realloc(self.words, room * sizeof(Word))
            if words == NULL:
                raise MemoryError
            self.words = words
            self.word_room = room
        return self.words + self.word_count

    cdef int add(self, Bytes begin, Bytes stop, Py_ssize_t count) except -1:
        """Add the command from ``begin`` to ``stop``, of which the words are at ``next_words``."""
        cdef Word *words = self.words + self.word_count
        cdef Head *head = &self.heads[self.count]
        cdef uint8_t *text
        cdef Py_ssize_t i
        head.key = head.argv = NULL
        head.name = self.names.take(words.text, words.size)
        if self.text == NULL:
            self.text = <uint8_t *>malloc(TEXT_ROOM)
        if self.text == NULL or <size_t>(stop - begin) > TEXT_ROOM - self.text_size:
            head.count = 0
            self.has_made = True
            try:
                head.argv = self.make(words, count, head.name, NULL)
            finally:
                drop(head.name)
                head.name = NULL
            self.count += 1
            return 0
        text = self.text + self.text_size
        memcpy(text, begin, <size_t>(stop - begin))
        for i in range(count):
            words[i].text = text + (words[i].text - begin)
        head.first = self.word_count
        head.count = count
        self.word_count += <size_t>count
        self.text_size += <size_t>(stop - begin)
        self.count += 1
        return 0

    cdef int add_made(self, tuple argv) except -1:
        """Add a command of which a tuple was made elsewhere."""
        cdef Head *head = &self.heads[self.count]
        head.name = head.key = NULL
        head.count = 0
        head.argv = <PyObject *>argv
        keep(head.argv)
        self.has_made = True
        self.count += 1
        return 0

    # ---- objects ---------------------------------------------------------------------------------

    cdef PyObject *make(self, const Word *words, Py_ssize_t count, PyObject *name, PyObject *key) except NULL:
        """Return a new tuple of words; ``key``: the object of the second one, if there is one."""
        cdef Py_ssize_t i
        cdef PyObject *item
        cdef PyObject *whole = new_tuple(count)
        if whole == NULL:
            raise MemoryError
        keep(name)
        set_item(whole, 0, name)
        try:
            for i in range(1, count):
                if i == 1 and key != NULL:
                    item = key
                    keep(item)
                else:
                    item = made(words[i].text, words[i].size)
                set_item(whole, i, item)
        except MemoryError:
            drop(whole)
            raise
        # Bytes cannot refer back to it: the cyclic collector need not visit a million of these.
        untrack(whole)
        return whole

    cdef PyObject *argv(self, Py_ssize_t at) except NULL:
        """Return the tuple of a command (borrowed)."""
        cdef Head *head = &self.heads[at]
        if head.argv == NULL:
            head.argv = self.make(self.words + head.first, head.count, head.name, head.key)
        return head.argv

    cdef PyObject *key(self, Py_ssize_t at) except? NULL:
        """Return the second word of a command (borrowed), NULL where it has none."""
        cdef Head *head = &self.heads[at]
        if head.key == NULL:
            if head.argv != NULL:
                return get_item(head.argv, 1) if tuple_size(head.argv) > 1 else NULL
            if head.count > 1:
                head.key = made(self.words[head.first + 1].text, self.words[head.first + 1].size)
        return head.key

    cdef void drop_key(self, Py_ssize_t at) noexcept:
        """Forget the object of a key, which a later command would not need."""
        drop(self.heads[at].key)
        self.heads[at].key = NULL

    # ---- as a sequence ---------------------------------------------------------------------------

    cdef Py_ssize_t place(self, Py_ssize_t index) except -1:
        if index < 0:
            index += self.count
        if not 0 <= index < self.count:
            raise IndexError("no such command")
        return index

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        cdef Py_ssize_t at
        if isinstance(index, slice):
            return [<object>self.argv(at) for at in range(*index.indices(self.count))]
        return <object>self.argv(self.place(index))

    def __setitem__(self, Py_ssize_t index, tuple argv not None):
        cdef Head *head = &self.heads[self.place(index)]
        Py_INCREF(argv)
        drop(head.name)
        drop(head.key)
        drop(head.argv)
        head.name = head.key = NULL
        head.argv = <PyObject *>argv
        head.count = 0

    def __iter__(self):
        cdef Py_ssize_t at = 0
        while at < self.count:
            yield <object>self.argv(at)
            at += 1
