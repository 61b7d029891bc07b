# The scanner: frames commands in the RESP of an AOF (format C1), strictly.
#
# A record is a command or an annotation line. It is read from the window in one go; if the window ends too early, more
# is read and the record starts again. The scanner stops before an invalid record: the line-oriented parser then reads
# the same bytes and explains the fault.

from cpython.object cimport PyObject
from libc.stdint cimport UINT64_MAX, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcmp, memcpy
from rdbtool._codec.decode.cursor cimport Bytes
from rdbtool._codec.decode.framing cimport (
    BAD, LEAST_ARGUMENT, Reach, Record, SHORT, SOUND, annotation, argument, command_head, header, walk
)
from rdbtool._codec.decode.raw_commands cimport RawCommands, SharedNames, Word
from rdbtool._codec.decode.window cimport Window
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from cpython.memoryview cimport PyMemoryView_FromMemory

from rdbtool._codec.decode.window import WindowLimitError
from rdbtool.core.errors import InputError

cdef extern from "Python.h":
    int PyBUF_WRITE
    Py_ssize_t references "Py_REFCNT"(PyObject *object)

cdef enum:
    MAX_NAME = 32               # bytes of a command name that is looked up
    BATCH_SIZE = 1 << 20        # bytes of commands after which a batch is full
    LONG = BATCH_SIZE           # bytes from which on an argument is not read into the window
    AHEAD = 1 << 16             # bytes that are read between long arguments
    LONGEST_HEADER = 32
    SEARCH_STEPS = 1 << 20      # arguments examined in candidates, beyond one per byte searched
    NEW_NAME = 2                # a status: the table of uses does not have this command yet
    MAX_USED = 80               # bytes of a name that the table keeps, with its subcommand
    USED = 1 << 10              # places in the table
    MAX_USES = 512              # maximum names in the table before the caller has to take them

#: What ``Scanner.run`` and ``check`` return; the numbers are the decoder's.
ENDED, PAUSED, DECLINED, TOO_LARGE = range(4)

#: The kind of a batch mark.
MULTI, EXEC = 1, 2

#: What ``Scanner.resync`` returns if it found nothing, and if it gave up.
NOTHING, EXHAUSTED = -1, -2


cdef inline bint is_word(Bytes p, size_t size, const char *word, size_t word_size) noexcept nogil:
    """Whether a name consists of lower-case letters, in any case."""
    cdef size_t i
    if size != word_size:
        return False
    for i in range(size):
        if (p[i] | 32) != <uint8_t>word[i]:
            return False
    return True


cdef struct Place:
    uint64_t argc
    uint64_t number         # of the command, within the part
    int64_t at


cdef struct Use:            # how often a command is called, and with how many arguments
    size_t size             # of the name, 0: a free place
    uint64_t count
    bint has_subcommands
    Place first
    Place fewest
    Place most
    uint8_t[MAX_USED] name


cdef inline size_t place_of(Bytes name, size_t size) noexcept nogil:
    return (name[0] * 7 + name[size >> 1] * 61 + name[size - 1] * 31 + size * 131) & (USED - 1)


cdef inline int find_words(Reach *reach, Record *record, Word *words) noexcept nogil:
    """Find the words of a command; there is room for all of them."""
    cdef Bytes p = record.first
    cdef uint64_t i, size
    cdef int status
    for i in range(record.argc):
        status = argument(&p, reach, &words[i].text, &size)
        if status != SOUND:
            return status
        words[i].size = <size_t>size
    record.name = words.text
    record.name_size = words.size
    record.stop = p
    return SOUND


cdef inline int count_use(Use *use, uint64_t argc, uint64_t number, int64_t at) noexcept nogil:
    if use.count == 0:
        use.first = Place(argc, number, at)
        use.fewest = use.most = use.first
    elif argc < use.fewest.argc:
        use.fewest = Place(argc, number, at)
    elif argc > use.most.argc:
        use.most = Place(argc, number, at)
    use.count += 1
    return 0


