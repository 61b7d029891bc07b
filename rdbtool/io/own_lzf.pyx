# LZF of rdbtool's own, for where python-lzf is not installed. The module .pyi says what is promised.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free, malloc

cdef extern from "lzf.h":
    enum:
        RT_LZF_SLACK
    ctypedef struct rt_lzf_table:
        pass
    int rt_lzf_inflate(const uint8_t *data, size_t size, uint8_t *out, size_t out_size) nogil
    size_t rt_lzf_deflate(const uint8_t *data, size_t size, uint8_t *out, size_t room, rt_lzf_table *table) nogil


def decompress(bytes data not None, Py_ssize_t size):
    if size < 0:
        raise ValueError("negative size")
    cdef Py_ssize_t found = measure(data, size)
    if found > size:
        return None
    # Copies may overrun the end by less than the slack, which a bytes object does not have.
    cdef uint8_t *out = <uint8_t *>malloc(<size_t>found + RT_LZF_SLACK)
    if out == NULL:
        raise MemoryError
    try:
        if not rt_lzf_inflate(<const uint8_t *>PyBytes_AS_STRING(data), <size_t>len(data), out, <size_t>found):
            raise ValueError("damaged LZF data")
        return PyBytes_FromStringAndSize(<char *>out, found)
    finally:
        free(out)


cdef Py_ssize_t measure(bytes data, Py_ssize_t room) except -1:
    """Return what the stream inflates to (bytes), ``room + 1`` as soon as it is more; raise ValueError for damage."""
    cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef const uint8_t *end = at + len(data)
    cdef Py_ssize_t made = 0, length, offset
    while at < end:
        length = at[0]
        at += 1
        if length < 32:
            length += 1
            if made + length > room:
                return room + 1
            if end - at < length:
                raise ValueError("damaged LZF data")
            at += length
        else:
            offset = (length & 31) << 8
            length >>= 5
            if length == 7:
                if at >= end:
                    raise ValueError("damaged LZF data")
                length += at[0]
                at += 1
            if at >= end:
                raise ValueError("damaged LZF data")
            offset += at[0] + 1
            at += 1
            length += 2
            if made + length > room:
                return room + 1
            if offset > made:
                raise ValueError("damaged LZF data")
        made += length
    return made


def compress(bytes data not None, Py_ssize_t room):
    if room <= 0:
        return None
    cdef rt_lzf_table *table = <rt_lzf_table *>calloc(1, sizeof(rt_lzf_table))
    cdef uint8_t *out = <uint8_t *>malloc(<size_t>room)
    cdef size_t made
    try:
        if table == NULL or out == NULL:
            raise MemoryError
        made = rt_lzf_deflate(<const uint8_t *>PyBytes_AS_STRING(data), <size_t>len(data), out, <size_t>room, table)
        return PyBytes_FromStringAndSize(<char *>out, <Py_ssize_t>made) if made else None
    finally:
        free(out)
        free(table)
