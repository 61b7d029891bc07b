# Stream values (format A12): nodes of entries, counters, groups with their pending lists.
#
# A group's pending list is in the file twice: once with times and counts, and once more under each consumer as bare
# IDs. The two are joined here, so that a sink receives each pending entry once, with its owner. Memory is a small
# multiple of the bytes that the lists take in the file.

from libc.stdlib cimport qsort
from libc.string cimport memcpy
from libc.stdint cimport uint8_t
from rdbtool._codec.decode.cursor cimport Bytes, Str, decline, grow, load_be64, need, read_blob, read_i64, read_len, read_str, release
from rdbtool._codec.decode.packed cimport Element, Walk, close_listpack, element_number, open_listpack, step_listpack
from rdbtool._codec.sink cimport Consumer, Group, PACKED_LISTPACK, Pending, Producers, StreamTail

cdef enum:
    DELETED = 1
    SAME_FIELDS = 2

cdef struct Row:
    uint64_t ms
    uint64_t seq
    int64_t delivered_at_ms
    uint64_t delivery_count
    int64_t first_owner         # index into owners, -1: none
    int64_t last_owner

cdef struct Owner:
    int64_t consumer
    int64_t next

cdef struct ConsumerRow:
    size_t name_at
    size_t name_size
    int64_t seen_at_ms
    int64_t active_at_ms
    uint64_t pending

cdef int compare_order(const void *left, const void *right) noexcept nogil:
    cdef OrderRow *a = <OrderRow *>left
    cdef OrderRow *b = <OrderRow *>right
    if a.ms != b.ms:
        return -1 if a.ms < b.ms else 1
    if a.seq != b.seq:
        return -1 if a.seq < b.seq else 1
    return 0


cdef inline int quick_number(Element *element, int64_t *out) except -1:
    if element.is_int:
        out[0] = element.number
        return 0
    return element_number(element, out)


cdef inline int read_number(Walk *walk, Element *element, int64_t *out) except -1:
    if not step_listpack(walk, element, False):
        return decline()
    return quick_number(element, out)


cdef inline int append(Scratch *scratch, uint64_t index, size_t size) except -1:
    """Make room for element `index` of `size` bytes."""
    return grow(scratch, (index + 1) * size)