cdef inline size_t join(uint8_t *out, Record *record, Reach *reach) noexcept nogil:
    """Write name and subcommand of a complete command with a space between them; return the size, at most MAX_USED."""
    cdef Bytes p = record.first
    cdef Bytes text
    cdef uint64_t size
    cdef size_t filled = record.name_size if record.name_size < MAX_USED - 1 else MAX_USED - 1
    argument(&p, reach, &text, &size)
    argument(&p, reach, &text, &size)
    memcpy(out, record.name, filled)
    out[filled] = 32
    filled += 1
    if size > MAX_USED - filled:
        size = MAX_USED - filled
    memcpy(out + filled, text, size)
    return filled + <size_t>size


cdef class Scanner:
    """Scans the AOF in a window. ``batch`` is the number of commands after which it pauses.

    ``omits_long``: a SET of a long string is collected with None in place of the value.
    """

    cdef Window window
    cdef Py_ssize_t batch
    cdef bint omits_long
    cdef RawCommands commands       # that are collected, None: none yet
    cdef RawCommands taken          # the last batch and the one before, to be used again
    cdef RawCommands taken_before
    cdef SharedNames names
    cdef list texts
    cdef list marks
    cdef int64_t *offsets
    cdef Py_ssize_t filled
    cdef uint64_t filled_size
    cdef readonly uint64_t count    # of commands
    cdef readonly uint64_t good_count
    cdef readonly int64_t good      # end of the last record outside an open MULTI
    cdef readonly int64_t multi_at  # of the open MULTI, -1: none
    cdef readonly uint64_t strays   # MULTI inside a transaction, EXEC outside: servers ignore them
    cdef readonly int64_t stray_at  # of the first of them, -1: none
    cdef readonly int64_t end       # of the input, if a search reached it
    cdef readonly int64_t zeros_at  # only NUL bytes from here on
    cdef object containers          # names with subcommands, None: uses are not counted
    cdef Use *used                  # NULL: likewise
    cdef readonly Py_ssize_t use_count
    cdef int64_t time               # the last annotated one (Unix seconds), -1: none yet
    cdef readonly int64_t annotation_at     # of the first, -1: none
    cdef readonly uint64_t falls    # annotations with an earlier time than the previous one
    cdef readonly int64_t fall_at   # of the first of them, -1: none
    cdef readonly int64_t fall_from
    cdef readonly int64_t fall_to

    def __init__(self, Window window not None, Py_ssize_t batch=256, containers=None, *, bint omits_long=False):
        self.window = window
        self.omits_long = omits_long
        self.containers = containers
        self.time = self.fall_at = self.annotation_at = -1
        if containers is not None:
            self.used = <Use *>calloc(USED, sizeof(Use))
            if self.used == NULL:
                raise MemoryError
        self.batch = max(1, batch)
        self.offsets = <int64_t *>malloc(<size_t>self.batch * sizeof(int64_t))
        if self.offsets == NULL:
            raise MemoryError
        self.names = SharedNames()
        self.good = window.at
        self.multi_at = self.stray_at = self.end = self.zeros_at = -1
        self.renew()

    def __dealloc__(self):
        free(self.used)
        free(self.offsets)

    cdef int renew(self) except -1:
        self.texts = []
        self.marks = []
        self.filled = 0
        self.filled_size = 0
        return 0

    def take(self):
        """Return (commands, offsets, annotations, marks) since the last call, and reset."""
        # Not an array: its module imports collections, which takes as long as checking 3 MB.
        offsets = memoryview((<char *>self.offsets)[:self.filled * sizeof(int64_t)]).cast("q")
        self.have_batch()
        taken = self.commands, offsets, self.texts, self.marks
        self.taken_before = self.taken
        # What is long is not kept until the batch is used again.
        self.taken = None if self.commands.has_made else self.commands
        self.commands = None
        self.renew()
        return taken

    cdef int have_batch(self) except -1:
        """Have a batch to fill: the one before the last, if its taker is done with it."""
        cdef RawCommands spare
        if self.commands is not None:
            return 0
        spare, self.taken_before = self.taken_before, None
        if spare is not None and references(<PyObject *>spare) == 1:
            spare.clear()
        else:
            spare = RawCommands(self.batch, self.names)
        self.commands = spare
        return 0

    # ---- records ------------------------------------------------------------------------------

    def run(self, progress=None):
        """Collect commands until the batch is full, the AOF ends, or a record is invalid."""
        return self.advance(True, progress)

    def check(self, progress=None):
        """Count commands up to the end of the AOF, or an invalid record, without building objects."""
        return self.advance(False, progress)

    cdef object advance(self, bint collect, object progress):
        cdef Window window = self.window
        cdef Reach reach
        cdef int status
        if collect:
            self.have_batch()
        while True:
            if self.filled == self.batch or self.filled_size >= BATCH_SIZE or self.use_count >= MAX_USES:
                return PAUSED
            self.look(&reach)
            if collect:
                status = self.collect(&reach)
            else:
                with nogil:
                    status = self.pass_over(&reach)
            if status == NEW_NAME:
                self.meet_next(&reach)
                continue
            if status == SOUND:
                continue
            if window.start == window.stop and window.at_end:
                return ENDED
            if status == BAD and window.start != window.stop:
                return DECLINED
            if self.pass_long(&reach, collect):
                continue
            if window.most >= 0 and self.is_beyond(&reach):
                return TOO_LARGE
            try:
                window.refill()
            except WindowLimitError:
                return TOO_LARGE
            if progress is not None:
                progress(window.at)

    cdef bint pass_long(self, Reach *reach, bint collect) except -1:
        """Pass over the current record if it is a valid command with a long argument that the window does not hold.

        The argument is held once, or not at all: it is not read into the window.
        """
        cdef Window window = self.window
        cdef Bytes begin = window.buffer + window.start
        cdef Bytes p
        cdef Bytes text
        cdef uint64_t size
        cdef uint64_t before = 0
        cdef Record record
        cdef int64_t at = window.base + <int64_t>window.start
        cdef int64_t value_at, stop
        cdef bint omits
        if window.reread is None or window.size < 0 or command_head(begin, reach, &record) != SOUND:
            return False
        p = record.first
        while before < record.argc and argument(&p, reach, &text, &size) == SOUND:
            if before == 0:
                record.name = text
                record.name_size = size
            before += 1
        # The name, and a subcommand, are looked up in the window.
        if (
            not 2 <= before < record.argc
            or header(&p, reach, c"$", &size) != SOUND
            or size < LONG
            or is_word(record.name, record.name_size, b"multi", 5)
            or is_word(record.name, record.name_size, b"exec", 4)
        ):
            return False
        value_at = window.base + (p - window.buffer)
        stop = self.walk_ahead(value_at, size, record.argc - before, None)
        if stop < 0:
            return False
        if self.used != NULL:
            while self.use(begin, &record, reach) != SOUND:
                self.meet_record(&record, reach)
        if collect:
            argv = []
            p = record.first
            for _ in range(<Py_ssize_t>before):
                argument(&p, reach, &text, &size)
                argv.append((<char *>text)[:size])
            header(&p, reach, c"$", &size)
            # Who asks to omit it looks for commands as they are written by servers.
            omits = self.omits_long and record.argc == 3 and record.name_size == 3 and not memcmp(record.name, b"SET", 3)
            if omits:
                argv.append(None)
            else:
                self.walk_ahead(value_at, size, record.argc - before, argv)
            self.commands.add_made(tuple(argv))
            self.offsets[self.filled] = at
            self.filled += 1
            self.filled_size += <uint64_t>(stop - at)
        window.start = window.stop
        while window.base + <int64_t>window.stop < stop:
            if window.at_end:
                raise InputError("the source became shorter while it was read")
            window.refill()
            window.start = window.stop
            PyErr_CheckSignals()
        window.start = <size_t>(stop - window.base)
        self.count += 1
        self.follow(0, at)
        return True

    cdef int64_t walk_ahead(self, int64_t at, uint64_t size, uint64_t count, list argv) except -2:
        """Walk over ``count`` arguments, of which the first has its ``size`` bytes at an offset.

        Return where the last one ends, -1 if they are not valid. Bytes between headers are not read, unless the arguments
        are to be added to ``argv``.
        """
        cdef Window window = self.window
        cdef bytearray ahead = bytearray(AHEAD)
        cdef Bytes data = <Bytes>PyByteArray_AS_STRING(ahead)
        cdef Bytes p
        cdef int64_t base = at
        cdef Py_ssize_t filled = 0, got
        cdef Reach reach
        while True:
            if argv is not None:
                if at + <int64_t>size <= base + filled:
                    argv.append((<char *>data)[at - base:at - base + <int64_t>size])
                else:
                    argv.append(self.reread(at, <Py_ssize_t>size))
            at += <int64_t>size
            if at + 2 + LONGEST_HEADER > base + filled and base + filled < window.size:
                base = at
                filled = 0
                while filled < AHEAD:
                    got = window.reread(memoryview(ahead)[filled:], base + filled)
                    if got <= 0:
                        break
                    filled += got
                PyErr_CheckSignals()
            p = data + (at - base)
            # The input of a window may end before its file.
            if at + 2 > window.size or base + filled - at < 2 or p[0] != 13 or p[1] != 10:
                return -1
            at += 2
            count -= 1
            if count == 0:
                return at
            p += 2
            reach.end = data + filled
            reach.beyond = <uint64_t>max(0, window.size - base - filled)
            if header(&p, &reach, c"$", &size) != SOUND:
                return -1
            at = base + (p - data)
            if size > <uint64_t>max(0, window.size - at):
                return -1

    cdef bytes reread(self, int64_t at, Py_ssize_t size):
        """Return bytes of the input that the window does not hold."""
        cdef bytes text = PyBytes_FromStringAndSize(NULL, size)
        cdef char *data = PyBytes_AS_STRING(text)
        cdef Py_ssize_t count, done = 0
        while done < size:
            view = PyMemoryView_FromMemory(data + done, size - done, PyBUF_WRITE)
            count = self.window.reread(view, at + done)
            if count <= 0:
                raise InputError("the source became shorter while it was read")
            done += count
        return text

    cdef bint is_beyond(self, Reach *reach) noexcept:
        """Whether the current record declares more than can ever be held of it."""
        cdef Window window = self.window
        cdef Bytes p = window.buffer + window.start
        cdef Reach most = reach[0]
        cdef Record record
        cdef uint64_t steps = UINT64_MAX
        most.beyond = <uint64_t>max(0, window.most - <int64_t>(window.stop - window.start))
        if window.at_end or p >= reach.end or p[0] != 42 or command_head(p, &most, &record) != SOUND:
            return False
        return walk(&most, &record, &steps) == BAD

    cdef int look(self, Reach *reach) noexcept:
        cdef Window window = self.window
        cdef int64_t beyond
        reach.end = window.buffer + window.stop
        reach.beyond = UINT64_MAX
        if window.at_end:
            reach.beyond = 0
        elif window.size >= 0:
            beyond = window.size - window.base - <int64_t>window.stop
            reach.beyond = <uint64_t>beyond if beyond > 0 else 0
        return 0

    cdef int pass_over(self, Reach *reach) noexcept nogil:
        """Skip all records in the window; return what stopped it."""
        cdef Bytes p = self.window.buffer + self.window.start
        cdef uint64_t steps = UINT64_MAX
        cdef Record record
        cdef int status
        while p < reach.end:
            if p[0] == 35:
                status = annotation(p, reach, &record)
            else:
                status = command_head(p, reach, &record)
                if status == SOUND:
                    status = walk(reach, &record, &steps)
                if status == SOUND and self.used != NULL:
                    status = self.use(p, &record, reach)
            if status != SOUND:
                return status
            self.note(p, &record)
            p = record.stop
        return SHORT

    cdef int collect(self, Reach *reach) except -2:
        """Collect the commands in the window, up to a full batch (SOUND) or what stopped it."""
        cdef Bytes p = self.window.buffer + self.window.start
        cdef uint64_t steps = UINT64_MAX
        cdef Record record
        cdef int status
        cdef int mark
        while p < reach.end:
            if p[0] == 35:
                status = annotation(p, reach, &record)
                if status != SOUND:
                    return status
                self.texts.append((self.filled, (<char *>record.name)[:record.name_size]))
                self.note(p, &record)
                p = record.stop
                continue
            status = command_head(p, reach, &record)
            if status != SOUND:
                return status
            if record.argc > <uint64_t>(reach.end - record.first) // LEAST_ARGUMENT:
                # It cannot be complete in here, but its beginning may be invalid.
                return walk(reach, &record, &steps)
            status = find_words(reach, &record, self.commands.next_words(<size_t>record.argc))
            if status == SOUND and self.used != NULL:
                status = self.use(p, &record, reach)
            if status != SOUND:
                return status
            self.commands.add(p, record.stop, <Py_ssize_t>record.argc)
            self.offsets[self.filled] = self.window.base + (p - self.window.buffer)
            mark = self.note(p, &record)
            if mark:
                self.marks.append((self.filled, mark))
            self.filled += 1
            self.filled_size += <uint64_t>(record.stop - p)
            if self.filled == self.batch or self.filled_size >= BATCH_SIZE:
                return SOUND
            p = record.stop
        return SHORT

    cdef inline int note(self, Bytes begin, Record *record) noexcept nogil:
        """Consume a record, and track transactions; return its mark."""
        cdef int mark = 0
        self.window.start = <size_t>(record.stop - self.window.buffer)
        if record.argc:
            self.count += 1
            if is_word(record.name, record.name_size, b"multi", 5):
                mark = 1
            elif is_word(record.name, record.name_size, b"exec", 4):
                mark = 2
        elif self.used != NULL:
            self.compare_time(record.name, record.name_size, self.window.base + (begin - self.window.buffer))
        self.follow(mark, self.window.base + (begin - self.window.buffer))
        return mark

    cdef inline int follow(self, int mark, int64_t at) noexcept nogil:
        if mark and (mark == 1) == (self.multi_at >= 0):
            self.strays += 1
            if self.stray_at < 0:
                self.stray_at = at
        elif mark:
            self.multi_at = at if mark == 1 else -1
        if self.multi_at < 0:
            self.good = self.window.base + <int64_t>self.window.start
            self.good_count = self.count
        return 0

    # ---- statistics of commands ------------------------------------------------------------------

    cdef inline Use *find_use(self, Bytes name, size_t size) noexcept nogil:
        """Return the place of a name: its own, or the free one that it would get."""
        cdef size_t place = place_of(name, size)
        cdef Use *use
        while True:
            use = &self.used[place]
            if use.size == 0 or (use.size == size and memcmp(use.name, name, size) == 0):
                return use
            place = (place + 1) & (USED - 1)

    cdef inline int use(self, Bytes begin, Record *record, Reach *reach) noexcept nogil:
        """Count the current command: SOUND, or NEW_NAME and nothing was counted."""
        cdef uint8_t[MAX_USED] joined
        cdef size_t size = record.name_size if record.name_size < MAX_USED else MAX_USED
        cdef Use *use
        if size == 0:
            # An empty name is kept as a NUL byte, which is not a valid name.
            joined[0] = 0
            use = self.find_use(&joined[0], 1)
        else:
            use = self.find_use(record.name, size)
        if use.size and use.has_subcommands and record.argc > 1:
            size = join(&joined[0], record, reach)
            use = self.find_use(&joined[0], size)
        if use.size == 0:
            return NEW_NAME
        count_use(use, record.argc, self.count + 1, self.window.base + (begin - self.window.buffer))
        return SOUND

    cdef int meet_next(self, Reach *reach) except -1:
        """Add the current command, which is complete, to the table."""
        cdef uint64_t steps = UINT64_MAX
        cdef Bytes p = self.window.buffer + self.window.start
        cdef Record record
        command_head(p, reach, &record)
        walk(reach, &record, &steps)
        return self.meet_record(&record, reach)

    cdef int meet_record(self, Record *record, Reach *reach) except -1:
        cdef uint8_t[MAX_USED] joined
        cdef size_t size
        cdef Use *use
        size = record.name_size if record.name_size < MAX_USED else MAX_USED
        if size == 0:
            return self.meet(b"\0", False)
        use = self.find_use(record.name, size)
        if use.size == 0:
            name = (<char *>record.name)[:size]
            return self.meet(name, name.upper() in self.containers)
        size = join(&joined[0], record, reach)
        return self.meet((<char *>joined)[:size], False)

    cdef int meet(self, bytes name, bint has_subcommands) except -1:
        cdef size_t size = <size_t>len(name)
        cdef Use *use = self.find_use(name, size)
        if use.size == 0:
            if self.use_count >= USED // 2 + MAX_USES // 2:
                raise ValueError("the table of uses is full")
            memcpy(use.name, <const uint8_t *>name, size)
            use.size = size
            use.has_subcommands = has_subcommands
            self.use_count += 1
        return 0

    cdef int use_argv(self, tuple argv, int64_t at) except -1:
        """Count a command that the caller parsed."""
        cdef bytes name = argv[0][:MAX_USED] or b"\0"
        if name.upper() in self.containers:
            self.meet(name, True)
            if len(argv) > 1:
                name = (name + b" " + argv[1])[:MAX_USED]
        self.meet(name, False)
        count_use(self.find_use(name, <size_t>len(name)), <uint64_t>len(argv), self.count, at)
        return 0

    cdef inline int compare_time(self, Bytes text, size_t size, int64_t at) noexcept nogil:
        """Compare an annotated time with the previous one."""
        cdef int64_t time = 0
        cdef size_t i
        if self.annotation_at < 0:
            self.annotation_at = at
        if not 4 < size <= 22 or memcmp(text, b"#TS:", 4):
            return 0
        for i in range(4, size):
            if not 48 <= text[i] <= 57:
                return 0
            time = time * 10 + text[i] - 48
        if time < self.time:
            self.falls += 1
            if self.fall_at < 0:
                self.fall_at, self.fall_from, self.fall_to = at, self.time, time
        self.time = time
        return 0

    def take_uses(self):
        """Return the statistics of each command name since the last call, and reset."""
        taken = []
        cdef int place
        cdef Use *use
        if self.used == NULL:
            return taken
        for place in range(USED):
            use = &self.used[place]
            # A container that was never called alone has a place but no calls.
            if use.size and use.count:
                taken.append((
                    (<char *>use.name)[:use.size], use.count,
                    (use.first.argc, use.first.at, use.first.number),
                    (use.fewest.argc, use.fewest.at, use.fewest.number),
                    (use.most.argc, use.most.at, use.most.number),
                ))
            use.size = 0
            use.count = 0
        self.use_count = 0
        return taken

    # ---- records parsed elsewhere -----------------------------------------------------------------

    def accept(self, tuple argv not None, int64_t stop, *, bint collect=True):
        """Accept a command in the window that the caller parsed, up to ``stop``."""
        cdef int64_t at = self.window.base + <int64_t>self.window.start
        cdef bytes name = argv[0].lower()
        cdef int mark = 1 if name == b"multi" else 2 if name == b"exec" else 0
        if collect:
            if self.filled == self.batch:
                raise ValueError("the batch is full")
            self.have_batch()
            self.commands.add_made(argv)
            self.offsets[self.filled] = at
            if mark:
                self.marks.append((self.filled, mark))
            self.filled += 1
            self.filled_size += <uint64_t>(stop - at)
        self.window.skip_to(stop)
        self.count += 1
        self.follow(mark, at)
        if self.used != NULL:
            self.use_argv(argv, at)

    def accept_annotation(self, bytes text not None, int64_t stop):
        """Accept an annotation in the window that the caller parsed, up to ``stop``."""
        self.texts.append((self.filled, text))
        if self.used != NULL:
            self.compare_time(text, <size_t>len(text), self.window.base + <int64_t>self.window.start)
        self.window.skip_to(stop)
        self.follow(0, 0)

    # ---- after damage ----------------------------------------------------------------------------

    def resync(self, known):
        """Search, after the first byte of the current record, for a complete command with a known name.

        ``known`` holds names in upper case. Returns the command's offset, to which the scanner moves; NOTHING if the
        rest of the AOF has none: ``end`` and ``zeros_at`` then say how it ends; or EXHAUSTED, which only crafted input
        can cause.
        """
        cdef Window window = self.window
        cdef uint64_t steps = SEARCH_STEPS
        cdef Reach reach
        cdef Record record
        cdef Bytes p
        cdef int status
        cdef int64_t zeros_at = window.base + <int64_t>window.start
        if window.start < window.stop:
            zeros_at += window.buffer[window.start] != 0
            window.start += 1
        while True:
            self.look(&reach)
            p = window.buffer + window.start
            status = self.find_candidate(&p, &reach, &record, &steps)
            if p < reach.end:
                window.start = <size_t>(p - window.buffer)
                if steps == 0:
                    return EXHAUSTED
                if status == SOUND:
                    if (<char *>record.name)[:record.name_size].upper() in known:
                        return window.at
                    window.start += 1
                    zeros_at = window.base + <int64_t>window.start
                    continue
            else:
                # No command begins in the rest of the window.
                p = reach.end
                while p > window.buffer + window.start and (p - 1)[0] == 0:
                    p -= 1
                if p > window.buffer + window.start:
                    zeros_at = window.base + (p - window.buffer)
                window.start = window.stop
                if window.at_end:
                    self.end = window.at
                    self.zeros_at = zeros_at
                    return NOTHING
            try:
                window.refill()
            except WindowLimitError:
                window.start += 1
                zeros_at = window.base + <int64_t>window.start

    cdef int find_candidate(self, Bytes *at, Reach *reach, Record *record, uint64_t *steps) noexcept nogil:
        """Find where a complete command with a name of letters begins (SOUND) or may begin (SHORT)."""
        cdef Bytes p = at[0]
        cdef size_t i
        cdef int status
        while True:
            p = <Bytes>memchr(p, 42, <size_t>(reach.end - p)) if p < reach.end else NULL
            if p == NULL:
                at[0] = reach.end
                return BAD
            status = command_head(p, reach, record)
            if status == SOUND:
                # Steps are limited to one per byte passed, because crafted input could otherwise make this take
                # forever.
                if p > at[0]:
                    steps[0] += <uint64_t>(p - at[0])
                at[0] = p
                status = walk(reach, record, steps)
                if steps[0] == 0:
                    return BAD
                if status == SOUND and not 0 < record.name_size <= MAX_NAME:
                    status = BAD
                if status == SOUND:
                    for i in range(record.name_size):
                        if not 97 <= (record.name[i] | 32) <= 122 and record.name[i] not in (45, 46, 95):
                            status = BAD
                            break
            if status != BAD:
                at[0] = p
                return status
            p += 1
