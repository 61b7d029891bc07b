# Member expiries (KeyDB), which a file stores after the value.
#
# The decoder reads them first and then emits the value through this sink: fields get theirs, and those of set and
# sorted set members are emitted after the elements. The expiry of a member that the value does not have is not used
# by KeyDB when the member was removed; it is skipped.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes


cdef class MemberExpiries(Sink):
    """Passes the events of one value on to a sink, with the expiries of its members."""

    cdef int aim(self, Sink sink, dict expiries) except -1:
        self.sink = sink
        self.expiries = expiries
        self.found = {}
        return 0

    cdef int begin_packed(self, int packing, size_t size, uint64_t ms, uint64_t seq) except -1:
        return self.sink.begin_packed(packing, size, ms, seq)

    cdef int element(self, Bytes p, size_t size) except -1:
        self.look_up(p, size)
        return self.sink.element(p, size)

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        self.look_up(member, member_size)
        return self.sink.score(member, member_size, score)

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        when = self.expiries.get((<char *>field)[:field_size])
        return self.sink.pair(
            field, field_size, value, value_size, expire_at_ms if when is None else <int64_t>when
        )

    cdef int look_up(self, Bytes p, size_t size) except -1:
        member = (<char *>p)[:size]
        when = self.expiries.get(member)
        if when is not None:
            self.found[member] = when
        return 0

    cdef int emit(self) except -1:
        """Emit the members that expire."""
        cdef bytes member
        for member, when in self.found.items():
            self.sink.member_expiry(<Bytes>(<char *>member), len(member), when)
        self.sink = None
        return 0
