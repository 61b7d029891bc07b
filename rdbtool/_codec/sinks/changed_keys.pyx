# The keys that differ, read again: of the first dataset they are held, of the second one compared.
#
# Strings, and keys that only one dataset has, are compared and written here; a string is held as its bytes, which the row
# of its key leads to. Records are made of everything else: of most types they are compared by `changed_values`, and of
# others by the caller.

from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy
from rdbtool._codec.decode.cursor cimport Bytes, Scratch, grow, release
from rdbtool._codec.encode.diff_lines cimport DiffLines
from rdbtool._codec.filters.filter cimport Filter
from rdbtool._codec.filters.selection cimport Selection
from rdbtool._codec.sink cimport Head, LongString
from rdbtool._codec.sinks.key_table cimport (
    IS_ADDED, IS_CHANGED, IS_HELD, IS_REMOVED, IS_SAME, STATE, InState, KeyTable, Row, are_near
)
from rdbtool._codec.sinks.changed_values cimport ELEMENT, Bounds, is_compiled, put_values, weight_of
from rdbtool.model.values cimport KeyRecord, StringValue

from rdbtool._codec.sinks.records import Records

include "../_types.pxi"

cdef enum:
    BLOCK = 1 << 18             # bytes for strings

    # What is done with the current record: its elements are counted, its string is kept, or a record is made.
    COUNTS = 0
    KEEPS = 1
    MAKES = 2

cdef int64_t NEVER = INT64_MIN

# A key that is held: its string follows, or `size` is the number of its record.
cdef struct Held:
    uint64_t size
    uint32_t is_record
    uint32_t is_wanted          # by itself; the other side may be


