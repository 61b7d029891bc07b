from rdbtool._codec.decode.cursor cimport Bytes

cdef tuple judge_vector_set(Bytes raw, size_t size)
