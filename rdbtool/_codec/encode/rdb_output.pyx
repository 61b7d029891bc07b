# The frame of an RDB: header, items outside the keys, table sizes, end mark and checksum.

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from rdbtool._codec.decode.cursor cimport Bytes, release
from rdbtool._codec.encode.primitives cimport put_byte, put_bytes, put_length, put_string, refuse
from rdbtool._codec.encode.encoder cimport LARGE

from rdbtool._codec.filters.capabilities import VALKEY_LEVEL, able_to_store
from rdbtool.model.items import Aux, FunctionLibrary, ModuleAux, ResizeDb, SelectDb, SlotImport, SlotInfo
from rdbtool.io.source import crc64
from rdbtool.core.location import NOWHERE
from rdbtool.core.rdb_types import ROLES, VERSIONS

include "../_types.pxi"

cdef enum:
    TABLE_SIZES = SINCE_RESIZEDB    # RDB version that introduced them

#: Aux fields with table sizes: wrong if others are announced.
cdef frozenset SIZE_AUX = frozenset({b"slot-info"})


cdef class SnapshotOutput(Encoder):
    def __cinit__(self):
        self.table = NULL

    def __init__(self, write, *, str magic, int version, release, bint compress, bint checksum, sizes,
                 str role=None):
        super().__init__(write)
        low, high = VERSIONS.get(magic, (0, -1))
        if not low <= version <= high:
            raise ValueError(f"no RDB version {version} of {magic} is known")
        self.magic = magic
        self.version = version
        self.able = able_to_store(magic, version)
        self.checksum = checksum and version >= CHECKSUM_SINCE
        if compress:
            self.table = <rt_lzf_table *>calloc(1, sizeof(rt_lzf_table))
            if self.table == NULL:
                raise MemoryError
        self.form.table = self.table
        self.form.valkey = magic == "VALKEY"
        self.form.level = VALKEY_LEVEL if self.form.valkey else version
        self.form.large_alone = self.form.valkey or version > VALKEY_LEVEL or (
            release is not None and release[0] == "valkey" and release[1] >= 8
        )
        self.crc = 0
        self.db = -1
        self.announces = sizes is None
        self.sizes = dict(sizes or {})
        self.announced = set()
        if role is not None:
            self.role = ROLES[role]
            self.missing = {key: value for key, value in self.role.items() if value == b"1"} or None

    def __dealloc__(self):
        free(self.table)
        release(&self.lead.scratch)

    # ---- handing on ----------------------------------------------------------------------------

    cdef int pass_on(self, object piece) except -1:
        if self.checksum:
            self.crc = crc64(piece, self.crc)
        return Encoder.pass_on(self, piece)

    cdef int put_whole(self, const void *p, size_t size) except -1:
        """Put bytes of a record that is known to be complete: large ones are not held."""
        if size >= LARGE:
            return self.put_large(<const char *>p, size)
        # A buffer that was never filled has no address, and memcpy takes no null pointer.
        return self.put(p, size) if size else 0

    cdef int put_buffer(self, Buffer *buffer) except -1:
        return self.put_whole(buffer.scratch.data, buffer.size)

    cdef int start(self) except -1:
        cdef bytes head
        if not self.started:
            self.started = True
            head = f"{self.magic}{self.version:0{9 - len(self.magic)}}".encode()
            self.put(<char *>head, len(head))
            self.committed = self.size
        return 0

    cdef int header(self, str magic, int version) except -1:
        return self.start()

    cdef int finish(self) except -1:
        cdef bytes end
        if self.finished:
            return 0
        self.start()
        if self.missing is not None:
            self.settle_role()
        self.finished = True
        self.put_char(<char>0xFF)
        self.hand_on(self.size)
        if self.version >= CHECKSUM_SINCE:
            end = self.crc.to_bytes(8, "little")
            return Encoder.pass_on(self, end)
        return 0

    # ---- items ---------------------------------------------------------------------------------

    cdef int item(self, object item) except -1:
        self.start()
        if isinstance(item, SelectDb):
            self.announced_db = item.db
            return 0
        if isinstance(item, ResizeDb):
            if self.announces:
                self.sizes[self.announced_db] = (item.keys, item.expires)
            return 0
        if self.missing is not None and not isinstance(item, Aux):
            self.settle_role()
        self.lead.size = 0
        if isinstance(item, Aux):
            if not self.able.aux:
                refuse("aux fields")
            if self.announces or item.key not in SIZE_AUX:
                put_byte(&self.lead, OP_AUX)
                self.put_text_of(item.key)
                self.put_text_of(item.value if self.role is None else self.role.get(item.key, item.value))
                if self.missing is not None:
                    self.missing.pop(item.key, None)
        elif isinstance(item, FunctionLibrary):
            if not (self.able.functions and item.released):
                refuse("a function library")
            put_byte(&self.lead, OP_FUNCTION2)
            self.put_text_of(item.code)
        elif isinstance(item, ModuleAux):
            if not self.able.module_aux:
                refuse("module data outside the keys")
            put_byte(&self.lead, OP_MODULE_AUX)
            put_bytes(&self.lead, <char *>(<bytes>item.raw), len(item.raw))
        elif isinstance(item, SlotInfo):
            self.put_slot_info(item)
        elif isinstance(item, SlotImport):
            self.put_slot_import(item)
        self.put_buffer(&self.lead)
        return Encoder.commit(self)

    cdef int settle_role(self) except -1:
        """Write the file's role if no aux field received has it: after the aux fields at the front."""
        missing, self.missing = self.missing, None
        for key, value in missing.items():
            self.item(Aux(key, value, NOWHERE))
        return 0

    cdef int put_text_of(self, bytes data) except -1:
        return put_string(&self.lead, <Bytes>(<char *>data), len(data), self.table)

    cdef int put_slot_info(self, item) except -1:
        if not self.able.slot_sizes:
            refuse("table sizes of slots")
        if not self.announces:
            return 0
        # They belong to the db that was selected before them.
        self.enter(self.announced_db)
        self.entered(self.announced_db)
        put_byte(&self.lead, OP_SLOT_INFO)
        put_length(&self.lead, item.slot)
        put_length(&self.lead, item.keys)
        return put_length(&self.lead, item.expires)

    cdef int put_slot_import(self, item) except -1:
        if not self.able.slot_imports:
            refuse("a slot import")
        put_byte(&self.lead, OP_SLOT_IMPORT)
        self.put_text_of(item.job)
        put_length(&self.lead, len(item.ranges))
        for first, last in item.ranges:
            put_length(&self.lead, first)
            put_length(&self.lead, last)
        return 0

    cdef int enter(self, int64_t db) except -1:
        """Select a db and announce its size, once."""
        if db == self.db:
            return 0
        put_byte(&self.lead, OP_SELECTDB)
        put_length(&self.lead, <uint64_t>db)
        if self.form.level >= TABLE_SIZES and db in self.sizes and db not in self.announced:
            keys, expires = self.sizes[db]
            put_byte(&self.lead, OP_RESIZEDB)
            put_length(&self.lead, keys)
            put_length(&self.lead, expires)
        return 0

    cdef int entered(self, int64_t db) except -1:
        if db != self.db:
            self.announced.add(db)
            self.db = db
        return 0
