# Filter that drops or changes what a target cannot hold (rdbtool._codec.filters.capabilities), and reports each loss.
#
# TargetFilter precedes the sink that writes a target; it drops or changes what the target cannot hold, adds what it
# requires, and reports both. It is a projection: applied to its own output, it changes nothing, also after that output
# was written and read back. So a file is verified by comparing the Fingerprints after two TargetFilters: the one of
# writing, and one of reading back. Encodings of values are left to the encoders.
#
# A record that cannot be held never reaches the sink. If that is known only at its first element, the record is begun
# there.

from libc.math cimport signbit
from libc.stdint cimport INT32_MAX, INT32_MIN, int64_t, uint64_t
from libc.string cimport memcpy, memset
from rdbtool._codec.decode.cursor cimport Bytes, Scratch, grow, release, rt_copy
from rdbtool._codec.encode.stream_owners cimport Owner, Owners
from rdbtool._codec.filters.filter cimport Filter
from rdbtool._codec.sink cimport ArrayItem, Consumer, Group, Head, Pending, Producers, Sink, StreamTail

from rdbtool._codec.filters.capabilities import able_to_execute, able_to_restore, able_to_store, need_module
from rdbtool._codec.room import NoResultError
from rdbtool.core.errors import Loss, LossError
from rdbtool.core.functions import script_digest
from rdbtool.core.servers import PRODUCT_BY_AUX
from rdbtool.core.rdb_types import MEMBER_EXPIRY_AUX, SCRIPT_AUX, VALKEY, VERSIONS
from rdbtool.core.servers import FAMILY_BY_FIELD, server_of
from rdbtool.model.items import Aux, FunctionLibrary, ModuleAux, ProductOpcode, SlotImport, SlotInfo

include "../_types.pxi"

cdef enum:
    MOST_LOSSES = 10_000        # maximum kept one by one


cdef struct Can:                # rdbtool._codec.filters.capabilities.Able, as far as streams go
    bint counters
    bint excess_reads
    bint seen_times
    bint active_times
    bint bare_consumers
    bint unowned_pending
    bint producers
    bint producer_counters

cdef struct Id:
    uint64_t ms
    uint64_t seq

cdef struct Held:               # a pending entry
    uint64_t ms
    uint64_t seq
    int64_t delivered_at_ms
    uint64_t delivery_count
    int64_t owner               # -1: none


cdef enum:
    KEPT = 1 << 22              # memory that grew beyond this is freed after its record
    # The limits that Redis 8.6 gives to a stream without any, and the greatest that it accepts.
    IDEMPOTENCY_SECONDS = 100
    IDEMPOTENCY_ENTRIES = 100
    MOST_SECONDS = 86_400
    MOST_ENTRIES = 10_000
    # RDB versions that introduced a part of streams.
    COUNTERS = SINCE_STREAM_LISTPACKS_2
    ACTIVE_TIMES = SINCE_STREAM_LISTPACKS_3
    PRODUCERS = SINCE_STREAM_LISTPACKS_4
    UNOWNED_ENTRIES = SINCE_STREAM_LISTPACKS_5

cdef uint64_t UNKNOWN = <uint64_t>-1


cdef inline bint is_before(const Id *row, uint64_t ms, uint64_t seq) noexcept:
    return row.ms < ms or (row.ms == ms and row.seq < seq)


cdef enum:
    # RDB versions that introduced what is checked here.
    MILLISECONDS = SINCE_EXPIRETIME_MS
    AUX_FIELDS = SINCE_AUX
    MODULES = SINCE_MODULE_2
    EVICTION = SINCE_IDLE
    STREAMS = SINCE_STREAM_LISTPACKS
    FUNCTIONS = SINCE_FUNCTION2
    FIELD_EXPIRIES = SINCE_HASH_METADATA
    SLOT_SIZES = SINCE_SLOT_INFO
    KEY_METADATA = SINCE_KEY_META
    ARRAYS = SINCE_ARRAY
    DATABASES = 16              # of a server, by default

#: Aux fields with table sizes: wrong if not all keys are written.
cdef frozenset SIZE_AUX = frozenset({b"slot-info"})

#: A record of these has elements, or it is dropped. Indexed by kind.
cdef tuple COLLECTIONS = ("", "a list", "a set", "a sorted set", "a hash", "", "", "an array")


