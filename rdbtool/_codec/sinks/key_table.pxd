# Fingerprints per key: their table, for who reads again what differs.

cimport cython
from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t
from rdbtool._codec.filters.selection cimport Selection
from rdbtool._codec.decode.cursor cimport Scratch
from rdbtool._codec.sink cimport Head
from rdbtool._codec.sinks.record_hash cimport Prints, rt_hash128
from rdbtool._codec.spill cimport Partitions

cdef enum:
    ROWS = 1 << 16          # of a block
    STATE = 7               # the bits of it

    IS_REMOVED = 0
    IS_SAME = 1
    IS_CHANGED = 2
    IS_ADDED = 3
    IS_HELD = 4
    IS_BARE = 5             # not a key, but a stream without its counters

    WAITING = 16            # keys that wait
    WAITING_SIZE = 128      # bytes of a key that can wait

cdef inline bint are_near(int64_t first, int64_t second, int64_t tolerance_ms) noexcept:
    if first == second or tolerance_ms < 0:
        return True
    if first == INT64_MIN or second == INT64_MIN:
        return False
    if first < second:
        return <uint64_t>second - <uint64_t>first <= <uint64_t>tolerance_ms
    return <uint64_t>first - <uint64_t>second <= <uint64_t>tolerance_ms


cdef struct Row:
    uint64_t a              # hash of database and key
    uint64_t b              # its other half; the lowest three bits are the state
    uint64_t value
    int64_t expire_at_ms    # INT64_MIN: it does not expire

@cython.final
cdef class KeyTable:
    cdef Row **blocks
    cdef size_t block_count
    cdef uint64_t rows
    cdef uint32_t *slots            # row number + 1, and above it bits of the hash's second half; 0: free
    cdef uint64_t slot_count        # a power of two
    cdef uint64_t announced         # rows when all keys are there that the first dataset announced so far
    cdef uint32_t *order            # numbers of the rows of the second dataset's keys
    cdef uint64_t order_count
    cdef uint64_t counted[6]
    cdef uint64_t matched            # keys that are equal, and that ``matching`` matches
    cdef uint64_t memory
    cdef uint64_t most              # rows
    cdef Partitions first           # rows that were put aside, None: all are in the table
    cdef Partitions second
    cdef uint64_t next              # the row after that of the second dataset's last key
    cdef tuple twice                # of each dataset the hash of the first duplicate among these, None: it has none

    cdef Row *known(self, int64_t db, bytes key) except NULL
    cdef Row *find(self, const rt_hash128 *hash, uint64_t *number=*) noexcept
    cdef uint64_t expected(self, const rt_hash128 *hash) noexcept
    cdef void fetch_slot(self, const rt_hash128 *hash) noexcept
    cdef void fetch_row(self, const rt_hash128 *hash) noexcept
    cdef int pass_row(self, uint64_t number) except -1
    cdef int add(self, const rt_hash128 *hash, uint64_t value, int64_t expire_at_ms, int state) except -1
    cdef int meet(self, Row *row, const rt_hash128 *hash, uint64_t value, uint64_t bare, int64_t expire_at_ms,
                  bint is_stream, bint has_counters, bint is_wanted, int64_t tolerance_ms) except -1
    cdef int meet_added(self, Row *row, uint64_t value, int64_t expire_at_ms, int64_t tolerance_ms) except -1
    cdef bint is_bare(self, Row *row, const rt_hash128 *hash, uint64_t bare, bint has_counters) noexcept
    cdef void enter(self, const Row *row, uint64_t number) noexcept
    cdef void announce(self, uint64_t keys) noexcept
    cdef int add_block(self) except -1
    cdef int grow(self) except -1
    cdef int begin_aside(self) except -1
    cdef int empty(self) except -1
    cdef int load(self, Partitions parts, int partition, int64_t tolerance_ms, uint64_t *first, list twice) except -1
    cdef int compare(self, Partitions parts, int partition, int64_t tolerance_ms, uint64_t *first, list twice) except -1

    cdef inline Row *row(self, uint64_t number) noexcept:
        return self.blocks[number // ROWS] + number % ROWS

    cdef inline int move(self, Row *row, int state) except -1:
        self.counted[row.b & STATE] -= 1
        self.counted[state] += 1
        row.b = (row.b & ~<uint64_t>STATE) | <uint64_t>state
        return 0

cdef struct Waiting:
    rt_hash128 key
    uint64_t value
    uint64_t bare           # without counters
    int64_t expire_at_ms
    int64_t db
    uint64_t number         # of the record
    int state               # of a row for it
    bint is_stream
    bint has_counters
    bint wanted
    size_t name_size

@cython.final
cdef class KeyPrints(Prints):
    cdef KeyTable table
    cdef Selection matching
    cdef bint second
    cdef int64_t tolerance_ms
    cdef readonly uint64_t keys
    cdef readonly object twice
    cdef readonly list modules
    cdef bint wanted
    cdef int64_t expire_at_ms
    cdef int64_t db
    cdef Scratch name               # the key: its bytes are invalid when the record is complete
    cdef size_t name_size
    cdef Waiting held[WAITING]
    cdef char names[WAITING][WAITING_SIZE]
    cdef unsigned int held_at, held_count
    cdef uint64_t last              # number of the row that was found last
    cdef bint keeps                 # a complete key is not looked up, but left in `kept` with its name
    cdef Waiting kept

    cdef int keep_head(self, Head *head) except -1
    cdef int commit_same(self) except -1
    cdef int hold(self, Waiting *key, const char *name) except -1
    cdef int meet_row(self, uint64_t number) except -1
    cdef int look_up_waiting(self, unsigned int left) except -1
    cdef int look_up(self, Waiting *key, const char *name) except -1
    cdef int put_aside(self, Waiting *key) except -1
    cdef int note_twice(self, int64_t db, const char *name, size_t name_size) except -1

cdef class InState(Selection):
    cdef KeyTable table
    cdef unsigned int states
    cdef bint second
    cdef uint64_t at                # in that order
    cdef Row *found                 # that of the last key that was looked at, NULL: it has none

    cdef Row *next_row(self) noexcept
