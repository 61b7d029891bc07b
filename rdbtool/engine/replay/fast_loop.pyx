# The loop over a log's plain commands: those outside of transactions, with known names and enough arguments.
#
# Compiled, because it runs once for every command of a log. SET with a key and a value, the command that logs
# hold the most of, is carried out here; all others go to their handlers.

from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_GET_SIZE
from rdbtool.engine.keyspace cimport Db

cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object mapping, object key) except? NULL


cdef class PlainCommands:
    cdef object set_handler
    cdef readonly Py_ssize_t index

    def __init__(self, set_handler):
        self.set_handler = set_handler

    def execute(self, engine, list argvs not None, Py_ssize_t start, Py_ssize_t end, dict handlers not None):
        cdef tuple argv, entry
        cdef PyObject *found
        cdef Py_ssize_t index, least
        for index in range(start, end):
            self.index = index
            given = argvs[index]
            argv = given if type(given) is tuple else tuple(given)
            found = PyDict_GetItemWithError(handlers, argv[0])
            if found == NULL:
                return index
            entry = <tuple>found
            least = entry[1]
            if PyTuple_GET_SIZE(argv) < least:
                return index
            handler = entry[0]
            if PyTuple_GET_SIZE(argv) == 3 and handler is self.set_handler:
                (<Db?>engine.db).replace(<bytes>argv[1], argv[2])
            else:
                handler(engine, argv)
        return end