#: Names of the kinds whose members KeyDB can expire. Indexed by kind.
cdef tuple MEMBERS = ("", "", "set", "sorted set", "hash", "", "", "")


# ---- losses --------------------------------------------------------------------------------------
#
# Losses are found while a record is received and counted once it is complete: a record that is rolled back, because it
# is refused or starts again, leaves none.


cdef class LossFilter(Filter):
    """Refuses or records the losses of a record."""

    cdef readonly str magic
    cdef readonly int version
    cdef readonly bint allow_loss
    cdef int64_t key_db
    cdef Scratch name               # of the current key
    cdef size_t name_size
    cdef list found                 # of the current record: (what, severity, count, needs)
    cdef list kept                  # losses
    cdef dict notes                 # by message: Loss

    def __init__(self, Sink sink not None, str magic, int version, bint allow_loss):
        super().__init__(sink)
        self.magic = magic
        self.version = version
        self.allow_loss = allow_loss
        self.found = []
        self.kept = []
        self.notes = {}

    def __dealloc__(self):
        release(&self.name)

    @property
    def losses(self):
        """What the target cannot hold: each loss by its key, and each kind of note once, with a count."""
        return [*self.kept, *self.notes.values()]

    cdef bytes key(self):
        return (<char *>self.name.data)[:self.name_size]

    cdef int find(self, str what, str severity, uint64_t count, needs) except -1:
        """Record that a part of the current record cannot be held, or only changed."""
        if count:
            self.found.append((what, severity, count, needs))
        return 0

    cdef int check_losses(self, db, key) except -1:
        """Refuse the losses found, unless they are allowed."""
        if self.found and not self.allow_loss:
            for what, severity, count, needs in self.found:
                if severity == "loss":
                    self.rollback()
                    raise LossError(Loss(db, key, what, severity, count, needs), self.magic, self.version)
        return 0

    cdef int record_losses(self, db, key) except -1:
        for what, severity, count, needs in self.found:
            loss = Loss(db, key, what, severity, count, needs)
            if severity == "loss" and len(self.kept) < MOST_LOSSES:
                self.kept.append(loss)
                continue
            # Notes, and losses beyond the limit: the first key represents all.
            before = self.notes.get((what, severity))
            self.notes[what, severity] = loss if before is None else before._replace(times=before.times + count)
        self.found = []
        return 0


# ---- streams -------------------------------------------------------------------------------------
#
# Counters that a target has and the source lacks are set to the servers' value for unknown. A group's consumers and
# pending entries are held until the group ends: an owner that is not a consumer becomes one, before the entries.
# Commands record producer IDs only for entries of the stream, so its IDs are kept while the record lasts.


