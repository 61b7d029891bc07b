# Our own fingerprint: 128 bits over everything that a file stores about its keys, in any order.
#
# DEBUG DIGEST does not see a changed expiry time, a destroyed group or a lost function; this does. Rewritten files are
# compared by it, so every part of a record goes in.

from libc.stdint cimport uint64_t
from libc.string cimport memset
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.sinks.record_hash cimport Prints, rt_hash128, rt_hash_add, rt_hash_add_part, rt_hash_feed, rt_hash_number

from rdbtool.model.items import Aux, FunctionLibrary, ModuleAux
from rdbtool.core.rdb_types import SCRIPT_AUX

cdef enum:
    TAG_FUNCTION = 1
    TAG_MODULE_AUX = 2
    TAG_SCRIPT = 3


cdef class Fingerprint(Prints):
    """Adds up 128-bit hashes of all records, functions, scripts and module data, independent of their order.

    Two files have the same fingerprint if every key has the same value, expiry, field expiries, stream IDs, groups,
    pending entries, eviction data and metadata. Encodings do not count. ``signed_zeros`` False: nor does the sign of a
    score of -0, which servers sometimes drop.
    """

    cdef readonly uint64_t keys
    cdef rt_hash128 total

    def __init__(self, *, bint signed_zeros=True):
        self.whole = self.divides = True
        self.signed_zeros = signed_zeros

    def hexdigest(self):
        """Return the fingerprint of what was received so far: 32 hex digits."""
        return f"{self.total.b:016x}{self.total.a:016x}"

    def begin_range(self, room, db):
        """Begin with nothing."""
        memset(&self.total, 0, sizeof(rt_hash128))
        self.keys = 0

    def end_range(self):
        """Return the sum, and how many keys it is of."""
        return self.keys, self.total.a, self.total.b

    def add_range(self, result, room):
        """Add the sum of a copy."""
        cdef rt_hash128 total
        keys, total.a, total.b = result
        rt_hash_add(&self.total, &total)
        self.keys += keys
        return True

    cdef int item(self, object item) except -1:
        cdef rt_hash128 hash
        cdef bytes data
        memset(&hash, 0, sizeof(rt_hash128))
        if isinstance(item, FunctionLibrary):
            data = item.code
            rt_hash_number(&hash, TAG_FUNCTION)
        elif isinstance(item, ModuleAux):
            data = item.raw
            rt_hash_number(&hash, TAG_MODULE_AUX)
        elif isinstance(item, Aux) and item.key == SCRIPT_AUX:
            data = item.value
            rt_hash_number(&hash, TAG_SCRIPT)
        else:
            return 0
        rt_hash_feed(&hash, <Bytes>(<char *>data), len(data))
        rt_hash_add_part(&self.total, &hash)
        return 0

    cdef int commit(self) except -1:
        rt_hash_add(&self.total, &self.value)
        self.keys += 1
        return 0
