# RESTORE encoder: each key as one command, its value encoded for the server that executes it.
#
# A payload is a value as in an RDB of the target's version, after its type and before the version and a checksum
# (format A15). So the RDB encoder makes it, without what precedes a value.

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memmove, memset
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.filters.filter cimport Filter
from rdbtool._codec.encode.rdb cimport Rdb
from rdbtool._codec.encode.resp_words cimport CommandOutput, payload_of
from rdbtool._codec.sink cimport Head

from rdbtool.core.servers import server_of
from rdbtool._codec.encode.resp import LONGEST_ARGUMENT, Resp

include "../_types.pxi"


cdef class Payloads(Rdb):
    """Encodes one value after another, and holds the current one."""

    cdef list pieces

    def __init__(self, *, str magic, int version, release):
        self.pieces = []
        super().__init__(self.pieces.append, magic=magic, version=version, release=release, checksum=False, sizes={})

    cdef int start(self) except -1:
        return 0

    cdef int begin_key(self, Head *head) except -1:
        cdef Head bare = head[0]
        self.db = bare.db           # it is not selected here
        bare.has_expire = False
        bare.idle_s = bare.freq = -1
        return Rdb.begin_key(self, &bare)

    cdef int put_head(self, int type_code) except -1:
        self.put_buffer(&self.lead)             # metadata of the key, if there is any
        self.written = True
        return self.put_char(<char>type_code)

    cdef int complete(self) except -1:
        """Return the current value in one piece, after its type: in ``data``, ``size`` bytes."""
        cdef bytes value
        if self.pieces:
            value = b"".join(self.pieces)
            self.pieces.clear()
            self.reserve(len(value))
            memmove(self.data + len(value), self.data, self.size)
            memcpy(self.data, <char *>value, len(value))
            self.size += len(value)
        return 0

    cdef int clear(self) noexcept:
        self.pieces.clear()
        self.size = self.committed = 0
        return 0


cdef class Restore(Filter):
    """RESTORE commands for a target: ``magic``, ``version`` and, if one is named, ``release`` of its server.

    ``replace``: replace existing keys. A ``TargetFilter`` has to drop what the target cannot hold. A payload of more
    than ``largest`` bytes is not written: ``on_large`` is called with db, key, expiry (Unix ms, None) and the payload,
    after all commands before it were written.
    """

    cdef CommandOutput out
    cdef Payloads payloads
    cdef int version                # of the target
    cdef bint replace
    cdef bint replaces_at_once      # RESTORE supports REPLACE
    cdef bint in_full               # and ABSTTL, IDLETIME, FREQ
    cdef size_t largest
    cdef object on_large
    cdef Head head

    def __init__(self, write, *, str magic, int version, release=None, bint replace=False, on_large=None,
                 largest=LONGEST_ARGUMENT):
        server = server_of(magic, version, release)
        if not server.has((2, 6)):
            raise ValueError("servers before Redis 2.6 have no RESTORE")
        self.payloads = Payloads(magic=magic, version=version, release=release)
        super().__init__(self.payloads)
        self.buffered = True
        self.out = Resp(write, replace=replace, magic=magic, version=version, release=release)
        self.version = version
        self.replace = replace
        self.replaces_at_once = server.has((3, 0))
        self.in_full = server.has((5, 0))
        self.largest = largest
        self.on_large = on_large
        memset(&self.head, 0, sizeof(Head))

    cdef int header(self, str magic, int version) except -1:
        return self.out.header(magic, version)

    cdef int item(self, object item) except -1:
        return self.out.item(item)

    cdef int begin_key(self, Head *head) except -1:
        self.head = head[0]
        self.out.keep_key(head.key, head.key_size)
        return self.payloads.begin_key(head)

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef Payloads payloads = self.payloads
        payloads.end_key(raw, raw_size, stop)
        payloads.complete()
        if self.on_large is not None and payloads.size + 10 > self.largest:
            self.pass_large(payload_of(<Bytes>payloads.data, payloads.size, NULL, 0, self.version))
            return payloads.clear()
        if self.head.db != self.out.db:
            self.out.command(b"SELECT", 2)
            self.out.bulk_i64(self.head.db)
            self.out.db = self.head.db
        self.put()
        return payloads.clear()

    cdef int put(self) except -1:
        cdef CommandOutput out = self.out
        cdef bint expires = self.head.has_expire
        cdef bint at_once = self.replace and self.replaces_at_once
        cdef bint idle = self.in_full and self.head.idle_s >= 0
        cdef bint freq = self.in_full and self.head.freq >= 0 and not idle      # servers accept only one of the two
        if self.replace and not at_once:
            out.command(b"DEL", 2)
            out.bulk_key()
        out.command(b"RESTORE", 4 + at_once + (self.in_full and expires) + 2 * idle + 2 * freq)
        out.bulk_key()
        # 0 would mean no expiry, and less is refused: 1 ms past the epoch has expired as well.
        out.bulk_i64(max(<int64_t>1, self.head.expire_at_ms) if self.in_full and expires else 0)
        out.bulk_payload(<Bytes>self.payloads.data, self.payloads.size, NULL, 0, self.version)
        if at_once:
            out.word(b"REPLACE")
        if self.in_full and expires:
            out.word(b"ABSTTL")
        if idle:
            out.word(b"IDLETIME")
            out.bulk_i64(self.head.idle_s)
        if freq:
            out.word(b"FREQ")
            out.bulk_i64(self.head.freq)
        if expires and not self.in_full:
            out.command(b"PEXPIREAT", 3)
            out.bulk_key()
            out.bulk_i64(self.head.expire_at_ms)
        return 0

    cdef int pass_large(self, bytes payload) except -1:
        self.out.commit()
        self.out.flush()
        self.on_large(self.head.db, self.out.current_key(), self.head.expire_at_ms if self.head.has_expire else None, payload)
        # Other commands were written in between, with their own SELECT.
        self.out.db = -1
        return 0

    cdef int commit(self) except -1:
        self.payloads.commit()
        return self.out.commit()

    cdef int rollback(self) noexcept:
        self.payloads.clear()
        self.payloads.rollback()
        return self.out.rollback()

    cdef int finish(self) except -1:
        return self.out.finish()

    def flush(self):
        """Write what is committed."""
        self.out.flush()