cdef class StreamTargetFilter(LossFilter):
    """Passes on the parts of a stream that a target can hold."""

    cdef Can can
    cdef bint skipped           # the current record cannot be held
    cdef bint any_entry
    cdef Id first
    cdef Scratch live           # Id by entry, if the IDs of producers must have theirs
    cdef uint64_t entries_added
    cdef uint64_t live_count
    cdef Owners owners          # of the current group
    cdef Scratch held           # its pending entries
    cdef uint64_t held_count
    cdef bint any_unowned
    cdef bint has_producers
    cdef list producers         # [name, [(name, ms, seq), …]], if not all of them can be held
    cdef uint64_t counters      # 1: of the stream, dropped or added
    cdef uint64_t entries_read
    cdef uint64_t excess_reads
    cdef uint64_t seen_times
    cdef uint64_t active_times
    cdef uint64_t consumers_made
    cdef uint64_t consumers_lost
    cdef uint64_t unowned_lost
    cdef uint64_t unowned_times
    cdef uint64_t producers_lost
    cdef uint64_t producer_counters
    cdef uint64_t dead_producer_ids
    cdef uint64_t limits_changed

    def __cinit__(self):
        self.owners = Owners()

    def __dealloc__(self):
        release(&self.live)
        release(&self.held)

    cdef int begin_stream(self) except -1:
        self.any_entry = self.any_unowned = self.has_producers = False
        self.producers = []
        self.live_count = 0
        self.counters = self.entries_read = self.excess_reads = self.seen_times = self.active_times = 0
        self.consumers_made = self.consumers_lost = self.unowned_lost = self.unowned_times = 0
        self.producers_lost = self.producer_counters = self.dead_producer_ids = self.limits_changed = 0
        memset(&self.first, 0, sizeof(Id))
        if self.live.capacity > KEPT:
            release(&self.live)
        if self.held.capacity > KEPT:
            release(&self.held)
        return 0

    # ---- entries -------------------------------------------------------------------------------

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        if self.skipped:
            return 0
        if not self.any_entry:
            self.any_entry = True
            self.first.ms = ms
            self.first.seq = seq
        if self.can.producers and not self.can.producer_counters:
            grow(&self.live, (self.live_count + 1) * sizeof(Id))
            (<Id *>self.live.data)[self.live_count].ms = ms
            (<Id *>self.live.data)[self.live_count].seq = seq
            self.live_count += 1
        return self.sink.entry(ms, seq, fields)

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        return 0 if self.skipped else self.sink.entry_field(field, field_size, value, value_size)

    cdef int end_entry(self) except -1:
        return 0 if self.skipped else self.sink.end_entry()

    cdef bint is_live(self, uint64_t ms, uint64_t seq) noexcept:
        """Whether the stream has an entry. They arrived in ID order."""
        cdef Id *rows = <Id *>self.live.data
        cdef uint64_t low = 0, high = self.live_count, middle
        while low < high:
            middle = low + (high - low) // 2
            if is_before(rows + middle, ms, seq):
                low = middle + 1
            else:
                high = middle
        return low < self.live_count and rows[low].ms == ms and rows[low].seq == seq

    cdef int stream_tail(self, StreamTail *tail) except -1:
        cdef StreamTail fitted = tail[0]
        if self.skipped:
            return 0
        self.counters = self.can.counters != tail.counted
        fitted.counted = self.can.counters
        fitted.version = 3 if fitted.counted else 1
        if not fitted.counted:
            fitted.first_ms = fitted.first_seq = fitted.max_deleted_ms = fitted.max_deleted_seq = 0
            fitted.entries_added = 0
        elif not tail.counted:
            fitted.first_ms = self.first.ms
            fitted.first_seq = self.first.seq
            fitted.max_deleted_ms = fitted.max_deleted_seq = 0
            fitted.entries_added = tail.length
        elif not self.can.seen_times and (tail.first_ms != self.first.ms or tail.first_seq != self.first.seq):
            # Commands cannot set the first ID: it is that of the first entry.
            self.counters = 1
            fitted.first_ms = self.first.ms
            fitted.first_seq = self.first.seq
        self.entries_added = fitted.entries_added
        return self.sink.stream_tail(&fitted)

    # ---- groups --------------------------------------------------------------------------------

    cdef int begin_group(self, Group *group) except -1:
        cdef Group fitted = group[0]
        if self.skipped:
            return 0
        self.owners.clear()
        self.held_count = 0
        self.entries_read += group.counted and not self.can.counters
        fitted.counted = group.counted and self.can.counters and group.entries_read != UNKNOWN
        if not fitted.counted:
            fitted.entries_read = 0
        elif not self.can.excess_reads and fitted.entries_read > self.entries_added:
            self.excess_reads += 1
            fitted.entries_read = self.entries_added
        return self.sink.begin_group(&fitted)

    cdef int consumer(self, Consumer *consumer) except -1:
        cdef Consumer fitted = consumer[0]
        if self.skipped:
            return 0
        self.seen_times += self.can.seen_times != consumer.has_seen
        self.active_times += self.can.active_times != consumer.has_active
        if not fitted.has_seen or not self.can.seen_times:
            fitted.seen_at_ms = 0
        if not fitted.has_active:
            # If no active time is known, servers use the time when it was last seen.
            fitted.active_at_ms = fitted.seen_at_ms
        fitted.has_seen = self.can.seen_times
        fitted.has_active = self.can.active_times
        self.owners.add(&fitted)
        return 0

    cdef int64_t make_owner(self, Pending *pending) except -1:
        """Turn the owner of a pending entry into a consumer."""
        cdef Consumer made
        self.consumers_made += 1
        made.name = pending.consumer
        made.name_size = pending.consumer_size
        made.has_seen = self.can.seen_times
        made.has_active = self.can.active_times
        made.seen_at_ms = made.active_at_ms = pending.delivered_at_ms
        return self.owners.add(&made)

    cdef int pending(self, Pending *pending) except -1:
        cdef Held *row
        cdef int64_t owner = -1
        if self.skipped:
            return 0
        if pending.owned:
            owner = self.owners.find(pending.consumer, pending.consumer_size)
            if owner < 0:
                owner = self.make_owner(pending)
            self.owners.row(<uint64_t>owner).ids += 1
        elif not self.can.unowned_pending:
            self.unowned_lost += 1
            return 0
        grow(&self.held, (self.held_count + 1) * sizeof(Held))
        row = <Held *>self.held.data + self.held_count
        row.ms = pending.ms
        row.seq = pending.seq
        row.delivered_at_ms = pending.delivered_at_ms
        row.delivery_count = pending.delivery_count
        row.owner = owner
        if owner < 0:
            self.any_unowned = True
            if not self.can.seen_times and row.delivered_at_ms:
                self.unowned_times += 1
                row.delivered_at_ms = 0
        self.held_count += 1
        return 0

    cdef int end_group(self) except -1:
        cdef uint64_t i
        cdef Owner *owner
        if self.skipped:
            return 0
        for i in range(self.owners.count):
            owner = self.owners.row(i)
            if owner.ids == 0 and not self.can.bare_consumers:
                self.consumers_lost += 1
            else:
                self.emit_consumer(i, owner)
        for i in range(self.held_count):
            self.emit_pending(<Held *>self.held.data + i)
        return self.sink.end_group()

    cdef int emit_consumer(self, uint64_t at, Owner *owner) except -1:
        cdef Consumer consumer
        consumer.name = self.owners.name(at)
        consumer.name_size = owner.name_size
        consumer.has_seen = owner.has_seen
        consumer.seen_at_ms = owner.seen_at_ms
        consumer.has_active = owner.has_active
        consumer.active_at_ms = owner.active_at_ms
        consumer.pending = owner.ids
        return self.sink.consumer(&consumer)

    cdef int emit_pending(self, Held *row) except -1:
        cdef Pending pending
        pending.ms = row.ms
        pending.seq = row.seq
        pending.delivered_at_ms = row.delivered_at_ms
        pending.delivery_count = row.delivery_count
        pending.owned = row.owner >= 0
        if pending.owned:
            pending.consumer = self.owners.name(<uint64_t>row.owner)
            pending.consumer_size = self.owners.row(<uint64_t>row.owner).name_size
        else:
            pending.consumer = <Bytes>b""
            pending.consumer_size = 0
        return self.sink.pending(&pending)

    # ---- idempotent producers ------------------------------------------------------------------

    cdef int begin_producers(self, Producers *producers) except -1:
        cdef Producers fitted = producers[0]
        if self.skipped:
            return 0
        self.has_producers = True
        if not self.can.producers:
            return 0
        if not self.can.producer_counters:
            # The number of added IDs follows from the IDs themselves, which were not received yet.
            fitted.ids_added = fitted.ids_duplicate = 0
            self.producer_counters = producers.ids_added != 0 or producers.ids_duplicate != 0
            if not (1 <= fitted.duration_s <= MOST_SECONDS and 1 <= fitted.max_entries <= MOST_ENTRIES):
                self.limits_changed = 1
                fitted.duration_s = IDEMPOTENCY_SECONDS
                fitted.max_entries = IDEMPOTENCY_ENTRIES
        return self.sink.begin_producers(&fitted)

    cdef int producer(self, Bytes name, size_t name_size, uint64_t ids) except -1:
        if self.skipped:
            return 0
        if not self.can.producers:
            self.producers_lost += 1
            return 0
        if not self.can.producer_counters:
            self.producers.append(((<char *>name)[:name_size], []))
            return 0
        return self.sink.producer(name, name_size, ids)

    cdef int producer_id(self, Bytes name, size_t name_size, uint64_t ms, uint64_t seq) except -1:
        if self.skipped or not self.can.producers:
            return 0
        if self.can.producer_counters:
            return self.sink.producer_id(name, name_size, ms, seq)
        if self.is_live(ms, seq):
            self.producers[len(self.producers) - 1][1].append(((<char *>name)[:name_size], ms, seq))
        else:
            self.dead_producer_ids += 1
        return 0

    cdef int end_producers(self) except -1:
        cdef bytes name, text
        if self.skipped or not self.can.producers:
            return 0
        for name, ids in self.producers:
            if ids:
                self.sink.producer(<Bytes>(<char *>name), len(name), len(ids))
                for text, ms, seq in ids:
                    self.sink.producer_id(<Bytes>(<char *>text), len(text), ms, seq)
        return self.sink.end_producers()

    # ---- the end -------------------------------------------------------------------------------

    cdef int finish_stream(self) except -1:
        """Add what a stream of the target requires, and find what was lost."""
        cdef Producers limits
        if self.any_unowned and not self.has_producers and self.can.producer_counters:
            # The form of streams with unowned entries also has producers.
            memset(&limits, 0, sizeof(Producers))
            limits.duration_s = IDEMPOTENCY_SECONDS
            limits.max_entries = IDEMPOTENCY_ENTRIES
            self.limits_changed = 1
            self.sink.begin_producers(&limits)
            self.sink.end_producers()
        return self.find_stream_losses()

    cdef int find_stream_losses(self) except -1:
        self.find("pending entries without a consumer", "loss", self.unowned_lost, UNOWNED_ENTRIES)
        self.find("ids of idempotent producers", "loss", self.producers_lost, PRODUCERS)
        if self.has_producers and not self.can.producers and not self.producers_lost:
            self.find("limits of idempotent producers", "note", 1, PRODUCERS)
        self.find("limits of idempotent producers", "note", self.limits_changed, None)
        self.find("counters of idempotent producers", "note", self.producer_counters, None)
        self.find("ids of idempotent producers whose stream entry is gone", "note", self.dead_producer_ids, None)
        self.find("stream counters", "note", self.counters, COUNTERS)
        self.find("entries read by groups", "note", self.entries_read, COUNTERS)
        self.find("entries read by groups beyond those added", "note", self.excess_reads, None)
        self.find("seen times of consumers", "note", self.seen_times, None)
        self.find("active times of consumers", "note", self.active_times, ACTIVE_TIMES)
        self.find("owners of pending entries that were no consumers", "note", self.consumers_made, None)
        self.find("consumers without pending entries", "note", self.consumers_lost, None)
        return self.find("delivery times of pending entries without a consumer", "note", self.unowned_times, None)


