# Untracking of containers from the cyclic garbage collector.

cdef extern from "Python.h":
    void PyObject_GC_UnTrack(void *object)
    int PyObject_IS_GC(object object)


def untrack(container):
    """Untrack a container of bytes and numbers from the cyclic collector; return it."""
    if PyObject_IS_GC(container):
        PyObject_GC_UnTrack(<void *>container)
    return container
