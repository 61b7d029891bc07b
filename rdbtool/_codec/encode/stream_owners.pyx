# The consumers of a group while it is received, found by name.

from libc.string cimport memcmp
from rdbtool._codec.decode.cursor cimport grow, release
from rdbtool._codec.encode.primitives cimport put_bytes, trim


cdef class Owners:
    def __dealloc__(self):
        release(&self.names.scratch)
        release(&self.rows)

    cdef int clear(self) except -1:
        self.count = 0
        self.last = -1
        self.index = {}
        trim(&self.names)
        return 0

    cdef int64_t add(self, Consumer *consumer) except -1:
        """Add a consumer and return its index. Of duplicate names the first is found."""
        cdef int64_t at = <int64_t>self.count
        cdef Owner *owner
        grow(&self.rows, (self.count + 1) * sizeof(Owner))
        owner = self.row(self.count)
        owner.name_at = self.names.size
        owner.name_size = consumer.name_size
        owner.has_seen = consumer.has_seen
        owner.has_active = consumer.has_active
        owner.seen_at_ms = consumer.seen_at_ms
        owner.active_at_ms = consumer.active_at_ms
        owner.first = owner.ids = 0
        put_bytes(&self.names, consumer.name, consumer.name_size)
        self.index.setdefault((<char *>consumer.name)[:consumer.name_size], at)
        self.count += 1
        return at

    cdef int64_t find(self, Bytes name, size_t size) except -2:
        """Return the index of the consumer with a name, -1 if there is none. Often it is the previous one."""
        if (
            self.last >= 0
            and self.row(<uint64_t>self.last).name_size == size
            and memcmp(self.name(<uint64_t>self.last), name, size) == 0
        ):
            return self.last
        found = self.index.get((<char *>name)[:size])
        self.last = -1 if found is None else found
        return self.last
