# The sink that builds the model: KeyRecords, and optionally the items between them, into a list.

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy
from rdbtool._codec.decode.cursor cimport Bytes, FORM_INT, FORM_LZF
from rdbtool._codec.sink cimport (
    ArrayItem, Consumer, Group, Head, ITEM_DOUBLE, ITEM_INT, LongString, Pending, Producers, Sink, StreamTail
)
from rdbtool.model.values cimport (
    ArrayValue, HashValue, KeyRecord, ListValue, OpaqueValue, PendingEntry, SetValue, StreamConsumer, StreamEntry,
    StreamGroup, StreamID, StreamProducers, StreamValue, StringValue, ZSetValue
)

from rdbtool.core.rdb_types import VALUE_TYPES

include "../_types.pxi"


cdef extern from "Python.h":
    # Declared with raw pointers: these results go straight into a tuple, which takes over the reference.
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *p, Py_ssize_t size)
    PyObject *new_float "PyFloat_FromDouble"(double value)
    PyObject *new_tuple "PyTuple_New"(Py_ssize_t size)
    void set_item "PyTuple_SET_ITEM"(PyObject *tuple, Py_ssize_t at, PyObject *item)
    void untrack "PyObject_GC_UnTrack"(PyObject *tuple)
    void drop "Py_XDECREF"(PyObject *object)


cdef inline bytes text(Bytes p, size_t size):
    return PyBytes_FromStringAndSize(<const char *>p, <Py_ssize_t>size)


cdef inline StreamID stream_id(uint64_t ms, uint64_t seq):
    cdef StreamID id = StreamID.__new__(StreamID)
    id.ms = ms
    id.seq = seq
    return id