cdef class ChangedKeys:
    """What is held of the first dataset's keys until the second one's are received.

    ``compare(first, second)`` returns the lines of a key, None: both are equal. ``most`` is the weight
    of what may be held. ``most_edits``, ``most_steps``: see `list_hunks`.
    """

    cdef KeyTable table
    cdef DiffLines lines
    cdef object compare
    cdef Bounds bounds
    cdef uint64_t most
    cdef int64_t tolerance_ms
    cdef Selection matching
    cdef readonly uint64_t added, removed, changed, alike, held

    cdef uint64_t weight        # of what is held
    cdef list records
    cdef char **blocks
    cdef size_t block_count
    cdef char *free             # in the last block
    cdef size_t left

    def __init__(self, KeyTable table not None, DiffLines lines not None, *, compare, uint64_t most, long most_edits,
                 long most_steps, int64_t tolerance_ms, Selection matching):
        self.table = table
        self.lines = lines
        self.compare = compare
        self.bounds = Bounds(tolerance_ms, most_edits, most_steps)
        self.most = most
        self.tolerance_ms = tolerance_ms
        self.matching = matching
        self.records = []

    def __dealloc__(self):
        self.free_blocks()

    cdef void free_blocks(self) noexcept:
        cdef size_t i
        for i in range(self.block_count):
            free(self.blocks[i])
        free(self.blocks)
        self.blocks = NULL
        self.block_count = self.left = 0

    def forget(self):
        """Give back the memory for keys that were held."""
        self.free_blocks()
        self.records = []
        self.weight = 0

    cdef Held *allot(self, size_t size) except NULL:
        """Return room for a key with a string of ``size`` bytes."""
        cdef size_t needed = (sizeof(Held) + size + 7) & ~<size_t>7
        cdef size_t whole = max(needed, <size_t>BLOCK)
        cdef char **blocks
        cdef char *block
        if size > <size_t>-1 - sizeof(Held) - 8:
            raise MemoryError
        if needed > self.left:
            blocks = <char **>realloc(self.blocks, (self.block_count + 1) * sizeof(char *))
            if blocks == NULL:
                raise MemoryError
            self.blocks = blocks
            block = <char *>malloc(whole)
            if block == NULL:
                raise MemoryError
            self.blocks[self.block_count] = block
            self.block_count += 1
            self.free = block
            self.left = whole
        block = self.free
        self.free += needed
        self.left -= needed
        return <Held *>block

    cdef bint wants(self, Head *head) except -1:
        return self.matching is None or self.matching.wants(head)

    cdef int hold(self, Row *row, Head *head, const Scratch *text, size_t size, KeyRecord record) except -1:
        """Hold a string, or a record if there is one."""
        cdef Held *held = self.allot(0 if record is not None else size)
        held.is_record = record is not None
        held.is_wanted = self.wants(head)
        if record is not None:
            held.size = len(self.records)
            self.records.append(record)
            self.weight += weight_of(record)
        else:
            held.size = size
            memcpy(held + 1, text.data, size)
            self.weight += ELEMENT + size
        # Its value was compared.
        row.value = <uint64_t><uintptr_t>held
        self.held += 1
        return self.table.move(row, IS_HELD)

    cdef KeyRecord record_of(self, Row *row, Head *head):
        """Return the first record of a key that is held."""
        cdef Held *held = <Held *><uintptr_t>row.value
        cdef KeyRecord record
        cdef StringValue value
        if held.is_record:
            record = <KeyRecord>self.records[held.size]
            # It is not needed again.
            self.records[held.size] = None
            return record
        record = KeyRecord.__new__(KeyRecord)
        value = StringValue.__new__(StringValue)
        value.data = (<char *>(held + 1))[:held.size]
        record.db = head.db
        record.key = (<char *>head.key)[:head.key_size]
        record.value = value
        record.expire_at_ms = None if row.expire_at_ms == NEVER else row.expire_at_ms
        record.type_code = TYPE_STRING
        record.encoding = ""
        return record

    cdef bint put_strings(self, Row *row, Head *head, const Scratch *text, size_t size) except -1:
        """Write a key that is held, and now this string, if it differs."""
        cdef Held *held = <Held *><uintptr_t>row.value
        cdef Bytes before = <Bytes>(held + 1)
        cdef int64_t expire_at_ms = head.expire_at_ms if head.has_expire else NEVER
        cdef DiffLines lines = self.lines
        lines.begin_changed(head)
        if held.size != size or memcmp(before, text.data, size) != 0:
            lines.strings(before, held.size, text.data, size)
        if not are_near(row.expire_at_ms, expire_at_ms, self.tolerance_ms):
            lines.expiry(row.expire_at_ms, expire_at_ms)
        return lines.end_changed()

    cdef bint put_records(self, Head *head, KeyRecord first, KeyRecord second) except -1:
        """Write a key of which both have a record, if they differ."""
        cdef DiffLines lines = self.lines
        cdef int64_t before, after
        cdef str described
        if is_compiled(first, second):
            lines.begin_changed(head)
            if put_values(lines, first.value, second.value, &self.bounds):
                before = NEVER if first.expire_at_ms is None else <int64_t>first.expire_at_ms
                after = NEVER if second.expire_at_ms is None else <int64_t>second.expire_at_ms
                if not are_near(before, after, self.tolerance_ms):
                    lines.expiry(before, after)
                return lines.end_changed()
            lines.forget_changed()
        described = self.compare(first, second)
        if described is None:
            return False
        lines.put_described(described)
        return True


