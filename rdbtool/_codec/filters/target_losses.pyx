# The judge of what a target cannot hold: what is found of a record, refused or remembered.
#
# Losses are found while a record is heard and counted once it is complete: a record that is taken back, because it
# is refused or starts again, leaves none.

from rdbtool._codec.decode.cursor cimport release
from rdbtool._codec.sink cimport Sink

from rdbtool.core.errors import Loss, LossError

cdef enum:
    MOST_LOSSES = 10_000        # that are kept one by one


cdef class Judge(Filter):
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
        """Remember that something of the record at hand cannot be held, or not as it is."""
        if count:
            self.found.append((what, severity, count, needs))
        return 0

    cdef int judge(self, db, key) except -1:
        """Refuse what was found, unless losses are allowed."""
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
            # Notes, and losses beyond counting one by one: the first key stands for all.
            before = self.notes.get((what, severity))
            self.notes[what, severity] = loss if before is None else before._replace(times=before.times + count)
        self.found = []
        return 0