cdef class Records(Sink):
    """Collects records into ``records``; with ``batch`` asks for a pause after this many of them.

    With ``items`` the header, aux fields and other items come too, in file order.
    """

    cdef public list records
    cdef readonly bint items
    cdef readonly Py_ssize_t batch
    cdef list encodings             # by type code
    cdef Head head
    cdef KeyRecord record
    cdef size_t filled              # of a long string
    cdef bint is_large
    cdef PyObject **parts           # elements, members, fields or entries of the current value (owned)
    cdef size_t count
    cdef size_t capacity
    cdef list member_expiries
    cdef list groups
    cdef list consumers
    cdef list pendings
    cdef list entry_fields
    cdef list producer_rows
    cdef list producer_ids
    cdef object producer_name
    cdef StreamID entry_id
    cdef StreamGroup group
    cdef StreamProducers producers
    cdef StreamValue stream

    def __init__(self, Py_ssize_t batch=0, bint items=False):
        self.records = []
        self.batch = batch
        self.items = items
        self.encodings = [""] * 256
        self.takes_pieces = True

    def __dealloc__(self):
        self.forget()
        free(self.parts)

    cdef int forget(self) noexcept:
        while self.count:
            self.count -= 1
            drop(self.parts[self.count])
        return 0

    cdef inline int keep(self, PyObject *part) except -1:
        """Take over the reference to a new part (NULL: creating it failed)."""
        cdef PyObject **larger
        if part == NULL:
            raise MemoryError
        if self.count == self.capacity:
            larger = <PyObject **>realloc(self.parts, (self.capacity * 2 + 64) * sizeof(PyObject *))
            if larger == NULL:
                drop(part)
                raise MemoryError
            self.parts = larger
            self.capacity = self.capacity * 2 + 64
        self.parts[self.count] = part
        self.count += 1
        return 0

    cdef tuple gather(self):
        """Return the parts as a tuple."""
        cdef Py_ssize_t i, count = <Py_ssize_t>self.count
        cdef PyObject *whole = new_tuple(count)
        if whole == NULL:
            raise MemoryError
        for i in range(count):
            set_item(whole, i, self.parts[i])
        self.count = 0
        # Nothing in here can refer back to it, so the cyclic collector need not track it: with millions of tuples its
        # visits would double the time.
        if count:
            untrack(whole)
        result = <tuple>whole
        Py_DECREF(result)
        return result

    def take(self):
        """Return what was collected, and reset."""
        taken = self.records
        self.records = []
        self.full = self.is_large = False
        return taken

    cdef int header(self, str magic, int version) except -1:
        for row in VALUE_TYPES:
            if row.magic is None or row.magic == magic:
                self.encodings[row.code] = row.encoding
        return 0

    cdef int item(self, object item) except -1:
        if self.items:
            self.records.append(item)
        return 0

    cdef int begin_key(self, Head *head) except -1:
        cdef KeyRecord record = KeyRecord.__new__(KeyRecord)
        record.db = head.db
        record.key = text(head.key, head.key_size)
        if head.has_expire:
            record.expire_at_ms = head.expire_at_ms
        if head.idle_s >= 0:
            record.idle_s = head.idle_s
        if head.freq >= 0:
            record.freq = head.freq
        if head.meta != NULL:
            record.meta = text(head.meta, head.meta_size)
        record.type_code = head.type_code
        if head.type_code == TYPE_STRING and head.form:
            record.encoding = "int" if head.form == FORM_INT else "lzf"
        elif head.type_code >= 0:
            # Records that are not from a file have none.
            record.encoding = <str>self.encodings[head.type_code]
        record.start = head.start
        self.record = record
        self.head.kind = head.kind
        self.member_expiries = None
        self.forget()
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        cdef StringValue value = StringValue.__new__(StringValue)
        value.data = text(p, size)
        self.record.value = value
        return 0

    cdef int begin_string(self, LongString *text) except -1:
        cdef StringValue value = StringValue.__new__(StringValue)
        value.data = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>text.size)
        self.record.value = value
        self.filled = 0
        return 0

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        cdef StringValue value = self.record.value
        # It has no other reference yet.
        memcpy(<char *>value.data + self.filled, p, size)
        self.filled += size
        return 0

    cdef int end_string(self) except -1:
        # Others with it would be held at the same time.
        self.is_large = True
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        return self.keep(new_bytes(<const char *>p, <Py_ssize_t>size))

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        cdef PyObject *row = new_tuple(3)
        cdef PyObject *first
        cdef PyObject *second
        cdef object expire = None if expire_at_ms < 0 else expire_at_ms
        if row == NULL:
            raise MemoryError
        first = new_bytes(<const char *>field, <Py_ssize_t>field_size)
        second = new_bytes(<const char *>value, <Py_ssize_t>value_size)
        set_item(row, 0, first)
        set_item(row, 1, second)
        Py_INCREF(expire)
        set_item(row, 2, <PyObject *>expire)
        if first == NULL or second == NULL:
            drop(row)
            raise MemoryError
        untrack(row)
        return self.keep(row)

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        cdef PyObject *row = new_tuple(2)
        cdef PyObject *first
        cdef PyObject *second
        if row == NULL:
            raise MemoryError
        first = new_bytes(<const char *>member, <Py_ssize_t>member_size)
        second = new_float(score)
        set_item(row, 0, first)
        set_item(row, 1, second)
        if first == NULL or second == NULL:
            drop(row)
            raise MemoryError
        untrack(row)
        return self.keep(row)

    cdef int member_expiry(self, Bytes member, size_t size, int64_t expire_at_ms) except -1:
        if self.member_expiries is None:
            self.member_expiries = []
        self.member_expiries.append((text(member, size), expire_at_ms))
        return 0

    cdef int keep_object(self, object part) except -1:
        Py_INCREF(part)
        return self.keep(<PyObject *>part)

    cdef int array_item(self, ArrayItem *item) except -1:
        if item.tag == ITEM_INT:
            self.keep_object((item.index, item.number))
        elif item.tag == ITEM_DOUBLE:
            self.keep_object((item.index, item.real))
        else:
            self.keep_object((item.index, text(item.text, item.text_size)))
        return 0

    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1:
        self.record.value = ArrayValue(self.gather(), insert_index if has_insert else None)
        return 0

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        cdef OpaqueValue value = OpaqueValue.__new__(OpaqueValue)
        value.module = text(module, 9).decode("ascii")
        value.raw = text(raw, raw_size)
        self.record.value = value
        return 0

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        self.entry_id = stream_id(ms, seq)
        self.entry_fields = []
        return 0

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        self.entry_fields.append((text(field, field_size), text(value, value_size)))
        return 0

    cdef int end_entry(self) except -1:
        cdef StreamEntry entry = StreamEntry.__new__(StreamEntry)
        entry.id = self.entry_id
        entry.fields = tuple(self.entry_fields)
        return self.keep_object(entry)

    cdef int stream_tail(self, StreamTail *tail) except -1:
        cdef StreamValue value = StreamValue.__new__(StreamValue)
        value.entries = self.gather()
        value.length = tail.length
        value.last_id = stream_id(tail.last_ms, tail.last_seq)
        if tail.counted:
            value.first_id = stream_id(tail.first_ms, tail.first_seq)
            value.max_deleted_id = stream_id(tail.max_deleted_ms, tail.max_deleted_seq)
            value.entries_added = tail.entries_added
        self.stream = value
        self.groups = []
        return 0

    cdef int begin_group(self, Group *group) except -1:
        cdef StreamGroup value = StreamGroup.__new__(StreamGroup)
        value.name = text(group.name, group.name_size)
        value.last_id = stream_id(group.last_ms, group.last_seq)
        if group.counted:
            value.entries_read = group.entries_read
        self.group = value
        self.consumers = []
        self.pendings = []
        return 0

    cdef int consumer(self, Consumer *consumer) except -1:
        cdef StreamConsumer value = StreamConsumer.__new__(StreamConsumer)
        value.name = text(consumer.name, consumer.name_size)
        if consumer.has_seen:
            value.seen_at_ms = consumer.seen_at_ms
        if consumer.has_active:
            value.active_at_ms = consumer.active_at_ms
        self.consumers.append(value)
        return 0

    cdef int pending(self, Pending *pending) except -1:
        cdef PendingEntry value = PendingEntry.__new__(PendingEntry)
        value.id = stream_id(pending.ms, pending.seq)
        if pending.owned:
            value.consumer = text(pending.consumer, pending.consumer_size)
        value.delivered_at_ms = pending.delivered_at_ms
        value.delivery_count = pending.delivery_count
        self.pendings.append(value)
        return 0

    cdef int end_group(self) except -1:
        self.group.consumers = tuple(self.consumers)
        self.group.pending = tuple(self.pendings)
        self.groups.append(self.group)
        return 0

    cdef int begin_producers(self, Producers *producers) except -1:
        cdef StreamProducers value = StreamProducers.__new__(StreamProducers)
        value.duration_s = producers.duration_s
        value.max_entries = producers.max_entries
        value.ids_added = producers.ids_added
        value.ids_duplicate = producers.ids_duplicate
        self.producers = value
        self.producer_rows = []
        return 0

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        self.producer_ids = []
        self.producer_rows.append((text(name, name_size), self.producer_ids))
        return 0

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        self.producer_ids.append((text(name, name_size), stream_id(ms, seq)))
        return 0

    cdef int end_producers(self) except -1:
        self.producers.producers = tuple([(name, tuple(ids)) for name, ids in self.producer_rows])
        self.stream.producers = self.producers
        return 0

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef int kind = self.head.kind
        cdef KeyRecord record = self.record
        cdef ListValue elements
        cdef SetValue members
        cdef ZSetValue scores
        cdef HashValue fields
        record.stop = stop
        if kind == KIND_HASH:
            fields = HashValue.__new__(HashValue)
            fields.fields = self.gather()
            record.value = fields
        elif kind == KIND_LIST:
            elements = ListValue.__new__(ListValue)
            elements.elements = self.gather()
            record.value = elements
        elif kind == KIND_SET:
            members = SetValue.__new__(SetValue)
            members.members = self.gather()
            record.value = members
        elif kind == KIND_ZSET:
            scores = ZSetValue.__new__(ZSetValue)
            scores.members = self.gather()
            record.value = scores
        elif kind == KIND_STREAM:
            self.stream.groups = tuple(self.groups)
            record.value = self.stream
        if self.member_expiries is not None:
            record.member_expiries = tuple(self.member_expiries)
        return 0

    cdef int commit(self) except -1:
        self.records.append(self.record)
        self.record = None
        if self.batch and (self.is_large or len(self.records) >= self.batch):
            self.full = True
        return 0

    cdef int rollback(self) noexcept:
        self.record = None
        return self.forget()
