# Lists, sets, sorted sets and hashes, in the encodings that servers choose (format A2, A11, D7).
#
# A value's type depends on the number and size of its parts, and precedes them. So parts are kept as rows while all may
# fit a packed encoding, which is never many; as soon as one does not, all become STRs in the body, and later parts are
# added there. Lists are divided into nodes as elements arrive. If it is known ahead that a value has too many elements for
# a packed encoding, the prefix is written first, and the caller may take the body away at any time.

from libc.math cimport isinf, isnan
from libc.stdint cimport INT64_MAX
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy, memset
from rdbtool._codec.decode.cursor cimport grow, release, rt_copy, rt_i64_text, rt_parse_i64
from rdbtool._codec.encode.primitives cimport (
    begin_listpack, begin_ziplist, end_listpack, end_ziplist, put_blob, put_byte, put_bytes, put_entry, put_entry_int,
    put_le, put_length, put_string, put_ziplist_entry, score_text, skip_string, trim, whole_score
)

include "../_types.pxi"

cdef enum:
    PACKED_MEMBERS = 128        # maximum of a packed set or sorted set
    NODE_OCTETS = 8192          # of a list node (list-max-listpack-size -2)
    NODE_OVERHEAD = 8           # what servers count for an entry in addition to its text
    # List elements from this size on are always in a node of their own. Redis 7.0 and 7.2 pack them up to 1 GiB, and load
    # both; a listpack of more than 64 MiB is above the limit of what is read (core/limits).
    GIANT = (1 << 26) - 64
    MOST_EXPIRIES = 1 << 22     # bytes of memory for expiries that are kept from one hash to the next
    FEW = 32                    # rows up to which they are inserted one after another in their order: most values have few
    PLAIN = 1                   # containers of type 18
    PACKED = 2
    # RDB versions that introduced an encoding (format A2).
    PACKS = SINCE_SET_INTSET
    HASH_ZIPLISTS = SINCE_HASH_ZIPLIST
    ALL_ZIPLIST_NUMBERS = 6
    QUICKLISTS = SINCE_LIST_QUICKLIST
    BINARY_SCORES = SINCE_ZSET_2
    LISTPACKS = SINCE_HASH_LISTPACK
    SET_LISTPACKS = SINCE_SET_LISTPACK


cdef int by_number(const void *left, const void *right) noexcept nogil:
    cdef int64_t a = (<Row *>left).number
    cdef int64_t b = (<Row *>right).number
    return (a > b) - (a < b)


cdef int by_score(const void *left, const void *right) noexcept nogil:
    """By score, then by the members' bytes; NaN, which servers do not have, last."""
    cdef Row *a = <Row *>left
    cdef Row *b = <Row *>right
    cdef int order
    if isnan(a.score) or isnan(b.score):
        order = isnan(a.score) - isnan(b.score)
    else:
        order = (a.score > b.score) - (a.score < b.score)
    if order == 0:
        order = memcmp(a.p, b.p, a.size if a.size < b.size else b.size)
    if order == 0:
        order = (a.size > b.size) - (a.size < b.size)
    if order == 0:
        order = (a.at > b.at) - (a.at < b.at)
    return order


cdef int by_expiry(const void *left, const void *right) noexcept nogil:
    """By expiry, fields without one last; else in order of arrival."""
    cdef Row *a = <Row *>left
    cdef Row *b = <Row *>right
    cdef int64_t x = a.number if a.number >= 0 else INT64_MAX
    cdef int64_t y = b.number if b.number >= 0 else INT64_MAX
    if x != y:
        return (x > y) - (x < y)
    return (a.at > b.at) - (a.at < b.at)


cdef inline void sort(Row *rows, uint64_t count, int (*compare)(const void *, const void *) noexcept nogil) noexcept:
    """Put rows into an order in which no two are equal, or equal ones are alike."""
    cdef uint64_t i, at
    cdef Row row
    if count > FEW:
        qsort(rows, count, sizeof(Row), compare)
        return
    for i in range(1, count):
        if compare(&rows[i - 1], &rows[i]) <= 0:
            continue
        row = rows[i]
        at = i
        while at > 0 and compare(&rows[at - 1], &row) > 0:
            rows[at] = rows[at - 1]
            at -= 1
        rows[at] = row


