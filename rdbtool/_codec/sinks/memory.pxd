# What keys take in the memory of a server.

from libc.stdint cimport int64_t, uint64_t, uint8_t
from rdbtool._codec.decode.cursor cimport Bytes, Cursor, Scratch
from rdbtool._codec.room cimport Room
from rdbtool._codec.sink cimport Head, Sink
from rdbtool._codec.sinks.key_sizes cimport KeyObserver, KeySizes

cdef extern from "memory_sizes.h":
    ctypedef struct ms_heap:
        pass
    ctypedef struct ms_rax:
        uint64_t keys
        uint64_t nodes
        uint64_t blocks
        uint64_t value

# A row of `core.memory_models`.
cdef struct Server:
    int keys                # 0: apart, 1: in the entry, 2: in the object
    bint counts_rounded
    bint counts_packed_rounded
    bint counts_short_key
    bint counts_key
    uint64_t embedded_header
    uint64_t embedded_most
    uint64_t embedded_least_value
    bint guesses_short_keys
    bint expires_later
    int64_t shared_integers
    uint64_t dict_head
    uint64_t hashtable_head
    uint64_t hashtable_of_hash
    uint64_t entry
    bint bare_sets
    bint bare_keys
    bint fills_one_by_one
    bint fills_expiring_one_by_one
    bint listpacks
    bint packs_lists
    bint packs_sets
    uint64_t quicklist_node
    bint has_field_names
    uint64_t listpack_of_expiring
    bint has_field_expiry
    uint64_t skiplist_levels
    uint64_t skiplist_head
    bint embeds_members
    uint64_t counted_zset_entry
    bint counts_skiplist_head
    uint64_t stream
    bint counts_stream_head
    uint64_t group
    uint64_t pending
    uint64_t consumer
    bint counts_blocks
    bint counts_stream_rounded
    bint indexes_pending
    uint64_t vector_set
    int slots               # 0: tree, 1: links, 2: tables
    uint64_t slot_keys
    uint64_t slot_expires
    int rdb_level

# Two numbers: what MEMORY USAGE answers, and what malloc gives.
cdef struct Pair:
    double used
    double given

cdef struct Name:
    Bytes p
    size_t at
    size_t size
    size_t number

cdef class MemorySink(Sink):
    cdef KeyObserver observer
    cdef Room room                  # in which the rows of a range stay, None: the observer receives them
    cdef Server server
    cdef ms_heap *heap
    cdef double *members            # what a node of a skiplist takes with a member of n bytes in it
    cdef double node                # what one without it takes

    # the current key
    cdef KeySizes row
    cdef Scratch name
    cdef int type_code
    cdef bint has_expire
    cdef bint packs                 # the packed size is calculated, as no blob's is known
    cdef int packing                # how it was packed in the file, -1: it was not
    cdef uint64_t blob              # bytes of the current blob, without its header and end where it is calculated
    cdef uint64_t previous          # of a ziplist: bytes of the entry before
    cdef uint64_t count
    cdef uint64_t longest           # bytes of the longest string that decides about encodings
    cdef uint64_t first_long        # the element that was the first to be too long
    cdef uint64_t octets            # of all strings: as MEMORY USAGE counts them
    cdef uint64_t blocks            # … and as blocks
    cdef double nodes               # of skiplists with members in them
    cdef bint only_ints
    cdef int width                  # bytes of the widest integer
    cdef uint64_t expiring          # fields with an expiry
    cdef uint64_t expiry_octets     # what their expiries take in a listpack
    cdef int64_t first_expiry
    cdef int64_t last_expiry

    # of lists: nodes that are complete, and the current one
    cdef uint64_t list_nodes
    cdef uint64_t list_used
    cdef uint64_t list_given
    cdef uint64_t list_blob         # of the last node
    cdef bint list_alone            # it is one element
    cdef bint node_open
    cdef bint node_reported
    cdef uint64_t node_count

    # of streams
    cdef ms_rax ids
    cdef ms_rax pending_ids
    cdef uint64_t listpacks_used
    cdef uint64_t listpacks_given
    cdef uint64_t stream_used       # of groups
    cdef uint64_t stream_given
    cdef uint64_t entry_size
    cdef uint64_t entry_names       # bytes of the names in the entry, as listpack entries
    cdef uint64_t entry_values
    cdef uint64_t entry_fields
    cdef uint64_t entry_hash        # of its names
    cdef uint64_t entry_ms
    cdef uint64_t entry_seq
    cdef uint64_t node_hash         # of the names that the node begins with
    cdef uint64_t node_ms
    cdef uint64_t node_seq
    cdef Scratch names              # of groups, then of the consumers of a group
    cdef size_t names_size
    cdef Scratch group_rows         # Name
    cdef size_t groups
    cdef Scratch consumer_names
    cdef size_t consumer_names_size
    cdef Scratch consumer_rows      # Name
    cdef Scratch consumer_trees     # ms_rax
    cdef size_t consumers
    cdef bint consumers_sorted
    cdef Scratch index_ids          # ids that are pending in any group
    cdef size_t indexed

    # all keys
    cdef int64_t db
    cdef uint64_t db_keys
    cdef uint64_t db_expires
    cdef dict dbs                   # db: (keys, expires)
    cdef uint64_t keys
    cdef uint64_t memory
    cdef uint64_t allocated
    cdef uint64_t serialized
    cdef double tables
    cdef bint cluster
    cdef uint64_t *slots            # keys of each slot, then keys with an expiry
    cdef Scratch slot_names         # keys of the slots that are looked at
    cdef size_t slot_names_size
    cdef unsigned int slot_step     # each that divides by it is
    cdef uint64_t slot_keys

    cdef inline uint64_t block(self, uint64_t n) noexcept
    cdef inline uint64_t text_used(self, uint64_t n) noexcept
    cdef uint64_t key_used(self, bint expires) noexcept
    cdef uint64_t key_given(self, bint expires) noexcept
    cdef int string_of(self, Bytes p, uint64_t size, bint is_long) except -1
    cdef bint embeds(self, uint64_t k, uint64_t size) noexcept
    cdef inline int pack(self, Bytes p, uint64_t size) noexcept
    cdef inline int pack_number(self, int64_t number) noexcept
    cdef int pack_score(self, double score) except -1
    cdef uint64_t packed_size(self) noexcept
    cdef double member_node(self, uint64_t size) noexcept
    cdef int close_node(self) except -1
    cdef int list_element(self, Bytes p, uint64_t size) except -1
    cdef int own_node(self) except -1
    cdef int close_stream_node(self) except -1
    cdef int end_list(self, Pair *sizes) except -1
    cdef int end_set(self, Pair *sizes) except -1
    cdef int end_hash(self, Pair *sizes) except -1
    cdef int end_zset(self, Pair *sizes) except -1
    cdef int end_stream(self, Pair *sizes) except -1
    cdef int vector_set(self, Bytes raw, size_t raw_size) except -1
    cdef double table(self, uint64_t n, uint64_t head, bint rounded) noexcept
    cdef int sort_consumers(self) except -1
    cdef uint64_t tree_used(self, ms_rax *tree) noexcept
    cdef bint tagged(self, Cursor *c, uint64_t tag, uint64_t *out) except -1
    cdef int forget_trees(self) noexcept
    cdef int leave_db(self) except -1
    cdef int leave_row(self) except -1
    cdef double db_tables(self, uint64_t n) noexcept
    cdef int count_slot(self) except -1
    cdef int leave_slots(self) except -1
    cdef int thin_out(self) except -1
