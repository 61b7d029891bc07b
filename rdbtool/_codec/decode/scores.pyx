# Parsing of scores, many at once: ZADD is the AOF command that parses the most.

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.math cimport isinf, isnan
from libc.stdint cimport uint8_t
from rdbtool._codec.decode.cursor cimport rt_parse_double


cdef bint in_doubt(const uint8_t *text, Py_ssize_t size, double value):
    """Whether a server may refuse it: NaN, and what became infinite or zero though it was not written so."""
    cdef Py_ssize_t i
    if isnan(value):
        return True
    if isinf(value):
        return text[size - 1] < c"A"                # a digit: an overflow
    if value == 0:
        for i in range(size):
            if c"1" <= text[i] <= c"9":
                return True
    return False


def parse_scores(tuple argv not None, Py_ssize_t start, Py_ssize_t step):
    """Return the doubles at ``argv[start::step]``; None if one is not a plain double, or is doubtful."""
    cdef Py_ssize_t i, size
    cdef double value
    cdef bytes text
    cdef const uint8_t *data
    scores = []
    for i in range(start, len(argv), step):
        text = argv[i]
        data = <const uint8_t *>PyBytes_AS_STRING(text)
        size = PyBytes_GET_SIZE(text)
        if not rt_parse_double(data, size, &value) or in_doubt(data, size, value):
            return None
        scores.append(value)
    return scores
