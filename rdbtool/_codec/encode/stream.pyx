# Streams (format A12): live entries into nodes, counters, groups with their pending lists.
#
# Nodes are divided as servers do. An entry whose field names are those of its node's first entry stores values only, so
# an entry is collected before it is written. A group's pending entries arrive one by one, each with its owner; the file
# has them as one list of the group and one of IDs per consumer.

from libc.stdint cimport uint8_t
from libc.string cimport memcmp, memcpy, memmove, memset
from rdbtool._codec.decode.cursor cimport grow, release
from rdbtool._codec.encode.primitives cimport (
    begin_listpack, end_listpack, put_be64, put_blob, put_byte, put_bytes, put_entry, put_entry_int, put_le,
    put_length, put_string, refuse, trim
)
from rdbtool._codec.encode.stream_owners cimport Owner

include "../_types.pxi"

cdef enum:
    NODE_OCTETS = 4096          # stream-node-max-bytes
    NODE_ENTRIES = 100          # stream-node-max-entries; so the master's count takes one byte
    COUNT_AT = 6                # its offset in the listpack
    SAME_FIELDS = 2
    # RDB versions that introduced a form of streams.
    COUNTERS = SINCE_STREAM_LISTPACKS_2
    ACTIVE_TIMES = SINCE_STREAM_LISTPACKS_3
    IDEMPOTENCY = SINCE_STREAM_LISTPACKS_4
    UNOWNED = SINCE_STREAM_LISTPACKS_5

cdef uint64_t UNKNOWN = <uint64_t>-1


