# C-level view of the model for the codec, which sets the fields without calling constructors.

cdef class StringValue:
    cdef readonly bytes data

cdef class ListValue:
    cdef readonly tuple elements

cdef class SetValue:
    cdef readonly tuple members

cdef class ZSetValue:
    cdef readonly tuple members

cdef class HashValue:
    cdef readonly tuple fields

cdef class ArrayValue:
    cdef readonly tuple items
    cdef readonly object insert_index

cdef class OpaqueValue:
    cdef readonly str module
    cdef readonly bytes raw

cdef class StreamID:
    cdef readonly unsigned long long ms
    cdef readonly unsigned long long seq

cdef class StreamEntry:
    cdef readonly StreamID id
    cdef readonly tuple fields

cdef class StreamConsumer:
    cdef readonly bytes name
    cdef readonly object seen_at_ms
    cdef readonly object active_at_ms

cdef class PendingEntry:
    cdef readonly StreamID id
    cdef readonly object consumer
    cdef readonly long long delivered_at_ms
    cdef readonly unsigned long long delivery_count

cdef class StreamGroup:
    cdef readonly bytes name
    cdef readonly StreamID last_id
    cdef readonly object entries_read
    cdef readonly tuple consumers
    cdef readonly tuple pending

cdef class StreamProducers:
    cdef readonly unsigned long long duration_s
    cdef readonly unsigned long long max_entries
    cdef readonly tuple producers
    cdef readonly unsigned long long ids_added
    cdef readonly unsigned long long ids_duplicate

cdef class StreamValue:
    cdef readonly tuple entries
    cdef readonly unsigned long long length
    cdef readonly StreamID last_id
    cdef readonly object first_id
    cdef readonly object max_deleted_id
    cdef readonly object entries_added
    cdef readonly tuple groups
    cdef readonly object producers

cdef class KeyRecord:
    cdef readonly long long db
    cdef readonly bytes key
    cdef readonly object value
    cdef readonly object expire_at_ms
    cdef readonly object idle_s
    cdef readonly object freq
    cdef readonly object meta
    cdef readonly object member_expiries
    cdef readonly int type_code
    cdef readonly str encoding
    cdef readonly long long start
    cdef readonly long long stop
