# Values: from the bytes after a key to the events of a sink (format A10 to A14, A18).
#
# One method per family of types. Packed blobs and streams have modules of their own.

from libc.math cimport INFINITY, NAN
from libc.stdint cimport INT64_MAX, UINT64_MAX, uint8_t
from rdbtool._codec.decode.cursor cimport (
    Bytes, Str, decline, need, read_blob, read_double, read_i64, read_len, read_str, read_str_of, read_u8, release,
    rt_parse_double, skip_str
)
from rdbtool._codec.decode.packed cimport (
    Element, SHAPE_ELEMENTS, SHAPE_PAIRS, SHAPE_SCORES, SHAPE_TRIPLES, Walk, close_listpack, element_number,
    next_listpack, open_listpack, scan_intset, scan_listpack, scan_ziplist, scan_zipmap
)
from rdbtool._codec.sink cimport (
    ArrayItem, ITEM_DOUBLE, ITEM_INT, ITEM_SHORT_STRING, PACKED_ALONE, PACKED_INTSET, PACKED_LISTPACK, PACKED_ZIPLIST,
    PACKED_ZIPMAP
)

include "../_types.pxi"

cdef char *MODULE_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


cdef void module_name(uint64_t id, char *name) noexcept:
    """The nine characters of a module ID (format A14)."""
    cdef int i
    for i in range(9):
        name[i] = MODULE_ALPHABET[id >> (58 - 6 * i) & 63]


