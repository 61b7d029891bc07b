# RESP out: commands that rebuild the data, ready for `redis-cli --pipe`.
#
# Commands are those of the servers' own AOF rewrite (format C6), 64 elements at most in each, fewer
# where they are large. A command's number of arguments stands before them, so the arguments at hand
# are collected and the command is written when it is full. Values of modules exist as RESTORE payloads only.

from libc.math cimport isinf, isnan
from libc.stdint cimport int64_t, uint16_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy
from rdbtool._codec.cursor cimport Bytes, Scratch, grow, release, rt_double_text, rt_i64_text, rt_u64_text
from rdbtool._codec.output cimport Output
from rdbtool._codec.sink cimport (
    ArrayItem, Consumer, Group, Head, ITEM_DOUBLE, ITEM_INT, Pending, StreamTail
)

from rdbtool.model.items import FunctionLibrary
from rdbtool.octets.crc64 import crc64

include "_types.pxi"

cdef enum:
    BATCH = 64                  # elements in one command, as servers write them
    BATCH_OCTETS = 1 << 18      # a command whose arguments are larger gets no further ones
    CLAIM_IS_PICKY = 10         # RDB version of the first servers whose XCLAIM passes over deleted entries


cdef class Resp(Output):
    """Commands that rebuild the data. ``restore``: RESTORE payloads instead; ``replace``: existing keys give way."""

    cdef bint restore
    cdef bint replace
    cdef int version                # of the RDB that the payloads come from
    cdef int64_t db                 # -1: none was selected
    cdef int64_t committed_db
    cdef Scratch arguments          # the arguments of the command at hand, behind the key
    cdef size_t filled
    cdef uint64_t count             # how many they are
    cdef uint64_t elements          # how many elements they make
    cdef Scratch key                # "$n\r\nkey\r\n"
    cdef size_t key_size
    cdef Scratch group
    cdef size_t group_size
    cdef Head head
    cdef bint silent                # the value goes into a payload: its parts are not wanted
    cdef bint any_entry
    cdef bint counted               # the stream's counters are known
    cdef list late                  # field expiries: commands that follow the hash
    cdef const char *verb

    def __init__(self, write, *, bint restore=False, bint replace=False):
        super().__init__(write)
        self.restore = restore
        self.replace = replace
        self.db = self.committed_db = -1

    def __dealloc__(self):
        release(&self.arguments)
        release(&self.key)
        release(&self.group)

    cdef int header(self, str magic, int version) except -1:
        self.version = version
        return 0

    # ---- writing commands ----------------------------------------------------------------------

    cdef int command(self, const char *verb, uint64_t arguments) except -1:
        """Open a command of ``arguments`` arguments, the verb among them."""
        self.put_char(c"*")
        self.put_u64(arguments)
        self.put_text(b"\r\n")
        return self.word(verb)

    cdef int word(self, const char *text) except -1:
        cdef size_t size = 0
        while text[size]:
            size += 1
        return self.bulk(<Bytes>text, size)

    cdef int bulk(self, Bytes p, size_t size) except -1:
        self.put_char(c"$")
        self.put_u64(size)
        self.put_text(b"\r\n")
        self.put(p, size)
        return self.put_text(b"\r\n")

    cdef int bulk_i64(self, int64_t number) except -1:
        cdef char text[24]
        return self.bulk(<Bytes>text, rt_i64_text(number, text))

    cdef int bulk_u64(self, uint64_t number) except -1:
        cdef char text[24]
        return self.bulk(<Bytes>text, rt_u64_text(number, text))

    cdef int bulk_id(self, uint64_t ms, uint64_t seq) except -1:
        cdef char text[48]
        cdef int size = rt_u64_text(ms, text)
        text[size] = c"-"
        size += 1
        size += rt_u64_text(seq, text + size)
        return self.bulk(<Bytes>text, size)

    cdef int bulk_key(self) except -1:
        return self.put(self.key.data, self.key_size)

    cdef inline int argument(self, Bytes p, size_t size) except -1:
        """Collect an argument of the command at hand."""
        cdef char *at
        grow(&self.arguments, self.filled + size + 32)
        at = <char *>self.arguments.data + self.filled
        at[0] = c"$"
        at += 1
        at += rt_u64_text(size, at)
        at[0] = c"\r"
        at[1] = c"\n"
        memcpy(at + 2, p, size)
        at += size + 2
        at[0] = c"\r"
        at[1] = c"\n"
        self.filled = at + 2 - <char *>self.arguments.data
        self.count += 1
        return 0

    cdef int close_command(self) except -1:
        """Write the command at hand, if there is one."""
        if self.count:
            self.command(self.verb, self.count + 2)
            self.bulk_key()
            self.put(self.arguments.data, self.filled)
        self.filled = self.count = self.elements = 0
        return 0

    cdef inline int close_when_full(self) except -1:
        self.elements += 1
        if self.elements == BATCH or self.filled >= BATCH_OCTETS:
            return self.close_command()
        return 0

    # ---- events --------------------------------------------------------------------------------

    cdef int item(self, object item) except -1:
        cdef bytes code
        if isinstance(item, FunctionLibrary) and item.released:
            code = item.code
            self.command(b"FUNCTION", 4 if self.replace else 3)
            self.word(b"LOAD")
            if self.replace:
                self.word(b"REPLACE")
            self.bulk(<Bytes>(<char *>code), len(code))
            self.commit()
        return 0

    cdef int begin_key(self, Head *head) except -1:
        self.filled = self.count = self.elements = 0
        self.any_entry = False
        self.late = None
        self.head = head[0]
        if head.db != self.db:
            self.command(b"SELECT", 2)
            self.bulk_i64(head.db)
            self.db = head.db
        self.filled = 0
        self.argument(head.key, head.key_size)
        grow(&self.key, self.filled)
        memcpy(self.key.data, self.arguments.data, self.filled)
        self.key_size = self.filled
        self.filled = self.count = 0
        # References to templates mean nothing outside their file: such a hash is written as commands.
        self.silent = head.kind == KIND_MODULE or (
            self.restore
            and head.type_code != TYPE_HASH_TEMPLATE_LISTPACK_REF
            and head.type_code != TYPE_HASH_TEMPLATE_ARRAY_REF
        )
        if self.replace and not self.silent and head.kind != KIND_STRING:
            self.command(b"DEL", 2)
            self.bulk_key()
        if head.kind == KIND_LIST:
            self.verb = b"RPUSH"
        elif head.kind == KIND_SET:
            self.verb = b"SADD"
        elif head.kind == KIND_ZSET:
            self.verb = b"ZADD"
        elif head.kind == KIND_HASH:
            self.verb = b"HMSET"
        elif head.kind == KIND_ARRAY:
            self.verb = b"ARMSET"
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        if self.silent:
            return 0
        self.command(b"SET", 3)
        self.bulk_key()
        return self.bulk(p, size)

    cdef int element(self, Bytes p, size_t size) except -1:
        if self.silent:
            return 0
        self.argument(p, size)
        return self.close_when_full()

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        if self.silent:
            return 0
        self.argument(field, field_size)
        self.argument(value, value_size)
        if expire_at_ms >= 0:
            if self.late is None:
                self.late = []
            self.late.append(((<char *>field)[:field_size], expire_at_ms))
        return self.close_when_full()

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        cdef char text[40]
        if self.silent:
            return 0
        self.argument(<Bytes>text, rt_double_text(score, text, 0))
        self.argument(member, member_size)
        return self.close_when_full()

    cdef int array_item(self, ArrayItem *item) except -1:
        cdef char text[40]
        if self.silent:
            return 0
        self.argument(<Bytes>text, rt_u64_text(item.index, text))
        if item.tag == ITEM_INT:
            self.argument(<Bytes>text, rt_i64_text(item.number, text))
        elif item.tag == ITEM_DOUBLE:
            self.argument(<Bytes>text, rt_double_text(item.real, text, 0))
        else:
            self.argument(item.text, item.text_size)
        self.elements += 1
        if self.elements == BATCH // 2 or self.filled >= BATCH_OCTETS:
            return self.close_command()
        return 0

    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1:
        if self.silent:
            return 0
        self.close_command()
        if has_insert:
            self.command(b"ARSEEK", 3)
            self.bulk_key()
            self.bulk_u64(insert_index)
        return 0

    # ---- streams -------------------------------------------------------------------------------

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        if self.silent:
            return 0
        self.any_entry = True
        self.command(b"XADD", 3 + 2 * fields)
        self.bulk_key()
        return self.bulk_id(ms, seq)

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        if self.silent:
            return 0
        self.bulk(field, field_size)
        return self.bulk(value, value_size)

    cdef int stream_tail(self, StreamTail *tail) except -1:
        if self.silent:
            return 0
        if not self.any_entry:
            # An empty stream: add an entry that is trimmed at once.
            self.command(b"XADD", 7)
            self.bulk_key()
            self.word(b"MAXLEN")
            self.word(b"0")
            self.word(b"0-1")
            self.word(b"x")
            self.word(b"y")
        self.command(b"XSETID", 7 if tail.counted else 3)
        self.bulk_key()
        self.bulk_id(tail.last_ms, tail.last_seq)
        if tail.counted:
            self.word(b"ENTRIESADDED")
            self.bulk_u64(tail.entries_added)
            self.word(b"MAXDELETEDID")
            self.bulk_id(tail.max_deleted_ms, tail.max_deleted_seq)
        self.counted = tail.counted
        return 0

    cdef int begin_group(self, Group *group) except -1:
        if self.silent:
            return 0
        self.filled = self.count = 0
        self.argument(group.name, group.name_size)
        grow(&self.group, self.filled)
        memcpy(self.group.data, self.arguments.data, self.filled)
        self.group_size = self.filled
        self.filled = self.count = 0
        self.command(b"XGROUP", 7 if self.counted else 5)
        self.word(b"CREATE")
        self.bulk_key()
        self.put(self.group.data, self.group_size)
        self.bulk_id(group.last_ms, group.last_seq)
        if self.counted:
            self.word(b"ENTRIESREAD")
            if group.counted:
                self.bulk_u64(group.entries_read)
            else:
                self.word(b"-1")
        return 0

    cdef int consumer(self, Consumer *consumer) except -1:
        # Who has pending entries is created by claiming them, where even deleted entries can be claimed;
        # CREATECONSUMER is younger than some of the servers where they can.
        if self.silent or (consumer.pending and self.version < CLAIM_IS_PICKY):
            return 0
        self.command(b"XGROUP", 5)
        self.word(b"CREATECONSUMER")
        self.bulk_key()
        self.put(self.group.data, self.group_size)
        return self.bulk(consumer.name, consumer.name_size)

    cdef int pending(self, Pending *pending) except -1:
        if self.silent:
            return 0
        if not pending.owned:
            self.command(b"XNACK", 10)
            self.bulk_key()
            self.put(self.group.data, self.group_size)
            self.word(b"FAIL")
            self.word(b"IDS")
            self.word(b"1")
            self.bulk_id(pending.ms, pending.seq)
            self.word(b"RETRYCOUNT")
            self.bulk_u64(pending.delivery_count)
            return self.word(b"FORCE")
        self.command(b"XCLAIM", 12)
        self.bulk_key()
        self.put(self.group.data, self.group_size)
        self.bulk(pending.consumer, pending.consumer_size)
        self.word(b"0")
        self.bulk_id(pending.ms, pending.seq)
        self.word(b"TIME")
        self.bulk_i64(pending.delivered_at_ms)
        self.word(b"RETRYCOUNT")
        self.bulk_u64(pending.delivery_count)
        self.word(b"JUSTID")
        return self.word(b"FORCE")

    # ---- the end of a key ----------------------------------------------------------------------

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef bytes field
        if self.silent:
            return self.put_payload(raw, raw_size)
        self.close_command()
        if self.late is not None:
            for field, expire_at_ms in self.late:
                self.command(b"HPEXPIREAT", 6)
                self.bulk_key()
                self.bulk_i64(expire_at_ms)
                self.word(b"FIELDS")
                self.word(b"1")
                self.bulk(<Bytes>(<char *>field), len(field))
        if self.head.has_expire:
            self.command(b"PEXPIREAT", 3)
            self.bulk_key()
            self.bulk_i64(self.head.expire_at_ms)
        return 0

    cdef int put_payload(self, Bytes raw, size_t raw_size) except -1:
        """RESTORE with the value as the file stores it, the version of the file and a checksum (format A15)."""
        cdef bytes start = b""
        cdef bytes payload
        cdef int options = 0
        if raw == NULL:
            raise ValueError("a payload needs the value as a file stores it")
        if self.head.meta != NULL:
            start = bytes([OP_KEY_META]) + (<char *>self.head.meta)[:self.head.meta_size]
        payload = start + bytes([self.head.type_code]) + (<char *>raw)[:raw_size] + self.version.to_bytes(2, "little")
        payload += crc64(payload).to_bytes(8, "little")
        options = self.replace + self.head.has_expire + 2 * (self.head.idle_s >= 0) + 2 * (self.head.freq >= 0)
        self.command(b"RESTORE", 4 + options)
        self.bulk_key()
        # 0 would mean no expiry, and less is refused: 1 ms past the epoch has expired just as well.
        self.bulk_i64(max(1, self.head.expire_at_ms) if self.head.has_expire else 0)
        self.bulk(<Bytes>(<char *>payload), len(payload))
        if self.replace:
            self.word(b"REPLACE")
        if self.head.has_expire:
            self.word(b"ABSTTL")
        if self.head.idle_s >= 0:
            self.word(b"IDLETIME")
            self.bulk_i64(self.head.idle_s)
        if self.head.freq >= 0:
            self.word(b"FREQ")
            self.bulk_i64(self.head.freq)
        return 0

    cdef int commit(self) except -1:
        self.committed_db = self.db
        return Output.commit(self)

    cdef int rollback(self) noexcept:
        # A SELECT in front of a record that is taken back goes with it.
        self.db = self.committed_db
        return Output.rollback(self)
