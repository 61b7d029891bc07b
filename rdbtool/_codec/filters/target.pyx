# Leaves out or changes what a target cannot hold (rdbtool._codec.filters.capabilities), and reports each loss.
#
# Fit stands in front of the sink that writes a target, leaves out or changes what the target cannot hold, makes what
# it has to have, and says so. It is a projection: what it let through once, it lets through unchanged; and what was
# written of it and read back, it lets through as it did before. So a file is verified by comparing what two Fits
# tell a Fingerprint: the one that it was written through, and one that hears what was read back. What the
# forms of values are, encoders decide.
#
# A record that cannot be held never reaches the sink. Where that shows only at its first element, the record is
# begun there.

from libc.math cimport signbit
from libc.stdint cimport INT32_MAX, INT32_MIN, int64_t, uint64_t
from libc.string cimport memcpy
from rdbtool._codec.decode.cursor cimport Bytes, Scratch, grow, release
from rdbtool._codec.filters.filter cimport Filter
from rdbtool._codec.filters.target_streams cimport StreamFit
from rdbtool._codec.sink cimport ArrayItem, Head, Sink

from hashlib import sha1

from rdbtool._codec.filters.capabilities import able_to_execute, able_to_restore, able_to_store, need_module
from rdbtool.core.servers import FAMILY_BY_FIELD, server_of
from rdbtool.model.items import Aux, FunctionLibrary, ModuleAux, ProductOpcode, SlotImport, SlotInfo
from rdbtool.core.products import BY_AUX
from rdbtool.core.rdb_types import MEMBER_EXPIRY_AUX, SCRIPT_AUX, VALKEY, VERSIONS

include "../_types.pxi"

cdef enum:
    # RDB versions that brought what is asked for here.
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
    DATABASES = 16              # of a server, unless it is told otherwise

#: Aux fields that tell table sizes: wrong where not all keys are written.
cdef frozenset SIZE_AUX = frozenset({b"slot-info"})

#: A record of these has elements, or there is nothing to it. Indexed by kind.
cdef tuple COLLECTIONS = ("", "a list", "a set", "a sorted set", "a hash", "", "", "an array")


#: Kinds whose members KeyDB lets expire, in words. Indexed by kind.
cdef tuple MEMBERS = ("", "", "set", "sorted set", "hash", "", "", "")