cdef class StreamReader:
    def __dealloc__(self):
        release(&self.key)
        release(&self.blob)
        release(&self.name)
        release(&self.nodes)
        release(&self.names)
        release(&self.rows)
        release(&self.order)
        release(&self.owners)
        release(&self.consumers)

    cdef int read(self, Cursor *c, Limits *limits, int version, Sink sink) except -1:
        cdef uint64_t nodes, groups, i
        cdef bint ascending = True
        cdef StreamTail tail
        read_len(c, &nodes)
        for i in range(nodes):
            append(&self.nodes, i, sizeof(OrderRow))
            self.read_node(c, limits, <OrderRow *>self.nodes.data + i, sink)
            if i and compare_order(<OrderRow *>self.nodes.data + i - 1, <OrderRow *>self.nodes.data + i) >= 0:
                ascending = False
        if not ascending:
            # Servers never write it, but load it, unless a node occurs twice.
            qsort(self.nodes.data, nodes, sizeof(OrderRow), compare_order)
            for i in range(1, nodes):
                if compare_order(<OrderRow *>self.nodes.data + i - 1, <OrderRow *>self.nodes.data + i) == 0:
                    return decline()
        tail.version = version
        tail.counted = version >= 2
        read_len(c, &tail.length)
        read_len(c, &tail.last_ms)
        read_len(c, &tail.last_seq)
        tail.first_ms = tail.first_seq = tail.max_deleted_ms = tail.max_deleted_seq = tail.entries_added = 0
        if version >= 2:
            read_len(c, &tail.first_ms)
            read_len(c, &tail.first_seq)
            read_len(c, &tail.max_deleted_ms)
            read_len(c, &tail.max_deleted_seq)
            read_len(c, &tail.entries_added)
        sink.stream_tail(&tail)
        read_len(c, &groups)
        for i in range(groups):
            self.read_group(c, limits, version, sink)
        if version >= 4:
            self.read_producers(c, limits, sink)
        return 0

    cdef int read_node(self, Cursor *c, Limits *limits, OrderRow *id, Sink sink) except -1:
        cdef Str text
        cdef Walk walk, master, names
        cdef Element element, name, value
        cdef uint64_t node_ms, node_seq, i, fields, live = 0, dead = 0
        cdef int64_t number, declared_live, declared_dead, master_fields, flags, ms_delta, seq_delta
        read_str(c, &self.key, limits, &text)
        if text.size != 16:
            return decline()
        node_ms = load_be64(text.p)
        node_seq = load_be64(text.p + 8)
        id.ms = node_ms
        id.seq = node_seq
        read_blob(c, &self.blob, limits, &text)
        sink.begin_packed(PACKED_LISTPACK, text.size, node_ms, node_seq)
        open_listpack(text.p, text.size, &walk)
        # The master entry: count, deleted, number of fields, the fields, 0.
        read_number(&walk, &element, &declared_live)
        read_number(&walk, &element, &declared_dead)
        read_number(&walk, &element, &master_fields)
        if declared_live < 0 or declared_dead < 0 or master_fields < 0:
            return decline()
        master = walk
        for i in range(<uint64_t>master_fields):
            if not step_listpack(&walk, &element, False):
                return decline()
        read_number(&walk, &element, &number)
        if number != 0:
            return decline()
        while step_listpack(&walk, &element, False):
            quick_number(&element, &flags)
            read_number(&walk, &element, &ms_delta)
            read_number(&walk, &element, &seq_delta)
            names = master
            if flags & SAME_FIELDS:
                fields = <uint64_t>master_fields
            else:
                read_number(&walk, &element, &number)
                if number < 0:
                    return decline()
                fields = <uint64_t>number
            if flags & DELETED:
                dead += 1
            else:
                live += 1
                sink.entry(node_ms + <uint64_t>ms_delta, node_seq + <uint64_t>seq_delta, fields)
            if sink.ignores_fields:
                for i in range(fields):
                    if not flags & SAME_FIELDS and not step_listpack(&walk, &name, False):
                        return decline()
                    if not step_listpack(&walk, &value, False):
                        return decline()
            else:
                for i in range(fields):
                    if not step_listpack(&names if flags & SAME_FIELDS else &walk, &name, True):
                        return decline()
                    if not step_listpack(&walk, &value, True):
                        return decline()
                    if not flags & DELETED:
                        sink.entry_field(name.p, name.size, value.p, value.size)
            if not flags & DELETED:
                sink.end_entry()
            read_number(&walk, &element, &number)
            # No overflow: `fields` entries were just walked.
            if <uint64_t>number != (fields + 3 if flags & SAME_FIELDS else 2 * fields + 4):
                return decline()
        if live != <uint64_t>declared_live or dead != <uint64_t>declared_dead:
            return decline()
        return close_listpack(text.p, &walk)

    cdef int read_group(self, Cursor *c, Limits *limits, int version, Sink sink) except -1:
        cdef Str text
        cdef Group group
        cdef Consumer consumer
        cdef Pending pending
        cdef Row *row
        cdef ConsumerRow *owner
        cdef Owner *link
        cdef uint64_t count, consumers, owned, i, j, ms, seq, links = 0, names_size = 0
        cdef int64_t at, unowned_mark = -2
        read_str(c, &self.name, limits, &text)
        group.name = text.p
        group.name_size = text.size
        read_len(c, &group.last_ms)
        read_len(c, &group.last_seq)
        group.counted = False
        group.entries_read = 0
        if version >= 2:
            read_len(c, &group.entries_read)
            group.counted = group.entries_read != <uint64_t>-1
        sink.begin_group(&group)

        read_len(c, &count)
        for i in range(count):
            need(c, 24)
            append(&self.rows, i, sizeof(Row))
            row = <Row *>self.rows.data + i
            row.ms = load_be64(c.p)
            row.seq = load_be64(c.p + 8)
            c.p += 16
            read_i64(c, &row.delivered_at_ms)
            read_len(c, &row.delivery_count)
            row.first_owner = row.last_owner = -1
        self.index_rows(count)

        read_len(c, &consumers)
        for i in range(consumers):
            append(&self.consumers, i, sizeof(ConsumerRow))
            read_str(c, &self.key, limits, &text)
            grow(&self.names, names_size + text.size + 1)
            memcpy(self.names.data + names_size, text.p, text.size)
            owner = <ConsumerRow *>self.consumers.data + i
            owner.name_at = names_size
            owner.name_size = text.size
            names_size += text.size
            read_i64(c, &owner.seen_at_ms)
            owner.active_at_ms = 0
            if version >= 3:
                read_i64(c, &owner.active_at_ms)
            read_len(c, &owned)
            owner.pending = owned
            at = -1
            for j in range(owned):
                need(c, 16)
                ms = load_be64(c.p)
                seq = load_be64(c.p + 8)
                c.p += 16
                at = self.find_row(count, ms, seq, at + 1)
                row = <Row *>self.rows.data + at
                append(&self.owners, links, sizeof(Owner))
                link = <Owner *>self.owners.data
                if row.last_owner >= 0:
                    if link[row.last_owner].consumer == <int64_t>i:
                        return decline()
                    link[row.last_owner].next = <int64_t>links
                else:
                    row.first_owner = <int64_t>links
                row.last_owner = <int64_t>links
                link[links].consumer = <int64_t>i
                link[links].next = -1
                links += 1
        if version >= 5:
            read_len(c, &owned)
            at = -1
            for j in range(owned):
                need(c, 16)
                at = self.find_row(count, load_be64(c.p), load_be64(c.p + 8), at + 1)
                c.p += 16
                row = <Row *>self.rows.data + at
                if row.last_owner != -1:
                    return decline()
                row.last_owner = unowned_mark

        for i in range(consumers):
            owner = <ConsumerRow *>self.consumers.data + i
            consumer.name = self.names.data + owner.name_at
            consumer.name_size = owner.name_size
            consumer.has_seen = True
            consumer.seen_at_ms = owner.seen_at_ms
            consumer.has_active = version >= 3
            consumer.active_at_ms = owner.active_at_ms
            consumer.pending = owner.pending
            sink.consumer(&consumer)
        for i in range(count):
            row = <Row *>self.rows.data + i
            pending.ms = row.ms
            pending.seq = row.seq
            pending.delivered_at_ms = row.delivered_at_ms
            pending.delivery_count = row.delivery_count
            pending.owned = row.first_owner >= 0
            pending.consumer = NULL
            pending.consumer_size = 0
            if not pending.owned:
                sink.pending(&pending)
            at = row.first_owner
            while at >= 0:
                link = <Owner *>self.owners.data + at
                owner = <ConsumerRow *>self.consumers.data + link.consumer
                pending.consumer = self.names.data + owner.name_at
                pending.consumer_size = owner.name_size
                sink.pending(&pending)
                at = link.next
        return sink.end_group()

    cdef int index_rows(self, uint64_t count) except -1:
        """Prepare look-ups by ID; servers write the list in order, so sorting is rarely needed."""
        cdef Row *rows = <Row *>self.rows.data
        cdef OrderRow *order
        cdef uint64_t i
        cdef bint ascending = True
        for i in range(1, count):
            if not (rows[i - 1].ms < rows[i].ms or (rows[i - 1].ms == rows[i].ms and rows[i - 1].seq < rows[i].seq)):
                ascending = False
                break
        grow(&self.order, (count + 1) * sizeof(OrderRow))
        order = <OrderRow *>self.order.data
        for i in range(count):
            order[i].ms = rows[i].ms
            order[i].seq = rows[i].seq
            order[i].index = i
        if ascending:
            return 0
        qsort(order, count, sizeof(OrderRow), compare_order)
        for i in range(1, count):
            if order[i - 1].ms == order[i].ms and order[i - 1].seq == order[i].seq:
                return decline()
        return 0

    cdef int64_t find_row(self, uint64_t count, uint64_t ms, uint64_t seq, int64_t guess) except -2:
        """The row of an ID. `guess`: consumers list their IDs in order, so often it is the next row."""
        cdef Row *rows = <Row *>self.rows.data
        cdef OrderRow *order = <OrderRow *>self.order.data
        cdef uint64_t low = 0, high = count, middle
        if <uint64_t>guess < count and rows[guess].ms == ms and rows[guess].seq == seq:
            return guess
        while low < high:
            middle = (low + high) // 2
            if order[middle].ms < ms or (order[middle].ms == ms and order[middle].seq < seq):
                low = middle + 1
            else:
                high = middle
        if low < count and order[low].ms == ms and order[low].seq == seq:
            return <int64_t>order[low].index
        decline()
        return -2

    cdef int read_producers(self, Cursor *c, Limits *limits, Sink sink) except -1:
        cdef Str text
        cdef Producers producers
        cdef uint64_t count, ids, i, j, ms, seq
        # The counters are after the producers in the file, but before them for a sink: two walks.
        cdef Bytes begin
        read_len(c, &producers.duration_s)
        read_len(c, &producers.max_entries)
        read_len(c, &count)
        begin = c.p
        for i in range(count):
            read_str(c, &self.key, limits, &text)
            read_len(c, &ids)
            for j in range(ids):
                read_str(c, &self.name, limits, &text)
                read_len(c, &ms)
                read_len(c, &seq)
        read_len(c, &producers.ids_added)
        read_len(c, &producers.ids_duplicate)
        sink.begin_producers(&producers)
        cdef Cursor again = c[0]
        again.p = begin
        for i in range(count):
            read_str(&again, &self.key, limits, &text)
            read_len(&again, &ids)
            sink.producer(text.p, text.size, ids)
            for j in range(ids):
                read_str(&again, &self.name, limits, &text)
                read_len(&again, &ms)
                read_len(&again, &seq)
                sink.producer_id(text.p, text.size, ms, seq)
        return sink.end_producers()