# ---- everything else -----------------------------------------------------------------------------


class LossesError(NoResultError):
    """A range has losses, whose keys and order have to be known."""


cdef class TargetFilter(StreamTargetFilter):
    """Passes on to ``sink`` what a target can hold, and records what it cannot (``losses``).

    ``magic`` and ``version`` are those of the target, ``release`` (family, major, minor) is the server it is for. With
    ``commands`` that server receives commands, with ``payloads`` RESTORE of values, else it loads an RDB file.
    ``announces``: write the source's table sizes. Raises LossError, with the record rolled back, unless ``allow_loss``.
    """

    cdef readonly bint commands
    cdef readonly uint64_t keys             # that were passed on
    cdef bint announces
    cdef object able
    cdef set scripts                # that were passed on
    cdef object server              # that the target is for, None: not named
    cdef object origin              # the family of the server that wrote the data, None: unknown
    cdef bint eviction
    cdef bint meta
    cdef bint drops_signs           # of scores of -0
    cdef int64_t last_field_expiry
    cdef bint waits_for[16]         # by kind: for the first element
    cdef bint cannot_hold[16]       # by kind
    cdef bint all_or_nothing[16]    # by kind: the losses of a record are known when it begins
    cdef int kind
    cdef bint begun                 # the sink received the head of the current record
    cdef bint waiting
    cdef Head head                  # of a record that waits
    cdef Scratch head_meta
    cdef uint64_t expiries_lost
    cdef uint64_t members_lost      # member expiries
    cdef uint64_t no_numbers
    cdef uint64_t signs
    cdef bint is_changed            # the value that is passed on differs from the one that is stored

    def __init__(self, Sink sink not None, *, str magic="REDIS", int version=11, release=None, bint commands=False,
                 bint payloads=False, bint allow_loss=False, bint announces=True):
        low, high = VERSIONS.get(magic, (0, -1))
        if not low <= version <= high:
            raise ValueError(f"no RDB version {version} of {magic} is known")
        super().__init__(sink, magic, version, allow_loss)
        self.commands = commands
        self.announces = announces
        self.scripts = set()
        self.server = None if release is None else server_of(magic, version, release)
        if payloads:
            self.able = able_to_restore(server_of(magic, version, release), magic, version)
        elif commands:
            self.able = able_to_execute(server_of(magic, version, release))
        else:
            self.able = able_to_store(magic, version)
        self.take_abilities()
        self.divides = sink.divides
        self.fills_room = sink.fills_room
        self.asks_stored = sink.asks_stored and not (commands or payloads)

    def begin_range(self, room, db):
        """Begin a range of the sink."""
        self.keys = 0
        self.kept = []
        self.notes = {}
        StreamTargetFilter.begin_range(self, room, db)

    def end_range(self):
        """Return the number of keys, and the result of the sink."""
        if self.kept or self.notes:
            raise LossesError
        return self.keys, StreamTargetFilter.end_range(self)

    def add_range(self, result, room):
        """Add a result to the sink: nothing was lost in the range."""
        keys, passed_on = result
        if not StreamTargetFilter.add_range(self, passed_on, room):
            return False
        self.keys += keys
        return True

    cdef int take_abilities(self) except -1:
        cdef object able = self.able
        cdef int kind
        self.eviction = able.eviction
        self.meta = able.meta
        self.drops_signs = not able.signed_zeros
        self.last_field_expiry = able.last_field_expiry
        self.can.counters = able.counters
        self.can.excess_reads = able.excess_reads
        self.can.seen_times = able.seen_times
        self.can.active_times = able.active_times
        self.can.bare_consumers = able.bare_consumers
        self.can.unowned_pending = able.unowned_pending
        self.can.producers = able.producers
        self.can.producer_counters = able.producer_counters
        self.cannot_hold[KIND_STREAM] = not able.streams
        self.cannot_hold[KIND_MODULE] = not able.modules
        self.cannot_hold[KIND_ARRAY] = not able.arrays
        for kind in (KIND_LIST, KIND_SET, KIND_ZSET, KIND_HASH, KIND_ARRAY, KIND_MODULE):
            self.waits_for[kind] = True
        for kind in (KIND_STRING, KIND_LIST, KIND_SET, KIND_MODULE, KIND_ARRAY):
            self.all_or_nothing[kind] = True
        return 0

    def __dealloc__(self):
        release(&self.head_meta)

    @property
    def has_functions(self):
        """Whether the target has function libraries."""
        return self.able.functions

    cdef int header(self, str magic, int version) except -1:
        if magic == VALKEY:
            self.origin = "valkey"
        return self.sink.header(magic, version)

    # ---- items ---------------------------------------------------------------------------------

    cdef int item(self, object item) except -1:
        cdef bint wanted = True
        self.found = []
        if isinstance(item, Aux):
            wanted = self.fit_aux(item)
        elif isinstance(item, FunctionLibrary):
            if not self.able.functions:
                wanted = self.leave_out("a function library", "loss", FUNCTIONS)
            elif not item.released:
                wanted = self.leave_out("a function library of a release candidate", "loss", None)
        elif isinstance(item, ModuleAux):
            if not self.able.module_aux:
                what = f"module data outside the keys, of the type {item.module}"
                wanted = self.leave_out(what, "loss", None if self.commands else EVICTION)
            else:
                wanted = self.fit_module(item.module, "data outside the keys")
        elif isinstance(item, SlotInfo):
            if self.commands:
                wanted = False
            elif not self.able.slot_sizes or not self.announces:
                wanted = self.leave_out("table sizes of slots", "note", SLOT_SIZES)
        elif isinstance(item, SlotImport):
            if not self.able.slot_imports:
                wanted = self.leave_out("a slot import", "note" if self.commands else "loss", None)
        elif isinstance(item, ProductOpcode):
            wanted = self.leave_out("slot and memory marks of Redis Enterprise", "note", None)
        if self.found:
            self.check_losses(None, None)
            self.record_losses(None, None)
        return self.sink.item(item) if wanted else 0

    cdef bint leave_out(self, str what, str severity, needs) except -1:
        self.find(what, severity, 1, needs)
        return False

    cdef bint fit_script(self, bytes script) except -1:
        if not self.able.scripts:
            return self.leave_out(f"the script {script_digest(script).decode()}", "loss", None)
        if script in self.scripts:
            return False
        self.scripts.add(script)
        return True

    cdef bint fit_module(self, str module, str what) except -1:
        """Whether the target can hold a module's data."""
        need = need_module(module, what, self.server, self.origin)
        if need.severity is not None:
            self.find(need.what, need.severity, 1, None)
        return need.severity != "loss"

    cdef bint fit_aux(self, item) except -1:
        self.origin = FAMILY_BY_FIELD.get(item.key.lower(), self.origin)
        if item.key == SCRIPT_AUX:
            return self.fit_script(item.value)
        if item.key == MEMBER_EXPIRY_AUX[1]:
            # Those that follow their key are received with it.
            return self.leave_out("an expiry of a member that follows no key", "loss", None)
        if self.commands or item.key == MEMBER_EXPIRY_AUX[0]:
            return False
        if not self.able.aux:
            return self.leave_out("aux fields", "note", AUX_FIELDS)
        if item.key in PRODUCT_BY_AUX or (item.key in SIZE_AUX and not self.announces):
            # It would be wrong about the target: that it is another product's, or sizes of all keys.
            return self.leave_out("aux fields", "note", None)
        return True

    # ---- keys ----------------------------------------------------------------------------------

    cdef const bint *takes_stored(self, int64_t db) noexcept:
        # Their loss is a note, which names a key.
        return NULL if db >= DATABASES else self.sink.takes_stored(db)

    cdef int stored(self, Bytes p, size_t size, int64_t db, uint64_t keys) except -1:
        self.keys += keys
        return self.sink.stored(p, size, db, keys)

    cdef int begin_packed(self, int packing, size_t size, uint64_t ms, uint64_t seq) except -1:
        # What is passed on may have fewer elements.
        return 0

    cdef int begin_key(self, Head *head) except -1:
        cdef Head fitted
        cdef Head *passed = head
        if self.found:
            self.found = []
        self.kind = head.kind
        self.key_db = head.db
        if head.db >= DATABASES:
            self.find("keys in databases above 15, which need a larger databases setting on the server", "note", 1, None)
        self.begun = self.waiting = False
        self.is_changed = head.kind == KIND_STREAM
        self.expiries_lost = self.members_lost = self.no_numbers = self.signs = 0
        if head.key_size >= self.name.capacity:
            grow(&self.name, head.key_size + 1)
        rt_copy(self.name.data, head.key, head.key_size)
        self.name_size = head.key_size
        if head.has_expire or head.idle_s >= 0 or head.freq >= 0 or head.meta != NULL:
            fitted = head[0]
            passed = &fitted
        if head.has_expire:
            self.fit_expiry(&fitted)
        if head.idle_s >= 0 and not self.eviction:
            self.find("idle times", "note", 1, None if self.commands else EVICTION)
            fitted.idle_s = -1
        if head.freq >= 0 and not self.eviction:
            self.find("access frequencies", "note", 1, None if self.commands else EVICTION)
            fitted.freq = -1
        if head.meta != NULL and not self.meta:
            self.find("key metadata", "loss", 1, None if self.commands else KEY_METADATA)
            fitted.meta = NULL
            fitted.meta_size = 0
        self.skipped = self.cannot_hold[head.kind]
        if self.skipped:
            self.find_kind(head.kind)
        if self.found:
            self.check_losses(self.key_db, self.key())
        if self.skipped:
            return 0
        if head.kind == KIND_STREAM:
            self.begin_stream()
        # A record that may still be refused must not be passed on in parts.
        self.pass_ahead(self.sink)
        if self.extent_ahead.is_known:
            self.sink.extent_ahead.is_known = self.keeps_all()
        if self.may_spill:
            self.sink.may_spill = (
                self.allow_loss or self.sink.extent_ahead.is_known or self.all_or_nothing[head.kind]
            )
        if self.waits_for[head.kind]:
            return self.wait(passed)
        self.begun = True
        return self.sink.begin_key(passed)

    cdef bint keeps_all(self) noexcept:
        """Whether the target can hold all of a value whose extent is known."""
        if self.extent_ahead.no_numbers or (self.extent_ahead.unowned and not self.can.unowned_pending):
            return False
        if self.extent_ahead.producer_ids and not (self.can.producers and self.can.producer_counters):
            return False
        return not self.extent_ahead.field_expiries or (
            0 <= self.extent_ahead.first_expiry and self.extent_ahead.last_expiry <= self.last_field_expiry
        )

    cdef int find_kind(self, int kind) except -1:
        if kind == KIND_STREAM:
            return self.find("a stream", "loss", 1, STREAMS)
        if kind == KIND_MODULE:
            return self.find("a module's value", "loss", 1, MODULES)
        return self.find("an array", "loss", 1, ARRAYS)

    cdef int fit_expiry(self, Head *head) except -1:
        cdef int64_t seconds
        if self.able.milliseconds:
            if head.expire_at_ms == -1:
                head.expire_at_ms = -2          # -1 would mean none
            return 0
        seconds = head.expire_at_ms // 1000 - (head.expire_at_ms % 1000 < 0)
        if head.expire_at_ms % 1000:
            seconds += 1            # rounded up: better late than early
            self.find("milliseconds of expiry times", "note", 1, MILLISECONDS)
        if not (self.able.any_second or INT32_MIN <= seconds <= INT32_MAX):
            self.find("an expiry time after January 2038 or before 1902", "loss", 1, MILLISECONDS)
            seconds = INT32_MAX if seconds > 0 else INT32_MIN
        head.expire_at_ms = seconds * 1000
        return 0

    cdef int wait(self, Head *head) except -1:
        """Keep the head of a record until it is known whether it has contents."""
        self.waiting = True
        self.head = head[0]
        self.head.key = self.name.data
        if head.meta != NULL:
            grow(&self.head_meta, head.meta_size + 1)
            memcpy(self.head_meta.data, head.meta, head.meta_size)
            self.head.meta = self.head_meta.data
        return 0

    cdef int wake(self) except -1:
        self.waiting = False
        self.begun = True
        return self.sink.begin_key(&self.head)

    # ---- values --------------------------------------------------------------------------------

    cdef int element(self, Bytes p, size_t size) except -1:
        if self.waiting:
            self.wake()
        return self.sink.element(p, size)

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        if self.waiting:
            self.wake()
        if expire_at_ms != -1 and not 0 <= expire_at_ms <= self.last_field_expiry:
            self.expiries_lost += expire_at_ms >= 0
            self.is_changed = True
            expire_at_ms = -1
        return self.sink.pair(field, field_size, value, value_size, expire_at_ms)

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        if score != score:
            self.no_numbers += 1
            self.is_changed = True
            return 0
        elif self.drops_signs and score == 0 and signbit(score):
            self.signs += 1
        if self.waiting:
            self.wake()
        return self.sink.score(member, member_size, score)

    cdef int member_expiry(self, Bytes member, size_t size, int64_t expire_at_ms) except -1:
        self.members_lost += 1      # only KeyDB has them
        self.is_changed = True
        return 0

    cdef int array_item(self, ArrayItem *item) except -1:
        if self.skipped:
            return 0
        if self.waiting:
            self.wake()
        return self.sink.array_item(item)

    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1:
        return self.sink.array_end(has_insert, insert_index) if self.begun else 0

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        if self.skipped:
            return 0
        if not self.fit_module((<char *>module)[:9].decode("ascii"), "a value"):
            self.skipped = True
            self.waiting = False
            return self.check_losses(self.key_db, self.key())
        if self.waiting:
            self.wake()
        return self.sink.opaque(module, raw, raw_size)

    # ---- the end of a key ----------------------------------------------------------------------

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        if self.skipped:
            return 0
        if self.expiries_lost:
            self.find("field expiries", "loss", self.expiries_lost, FIELD_EXPIRIES)
        if self.members_lost:
            self.find(f"expiries of {MEMBERS[self.kind]} members", "loss", self.members_lost, None)
        if self.no_numbers:
            self.find(
                "NaN scores, which servers refuse", "loss", self.no_numbers, None
            )
        if self.signs:
            self.find("minus signs of zero scores", "note", self.signs, None)
        if self.waiting:
            what = COLLECTIONS[self.kind] + (" without items" if self.kind == KIND_ARRAY else " without elements")
            self.find(what, "loss", 1, ARRAYS if self.kind == KIND_ARRAY else None)
        elif self.kind == KIND_STREAM:
            self.finish_stream()
        if self.found:
            self.check_losses(self.key_db, self.key())
        if not self.begun:
            return 0
        if self.is_changed:
            # The stored value differs from what was passed on.
            raw = NULL
            raw_size = 0
        return self.sink.end_key(raw, raw_size, stop)

    cdef int commit(self) except -1:
        if self.found:
            self.record_losses(self.key_db, self.key())
        self.waiting = False
        if self.begun:
            self.begun = False
            self.keys += 1
            return Filter.commit(self)
        return 0

    cdef int rollback(self) noexcept:
        if self.found:
            self.found = []
        self.begun = self.waiting = False
        return Filter.rollback(self)
