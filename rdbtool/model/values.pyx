# cython: auto_pickle=True
# The typed values of a keyspace, compiled.
#
# Plain attribute holders: read-only, no I/O, independent of file formats. They are Cython classes because a frozen
# dataclass costs 60 times as much to make, and a file holds millions. Equality is equality of the data: sets, sorted
# sets and hashes compare without regard to the order in a file, and a record without regard to where it came from. User
# documentation is in values.pyi.
#
# Lists and streams index and iterate by position; hashes, sorted sets and arrays yield pairs that dict() accepts, and
# are indexed by field, member or index.
#
# no_gc: these hold bytes, numbers and tuples of them, which cannot form cycles; without it the cyclic collector would
# visit each of millions of records again and again.

cimport cython
from operator import itemgetter

#: Maximum elements, and bytes of a string, shown in a representation.
cdef Py_ssize_t _ELEMENTS = 3
cdef Py_ssize_t _BYTES = 60

_pair = itemgetter(0, 1)


cdef str _show(object self, tuple names):
    inner = ", ".join([f"{name}={_brief(getattr(self, name))}" for name in names])
    return f"{type(self).__name__}({inner})"


cdef str _brief(object value):
    """Return a short representation, however large the value is."""
    cdef Py_ssize_t size
    if isinstance(value, bytes):
        size = len(value)
        return repr(value) if size <= _BYTES else f"{value[:_BYTES]!r}… ({size} bytes)"
    if isinstance(value, tuple):
        size = len(value)
        inner = ", ".join([_brief(element) for element in value[:_ELEMENTS]])
        if size > _ELEMENTS:
            return f"({inner}, … {size - _ELEMENTS} more)"
        return f"({inner},)" if size == 1 else f"({inner})"
    return repr(value)


cdef object _value_of(tuple rows, object name):
    """Return the value of the last of ``rows`` whose first element is ``name``, as dict() does. Raises KeyError."""
    for row in reversed(rows):
        if row[0] == name:
            return row[1]
    raise KeyError(name)


cdef bint _has(tuple rows, object name):
    for row in rows:
        if row[0] == name:
            return True
    return False


cdef object _same(object left, object right, tuple names):
    if type(left) is not type(right):
        return NotImplemented
    for name in names:
        if getattr(left, name) != getattr(right, name):
            return False
    return True


cdef bint _same_unordered(tuple left, tuple right):
    return left == right or (len(left) == len(right) and sorted(left, key=repr) == sorted(right, key=repr))


@cython.no_gc
@cython.freelist(64)
cdef class StringValue:
    kind = "string"

    def __init__(self, bytes data not None):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __bytes__(self):
        return self.data

    def __iter__(self):
        return iter(self.data)

    def __getitem__(self, index):
        return self.data[index]

    def __contains__(self, part):
        return part in self.data

    def __eq__(self, other):
        return _same(self, other, ("data",))

    def __hash__(self):
        return hash(self.data)

    def __repr__(self):
        return _show(self, ("data",))


@cython.no_gc
@cython.freelist(64)
cdef class ListValue:
    kind = "list"

    def __init__(self, elements):
        self.elements = tuple(elements)

    def __len__(self):
        return len(self.elements)

    def __iter__(self):
        return iter(self.elements)

    def __getitem__(self, index):
        return self.elements[index]

    def __contains__(self, element):
        return element in self.elements

    def __eq__(self, other):
        return _same(self, other, ("elements",))

    def __hash__(self):
        return hash(self.elements)

    def __repr__(self):
        return _show(self, ("elements",))


@cython.no_gc
@cython.freelist(64)
cdef class SetValue:
    kind = "set"

    def __init__(self, members):
        self.members = tuple(members)

    def __len__(self):
        return len(self.members)

    def __iter__(self):
        return iter(self.members)

    def __contains__(self, member):
        return member in self.members

    def __eq__(self, other):
        if type(other) is not SetValue:
            return NotImplemented
        return _same_unordered(self.members, (<SetValue>other).members)

    def __hash__(self):
        return hash(frozenset(self.members))

    def __repr__(self):
        return _show(self, ("members",))