cdef class Fit(StreamFit):
    """Passes on to ``sink`` what a target can hold, and remembers what it cannot (``losses``).

    ``magic`` and ``version`` are those of the target, ``release`` (family, major, minor) is the server it is for. With
    ``commands`` that server is told commands, with ``payloads`` RESTORE of values, else it loads a snapshot.
    ``announces``: table sizes of the source go on. Raises LossError, with the record taken back, unless
    ``allow_loss``.
    """

    cdef readonly bint commands
    cdef readonly uint64_t keys             # that were passed on
    cdef bint announces
    cdef object able
    cdef set scripts                # that were passed on
    cdef object server              # that the target is for, None: it was not named
    cdef object origin              # the family of the server that the data comes from, None: unknown
    cdef bint eviction
    cdef bint meta
    cdef bint drops_signs           # of scores of -0
    cdef int64_t last_field_expiry
    cdef bint waits_for[16]         # by kind: for the first element
    cdef bint cannot_hold[16]       # by kind
    cdef bint all_or_nothing[16]    # by kind: what is lost of a record is known when it begins
    cdef int kind
    cdef bint begun                 # the sink heard of the record at hand
    cdef bint waiting
    cdef Head head                  # of a record that waits
    cdef Scratch head_meta
    cdef uint64_t expiries_lost
    cdef uint64_t members_lost      # expiries of members
    cdef uint64_t no_numbers
    cdef uint64_t signs

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
                what = f"module data beside the keys, of the type {item.module}"
                wanted = self.leave_out(what, "loss", None if self.commands else EVICTION)
            else:
                wanted = self.fit_module(item.module, "data beside the keys")
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
            self.judge(None, None)
            self.record_losses(None, None)
        return self.sink.item(item) if wanted else 0

    cdef bint leave_out(self, str what, str severity, needs) except -1:
        self.find(what, severity, 1, needs)
        return False

    cdef bint fit_script(self, bytes script) except -1:
        if not self.able.scripts:
            return self.leave_out(f"the script {sha1(script, usedforsecurity=False).hexdigest()}", "loss", None)
        if script in self.scripts:
            return False
        self.scripts.add(script)
        return True

    cdef bint fit_module(self, str module, str what) except -1:
        """Whether the target holds what there is of a module."""
        need = need_module(module, what, self.server, self.origin)
        if need.severity is not None:
            self.find(need.what, need.severity, 1, None)
        return need.severity != "loss"

    cdef bint fit_aux(self, item) except -1:
        self.origin = FAMILY_BY_FIELD.get(item.key.lower(), self.origin)
        if item.key == SCRIPT_AUX:
            return self.fit_script(item.value)
        if item.key == MEMBER_EXPIRY_AUX[1]:
            # Those that follow their key are heard with it.
            return self.leave_out("an expiry of a member that follows no key", "loss", None)
        if self.commands or item.key == MEMBER_EXPIRY_AUX[0]:
            return False
        if not self.able.aux:
            return self.leave_out("aux fields", "note", AUX_FIELDS)
        if item.key in BY_AUX or (item.key in SIZE_AUX and not self.announces):
            # It would say what is not true of the target: that it is another product's, or sizes of all keys.
            return self.leave_out("aux fields", "note", None)
        return True

    # ---- keys ----------------------------------------------------------------------------------

    cdef int begin_key(self, Head *head) except -1:
        cdef Head fitted = head[0]
        if self.found:
            self.found = []
        self.kind = head.kind
        self.key_db = head.db
        if head.db >= DATABASES:
            self.find("keys of databases above 15, which servers have only where that is configured", "note", 1, None)
        self.begun = self.waiting = False
        self.expiries_lost = self.members_lost = self.no_numbers = self.signs = 0
        grow(&self.name, head.key_size + 1)
        memcpy(self.name.data, head.key, head.key_size)
        self.name_size = head.key_size
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
            self.judge(self.key_db, self.key())
        if self.skipped:
            return 0
        if head.kind == KIND_STREAM:
            self.begin_stream()
        # A record that may still be refused must not be passed on in parts.
        self.sink.may_spill = self.may_spill and (self.allow_loss or self.all_or_nothing[head.kind])
        if self.waits_for[head.kind]:
            return self.wait(&fitted)
        self.begun = True
        return self.sink.begin_key(&fitted)

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
            seconds += 1            # rather a moment late than early
            self.find("milliseconds of expiry times", "note", 1, MILLISECONDS)
        if not (self.able.any_second or INT32_MIN <= seconds <= INT32_MAX):
            self.find("an expiry time after January 2038 or before 1902", "loss", 1, MILLISECONDS)
            seconds = INT32_MAX if seconds > 0 else INT32_MIN
        head.expire_at_ms = seconds * 1000
        return 0

    cdef int wait(self, Head *head) except -1:
        """Keep the head of a record, until it turns out whether there is anything to it."""
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
            expire_at_ms = -1
        return self.sink.pair(field, field_size, value, value_size, expire_at_ms)

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        if score != score:
            self.no_numbers += 1
            return 0
        elif self.drops_signs and score == 0 and signbit(score):
            self.signs += 1
        if self.waiting:
            self.wake()
        return self.sink.score(member, member_size, score)

    cdef int member_expiry(self, Bytes member, size_t size, int64_t expire_at_ms) except -1:
        self.members_lost += 1      # only KeyDB has them
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
            return self.judge(self.key_db, self.key())
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
                "scores that are no number, which servers refuse", "loss", self.no_numbers, None
            )
        if self.signs:
            self.find("signs of scores of -0", "note", self.signs, None)
        if self.waiting:
            what = COLLECTIONS[self.kind] + (" without items" if self.kind == KIND_ARRAY else " without elements")
            self.find(what, "loss", 1, ARRAYS if self.kind == KIND_ARRAY else None)
        elif self.kind == KIND_STREAM:
            self.finish_stream()
        if self.found:
            self.judge(self.key_db, self.key())
        if not self.begun:
            return 0
        if self.kind != KIND_MODULE:
            # What the source stores is not what was let through.
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