cdef class ValueReader:
    def __init__(self):
        self.streams = StreamReader()
        self.templates = {}

    def __dealloc__(self):
        release(&self.first)
        release(&self.second)

    cdef int read(self, int code, Cursor *c, Limits *limits, Sink sink) except -1:
        cdef Str text
        self.limits = limits
        if code == TYPE_STRING:
            read_str(c, &self.first, self.limits, &text)
            return sink.string(text.p, text.size)
        if (code == TYPE_HASH_LISTPACK or code == TYPE_ZSET_LISTPACK or code == TYPE_SET_LISTPACK
                or code == TYPE_SET_INTSET or code == TYPE_HASH_ZIPLIST or code == TYPE_ZSET_ZIPLIST
                or code == TYPE_LIST_ZIPLIST or code == TYPE_HASH_ZIPMAP):
            return self.read_packed(code, c, sink)
        if code == TYPE_LIST_QUICKLIST_2 or code == TYPE_LIST_QUICKLIST:
            return self.read_quicklist(code, c, sink)
        if code == TYPE_SET or code == TYPE_LIST:
            return self.read_strings(c, sink)
        if code == TYPE_HASH:
            return self.read_pairs(c, sink)
        if code == TYPE_ZSET_2:
            return self.read_scores(c, sink)
        if code == TYPE_ZSET:
            return self.read_text_scores(c, sink)
        if code == TYPE_STREAM_LISTPACKS:
            return self.streams.read(c, self.limits, 1, sink)
        if code == TYPE_STREAM_LISTPACKS_2:
            return self.streams.read(c, self.limits, 2, sink)
        if code == TYPE_STREAM_LISTPACKS_3:
            return self.streams.read(c, self.limits, 3, sink)
        if code == TYPE_STREAM_LISTPACKS_4:
            return self.streams.read(c, self.limits, 4, sink)
        if code == TYPE_STREAM_LISTPACKS_5:
            return self.streams.read(c, self.limits, 5, sink)
        if code == TYPE_MODULE_2:
            return self.read_module(c, sink)
        if code == TYPE_ARRAY:
            return self.read_array(c, sink)
        if code >= TYPE_HASH_TEMPLATE_LISTPACK and code <= TYPE_HASH_TEMPLATE_ARRAY_REF:
            return self.read_template_hash(code, c, sink)
        return self.read_expiring_pairs(code, c, sink)

    cdef bint skip(self, int code, Cursor *c, Limits *limits) except -1:
        """Skip a value that was read before and return True; False: it has to be read, and nothing was skipped."""
        cdef uint64_t count = 1, i, number
        if (code == TYPE_LIST or code == TYPE_SET or code == TYPE_HASH or code == TYPE_ZSET_2
                or code == TYPE_LIST_QUICKLIST or code == TYPE_LIST_QUICKLIST_2):
            read_len(c, &count)
        elif not (code == TYPE_STRING or code == TYPE_HASH_LISTPACK or code == TYPE_ZSET_LISTPACK
                  or code == TYPE_SET_LISTPACK or code == TYPE_SET_INTSET or code == TYPE_HASH_ZIPLIST
                  or code == TYPE_ZSET_ZIPLIST or code == TYPE_LIST_ZIPLIST or code == TYPE_HASH_ZIPMAP):
            return False
        for i in range(count):
            if code == TYPE_LIST_QUICKLIST_2:
                read_len(c, &number)
            skip_str(c, limits.max_string)
            if code == TYPE_HASH:
                skip_str(c, limits.max_string)
            elif code == TYPE_ZSET_2:
                need(c, 8)
                c.p += 8
        return True

    cdef int read_rows(self, int code, Cursor *c, uint64_t *done, uint64_t count, Sink sink) except -1:
        """Read the rows of a collection that is not packed, from ``done`` on; ``mark`` stays where one is not read."""
        cdef Str text, value
        cdef double score
        while done[0] < count:
            self.mark = c.p
            if code == TYPE_SET or code == TYPE_LIST:
                read_str(c, &self.first, self.limits, &text)
                sink.element(text.p, text.size)
            elif code == TYPE_HASH:
                read_str(c, &self.first, self.limits, &text)
                read_str(c, &self.second, self.limits, &value)
                sink.pair(text.p, text.size, value.p, value.size, -1)
            elif code == TYPE_ZSET_2:
                read_str(c, &self.first, self.limits, &text)
                read_double(c, &score)
                sink.score(text.p, text.size, score)
            else:
                self.read_node(code, c, sink)
            done[0] += 1
        return 0

    cdef int read_strings(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t count, i
        cdef Str text
        read_len(c, &count)
        for i in range(count):
            read_str(c, &self.first, self.limits, &text)
            sink.element(text.p, text.size)
        return 0

    cdef int read_pairs(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t count, i
        cdef Str field, value
        read_len(c, &count)
        for i in range(count):
            read_str(c, &self.first, self.limits, &field)
            read_str(c, &self.second, self.limits, &value)
            sink.pair(field.p, field.size, value.p, value.size, -1)
        return 0

    cdef int read_scores(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t count, i
        cdef Str member
        cdef double score
        read_len(c, &count)
        for i in range(count):
            read_str(c, &self.first, self.limits, &member)
            read_double(c, &score)
            sink.score(member.p, member.size, score)
        return 0

    cdef int read_text_scores(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t count, i
        cdef Str member
        cdef double score
        cdef uint8_t size
        read_len(c, &count)
        for i in range(count):
            read_str(c, &self.first, self.limits, &member)
            read_u8(c, &size)
            if size == 253:
                score = NAN
            elif size == 254:
                score = INFINITY
            elif size == 255:
                score = -INFINITY
            else:
                need(c, size)
                if not rt_parse_double(c.p, size, &score):
                    return decline()
                c.p += size
            sink.score(member.p, member.size, score)
        return 0

    cdef int read_packed(self, int code, Cursor *c, Sink sink) except -1:
        cdef Str blob
        read_blob(c, &self.first, self.limits, &blob)
        if code == TYPE_SET_INTSET:
            sink.begin_packed(PACKED_INTSET, blob.size, 0, 0)
        elif code == TYPE_HASH_ZIPMAP:
            sink.begin_packed(PACKED_ZIPMAP, blob.size, 0, 0)
        elif code == TYPE_HASH_ZIPLIST or code == TYPE_ZSET_ZIPLIST or code == TYPE_LIST_ZIPLIST:
            sink.begin_packed(PACKED_ZIPLIST, blob.size, 0, 0)
        else:
            sink.begin_packed(PACKED_LISTPACK, blob.size, 0, 0)
        if code == TYPE_HASH_LISTPACK:
            return scan_listpack(blob.p, blob.size, SHAPE_PAIRS, sink)
        if code == TYPE_ZSET_LISTPACK:
            return scan_listpack(blob.p, blob.size, SHAPE_SCORES, sink)
        if code == TYPE_SET_LISTPACK:
            return scan_listpack(blob.p, blob.size, SHAPE_ELEMENTS, sink)
        if code == TYPE_SET_INTSET:
            return scan_intset(blob.p, blob.size, sink)
        if code == TYPE_HASH_ZIPLIST:
            return scan_ziplist(blob.p, blob.size, SHAPE_PAIRS, sink)
        if code == TYPE_ZSET_ZIPLIST:
            return scan_ziplist(blob.p, blob.size, SHAPE_SCORES, sink)
        if code == TYPE_LIST_ZIPLIST:
            return scan_ziplist(blob.p, blob.size, SHAPE_ELEMENTS, sink)
        return scan_zipmap(blob.p, blob.size, sink)

    cdef int read_quicklist(self, int code, Cursor *c, Sink sink) except -1:
        cdef uint64_t nodes, i
        read_len(c, &nodes)
        for i in range(nodes):
            self.read_node(code, c, sink)
        return 0

    cdef int read_node(self, int code, Cursor *c, Sink sink) except -1:
        cdef uint64_t container = 0
        cdef Str blob
        if code == TYPE_LIST_QUICKLIST_2:
            read_len(c, &container)
            if container != 1 and container != 2:
                return decline()
        read_str_of(c, &self.first, self.limits,
                    self.limits.max_string if container == 1 else self.limits.max_blob, &blob)
        if blob.size == 0:
            return decline()
        sink.begin_packed(
            PACKED_ALONE if container == 1 else PACKED_LISTPACK if container == 2 else PACKED_ZIPLIST, blob.size, 0, 0
        )
        if container == 1:
            return sink.element(blob.p, blob.size)
        if container == 2:
            return scan_listpack(blob.p, blob.size, SHAPE_ELEMENTS, sink)
        return scan_ziplist(blob.p, blob.size, SHAPE_ELEMENTS, sink)

    cdef int read_expiring_pairs(self, int code, Cursor *c, Sink sink) except -1:
        """Hashes whose fields expire: Redis 7.4 (22 to 25) and Valkey 9 (22)."""
        cdef uint64_t count, i, ttl
        cdef int64_t base, expire
        cdef Str field, value
        cdef bint valkey = self.valkey
        base = 0
        if code == TYPE_HASH_LISTPACK_EX or code == TYPE_HASH_LISTPACK_EX_PRE_GA:
            if code == TYPE_HASH_LISTPACK_EX:
                read_i64(c, &base)
            read_blob(c, &self.first, self.limits, &field)
            sink.begin_packed(PACKED_LISTPACK, field.size, 0, 0)
            return scan_listpack(field.p, field.size, SHAPE_TRIPLES, sink)
        if code == TYPE_HASH_METADATA:
            read_i64(c, &base)
            # One more than the maximum: what servers store if no field expires.
            if base < 0 or <uint64_t>base > MAX_FIELD_EXPIRE_MS + 1:
                return decline()
        read_len(c, &count)
        for i in range(count):
            ttl = 0
            if not valkey:
                read_len(c, &ttl)
            read_str(c, &self.first, self.limits, &field)
            read_str(c, &self.second, self.limits, &value)
            expire = -1
            if valkey:
                read_i64(c, &expire)
                if expire < -1:
                    return decline()
            elif ttl:
                # Wraps like the servers' 64-bit sum; what wrapped is out of range.
                if code == TYPE_HASH_METADATA:
                    if ttl > <uint64_t>INT64_MAX:
                        return decline()
                    expire = <int64_t>(<uint64_t>base + ttl - 1)
                else:
                    expire = <int64_t>ttl if ttl <= MAX_FIELD_EXPIRE_MS else -1
                if expire < 0 or <uint64_t>expire > MAX_FIELD_EXPIRE_MS:
                    return decline()
            sink.pair(field.p, field.size, value.p, value.size, expire)
        return 0

    cdef int skip_module_data(self, Cursor *c, Limits *limits) except -1:
        cdef uint64_t opcode, number
        cdef Str text
        while True:
            read_len(c, &opcode)
            if opcode == 0:
                return 0
            if opcode == 1 or opcode == 2:
                read_len(c, &number)
            elif opcode == 3:
                need(c, 4)
                c.p += 4
            elif opcode == 4:
                need(c, 8)
                c.p += 8
            elif opcode == 5:
                read_str(c, &self.first, limits, &text)
            else:
                return decline()

    cdef int read_module(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t id
        cdef Bytes begin = c.p
        cdef char name[9]
        read_len(c, &id)
        module_name(id, name)
        self.skip_module_data(c, self.limits)
        return sink.opaque(<Bytes>name, begin, c.p - begin)

    cdef int read_array(self, Cursor *c, Sink sink) except -1:
        cdef uint64_t count, has_insert, insert = 0, tag, i
        cdef ArrayItem item
        cdef Str text
        read_len(c, &count)
        read_len(c, &has_insert)
        if count == 0 or has_insert > 1:
            return decline()
        if has_insert:
            read_len(c, &insert)
        for i in range(count):
            read_len(c, &item.index)
            read_len(c, &tag)
            if item.index == UINT64_MAX or tag > 3:
                return decline()
            item.tag = <int>tag
            if tag == ITEM_INT:
                read_i64(c, &item.number)
            elif tag == ITEM_DOUBLE:
                read_double(c, &item.real)
            else:
                read_str(c, &self.first, self.limits, &text)
                if tag == ITEM_SHORT_STRING and text.size > 7:
                    return decline()
                item.text = text.p
                item.text_size = text.size
            sink.array_item(&item)
        return sink.array_end(has_insert, insert)

    cdef tuple read_template_fields(self, Cursor *c):
        """The field names in the value itself (29, 31)."""
        cdef uint64_t format, count, i
        cdef Str text
        cdef Walk walk
        cdef Element element
        read_len(c, &format)
        fields = []
        if format == 0:
            read_blob(c, &self.first, self.limits, &text)
            open_listpack(text.p, text.size, &walk)
            while next_listpack(&walk, &element):
                fields.append((<char *>element.p)[:element.size])
            close_listpack(text.p, &walk)
        elif format == 1:
            read_len(c, &count)
            for i in range(count):
                read_str(c, &self.first, self.limits, &text)
                fields.append((<char *>text.p)[:text.size])
        else:
            decline()
        return tuple(fields)

    cdef int read_template_hash(self, int code, Cursor *c, Sink sink) except -1:
        """Hashes that take their field names from a template (29 to 32)."""
        cdef uint64_t id
        cdef int64_t number
        cdef Str text
        cdef Walk walk
        cdef Element element
        cdef bytes field
        cdef tuple fields = None
        if code == TYPE_HASH_TEMPLATE_LISTPACK or code == TYPE_HASH_TEMPLATE_ARRAY:
            fields = self.read_template_fields(c)
        if code == TYPE_HASH_TEMPLATE_LISTPACK or code == TYPE_HASH_TEMPLATE_LISTPACK_REF:
            read_blob(c, &self.first, self.limits, &text)
            open_listpack(text.p, text.size, &walk)
            if not next_listpack(&walk, &element):
                return decline()
            element_number(&element, &number)
            if fields is None:
                fields = self.templates.get(number)
                if fields is None:
                    return decline()
            for field in fields:
                if not next_listpack(&walk, &element):
                    return decline()
                sink.pair(<Bytes>(<char *>field), len(field), element.p, element.size, -1)
            if next_listpack(&walk, &element):
                return decline()
            return close_listpack(text.p, &walk)
        if fields is None:
            read_len(c, &id)
            fields = self.templates.get(id)
            if fields is None:
                return decline()
        for field in fields:
            read_str(c, &self.first, self.limits, &text)
            sink.pair(<Bytes>(<char *>field), len(field), text.p, text.size, -1)
        return 0
