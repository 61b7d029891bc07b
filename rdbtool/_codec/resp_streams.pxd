# Streams as commands.

from rdbtool._codec.cursor cimport Bytes, Scratch
from rdbtool._codec.resp_words cimport CommandOutput

cdef class StreamCommands(CommandOutput):
    cdef int version                # of the RDB that the records come from
    cdef bint silent                # the value goes into a payload: its parts are not wanted
    # The words of the target; without one they follow the source.
    cdef bint targeted
    cdef bint has_counters          # ENTRIESADDED, MAXDELETEDID, ENTRIESREAD
    cdef bint creates_idle          # consumers without pending entries
    cdef bint creates_all           # consumers, before they claim
    cdef Scratch group              # "$n\r\nname\r\n"
    cdef size_t group_size
    cdef Scratch producer_name      # likewise
    cdef size_t producer_size
    cdef bint any_entry
    cdef bint counted               # the stream's counters are known, and told

    cdef size_t keep_text(self, Scratch *scratch, Bytes p, size_t size) except 0
