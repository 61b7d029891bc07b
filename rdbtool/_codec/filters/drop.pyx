# What is taken out on the way, because somebody asked for it: items beside the keys, consumer groups, modules' keys.
#
# The module of a value is known when its value begins, so the head of such a record waits until then.

from libc.stdint cimport int64_t, uint64_t
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.filters.filter cimport Filter, WaitingFilter
from rdbtool._codec.sink cimport Consumer, Group, Head, Pending, Sink

from rdbtool.model.items import Aux, FunctionLibrary, ModuleAux, SlotImport
from rdbtool.core.rdb_types import ROLE_AUX, SCRIPT_AUX

include "../_types.pxi"


cdef class Drop(WaitingFilter):
    """Passes on to ``sink`` all but ``parts`` and what the types ``modules`` own; ``dropped`` counts by part.

    ``parts`` are functions, scripts, aux, module-aux, slot-imports and groups; what modules own is counted as
    module-keys and module-aux. Aux fields that say what role a file has stay, and those in ``kept_aux``.
    """

    cdef frozenset parts
    cdef frozenset modules
    cdef frozenset kept_aux
    cdef bint drops_groups
    cdef uint64_t groups            # of the record at hand, that were dropped
    cdef int kind
    cdef bint skipped               # the record at hand is dropped

    def __init__(self, Sink sink not None, *, parts=(), modules=(), kept_aux=()):
        super().__init__(sink)
        self.parts = frozenset(parts)
        self.modules = frozenset(modules)
        self.kept_aux = frozenset(kept_aux) | ROLE_AUX
        self.drops_groups = "groups" in self.parts

    cdef int item(self, object item) except -1:
        cdef str part = None
        if isinstance(item, Aux):
            if item.key == SCRIPT_AUX:
                part = "scripts"
            elif item.key not in self.kept_aux:
                part = "aux"
        elif isinstance(item, FunctionLibrary):
            part = "functions"
        elif isinstance(item, ModuleAux):
            part = "module-aux"
        elif isinstance(item, SlotImport):
            part = "slot-imports"
        if part is not None and (part in self.parts or (part == "module-aux" and item.module in self.modules)):
            return self.count(part, 1)
        return self.sink.item(item)

    cdef int begin_key(self, Head *head) except -1:
        self.kind = head.kind
        self.skipped = self.waiting = False
        self.groups = 0
        if head.kind == KIND_MODULE and self.modules:
            return self.wait(head)
        return Filter.begin_key(self, head)

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        if self.waiting:
            self.skipped = (<char *>module)[:9].decode("ascii", "replace") in self.modules
            if self.skipped:
                self.waiting = False
            else:
                self.wake()
        return 0 if self.skipped else self.sink.opaque(module, raw, raw_size)

    cdef int begin_group(self, Group *group) except -1:
        if self.drops_groups:
            self.groups += 1
            return 0
        return self.sink.begin_group(group)

    cdef int consumer(self, Consumer *consumer) except -1:
        return 0 if self.drops_groups else self.sink.consumer(consumer)

    cdef int pending(self, Pending *pending) except -1:
        return 0 if self.drops_groups else self.sink.pending(pending)

    cdef int end_group(self) except -1:
        return 0 if self.drops_groups else self.sink.end_group()

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        if self.skipped:
            return 0
        if self.groups:
            # What the source stores is not what is passed on.
            raw = NULL
            raw_size = 0
        return self.sink.end_key(raw, raw_size, stop)

    cdef int commit(self) except -1:
        if self.skipped:
            self.skipped = False
            return self.count("module-keys", 1)
        if self.groups:
            self.count("groups", self.groups)
        return Filter.commit(self)

    cdef int rollback(self) noexcept:
        self.skipped = self.waiting = False
        return Filter.rollback(self)
