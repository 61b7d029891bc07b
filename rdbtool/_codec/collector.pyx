# Keeping the cyclic collector away from containers that cannot be part of a cycle.

cdef extern from "Python.h":
    void PyObject_GC_UnTrack(void *object)
    int PyObject_IS_GC(object object)


def untrack(container):
    """Hide a container that will only ever hold bytes and numbers from the cyclic collector; return it."""
    if PyObject_IS_GC(container):
        PyObject_GC_UnTrack(<void *>container)
    return container
