# Filter on expiry times: removes them, shifts them, or drops what has expired.
#
# A server deletes a hash whose fields have all expired, and which of them have is known only when they arrive; so the
# head of a hash waits for the first field that stays.

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.filters.filter cimport Filter, WaitingFilter
from rdbtool._codec.sink cimport Head, Sink

include "../_types.pxi"

cdef enum:
    AS_DROP
    AS_SHIFT
    AS_UNEXPIRED

cdef dict MODES = {"drop": AS_DROP, "shift": AS_SHIFT, "unexpired": AS_UNEXPIRED}


cdef inline int64_t shifted(int64_t at, int64_t by) noexcept:
    """A point in time (Unix ms), shifted, and clamped to valid expiry times."""
    if by > 0 and at > INT64_MAX - by:
        return INT64_MAX
    if by < 0 and at < INT64_MIN - by:
        return 1
    return max(<int64_t>1, at + by)


cdef class Expiry(WaitingFilter):
    """Passes on to ``sink`` with changed expiry times of keys and their contents; ``dropped`` counts what expired.

    ``mode``: drop removes them, shift moves them by ``shift_ms``, unexpired drops the keys and hash fields that have
    expired at ``now_ms`` (Unix ms).
    """

    cdef int mode
    cdef int64_t shift_ms
    cdef int64_t now_ms
    cdef Sink outlet                # where keys that stay go
    cdef Sink nowhere
    cdef uint64_t fields            # of the current record, that are dropped
    cdef bint changed               # the value differs from the stored one
    cdef bint muted                 # the current record is dropped

    def __init__(self, Sink sink not None, str mode not None, *, int64_t shift_ms=0, int64_t now_ms=0):
        super().__init__(sink)
        if mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(MODES)}, not {mode!r}")
        self.outlet = sink
        self.nowhere = Sink()
        self.mode = MODES[mode]
        self.shift_ms = shift_ms
        self.now_ms = now_ms

    cdef int mute(self) except -1:
        self.muted = True
        self.waiting = False
        self.sink = self.nowhere
        return 0

    cdef int begin_key(self, Head *head) except -1:
        cdef Head fitted = head[0]
        self.changed = self.waiting = False
        self.fields = 0
        if self.extent_ahead.field_expiries:
            # Those that are passed on are others.
            self.extent_ahead.is_known = False
        if self.mode == AS_DROP:
            fitted.has_expire = False
        elif self.mode == AS_SHIFT:
            if head.has_expire:
                fitted.expire_at_ms = shifted(head.expire_at_ms, self.shift_ms)
        elif head.has_expire and head.expire_at_ms < self.now_ms:
            return self.mute()
        elif head.kind == KIND_HASH:
            return self.wait(head)
        return Filter.begin_key(self, &fitted)

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        if expire_at_ms >= 0:
            if self.mode != AS_UNEXPIRED:
                self.changed = True
                expire_at_ms = -1 if self.mode == AS_DROP else shifted(expire_at_ms, self.shift_ms)
            elif expire_at_ms < self.now_ms:
                self.changed = True
                self.fields += 1
                return 0
        if self.waiting:
            self.wake()
        return self.sink.pair(field, field_size, value, value_size, expire_at_ms)

    cdef int member_expiry(self, Bytes member, size_t size, int64_t expire_at_ms) except -1:
        if self.mode == AS_DROP:
            return 0
        if self.mode == AS_SHIFT:
            expire_at_ms = shifted(expire_at_ms, self.shift_ms)
        return self.sink.member_expiry(member, size, expire_at_ms)

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        if self.waiting and self.fields:
            self.fields = 0
            return self.mute()
        if self.waiting:
            self.wake()
        if self.changed:
            raw = NULL
            raw_size = 0
        return self.sink.end_key(raw, raw_size, stop)

    cdef int commit(self) except -1:
        if self.muted:
            self.muted = False
            self.sink = self.outlet
            return self.count("expired-keys", 1)
        if self.fields:
            self.count("expired-fields", self.fields)
        return Filter.commit(self)

    cdef int rollback(self) noexcept:
        self.muted = self.waiting = False
        self.sink = self.outlet
        return Filter.rollback(self)
