# What a server needs to load a file, besides its version: modules and function libraries.

from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.sink cimport Sink

from rdbtool.model.items import FunctionLibrary, ModuleAux


cdef class Requirements(Sink):
    """Counts module data: ``modules`` maps type names to (values, data outside the keys).

    ``libraries`` are the sources of function libraries, in order.
    """

    cdef readonly dict modules
    cdef readonly list libraries
    cdef bytes name                 # of the current record: the module's type

    def __init__(self):
        self.modules = {}
        self.takes_pieces = True
        self.libraries = []

    cdef int item(self, object item) except -1:
        if isinstance(item, FunctionLibrary):
            self.libraries.append(item.code)
        elif isinstance(item, ModuleAux):
            keys, aux = self.modules.get(item.module, (0, 0))
            self.modules[item.module] = (keys, aux + 1)
        return 0

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        self.name = (<char *>module)[:9]
        return 0

    cdef int commit(self) except -1:
        if self.name is not None:
            name = self.name.decode("ascii", "replace")
            keys, aux = self.modules.get(name, (0, 0))
            self.modules[name] = (keys + 1, aux)
            self.name = None
        return 0

    cdef int rollback(self) noexcept:
        self.name = None
        return 0
