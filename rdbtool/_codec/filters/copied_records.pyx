# Records that are copied from one file to another as they are stored, and where they went.
#
# A copied record needs no fingerprint. Its bytes arrived if what is read back has the checksum that was computed while it
# was written; and the same bytes mean the same, if a reader takes the same place for the beginning of a record of the
# same db. The writer notes where runs of such records are (``Copying``). When the output is read back, they are passed by
# and counted (``BesideCopied``); everything else goes to the sink, also a record that only overlaps with a run.

from rdbtool._codec.decode.cursor cimport Bytes, grow, release
from rdbtool._codec.sink cimport Head

from rdbtool._codec.sink import Null
from rdbtool.model.items import End


cdef class CopiedRecords:
    """Runs of records in the output of ``encoder``; ``keys`` counts the records."""

    def __init__(self, Rdb encoder not None):
        self.encoder = encoder

    def __dealloc__(self):
        release(&self.runs)

    @property
    def checksum(self):
        """The CRC-64 of what was written."""
        return self.encoder.crc

    cdef int add(self, int64_t start, size_t size, int64_t db, uint64_t keys) except -1:
        cdef Run *last
        self.keys += keys
        if self.count:
            last = <Run *>self.runs.data + self.count - 1
            if last.stop == start and last.db == db:
                last.stop += <int64_t>size
                return 0
        grow(&self.runs, (self.count + 1) * sizeof(Run))
        last = <Run *>self.runs.data + self.count
        last.start = start
        last.stop = start + <int64_t>size
        last.db = db
        self.count += 1
        return 0

    cdef const Run *find(self, int64_t at) noexcept:
        """Return the run that an offset is in, NULL if it is in none."""
        cdef const Run *runs = <const Run *>self.runs.data
        cdef size_t low = 0, high = self.count, middle
        while low < high:
            middle = low + (high - low) // 2
            if runs[middle].stop <= at:
                low = middle + 1
            else:
                high = middle
        return runs + low if low < self.count and runs[low].start <= at else NULL


cdef class Copying(Filter):
    """Passes everything on to ``sink``, but records as they are stored to the encoder alone, which ``copied`` notes."""

    def __init__(self, Sink sink not None, CopiedRecords copied not None):
        super().__init__(sink)
        self.copied = copied
        self.asks_stored = copied.encoder.asks_stored

    cdef const bint *takes_stored(self, int64_t db) noexcept:
        return self.copied.encoder.takes_stored(db)

    cdef int stored(self, Bytes p, size_t size, int64_t db, uint64_t keys) except -1:
        cdef Rdb encoder = self.copied.encoder
        encoder.stored(p, size, db, keys)
        return self.copied.add(encoder.stored_at, size, db, keys)


cdef class BesideCopied(Filter):
    """Passes on the records of a file that are not ``copied``; ``keys`` counts those that are.

    ``checksum`` is the one that the file ends with.
    """

    def __init__(self, Sink sink not None, CopiedRecords copied not None):
        super().__init__(sink)
        self.divides = sink.divides
        self.fills_room = sink.fills_room
        self.copied = copied
        self.beside = sink
        self.null = Null()

    cdef int item(self, object item) except -1:
        if isinstance(item, End):
            self.checksum = item.checksum
        return Filter.item(self, item)

    cdef int begin_key(self, Head *head) except -1:
        if self.run == NULL or not self.run.start <= head.start < self.run.stop:
            self.run = self.copied.find(head.start)
        self.now = self.run if self.run != NULL and self.run.db == head.db else NULL
        self.skips_value = self.now != NULL
        self.sink = self.null if self.skips_value else self.beside
        return 0 if self.skips_value else Filter.begin_key(self, head)

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        if self.now == NULL:
            return Filter.end_key(self, raw, raw_size, stop)
        # One that ends elsewhere is not one of them.
        self.keys += stop <= self.now.stop
        return 0

    cdef int commit(self) except -1:
        if self.now == NULL:
            return Filter.commit(self)
        self.sink = self.beside
        return 0

    cdef int rollback(self) noexcept:
        self.sink = self.beside
        return Filter.rollback(self)

    def begin_range(self, room, db):
        """Begin a range of the sink."""
        self.keys = 0
        Filter.begin_range(self, room, db)

    def end_range(self):
        """Return the number of copied records, and the result of the sink."""
        return self.keys, Filter.end_range(self)

    def add_range(self, result, room):
        """Add a result to the sink."""
        keys, passed_on = result
        if not Filter.add_range(self, passed_on, room):
            return False
        self.keys += keys
        return True
