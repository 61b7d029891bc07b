# The keyspace: numbered databases of keys, and what every command needs of one.
#
# Expiry is stored and never applied here: while a server loads an AOF no key expires. now_ms of the
# engine serves the few commands with relative times and the few rules that depend on the clock.
# Compiled, because every command of an AOF comes through here.

from cpython.dict cimport PyDict_DelItem, PyDict_SetItem, PyDict_Size
from cpython.object cimport PyObject

from rdbtool.engine.command_errors import WrongTypeError

cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object mapping, object key) except? NULL
    void PyObject_GC_UnTrack(void *object)
    int PyObject_IS_GC(object object)


cdef class Db:
    """One database: ``keys`` maps key to value, ``expires`` key to Unix ms for the keys that expire."""

    def __init__(self):
        self.keys = {}
        self.expires = {}

    def find(self, bytes key not None, kind):
        """Return the value of a key, None if there is none. Raises WrongTypeError if it is of another type."""
        cdef PyObject *value = PyDict_GetItemWithError(self.keys, key)
        if value == NULL:
            return None
        if type(<object>value) is not kind:
            raise WrongTypeError
        return <object>value

    def find_or_make(self, bytes key not None, kind):
        """Return the value of a key; if absent, add an empty one. Raises WrongTypeError."""
        cdef PyObject *value = PyDict_GetItemWithError(self.keys, key)
        if value == NULL:
            made = kind()
            self.put(key, made)
            return made
        if type(<object>value) is not kind:
            raise WrongTypeError
        return <object>value

    cpdef replace(self, bytes key, value):
        """Set a key to a new value; an expiry is gone."""
        cdef Py_ssize_t before = PyDict_Size(self.keys)
        self.put(key, value)
        # A key that is new has no expiry.
        if PyDict_Size(self.expires) and PyDict_Size(self.keys) == before:
            self.expires.pop(key, None)

    cpdef put(self, bytes key, value):
        """Set a key to a value; an expiry stays."""
        # The collector would visit millions of values for nothing: none is part of a cycle.
        untrack(value)
        PyDict_SetItem(self.keys, key, value)
        untrack(self.keys)

    def delete(self, bytes key not None):
        """Remove a key and its expiry; return whether it was there."""
        return bool(self.remove(key))

    cdef bint remove(self, bytes key) except -1:
        if PyDict_GetItemWithError(self.keys, key) == NULL:
            return False
        if PyDict_Size(self.expires):
            self.expires.pop(key, None)
        PyDict_DelItem(self.keys, key)
        return True

    cdef object holder(self, bytes key, kind):
        """Return the value of a key, an empty one that was added if absent, None where the type differs."""
        cdef PyObject *value = PyDict_GetItemWithError(self.keys, key)
        if value == NULL:
            made = kind()
            self.put(key, made)
            return made
        return <object>value if type(<object>value) is kind else None

    def drop_if_empty(self, bytes key not None, value):
        """Remove a key whose collection ran empty (streams stay, and never come here)."""
        if not value:
            self.delete(key)

    def clear(self):
        """Remove all keys."""
        self.keys.clear()
        self.expires.clear()


cdef inline int untrack(object value) except -1:
    if PyObject_IS_GC(value):
        PyObject_GC_UnTrack(<void *>value)