@cython.no_gc
@cython.freelist(64)
cdef class ZSetValue:
    kind = "zset"

    def __init__(self, members):
        self.members = tuple([(member, float(score)) for member, score in members])

    def __len__(self):
        return len(self.members)

    def __iter__(self):
        return iter(self.members)

    def __getitem__(self, member):
        return _value_of(self.members, member)

    def __contains__(self, member):
        return _has(self.members, member)

    def __eq__(self, other):
        if type(other) is not ZSetValue:
            return NotImplemented
        # By repr: NaN equals itself here, and -0.0 is not 0.0, as in the bytes of a file.
        return sorted(map(repr, self.members)) == sorted(map(repr, (<ZSetValue>other).members))

    def __hash__(self):
        return hash(frozenset(self.members))

    def __repr__(self):
        return _show(self, ("members",))


@cython.no_gc
@cython.freelist(64)
cdef class HashValue:
    kind = "hash"

    def __init__(self, fields):
        self.fields = tuple([(f[0], f[1], f[2] if len(f) > 2 else None) for f in fields])

    def __len__(self):
        return len(self.fields)

    def __iter__(self):
        return map(_pair, self.fields)

    def __getitem__(self, field):
        return _value_of(self.fields, field)

    def __contains__(self, field):
        return _has(self.fields, field)

    def __eq__(self, other):
        if type(other) is not HashValue:
            return NotImplemented
        return _same_unordered(self.fields, (<HashValue>other).fields)

    def __hash__(self):
        return hash(frozenset(self.fields))

    def __repr__(self):
        return _show(self, ("fields",))


cdef class ArrayValue:
    kind = "array"

    def __init__(self, items, insert_index=None):
        self.items = tuple(items)
        self.insert_index = insert_index

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        return iter(self.items)

    def __getitem__(self, index):
        return _value_of(self.items, index)

    def __contains__(self, index):
        return _has(self.items, index)

    def __eq__(self, other):
        return _same(self, other, ("items", "insert_index"))

    def __hash__(self):
        return hash(self.items)

    def __repr__(self):
        return _show(self, ("items", "insert_index"))


cdef class OpaqueValue:
    kind = "module"

    def __init__(self, str module not None, bytes raw not None):
        self.module = module
        self.raw = raw

    def __len__(self):
        return len(self.raw)

    def __bytes__(self):
        return self.raw

    def __eq__(self, other):
        return _same(self, other, ("module", "raw"))

    def __hash__(self):
        return hash(self.raw)

    def __repr__(self):
        return _show(self, ("module", "raw"))


@cython.no_gc
@cython.freelist(64)
cdef class StreamID:
    def __init__(self, unsigned long long ms, unsigned long long seq):
        self.ms = ms
        self.seq = seq

    def __str__(self):
        return f"{self.ms}-{self.seq}"

    def __repr__(self):
        return f"StreamID({self.ms}, {self.seq})"

    def __eq__(self, other):
        if type(other) is not StreamID:
            return NotImplemented
        return self.ms == (<StreamID>other).ms and self.seq == (<StreamID>other).seq

    def __lt__(self, other):
        if type(other) is not StreamID:
            return NotImplemented
        return (self.ms, self.seq) < ((<StreamID>other).ms, (<StreamID>other).seq)

    def __hash__(self):
        return hash((self.ms, self.seq))


@cython.no_gc
@cython.freelist(64)
cdef class StreamEntry:
    def __init__(self, StreamID id not None, fields):
        self.id = id
        self.fields = tuple(fields)

    def __eq__(self, other):
        return _same(self, other, ("id", "fields"))

    def __hash__(self):
        return hash((self.id, self.fields))

    def __repr__(self):
        return _show(self, ("id", "fields"))


cdef class StreamConsumer:
    def __init__(self, bytes name not None, seen_at_ms=None, active_at_ms=None):
        self.name = name
        self.seen_at_ms = seen_at_ms
        self.active_at_ms = active_at_ms

    def __eq__(self, other):
        return _same(self, other, ("name", "seen_at_ms", "active_at_ms"))

    def __hash__(self):
        return hash(self.name)

    def __repr__(self):
        return _show(self, ("name", "seen_at_ms", "active_at_ms"))