cdef class Stream:
    def __cinit__(self):
        self.owners = Owners()

    def __dealloc__(self):
        release(&self.prefix.scratch)
        release(&self.nodes.scratch)
        release(&self.tail.scratch)
        release(&self.groups.scratch)
        release(&self.idempotency.scratch)
        release(&self.producers.scratch)
        release(&self.node.scratch)
        release(&self.names.scratch)
        release(&self.arena.scratch)
        release(&self.name_rows)
        release(&self.fields)
        release(&self.pendings)
        release(&self.ids)
        release(&self.unowned_lists)

    cdef int begin(self) except -1:
        trim(&self.prefix)
        trim(&self.nodes)
        trim(&self.tail)
        trim(&self.groups)
        trim(&self.idempotency)
        trim(&self.producers)
        trim(&self.node)
        trim(&self.names)
        trim(&self.arena)
        self.has_producers = self.any_unowned = False
        self.node_count = self.group_count = self.producer_count = self.in_node = 0
        memset(&self.limits, 0, sizeof(Producers))
        return 0

    # ---- entries -------------------------------------------------------------------------------

    cdef int entry(self, uint64_t ms, uint64_t seq) except -1:
        self.ms = ms
        self.seq = seq
        self.arena.size = 0
        self.field_count = 0
        return 0

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        cdef Field *row
        grow(&self.fields, (self.field_count + 1) * sizeof(Field))
        row = <Field *>self.fields.data + self.field_count
        row.at = self.arena.size
        row.size = field_size
        row.value_size = value_size
        self.field_count += 1
        put_bytes(&self.arena, field, field_size)
        return put_bytes(&self.arena, value, value_size)

    cdef int end_entry(self) except -1:
        cdef size_t coming = self.arena.size if self.form.level >= COUNTERS else 0
        cdef bint same = True
        cdef uint64_t i
        cdef Field *row
        cdef Bytes p
        if self.in_node and (self.in_node == NODE_ENTRIES or self.node.size + 1 + coming >= NODE_OCTETS):
            self.close_node()
        if self.in_node == 0:
            self.begin_node()
        else:
            same = self.has_master_fields()
        put_entry_int(&self.node, SAME_FIELDS if same else 0)
        put_entry_int(&self.node, <int64_t>(self.ms - self.node_ms))
        put_entry_int(&self.node, <int64_t>(self.seq - self.node_seq))
        if not same:
            put_entry_int(&self.node, <int64_t>self.field_count)
        for i in range(self.field_count):
            row = <Field *>self.fields.data + i
            p = self.arena.scratch.data + row.at
            if not same:
                put_entry(&self.node, p, row.size)
            put_entry(&self.node, p + row.size, row.value_size)
        i = self.field_count + 3 if same else 2 * self.field_count + 4
        put_entry_int(&self.node, <int64_t>i)
        self.elements += i + 1
        self.in_node += 1
        return 0

    cdef int begin_node(self) except -1:
        """The master entry: count, deleted, the field names, 0."""
        cdef uint64_t i
        cdef Field *row
        self.node_ms = self.ms
        self.node_seq = self.seq
        self.node.size = 0
        begin_listpack(&self.node)
        put_entry_int(&self.node, 1)
        put_entry_int(&self.node, 0)
        put_entry_int(&self.node, <int64_t>self.field_count)
        grow(&self.name_rows, (self.field_count + 1) * sizeof(Field))
        self.names.size = 0
        self.name_count = self.field_count
        for i in range(self.field_count):
            row = <Field *>self.fields.data + i
            put_entry(&self.node, self.arena.scratch.data + row.at, row.size)
            (<Field *>self.name_rows.data)[i].at = self.names.size
            (<Field *>self.name_rows.data)[i].size = row.size
            put_bytes(&self.names, self.arena.scratch.data + row.at, row.size)
        put_entry_int(&self.node, 0)
        self.elements = self.field_count + 4
        return 0

    cdef bint has_master_fields(self) noexcept:
        cdef uint64_t i
        cdef Field *name = <Field *>self.name_rows.data
        cdef Field *row = <Field *>self.fields.data
        if self.field_count != self.name_count:
            return False
        for i in range(self.field_count):
            if name[i].size != row[i].size or memcmp(
                self.names.scratch.data + name[i].at, self.arena.scratch.data + row[i].at, row[i].size
            ):
                return False
        return True

    cdef int close_node(self) except -1:
        if self.in_node == 0:
            return 0
        self.node.scratch.data[COUNT_AT] = <uint8_t>self.in_node
        end_listpack(&self.node, 0, self.elements)
        put_length(&self.nodes, 16)
        put_be64(&self.nodes, self.node_ms)
        put_be64(&self.nodes, self.node_seq)
        put_blob(&self.nodes, self.node.scratch.data, self.node.size, self.form.table)
        self.node_count += 1
        self.in_node = 0
        return 0

    cdef int stream_tail(self, StreamTail *tail) except -1:
        if tail.counted != (self.form.level >= COUNTERS):
            refuse("stream counters" if tail.counted else "a stream without counters")
        self.close_node()
        put_length(&self.tail, tail.length)
        put_length(&self.tail, tail.last_ms)
        put_length(&self.tail, tail.last_seq)
        if tail.counted:
            put_length(&self.tail, tail.first_ms)
            put_length(&self.tail, tail.first_seq)
            put_length(&self.tail, tail.max_deleted_ms)
            put_length(&self.tail, tail.max_deleted_seq)
            put_length(&self.tail, tail.entries_added)
        return 0

    # ---- groups --------------------------------------------------------------------------------

    cdef int begin_group(self, Group *group) except -1:
        self.group_count += 1
        self.pending_count = 0
        self.owners.clear()
        put_string(&self.groups, group.name, group.name_size, self.form.table)
        put_length(&self.groups, group.last_ms)
        put_length(&self.groups, group.last_seq)
        if self.form.level >= COUNTERS:
            put_length(&self.groups, group.entries_read if group.counted else UNKNOWN)
        elif group.counted:
            refuse("entries read by groups")
        return 0

    cdef int consumer(self, Consumer *consumer) except -1:
        if not consumer.has_seen:
            refuse("consumers that were seen at an unknown time")
        if consumer.has_active != (self.form.level >= ACTIVE_TIMES):
            refuse("active times of consumers" if consumer.has_active else "consumers without such times")
        self.owners.add(consumer)
        return 0

    cdef int pending(self, Pending *pending) except -1:
        cdef Owned *row
        cdef int64_t owner = -1
        if pending.owned:
            owner = self.owners.find(pending.consumer, pending.consumer_size)
            if owner < 0:
                refuse("pending entries of who is no consumer")
            self.owners.row(<uint64_t>owner).ids += 1
        elif self.form.level < UNOWNED:
            refuse("pending entries without a consumer")
        grow(&self.pendings, (self.pending_count + 1) * sizeof(Owned))
        row = <Owned *>self.pendings.data + self.pending_count
        row.ms = pending.ms
        row.seq = pending.seq
        row.delivered_at_ms = pending.delivered_at_ms
        row.delivery_count = pending.delivery_count
        row.owner = owner
        self.pending_count += 1
        return 0

    cdef int end_group(self) except -1:
        self.put_group_pending()
        self.put_consumers()
        if self.form.level >= UNOWNED:
            return self.put_unowned()
        return 0

    cdef int put_group_pending(self) except -1:
        """The group's own list: each ID once, even if several consumers have it."""
        cdef Owned *rows = <Owned *>self.pendings.data
        cdef uint64_t i, ids = 0
        cdef bint first
        cdef int step
        for step in range(2):
            if step:
                put_length(&self.groups, ids)
            for i in range(self.pending_count):
                first = i == 0 or rows[i].ms != rows[i - 1].ms or rows[i].seq != rows[i - 1].seq
                if not first:
                    continue
                if step == 0:
                    ids += 1
                    continue
                put_be64(&self.groups, rows[i].ms)
                put_be64(&self.groups, rows[i].seq)
                put_le(&self.groups, <uint64_t>rows[i].delivered_at_ms, 8)
                put_length(&self.groups, rows[i].delivery_count)
        return 0

    cdef int put_consumers(self) except -1:
        cdef Owned *rows = <Owned *>self.pendings.data
        cdef Owners owners = self.owners
        cdef Owner *owner
        cdef uint64_t *ids
        cdef uint64_t i, j, at = 0
        # Each consumer's part of one array of indexes, filled in the order of the group's list.
        grow(&self.ids, (self.pending_count + 1) * sizeof(uint64_t))
        ids = <uint64_t *>self.ids.data
        for i in range(owners.count):
            owner = owners.row(i)
            owner.first = at
            at += owner.ids
            owner.ids = 0
        for i in range(self.pending_count):
            if rows[i].owner >= 0:
                owner = owners.row(<uint64_t>rows[i].owner)
                ids[owner.first + owner.ids] = i
                owner.ids += 1
        put_length(&self.groups, owners.count)
        for i in range(owners.count):
            owner = owners.row(i)
            put_string(&self.groups, owners.name(i), owner.name_size, self.form.table)
            put_le(&self.groups, <uint64_t>owner.seen_at_ms, 8)
            if owner.has_active:
                put_le(&self.groups, <uint64_t>owner.active_at_ms, 8)
            put_length(&self.groups, owner.ids)
            for j in range(owner.ids):
                put_be64(&self.groups, rows[ids[owner.first + j]].ms)
                put_be64(&self.groups, rows[ids[owner.first + j]].seq)
        return 0

    cdef int put_unowned(self) except -1:
        """The entries without owner; the list's place is kept, because most streams need none."""
        cdef Owned *rows = <Owned *>self.pendings.data
        cdef uint64_t i, count = 0
        grow(&self.unowned_lists, self.group_count * sizeof(size_t))
        (<size_t *>self.unowned_lists.data)[self.group_count - 1] = self.groups.size
        for i in range(self.pending_count):
            count += rows[i].owner < 0
        put_length(&self.groups, count)
        for i in range(self.pending_count):
            if rows[i].owner < 0:
                self.any_unowned = True
                put_be64(&self.groups, rows[i].ms)
                put_be64(&self.groups, rows[i].seq)
        return 0

    cdef int drop_unowned_lists(self) except -1:
        """Remove the lists of unowned entries, all of them empty and so one byte each."""
        cdef size_t *lists = <size_t *>self.unowned_lists.data
        cdef uint8_t *data = self.groups.scratch.data
        cdef size_t start, stop
        cdef uint64_t i
        for i in range(self.group_count):
            start = lists[i] + 1
            stop = lists[i + 1] if i + 1 < self.group_count else self.groups.size
            memmove(data + start - 1 - i, data + start, stop - start)
        self.groups.size -= self.group_count
        return 0

    # ---- idempotent producers ------------------------------------------------------------------

    cdef int begin_producers(self, Producers *producers) except -1:
        if self.form.level < IDEMPOTENCY:
            refuse("idempotent producers")
        self.has_producers = True
        self.limits = producers[0]
        return 0

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        self.producer_count += 1
        put_string(&self.producers, name, name_size, self.form.table)
        return put_length(&self.producers, ids)

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        put_string(&self.producers, name, name_size, self.form.table)
        put_length(&self.producers, ms)
        return put_length(&self.producers, seq)

    cdef int put_idempotency(self) except -1:
        if not self.has_producers:
            refuse("pending entries without a consumer without limits of idempotent producers")
        put_length(&self.idempotency, self.limits.duration_s)
        put_length(&self.idempotency, self.limits.max_entries)
        put_length(&self.idempotency, self.producer_count)
        put_bytes(&self.idempotency, self.producers.scratch.data, self.producers.size)
        put_length(&self.idempotency, self.limits.ids_added)
        return put_length(&self.idempotency, self.limits.ids_duplicate)

    # ---- the whole value ----------------------------------------------------------------------------

    cdef int version(self) noexcept:
        """The form of streams: the target's newest, but 4 and 5 only if needed.

        Servers that support 4 and 5 read the older ones too, and these are well known.
        """
        if self.form.level < COUNTERS:
            return 1
        if self.form.level < ACTIVE_TIMES:
            return 2
        if self.form.level >= UNOWNED and (self.has_producers or self.any_unowned):
            return 5
        if self.form.level >= IDEMPOTENCY and self.has_producers:
            return 4
        return 3

    cdef int finish(self) except -1:
        """Complete the value: prefix, nodes, tail, groups, idempotency. Return its type."""
        cdef int version = self.version()
        put_length(&self.prefix, self.node_count)
        put_length(&self.tail, self.group_count)
        if self.form.level >= UNOWNED and version < 5:
            self.drop_unowned_lists()
        if version >= 4:
            self.put_idempotency()
        if version == 1:
            return TYPE_STREAM_LISTPACKS
        if version == 2:
            return TYPE_STREAM_LISTPACKS_2
        if version == 3:
            return TYPE_STREAM_LISTPACKS_3
        return TYPE_STREAM_LISTPACKS_4 if version == 4 else TYPE_STREAM_LISTPACKS_5
