# The event interface between decoders and sinks.
#
# A record is: begin_key, then the events of its kind, then end_key. Strings are borrowed: they are valid during the
# call only. The base class ignores everything, which makes it the Null sink. `commit` follows a complete record;
# `rollback` undoes everything since the last commit. Expiries of set and sorted set members (KeyDB) follow its
# elements; those of fields come with their field.

from rdbtool._codec.decode.cursor cimport Bytes, Scratch
from libc.stdint cimport int64_t, uint64_t

cdef struct Head:
    int64_t db
    Bytes key
    size_t key_size
    int type_code
    int kind                # KIND_*
    int form                # of a string's STR: FORM_*
    bint has_expire
    int64_t expire_at_ms
    int64_t idle_s          # -1: none
    int freq                # -1: none
    Bytes meta              # raw KEY_META, NULL: none
    size_t meta_size
    int64_t start

cdef struct StreamTail:
    int version             # 1..5: which fields below the file stores
    uint64_t length
    uint64_t last_ms
    uint64_t last_seq
    uint64_t first_ms       # version 2 and later
    uint64_t first_seq
    uint64_t max_deleted_ms
    uint64_t max_deleted_seq
    uint64_t entries_added
    bint counted            # entries_added, first and max deleted ids are known

cdef struct Group:
    Bytes name
    size_t name_size
    uint64_t last_ms
    uint64_t last_seq
    bint counted            # entries_read is known
    uint64_t entries_read

cdef struct Consumer:
    Bytes name
    size_t name_size
    bint has_seen
    int64_t seen_at_ms
    bint has_active
    int64_t active_at_ms
    uint64_t pending        # entries it owns

cdef struct Pending:
    uint64_t ms
    uint64_t seq
    bint owned
    Bytes consumer
    size_t consumer_size
    int64_t delivered_at_ms
    uint64_t delivery_count

cdef struct Producers:
    uint64_t duration_s
    uint64_t max_entries
    uint64_t ids_added
    uint64_t ids_duplicate

cdef enum:
    ITEM_STRING = 0
    ITEM_INT = 1
    ITEM_DOUBLE = 2
    ITEM_SHORT_STRING = 3

cdef struct ArrayItem:
    uint64_t index
    int tag                 # ITEM_*
    Bytes text
    size_t text_size
    int64_t number
    double real

# How the blob is packed whose elements come next.
cdef enum:
    PACKED_LISTPACK
    PACKED_ZIPLIST
    PACKED_INTSET
    PACKED_ZIPMAP
    PACKED_ALONE            # an element of a list that stands alone

# A string that is emitted in pieces. It is known to be valid when they begin.
cdef struct LongString:
    uint64_t size
    uint64_t packed         # bytes of LZF that the file stores, 0: uncompressed
    bint is_utf8            # if the sink requests it
    Bytes whole             # all of it, until the record ends, if the source holds it; else NULL

# What a record contains, measured before it is emitted.
cdef struct Extent:
    bint is_known
    uint64_t elements           # 1 of strings and module values
    size_t longest              # bytes of the longest element, member, field or value
    int64_t stop                # where the record ends in the file
    uint64_t no_numbers         # scores
    uint64_t field_expiries
    int64_t first_expiry        # of a field, if any has one
    int64_t last_expiry
    uint64_t unowned            # pending entries
    uint64_t gone               # pending entries that the stream no longer has
    uint64_t producer_ids

# What a sink asks for.
cdef enum:
    ASKS_COUNTS = 1             # everything, but all pending entries count as gone
    ASKS_GONE = 2               # everything: of each entry of a stream the ID is held

cdef class Sink:
    # True while a sink may pass on what it holds of an unfinished record, because it is known to be valid.
    cdef bint may_spill
    cdef bint buffered      # holds output until commit: large records are validated first
    cdef bint full          # asks the decoder to pause after the current record
    # A long string comes as begin_string, string_piece (which never splits a UTF-8 sequence) and end_string, in place
    # of `string`, and with it packed_piece, the LZF data in the file. The stored form is then not passed to end_key.
    cdef bint takes_pieces
    cdef bint asks_utf8
    # Elements of packed values are not received, nor fields of entries: they are checked only.
    cdef bint ignores_values
    cdef bint ignores_fields        # fields of entries are not received
    # The extent of a record is set ahead, where the record was read before, for sinks that ask for it.
    cdef int asks_extent
    cdef Extent extent_ahead
    # Records may come as they are stored, many at once (see `takes_stored`), where their values are known to be valid.
    cdef bint asks_stored
    # Set by begin_key of a sink that does without the value of the record.
    cdef bint skips_value
    # Records may come in ranges, from copies of the sink: see `begin_range`.
    cdef readonly bint divides
    cdef bint fills_room            # its result of a range is in the room, or it may refuse one: one sink of a chain can

    cdef inline void pass_ahead(self, Sink sink) noexcept:
        """Tell another sink what is known ahead of the record."""
        sink.may_spill = self.may_spill
        if self.extent_ahead.is_known:
            sink.extent_ahead = self.extent_ahead
        else:
            sink.extent_ahead.is_known = False

    cdef int header(self, str magic, int version) except -1
    cdef int item(self, object item) except -1
    cdef int begin_key(self, Head *head) except -1
    cdef int string(self, Bytes p, size_t size) except -1
    cdef int begin_string(self, LongString *text) except -1
    cdef int string_piece(self, Bytes p, size_t size) except -1
    cdef int packed_piece(self, Bytes p, size_t size) except -1
    cdef int end_string(self) except -1
    # A source that stores values packed emits each blob (its bytes as they are unpacked) before its elements;
    # `ms`, `seq` are the id of a stream's node. Others emit none.
    cdef int begin_packed(self, int packing, size_t size, uint64_t ms, uint64_t seq) except -1
    cdef int element(self, Bytes p, size_t size) except -1
    # Numbers of `width` bytes (2, 4, 8) each, as an intset has them: elements.
    cdef int intset(self, Bytes p, uint64_t width, uint64_t count) except -1
    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1
    cdef int score(self, Bytes member, size_t member_size, double score) except -1
    cdef int member_expiry(self, Bytes member, size_t size, int64_t expire_at_ms) except -1
    cdef int array_item(self, ArrayItem *item) except -1
    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1
    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1
    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1
    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1
    cdef int end_entry(self) except -1
    cdef int stream_tail(self, StreamTail *tail) except -1
    cdef int begin_group(self, Group *group) except -1
    cdef int consumer(self, Consumer *consumer) except -1
    cdef int pending(self, Pending *pending) except -1
    cdef int end_group(self) except -1
    cdef int begin_producers(self, Producers *producers) except -1
    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1
    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1
    cdef int end_producers(self) except -1
    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1
    cdef int commit(self) except -1
    cdef int rollback(self) noexcept
    cdef int finish(self) except -1
    # The types and opcodes (256 bytes, one for each) of records of a db that may come as they are stored. NULL: none.
    cdef const bint *takes_stored(self, int64_t db) noexcept
    # So many complete records of a db, which need no `commit`.
    cdef int stored(self, Bytes p, size_t size, int64_t db, uint64_t keys) except -1

cdef class Measure(Sink):
    cdef Extent extent              # of the current record
    cdef int asked
    cdef Scratch ids                # of a stream's entries: (ms, seq)
    cdef uint64_t entries
    cdef int start(self, int asked) except -1