cdef class PendingEntry:
    def __init__(self, StreamID id not None, consumer, long long delivered_at_ms, unsigned long long delivery_count):
        self.id = id
        self.consumer = consumer
        self.delivered_at_ms = delivered_at_ms
        self.delivery_count = delivery_count

    def __eq__(self, other):
        return _same(self, other, ("id", "consumer", "delivered_at_ms", "delivery_count"))

    def __hash__(self):
        return hash((self.id, self.consumer))

    def __repr__(self):
        return _show(self, ("id", "consumer", "delivered_at_ms", "delivery_count"))


cdef class StreamGroup:
    def __init__(self, bytes name not None, StreamID last_id not None, entries_read=None, consumers=(), pending=()):
        self.name = name
        self.last_id = last_id
        self.entries_read = entries_read
        self.consumers = tuple(consumers)
        self.pending = tuple(pending)

    def __eq__(self, other):
        return _same(self, other, ("name", "last_id", "entries_read", "consumers", "pending"))

    def __hash__(self):
        return hash((self.name, self.last_id))

    def __repr__(self):
        return _show(self, ("name", "last_id", "entries_read", "consumers", "pending"))


cdef class StreamProducers:
    def __init__(self, duration_s, max_entries, producers=(), ids_added=0, ids_duplicate=0):
        self.duration_s = duration_s
        self.max_entries = max_entries
        self.producers = tuple(producers)
        self.ids_added = ids_added
        self.ids_duplicate = ids_duplicate

    def __eq__(self, other):
        return _same(self, other, ("duration_s", "max_entries", "producers", "ids_added", "ids_duplicate"))

    def __hash__(self):
        return hash(self.producers)

    def __repr__(self):
        return _show(self, ("duration_s", "max_entries", "producers", "ids_added", "ids_duplicate"))


cdef class StreamValue:
    kind = "stream"

    def __init__(self, entries, *, StreamID last_id not None, first_id=None, max_deleted_id=None, entries_added=None,
                 groups=(), producers=None, length=None):
        self.entries = tuple(entries)
        self.length = len(self.entries) if length is None else length
        self.last_id = last_id
        self.first_id = first_id
        self.max_deleted_id = max_deleted_id
        self.entries_added = entries_added
        self.groups = tuple(groups)
        self.producers = producers

    def __len__(self):
        return len(self.entries)

    def __iter__(self):
        return iter(self.entries)

    def __getitem__(self, index):
        return self.entries[index]

    def __contains__(self, entry):
        return entry in self.entries

    def __eq__(self, other):
        return _same(self, other, ("entries", "length", "last_id", "first_id", "max_deleted_id", "entries_added",
                                   "groups", "producers"))

    def __hash__(self):
        return hash((self.entries, self.last_id))

    def __repr__(self):
        return _show(self, ("entries", "length", "last_id", "first_id", "max_deleted_id", "entries_added", "groups",
                            "producers"))


@cython.no_gc
@cython.freelist(64)
cdef class KeyRecord:
    def __init__(self, *, db, bytes key not None, value, expire_at_ms=None, idle_s=None, freq=None, meta=None,
                 member_expiries=None, type_code=-1, encoding="", start=-1, stop=-1):
        self.db = db
        self.key = key
        self.value = value
        self.expire_at_ms = expire_at_ms
        self.idle_s = idle_s
        self.freq = freq
        self.meta = meta
        self.member_expiries = tuple([(member, when) for member, when in member_expiries]) if member_expiries else None
        self.type_code = type_code
        self.encoding = encoding
        self.start = start
        self.stop = stop

    @property
    def kind(self):
        return self.value.kind

    def __eq__(self, other):
        names = ("db", "key", "value", "expire_at_ms", "idle_s", "freq", "meta")
        same = _same(self, other, names)
        if same is not True or self.member_expiries == (<KeyRecord>other).member_expiries:
            return same
        # They have no order, like the members.
        return dict(self.member_expiries or ()) == dict((<KeyRecord>other).member_expiries or ())

    def __hash__(self):
        return hash((self.db, self.key))

    def __repr__(self):
        return _show(self, ("db", "key", "value", "expire_at_ms", "idle_s", "freq", "meta", "member_expiries",
                            "type_code", "encoding", "start", "stop"))


Value = (
    StringValue | ListValue | SetValue | ZSetValue | HashValue | StreamValue | ArrayValue | OpaqueValue
)