cdef class Collection:
    def __dealloc__(self):
        release(&self.prefix.scratch)
        release(&self.body.scratch)
        release(&self.node.scratch)
        release(&self.ziplist.buffer.scratch)
        release(&self.expiries)

    cdef int begin(self, int kind) except -1:
        self.kind = kind
        self.is_known = False
        self.count = self.nodes = self.in_node = 0
        self.filled = 0
        self.big = self.any_expiry = self.zero_expiry = False
        self.integers = self.form.level >= PACKS
        trim(&self.prefix)
        trim(&self.body)
        trim(&self.node)
        trim(&self.ziplist.buffer)
        if self.expiries.capacity > MOST_EXPIRIES:
            release(&self.expiries)
        return 0

    cdef int begin_known(self, const Extent *extent) except -2:
        """Begin a value of a known extent: write the prefix and return the type; -1: the value has to be held."""
        cdef bint expires = extent.field_expiries != 0
        if not extent.is_known or (extent.elements <= MOST_ROWS and extent.longest <= LONGEST) or (
            self.kind == KIND_LIST and self.form.level >= QUICKLISTS
        ):
            return -1
        self.is_known = self.big = True
        self.any_expiry = expires
        self.least = extent.first_expiry
        if expires and not self.form.valkey:
            put_le(&self.prefix, <uint64_t>self.least, 8)
        put_length(&self.prefix, extent.elements)
        if self.kind == KIND_LIST:
            return TYPE_LIST
        if self.kind == KIND_SET:
            return TYPE_SET
        if self.kind == KIND_ZSET:
            return TYPE_ZSET_2 if self.form.level >= BINARY_SCORES else TYPE_ZSET
        if not expires:
            return TYPE_HASH
        return TYPE_HASH_2 if self.form.valkey else TYPE_HASH_METADATA

    cdef int keep(self, Bytes p, size_t size, Bytes value, size_t value_size) except -1:
        cdef Row *row = &self.rows[self.count]
        rt_copy(self.arena + self.filled, p, size)
        rt_copy(self.arena + self.filled + size, value, value_size)
        row.at = self.filled
        row.size = size
        row.value_size = value_size
        self.filled += size + value_size
        self.count += 1
        return 0

    cdef int unpack(self) except -1:
        """Turn the rows into STRs: the value does not fit a packed encoding."""
        cdef uint64_t i, count = self.count
        cdef Row *row
        cdef Bytes p
        self.big = True
        self.any_expiry = False     # until a pair that has one is added again
        self.count = 0
        for i in range(count):
            row = &self.rows[i]
            p = self.arena + row.at
            if self.kind == KIND_HASH:
                self.add_pair(p, row.size, p + row.size, row.value_size, row.number)
            elif self.kind == KIND_ZSET:
                self.add_score(p, row.size, row.score)
            else:
                self.add_member(p, row.size)
        return 0

    cdef int add_member(self, Bytes p, size_t size) except -1:
        self.count += 1
        return put_string(&self.body, p, size, self.form.table)

    # ---- lists and sets ------------------------------------------------------------------------

    cdef int element(self, Bytes p, size_t size) except -1:
        cdef int64_t number
        if self.kind == KIND_LIST:
            if self.form.level >= QUICKLISTS:
                return self.add_to_node(p, size)
            if not self.big:
                if self.form.level >= PACKS and self.count < MOST_ROWS and size <= LONGEST:
                    return self.keep(p, size, p, 0)
                self.unpack()
            return self.add_member(p, size)
        if not self.big:
            if self.integers and self.count < MOST_ROWS and rt_parse_i64(p, size, &number):
                self.rows[self.count].number = number
                return self.keep(p, size, p, 0)
            if self.form.level >= SET_LISTPACKS and self.count < PACKED_MEMBERS and size <= LONGEST:
                self.integers = False
                return self.keep(p, size, p, 0)
            self.unpack()
        return self.add_member(p, size)

    cdef int add_to_node(self, Bytes p, size_t size) except -1:
        """Put an element into the list's last node if servers would, else into a new one."""
        cdef size_t reckoned
        self.count += 1
        if self.form.level >= LISTPACKS:
            return self.add_to_listpack(p, size)
        reckoned = size + (1 if size < 254 else 5) + (1 if size < 64 else 2 if size < 16384 else 5)
        if self.in_node and self.ziplist.buffer.size + 1 + reckoned > NODE_OCTETS:
            self.close_node()
        if self.in_node == 0:
            begin_ziplist(&self.ziplist)
        self.in_node += 1
        return put_ziplist_entry(&self.ziplist, p, size)

    cdef int add_to_listpack(self, Bytes p, size_t size) except -1:
        cdef size_t reckoned = size + NODE_OVERHEAD
        if size >= GIANT or (self.form.large_alone and size > NODE_OCTETS):
            self.close_node()
            self.nodes += 1
            put_byte(&self.body, PLAIN)
            return put_blob(&self.body, p, size, self.form.table)
        if self.nodes == 0 and self.form.level > LISTPACKS:
            # Since 7.2 a list begins as a single listpack, which is filled to the limit.
            reckoned = size
        if self.in_node and self.node.size + 1 + reckoned > NODE_OCTETS:
            self.close_node()
        if self.in_node == 0:
            self.node.size = 0
            begin_listpack(&self.node)
        self.in_node += 1
        return put_entry(&self.node, p, size)

    cdef int close_node(self) except -1:
        if self.in_node == 0:
            return 0
        if self.form.level >= LISTPACKS:
            end_listpack(&self.node, 0, self.in_node)
            put_byte(&self.body, PACKED)
            put_blob(&self.body, self.node.scratch.data, self.node.size, self.form.table)
        else:
            end_ziplist(&self.ziplist)
            put_blob(&self.body, self.ziplist.buffer.scratch.data, self.ziplist.buffer.size, self.form.table)
        self.nodes += 1
        self.in_node = 0
        return 0

    cdef int finish_list(self) except -1:
        if self.form.level >= QUICKLISTS:
            self.close_node()
            put_length(&self.prefix, self.nodes)
            return TYPE_LIST_QUICKLIST_2 if self.form.level >= LISTPACKS else TYPE_LIST_QUICKLIST
        if self.big or self.count == 0:
            put_length(&self.prefix, self.count)
            return TYPE_LIST
        self.pack_rows()
        return TYPE_LIST_ZIPLIST

    cdef int finish_set(self) except -1:
        if self.big or self.count == 0:
            put_length(&self.prefix, self.count)
            return TYPE_SET
        if self.integers:
            self.pack_integers()
            return TYPE_SET_INTSET
        self.pack_rows()
        return TYPE_SET_LISTPACK

    cdef int pack_integers(self) except -1:
        """An intset (format A11.3): ascending, as wide as its widest member."""
        cdef uint64_t i
        cdef int width
        cdef int64_t least, most
        sort(self.rows, self.count, by_number)
        least = self.rows[0].number
        most = self.rows[self.count - 1].number
        width = 2 if -32768 <= least and most <= 32767 else 4 if -2147483648 <= least and most <= 2147483647 else 8
        put_le(&self.node, width, 4)
        put_le(&self.node, self.count, 4)
        for i in range(self.count):
            put_le(&self.node, <uint64_t>self.rows[i].number, width)
        return put_blob(&self.body, self.node.scratch.data, self.node.size, self.form.table)

    # ---- sorted sets ---------------------------------------------------------------------------

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        if not self.big:
            if self.form.level >= PACKS and self.count < PACKED_MEMBERS and member_size <= LONGEST:
                self.rows[self.count].score = score
                return self.keep(member, member_size, member, 0)
            self.unpack()
        return self.add_score(member, member_size, score)

    cdef int add_score(self, Bytes member, size_t member_size, double score) except -1:
        self.add_member(member, member_size)
        return self.put_score(score)

    cdef int put_score(self, double score) except -1:
        cdef uint64_t bits
        cdef char text[40]
        cdef int size
        if self.form.level >= BINARY_SCORES:
            memcpy(&bits, &score, 8)
            return put_le(&self.body, bits, 8)
        if isnan(score):
            return put_byte(&self.body, 253)
        if isinf(score):
            return put_byte(&self.body, 254 if score > 0 else 255)
        size = score_text(score, text, self.form.level)
        put_byte(&self.body, <uint8_t>size)
        return put_bytes(&self.body, text, size)

    cdef int finish_zset(self) except -1:
        cdef uint64_t i
        cdef bint sorted_already = True
        if self.big or self.count == 0:
            put_length(&self.prefix, self.count)
            return TYPE_ZSET_2 if self.form.level >= BINARY_SCORES else TYPE_ZSET
        for i in range(self.count):
            self.rows[i].p = self.arena + self.rows[i].at
            if i and by_score(&self.rows[i - 1], &self.rows[i]) > 0:
                sorted_already = False
        if not sorted_already:
            sort(self.rows, self.count, by_score)
        self.pack_rows()
        return TYPE_ZSET_LISTPACK if self.form.level >= LISTPACKS else TYPE_ZSET_ZIPLIST

    # ---- hashes --------------------------------------------------------------------------------

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        if not self.big:
            if (self.form.level >= PACKS and self.count < MOST_ROWS and field_size <= LONGEST
                    and value_size <= LONGEST):
                self.rows[self.count].number = expire_at_ms
                if expire_at_ms >= 0:
                    self.any_expiry = True
                    self.zero_expiry |= expire_at_ms == 0
                return self.keep(field, field_size, value, value_size)
            self.unpack()
        return self.add_pair(field, field_size, value, value_size, expire_at_ms)

    cdef int add_pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expiry) except -1:
        if self.is_known:
            self.begin_pair(expiry)
            put_string(&self.body, field, field_size, self.form.table)
            put_string(&self.body, value, value_size, self.form.table)
            return self.end_pair(expiry)
        if expiry >= 0 or self.expiries.capacity:
            grow(&self.expiries, (self.count + 1) * sizeof(int64_t))
            (<int64_t *>self.expiries.data)[self.count] = expiry
        if expiry >= 0 and not self.any_expiry:
            memset(self.expiries.data, 0xFF, self.count * sizeof(int64_t))
            self.any_expiry = True
        self.count += 1
        put_string(&self.body, field, field_size, self.form.table)
        return put_string(&self.body, value, value_size, self.form.table)

    cdef int begin_pair(self, int64_t expiry) except -1:
        """Put what precedes a field if the extent is known."""
        self.count += 1
        if self.any_expiry and not self.form.valkey:
            put_length(&self.body, <uint64_t>(expiry - self.least + 1) if expiry >= 0 else 0)
        return 0

    cdef int end_pair(self, int64_t expiry) except -1:
        return put_le(&self.body, <uint64_t>expiry, 8) if self.any_expiry and self.form.valkey else 0

    cdef int finish_hash(self) except -1:
        cdef bint expires = self.any_expiry
        if expires and not self.big and (self.form.valkey or self.zero_expiry):
            self.unpack()
        if self.big or self.count == 0:
            if not expires:
                put_length(&self.prefix, self.count)
                return TYPE_HASH
            self.interleave_expiries()
            return TYPE_HASH_2 if self.form.valkey else TYPE_HASH_METADATA
        if expires:
            sort(self.rows, self.count, by_expiry)
            put_le(&self.prefix, <uint64_t>self.rows[0].number, 8)
            self.pack_rows()
            return TYPE_HASH_LISTPACK_EX
        if self.form.level < HASH_ZIPLISTS:
            self.pack_zipmap()
            return TYPE_HASH_ZIPMAP
        self.pack_rows()
        return TYPE_HASH_LISTPACK if self.form.level >= LISTPACKS else TYPE_HASH_ZIPLIST

    cdef int interleave_expiries(self) except -1:
        """Add each field's expiry to its STRs (format A13): into the prefix, which becomes the whole value."""
        cdef int64_t *expiries = <int64_t *>self.expiries.data
        cdef int64_t least = INT64_MAX
        cdef uint64_t i
        cdef Bytes p = self.body.scratch.data
        cdef Bytes end
        if not self.form.valkey:
            for i in range(self.count):
                if 0 <= expiries[i] < least:
                    least = expiries[i]
            put_le(&self.prefix, <uint64_t>least, 8)
        put_length(&self.prefix, self.count)
        for i in range(self.count):
            end = skip_string(skip_string(p))
            if not self.form.valkey:
                put_length(&self.prefix, <uint64_t>(expiries[i] - least + 1) if expiries[i] >= 0 else 0)
            put_bytes(&self.prefix, p, end - p)
            if self.form.valkey:
                put_le(&self.prefix, <uint64_t>expiries[i], 8)
            p = end
        self.body.size = 0
        return 0

    cdef int pack_zipmap(self) except -1:
        """A zipmap (format A11.4) as Redis 2.4 has it: strings here are too short for the long form of a length."""
        cdef uint64_t i
        cdef Row *row
        put_byte(&self.node, <uint8_t>min(self.count, 254))
        for i in range(self.count):
            row = &self.rows[i]
            put_byte(&self.node, <uint8_t>row.size)
            put_bytes(&self.node, self.arena + row.at, row.size)
            put_byte(&self.node, <uint8_t>row.value_size)
            put_byte(&self.node, 0)
            put_bytes(&self.node, self.arena + row.at + row.size, row.value_size)
        put_byte(&self.node, 255)
        return put_blob(&self.body, self.node.scratch.data, self.node.size, self.form.table)

    # ---- all kinds -----------------------------------------------------------------------------

    cdef int pack_rows(self) except -1:
        """The rows as a listpack, or as a ziplist for older servers."""
        cdef bint listpack = self.form.level >= LISTPACKS
        cdef uint64_t i, entries = 0
        cdef Row *row
        cdef Bytes p
        cdef char text[40]
        cdef int size
        cdef int64_t whole
        if listpack:
            begin_listpack(&self.node)
        else:
            begin_ziplist(&self.ziplist)
        for i in range(self.count):
            row = &self.rows[i]
            p = self.arena + row.at
            if listpack:
                put_entry(&self.node, p, row.size)
            else:
                put_ziplist_entry(&self.ziplist, p, row.size)
            if self.kind == KIND_HASH:
                p += row.size
                size = <int>row.value_size
            elif self.kind == KIND_ZSET:
                if listpack and whole_score(row.score, &whole, self.form.level):
                    # An entry of the text of an integer is one of the integer.
                    put_entry_int(&self.node, whole)
                    entries += 2
                    continue
                size = score_text(row.score, text, self.form.level)
                p = <Bytes>text
            else:
                entries += 1
                continue
            if listpack:
                put_entry(&self.node, p, size)
            else:
                put_ziplist_entry(&self.ziplist, p, size)
            entries += 2
            if self.any_expiry:
                put_entry_int(&self.node, row.number if row.number >= 0 else 0)
                entries += 1
        if listpack:
            end_listpack(&self.node, 0, entries)
            return put_blob(&self.body, self.node.scratch.data, self.node.size, self.form.table)
        end_ziplist(&self.ziplist)
        return put_blob(&self.body, self.ziplist.buffer.scratch.data, self.ziplist.buffer.size, self.form.table)

    cdef int finish(self) except -1:
        """Complete the value: prefix, then body. Return its type."""
        self.ziplist.narrow = self.form.level < ALL_ZIPLIST_NUMBERS
        if self.kind == KIND_LIST:
            return self.finish_list()
        if self.kind == KIND_SET:
            return self.finish_set()
        if self.kind == KIND_ZSET:
            return self.finish_zset()
        return self.finish_hash()
