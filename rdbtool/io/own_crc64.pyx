# CRC-64 in C. The module .pyi says what is promised.

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint64_t, uint8_t

cdef extern from "crc64.h":
    void rt_crc64_prepare()
    int rt_crc64_is_fast()
    uint64_t rt_crc64(uint64_t sum, const uint8_t *p, size_t n) nogil
    uint64_t rt_crc64_by_rows(uint64_t sum, const uint8_t *p, size_t n) nogil

rt_crc64_prepare()

IS_FAST = bool(rt_crc64_is_fast())


def crc64(data, uint64_t previous=0):
    cdef Py_buffer view
    cdef uint64_t sum
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    with nogil:
        sum = rt_crc64(previous, <const uint8_t *>view.buf, <size_t>view.len)
    PyBuffer_Release(&view)
    return sum


def crc64_by_rows(data, uint64_t previous=0):
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    cdef uint64_t sum = rt_crc64_by_rows(previous, <const uint8_t *>view.buf, <size_t>view.len)
    PyBuffer_Release(&view)
    return sum