cdef class Side(Filter):
    """The base of both sides."""

    cdef ChangedKeys keys
    cdef InState selection
    cdef list made              # the record, when it is complete
    cdef int does               # with the current record: COUNTS and so on
    cdef Row *row
    cdef Head head
    cdef Scratch key
    cdef Scratch text
    cdef size_t text_size
    cdef uint64_t count         # elements, or bytes

    def __init__(self, ChangedKeys keys not None, InState selection not None):
        super().__init__(Records())
        self.made = self.sink.records
        self.keys = keys
        self.selection = selection

    def __dealloc__(self):
        release(&self.key)
        release(&self.text)

    cdef int begin_key(self, Head *head) except -1:
        cdef int state
        self.row = self.selection.found
        if self.row == NULL:
            raise ValueError("a key that was not selected")
        self.head = head[0]
        grow(&self.key, head.key_size + 1)
        memcpy(self.key.data, head.key, head.key_size)
        self.head.key = self.key.data
        self.count = self.text_size = 0
        state = self.row.b & STATE
        if state == IS_REMOVED or state == IS_ADDED:
            self.does = COUNTS if head.kind <= KIND_HASH else MAKES
        elif head.kind != KIND_STRING or head.meta != NULL:
            self.does = MAKES
        else:
            self.does = MAKES if state == IS_HELD and (<Held *><uintptr_t>self.row.value).is_record else KEEPS
        return self.sink.begin_key(head) if self.does == MAKES else 0

    cdef int string(self, Bytes p, size_t size) except -1:
        if self.does == MAKES:
            return self.sink.string(p, size)
        self.count = self.text_size = size
        if self.does == KEEPS:
            grow(&self.text, size + 1)
            memcpy(self.text.data, p, size)
        return 0

    cdef int begin_string(self, LongString *text) except -1:
        if self.does == COUNTS:
            self.count = text.size
            return 0
        if self.does == KEEPS:
            self.does = MAKES
            self.sink.begin_key(&self.head)
        return self.sink.begin_string(text)

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        return self.sink.string_piece(p, size) if self.does == MAKES else 0

    cdef int packed_piece(self, Bytes p, size_t size) except -1:
        return 0

    cdef int end_string(self) except -1:
        return self.sink.end_string() if self.does == MAKES else 0

    cdef int begin_packed(self, int packing, size_t size, uint64_t ms, uint64_t seq) except -1:
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        self.count += 1
        return self.sink.element(p, size) if self.does == MAKES else 0

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        self.count += 1
        return self.sink.pair(field, field_size, value, value_size, expire_at_ms) if self.does == MAKES else 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        self.count += 1
        return self.sink.score(member, member_size, score) if self.does == MAKES else 0

    cdef int member_expiry(self, Bytes member, size_t size, int64_t expire_at_ms) except -1:
        return self.sink.member_expiry(member, size, expire_at_ms) if self.does == MAKES else 0

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        return self.sink.end_key(raw, raw_size, stop) if self.does == MAKES else 0

    cdef int rollback(self) noexcept:
        return self.sink.rollback()

    cdef KeyRecord take(self):
        """Return the record that was made, None if there is none."""
        if self.does != MAKES:
            return None
        self.sink.commit()
        self.sink.full = False
        return <KeyRecord>self.made.pop()

    cdef int put_whole(self, char sign) except -1:
        """Write a key that only this side has."""
        cdef ChangedKeys keys = self.keys
        cdef KeyRecord record = self.take()
        if not keys.wants(&self.head):
            return 0
        if record is None:
            keys.lines.whole(sign, &self.head, self.count)
        else:
            keys.lines.put_described(keys.compare(*((record, None) if sign == c"-" else (None, record))))
        if sign == c"-":
            keys.removed += 1
        else:
            keys.added += 1
        return 0


cdef class FirstSide(Side):
    """Receives the keys of the first dataset that ``selection`` matches: writes those removed, holds those changed."""

    cdef int commit(self) except -1:
        cdef ChangedKeys keys = self.keys
        cdef InState selection = self.selection
        if self.row.b & STATE == IS_REMOVED:
            return self.put_whole(c"-")
        if self.row.b & STATE != IS_CHANGED:
            return 0
        keys.hold(self.row, &self.head, &self.text, self.text_size, self.take())
        if keys.weight >= keys.most:
            # The others are held in another round, and compared then.
            selection.states &= ~(1u << IS_CHANGED)
            if selection.states == 0:
                selection.limit = selection.taken + 1
        return 0


cdef class SecondSide(Side):
    """Receives the keys of the second dataset that ``selection`` matches: those added, and those held."""

    cdef int commit(self) except -1:
        cdef ChangedKeys keys = self.keys
        cdef KeyRecord first, second
        cdef bint is_wanted, differs
        if self.row.b & STATE == IS_ADDED:
            return self.put_whole(c"+")
        if self.row.b & STATE != IS_HELD:
            return 0
        keys.table.move(self.row, IS_SAME)
        keys.held -= 1
        is_wanted = (<Held *><uintptr_t>self.row.value).is_wanted or keys.wants(&self.head)
        if self.does == KEEPS:
            if not is_wanted:
                return 0
            differs = keys.put_strings(self.row, &self.head, &self.text, self.text_size)
        else:
            second = self.take()
            first = keys.record_of(self.row, &self.head)
            if not is_wanted:
                return 0
            differs = keys.put_records(&self.head, first, second)
        if differs:
            keys.changed += 1
        else:
            keys.alike += 1
        return 0
