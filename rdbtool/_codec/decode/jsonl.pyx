# Lines of JSON with a key, emitted element by element: no object is made of any of them.
#
# What is accepted is what the jsonl format writes, with blanks where JSON allows them: the members before `value` in any
# order, those of streams and arrays in the order of the format. On anything else, valid or not, the line is declined,
# and the reader in Python takes it: it reports the fault, or emits the line itself.
#
# A line of up to a few MiB is read in the window and emitted at once; what was emitted of a line that is declined after
# all is rolled back. A longer one is read twice: ahead of the window, piece by piece, to know that it is sound, then
# into the sink while the window moves on. Only an element has to be held as a whole, and of a string not even that.
# What can be read only once (a pipe, a compressed file) is held in the window.

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport INT64_MAX, UINT64_MAX, int64_t, uint8_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memmove, memset
from rdbtool._codec.decode.cursor cimport Bytes, FORM_INT, FORM_LZF, FORM_RAW
from rdbtool._codec.decode.window cimport Window
from rdbtool._codec.filters.selection cimport Selection
from rdbtool._codec.sink cimport (
    ArrayItem, Consumer, Group, Head, ITEM_DOUBLE, ITEM_INT, ITEM_STRING, LongString, Measure, Pending, Sink, StreamTail
)

from rdbtool._codec.decode.cursor import Declined
from rdbtool._codec.sink import Measure, Null
from rdbtool.core.errors import InputError
from rdbtool.core.rdb_types import KINDS

include "../_types.pxi"

cdef extern from "Python.h":
    int PyBUF_WRITE

cdef extern from "escape.h" nogil:
    size_t rt_utf8_cut(const uint8_t *p, size_t n)
    int rt_is_utf8(const uint8_t *p, size_t n)

cdef extern from "json_scan.h":
    enum: RT_OK, RT_MORE, RT_BAD, RT_NO_MEMORY
    ctypedef struct rt_json:
        const uint8_t *p
        const uint8_t *end
    ctypedef struct rt_buffer:
        uint8_t *data
        size_t capacity
    int rt_buffer_grow(rt_buffer *buffer, size_t size)
    void rt_buffer_free(rt_buffer *buffer)
    const uint8_t *rt_json_blanks(const uint8_t *p, const uint8_t *end)
    const uint8_t *rt_json_plain(const uint8_t *p, const uint8_t *end, int *high)
    int rt_json_mark(rt_json *c, char mark)
    int rt_json_text(rt_json *c, rt_buffer *buffer, const uint8_t **text, size_t *size)
    int rt_json_some(rt_json *c, const uint8_t *limit, uint8_t *out, size_t *made)
    int rt_base64_decode(const uint8_t *p, size_t n, int last, uint8_t *out, size_t *made)
    int rt_json_base64_head(rt_json *c)
    int rt_json_octets(rt_json *c, rt_buffer *buffer, const uint8_t **text, size_t *size)
    int rt_json_u64(rt_json *c, uint64_t most, uint64_t *out)
    int rt_json_i64(rt_json *c, int64_t *out)
    int rt_json_null(rt_json *c)
    int rt_json_number(rt_json *c, double *out, int *is_whole)
    int rt_json_score(rt_json *c, double *out)
    int rt_json_id(rt_json *c, uint64_t *ms, uint64_t *seq)

cdef extern from "json_rows.h":
    ctypedef struct rt_json_plain_row:
        const uint8_t *text
        const uint8_t *other
        size_t size
        size_t other_size
        double score
        int closed
    ctypedef struct rt_json_code:
        int type_code
        int form
        size_t size
        char *name
    ctypedef struct rt_json_head:
        const uint8_t *key
        size_t key_size
        uint64_t db
        int64_t expire_at_ms
        int has_expire
        int kind
        const rt_json_code *code
    int rt_json_element(rt_json *c, rt_json_plain_row *row)
    int rt_json_pair(rt_json *c, rt_json_plain_row *row)
    int rt_json_scored(rt_json *c, rt_json_plain_row *row)
    int rt_json_plain_head(rt_json *c, const rt_json_code *kinds, int kind_count, const rt_json_code *codes,
                           const int *first, rt_json_head *head)

cdef enum:
    LONG_LINE = 1 << 22
    MOST_LEVELS = 64            # of a long line: more than any line of the format has
    LONG = 1 << 20              # bytes of a string that is emitted in pieces
    HELD = 1 << 25              # and of one that its line calls compressed: it is compressed again if it is kept
    PIECE = 1 << 18
    SPACIOUS = 1 << 23          # bytes of a buffer that is given back after its line
    RECENT = 64                 # lines whose numbers are remembered
    MOST_CODES = 64
    NAME = 32
    KIND_GROUP = 100            # of a stream: a row that is no element

    # Where the cursor is
    WHOLE = 0                   # in the window, which holds the line to its end
    AHEAD = 1                   # in what was read ahead of the window
    MOVING = 2                  # in the window, which moves on

#: What ``LineDecoder.run`` ended with.
ENDED, PAUSED, DECLINED = range(3)

cdef enum:
    HAS_DB = 1
    HAS_KEY = 2
    HAS_TYPE = 4
    HAS_ENCODING = 8
    HAS_EXPIRY = 16
    HAS_IDLE = 32
    HAS_FREQ = 64
    HAS_META = 128

    HAS_LAST = 1
    HAS_ADDED = 2
    HAS_DELETED = 4
    HAS_FIRST = 8
    HAS_LENGTH = 16

cdef struct Levels:             # of a line that was read in part
    int64_t depth
    bint in_string
    bint is_escaped

cdef struct Recent:
    int64_t start
    int64_t number

cdef struct Name:
    size_t at                   # in the arena
    size_t size
    uint64_t pending

cdef struct Owner:
    size_t name
    bint has_seen, has_active
    int64_t seen_at_ms, active_at_ms

cdef struct Row:
    uint64_t ms, seq
    int64_t name                # -1: no owner
    int64_t delivered_at_ms
    uint64_t delivery_count

cdef rt_json_code KIND_CODES[16]
cdef int KIND_COUNT = len(KINDS)


cdef void set_name(rt_json_code *code, str name):
    """Keep a name with the quote that ends it."""
    cdef bytes text = name.encode() + b'"'
    code.size = len(text)
    memcpy(code.name, <char *>text, len(text))


for number, kind in enumerate(KINDS):
    set_name(&KIND_CODES[number], kind)


cdef inline bint is_word(Bytes text, size_t size, bytes word):
    return size == <size_t>len(word) and memcmp(text, <char *>word, size) == 0


cdef inline bint is_named(const rt_json_code *code, Bytes text, size_t size) noexcept:
    return size == code.size - 1 and memcmp(text, code.name, size) == 0


cdef size_t count_levels(const uint8_t *text, size_t size, Levels *levels) noexcept:
    """Count the levels that are open after ``size`` bytes more of a line; stop at one too many, and return where."""
    cdef const uint8_t *p = text
    cdef const uint8_t *end = text + size
    cdef int high = 0
    while p < end and levels.depth <= MOST_LEVELS:
        if levels.is_escaped:
            levels.is_escaped = False
        elif levels.in_string:
            p = rt_json_plain(p, end, &high)
            if p == end:
                break
            levels.is_escaped = p[0] == c"\\"
            levels.in_string = p[0] != c'"'
        elif p[0] == c'"':
            levels.in_string = True
        elif p[0] == c"[" or p[0] == c"{":
            levels.depth += 1
        elif p[0] == c"]" or p[0] == c"}":
            levels.depth -= 1
        p += 1
    return p - text


cdef void free_above(rt_buffer *buffer, size_t kept) noexcept:
    if buffer.capacity > kept:
        rt_buffer_free(buffer)


@cython.final
cdef class LineDecoder:
    """Emits the lines with a key in a window to a sink. See the .pyi file."""

    cdef Window window
    cdef Sink null
    cdef Measure extent                 # of a long line
    cdef public object progress         # callable(offset), or None
    cdef int64_t reported                   # the offset reported last
    cdef public object keys             # a Check sink that receives keys only, or None
    cdef readonly int64_t number        # of the line that was read last
    cdef public size_t long_line        # bytes of a line that is read twice
    cdef public size_t piece            # bytes that are read ahead at once

    # the current line
    cdef rt_json c
    cdef int place
    cdef bint is_long                   # it is read twice
    cdef bint measures                  # for the first time
    cdef Head head
    cdef const uint8_t *encoding
    cdef size_t encoding_size
    cdef bint closed                    # the current array
    cdef bint is_whole                  # a newline ends the line
    cdef bint is_deep                   # it has more levels than any line of the format, and was not read to its end
    cdef LongString text
    cdef bint is_base64
    cdef StreamTail tail
    cdef int tail_has
    cdef bint has_groups
    cdef uint64_t entries, first_ms, first_seq

    # what is read ahead
    cdef rt_buffer input
    cdef int64_t ahead                  # offset after it
    cdef int64_t line_stop

    # scratch memory
    cdef rt_buffer key_text, first, second, joined, name_text
    cdef rt_buffer names, owners, rows, arena
    cdef size_t held                    # bytes of `joined` that wait for the rest of a UTF-8 sequence

    # tables and counts
    cdef rt_json_code codes[MOST_CODES]     # by kind
    cdef int first_code[16]                 # of a kind, and after the last of all
    cdef Recent recent[RECENT]
    cdef int recent_at
    cdef readonly uint64_t count        # keys so far
    cdef uint64_t expires
    cdef uint64_t kinds[16]
    cdef int64_t db
    cdef uint64_t db_keys, db_expires
    cdef dict db_counts

    def __init__(self, Window window not None):
        self.window = window
        self.null = Null()
        self.extent = Measure()
        self.long_line = LONG_LINE
        self.piece = PIECE
        self.db_counts = {}
        memset(self.recent, 0xFF, sizeof(self.recent))

    def __dealloc__(self):
        rt_buffer_free(&self.key_text)
        rt_buffer_free(&self.name_text)
        rt_buffer_free(&self.names)
        self.trim(0)

    cdef void trim(self, size_t kept) noexcept:
        """Give back the buffers that are larger than this."""
        free_above(&self.input, kept)
        free_above(&self.first, kept)
        free_above(&self.second, kept)
        free_above(&self.joined, kept)
        free_above(&self.owners, kept)
        free_above(&self.rows, kept)
        free_above(&self.arena, kept)

    # ---- for the reader ------------------------------------------------------------------------

    def set_codes(self, dict codes not None):
        """Say which type code stands for a kind and an encoding: {(kind, encoding): type code}."""
        cdef int count = 0, number
        cdef rt_json_code *code
        for number in range(KIND_COUNT):
            self.first_code[number] = count
            for (kind, encoding), type_code in codes.items():
                # Lines with others are declined; the grammar reads what modules stored.
                if kind != KINDS[number] or number == KIND_MODULE or len(encoding) > NAME or count == MOST_CODES:
                    continue
                code = &self.codes[count]
                code.type_code = type_code
                code.form = FORM_INT if encoding == "int" else FORM_LZF if encoding == "lzf" else FORM_RAW
                set_name(code, encoding)
                count += 1
        self.first_code[KIND_COUNT] = count

    def line_of(self, int64_t start):
        """Return the number of the line at an offset, None unless it is one of the last that were read."""
        cdef int i
        for i in range(RECENT):
            if self.recent[i].start == start:
                return self.recent[i].number
        return None

    def counts(self):
        """Return (keys, those with an expiry, {kind: keys}, {db: (keys, expires)}) of all lines so far."""
        self.enter_db(self.db)
        kinds = {kind: self.kinds[number] for number, kind in enumerate(KINDS) if self.kinds[number]}
        return self.count, self.expires, kinds, {db: row for db, row in self.db_counts.items() if row[0]}

    def count_key(self, record):
        """Count a record that the reader handled itself, and remember its key."""
        cdef Head head
        cdef bytes key = record.key
        memset(&head, 0, sizeof(Head))
        head.db = record.db
        head.key = <Bytes>(<char *>key)
        head.key_size = len(key)
        head.kind = KINDS.index(record.kind)
        head.type_code = record.type_code
        head.has_expire = record.expire_at_ms is not None
        head.start = record.start
        self.remember(&head, record.stop)
        self.count_head(&head)

    def take_line(self):
        """Consume the next line that is not blank.

        Return (offset, number, its bytes, whether a newline ends it, whether it is cut because it has too many levels).
        """
        cdef Window window = self.window
        cdef size_t stop
        if not self.next_line():
            return None
        self.find_end(&stop, False)
        start = window.base + <int64_t>window.start
        text = (<char *>window.buffer)[window.start:stop]
        window.start = stop + self.is_whole
        self.note_line(start)
        return start, self.number, text, bool(self.is_whole), bool(self.is_deep)

    def is_at_key(self):
        """Return whether what follows is a line with a key, as far as it is known without reading all of it."""
        cdef Window window = self.window
        cdef int status
        if not self.next_line():
            return False
        self.place = WHOLE
        while True:
            self.c.p = window.buffer + window.start
            self.c.end = window.buffer + window.stop
            status = self.try_head()
            if status != RT_MORE or window.at_end or window.stop - window.start >= LONG_LINE:
                return status == RT_OK
            self.refill()

    def run(self, Sink sink not None, Selection selection=None):
        """Emit lines to ``sink`` until the end, a full sink or a selection that has enough, or a line that is declined.

        Returns ENDED, PAUSED or DECLINED: then the line was not consumed, and the sink received nothing of it.
        Raises what filling a window raises, and InputError.
        """
        try:
            return self.steps(sink, selection)
        except Declined:
            sink.rollback()
            return DECLINED
        except BaseException:
            sink.rollback()
            raise
        finally:
            self.trim(SPACIOUS)

    # ---- lines ---------------------------------------------------------------------------------

    cdef int refill(self) except -1:
        self.window.refill()
        return self.report_progress()

    cdef int report_progress(self) except -1:
        cdef int64_t at = self.window.base + <int64_t>self.window.start
        if self.progress is not None and at > self.reported:
            self.reported = at
            self.progress(at)
        return 0

    cdef bint next_line(self) except -1:
        """Pass over blank lines; return False at the end of the source."""
        cdef Window window = self.window
        cdef size_t at
        cdef uint8_t c
        while True:
            at = window.start
            while at < window.stop:
                c = window.buffer[at]
                at += 1
                if c == c"\n":
                    self.number += 1
                    window.start = at
                elif c != c" " and c != c"\t" and c != c"\r":
                    return True
            if window.at_end:
                window.start = window.stop
                self.report_progress()
                return False
            if at - window.start >= PIECE:
                window.start = at       # a line may begin after any number of blanks
            self.refill()

    cdef bint find_end(self, size_t *stop, bint may_be_long) except -1:
        """Set where the current line ends in the window; return False for one that is too long to be held for it.

        A long line ends where it has too many levels, so that it is not held.
        """
        cdef Window window = self.window
        cdef size_t looked = 0
        cdef size_t nested = 0          # bytes whose levels were counted
        cdef Levels levels
        cdef const uint8_t *found
        memset(&levels, 0, sizeof(Levels))
        self.is_deep = False
        while True:
            found = <const uint8_t *>memchr(
                window.buffer + window.start + looked, c"\n", window.stop - window.start - looked
            )
            if found != NULL:
                stop[0] = found - window.buffer
                self.is_whole = True
                return True
            looked = window.stop - window.start
            if window.at_end:
                stop[0] = window.stop
                self.is_whole = False
                return True
            if may_be_long and looked >= self.long_line and window.reread is not None:
                return False
            if looked >= LONG_LINE:
                nested += count_levels(window.buffer + window.start + nested, looked - nested, &levels)
                if levels.depth > MOST_LEVELS:
                    stop[0] = window.start + nested
                    self.is_whole = False
                    self.is_deep = True
                    return True
            self.refill()

    cdef int note_line(self, int64_t start) noexcept:
        self.number += 1
        self.recent[self.recent_at] = Recent(start, self.number)
        self.recent_at = (self.recent_at + 1) % RECENT
        return 0

    cdef int steps(self, Sink sink, Selection selection) except -1:
        cdef Window window = self.window
        cdef size_t stop
        cdef int64_t start
        while not (sink.full or (selection is not None and 0 <= selection.limit <= selection.taken)):
            if not self.next_line():
                return 0        # ENDED
            start = window.base + <int64_t>window.start
            self.measures = False
            if self.find_end(&stop, True) and (stop - window.start < self.long_line or window.reread is None):
                if self.is_deep:
                    raise Declined
                self.is_long = stop - window.start >= self.long_line
                self.place = WHOLE
                self.c.p = window.buffer + window.start
                self.c.end = window.buffer + stop
                self.line_stop = window.base + <int64_t>stop + self.is_whole
                if self.is_long:
                    self.measure(start, sink.asks_extent)
                    self.c.p = window.buffer + window.start
                self.emit(start, sink, selection)
                window.start = stop + self.is_whole
            else:
                self.is_long = True
                self.place = AHEAD
                self.ahead = start
                self.c.p = self.c.end = self.input.data
                self.more()
                self.measure(start, sink.asks_extent)
                self.line_stop = self.ahead - (self.c.end - self.c.p)
                self.place = MOVING
                self.c.p = window.buffer + window.start
                self.c.end = window.buffer + window.stop
                self.emit(start, sink, selection)
                window.start = self.c.p - window.buffer
        return 1                # PAUSED

    cdef int measure(self, int64_t start, int asked) except -1:
        """Read a long line for the first time: raise Declined unless it is sound. ``asked``: as of ``asks_extent``."""
        self.measures = True
        self.extent.start(asked)
        self.read_head(start)
        self.read_value(self.extent if asked else self.null)
        self.end_line()
        if self.head.kind == KIND_STRING:
            self.extent.extent.elements = 1
        self.measures = False
        return 0

    cdef int emit(self, int64_t start, Sink sink, Selection selection) except -1:
        """Tell the line at the cursor, and skip it."""
        cdef Sink hearer = sink
        self.read_head(start)
        if selection is not None and not selection.wants(&self.head):
            hearer = self.null
        else:
            sink.may_spill = self.is_long
            if self.is_long:
                sink.extent_ahead = self.extent.extent
                sink.extent_ahead.stop = self.line_stop
        hearer.begin_key(&self.head)
        self.read_value(hearer)
        self.end_line()
        self.note_line(start)
        if self.keys is not None:
            self.remember(&self.head, self.line_stop)
        hearer.end_key(NULL, 0, self.line_stop)
        hearer.commit()
        if hearer is sink:
            sink.may_spill = sink.extent_ahead.is_known = False
            if selection is not None:
                selection.taken += 1
        return self.count_head(&self.head)

    cdef int remember(self, Head *head, int64_t stop) except -1:
        cdef Sink keys
        if self.keys is not None:
            keys = self.keys
            keys.begin_key(head)
            keys.end_key(NULL, 0, stop)
            keys.commit()
        return 0

    cdef int enter_db(self, int64_t db) except -1:
        if self.db_keys:
            keys, expires = self.db_counts.get(self.db, (0, 0))
            self.db_counts[self.db] = (keys + self.db_keys, expires + self.db_expires)
        self.db_keys = self.db_expires = 0
        self.db = db
        return 0

    cdef int count_head(self, Head *head) except -1:
        if head.db != self.db:
            self.enter_db(head.db)
        self.count += 1
        self.expires += head.has_expire
        self.db_keys += 1
        self.db_expires += head.has_expire
        self.kinds[head.kind] += 1
        return 0

    # ---- the cursor ----------------------------------------------------------------------------

    cdef int fail(self) except -1:
        """Raise: the line is not what is accepted here, or no more what it was."""
        if self.place == MOVING:
            raise InputError("the source changed while it was read")
        raise Declined

    cdef int settle(self, int status, Bytes mark) except -1:
        """Return where the cursor can go on. RT_MORE: it is at ``mark`` again, and there is more after it."""
        if status == RT_OK:
            return 0
        if status == RT_NO_MEMORY:
            raise MemoryError
        if status != RT_MORE:
            return self.fail()
        self.c.p = mark
        return 0 if self.more() else self.fail()

    cdef bint more(self) except -1:
        """Get more of the line after what is left of it; False: there is no more."""
        cdef Window window = self.window
        cdef size_t kept = self.c.end - self.c.p
        cdef size_t room
        cdef Py_ssize_t count
        if self.place == WHOLE:
            return False
        if self.place == MOVING:
            window.start = self.c.p - window.buffer
            if not window.at_end:
                self.refill()
            self.c.p = window.buffer + window.start
            self.c.end = window.buffer + window.stop
            return <size_t>(self.c.end - self.c.p) > kept
        room = max(kept, self.piece)
        if kept:
            memmove(self.input.data, self.c.p, kept)
        if not rt_buffer_grow(&self.input, kept + room):
            raise MemoryError
        view = PyMemoryView_FromMemory(<char *>self.input.data + kept, room, PyBUF_WRITE)
        count = self.window.reread(view, self.ahead)
        self.ahead += count
        self.c.p = self.input.data
        self.c.end = self.input.data + kept + count
        PyErr_CheckSignals()
        return count > 0

    cdef inline int blanks(self) noexcept:
        self.c.p = rt_json_blanks(self.c.p, self.c.end)
        return RT_MORE if self.c.p == self.c.end else RT_OK

    cdef inline int mark(self, char c) noexcept:
        """Pass over a character and the blanks on both sides of it."""
        cdef int status = rt_json_mark(&self.c, c)
        return status or self.blanks()

    cdef int member(self, Bytes *name, size_t *size) noexcept:
        """Pass over the name of a member, and its colon."""
        return rt_json_text(&self.c, &self.name_text, name, size) or self.mark(c":")

    cdef inline int separator(self) noexcept:
        """Skip what follows an element: a comma, or the bracket that closes the array."""
        if self.blanks():
            return RT_MORE
        self.closed = self.c.p[0] == c"]"
        if not self.closed and self.c.p[0] != c",":
            return RT_BAD
        self.c.p += 1
        return RT_OK

    # ---- what precedes the value ----------------------------------------------------------

    cdef int read_head(self, int64_t start) except -1:
        cdef Bytes mark
        cdef int status
        while True:
            mark = self.c.p
            status = self.try_head()
            self.settle(status, mark)
            if status == RT_OK:
                break
        self.head.start = start
        if self.place != WHOLE and self.head.key != self.key_text.data:
            if not rt_buffer_grow(&self.key_text, self.head.key_size + 1):
                raise MemoryError
            memcpy(self.key_text.data, self.head.key, self.head.key_size)
            self.head.key = self.key_text.data
        return 0

    cdef int try_head(self) except -1:
        cdef Head *head = &self.head
        cdef Bytes name
        cdef Bytes text
        cdef size_t size, text_size
        cdef uint64_t number
        cdef int status, bit, i, has = 0
        memset(head, 0, sizeof(Head))
        head.idle_s = head.freq = head.type_code = -1
        if self.try_plain_head():
            return RT_OK
        self.encoding = NULL
        status = self.mark(c"{")
        while status == RT_OK:
            status = self.member(&name, &size)
            if status:
                return status
            if is_word(name, size, b"value"):
                return self.finish_head() if has & HAS_KEY and has & HAS_TYPE else RT_BAD
            bit = 0
            if is_word(name, size, b"db"):
                bit = HAS_DB
                status = rt_json_null(&self.c)
                if status == RT_BAD:
                    status = rt_json_u64(&self.c, 0x7FFFFFFF, &number)
                    if status == RT_OK:
                        head.db = <int64_t>number
            elif is_word(name, size, b"key"):
                bit = HAS_KEY
                status = rt_json_octets(&self.c, &self.key_text, &head.key, &head.key_size)
            elif is_word(name, size, b"type"):
                bit = HAS_TYPE
                status = rt_json_text(&self.c, &self.first, &text, &text_size)
                if status == RT_OK:
                    for i in range(KIND_COUNT):
                        if is_named(&KIND_CODES[i], text, text_size):
                            head.kind = i
                            break
                    else:
                        return RT_BAD
            elif is_word(name, size, b"encoding"):
                bit = HAS_ENCODING
                status = rt_json_null(&self.c)
                if status == RT_BAD:
                    status = rt_json_text(&self.c, &self.first, &text, &text_size)
                    if status == RT_OK and text_size:
                        if text == self.first.data:
                            return RT_BAD       # with escapes
                        self.encoding = text
                        self.encoding_size = text_size
            elif is_word(name, size, b"expire_at_ms"):
                bit = HAS_EXPIRY
                status = rt_json_null(&self.c)
                if status == RT_BAD:
                    status = rt_json_i64(&self.c, &head.expire_at_ms)
                    head.has_expire = True
                    if status == RT_OK and head.expire_at_ms == -1:
                        return RT_BAD
            elif is_word(name, size, b"idle_s"):
                bit = HAS_IDLE
                status = rt_json_null(&self.c)
                if status == RT_BAD:
                    status = rt_json_u64(&self.c, INT64_MAX, &number)
                    if status == RT_OK:
                        head.idle_s = <int64_t>number
            elif is_word(name, size, b"freq"):
                bit = HAS_FREQ
                status = rt_json_null(&self.c)
                if status == RT_BAD:
                    status = rt_json_u64(&self.c, 255, &number)
                    if status == RT_OK:
                        head.freq = <int>number
            elif is_word(name, size, b"meta"):
                bit = HAS_META
                status = rt_json_null(&self.c)
            if bit == 0 or has & bit:
                return RT_BAD
            has |= bit
            status = status or self.mark(c",")
        return status

    cdef inline bint try_plain_head(self) noexcept:
        """Read a head as nearly all lines have it, in one go; return False for any other."""
        cdef Head *head = &self.head
        cdef rt_json_head plain
        if not rt_json_plain_head(&self.c, KIND_CODES, KIND_COUNT, self.codes, self.first_code, &plain):
            return False
        head.db = <int64_t>plain.db
        head.key = plain.key
        head.key_size = plain.key_size
        head.kind = plain.kind
        head.type_code = plain.code.type_code
        head.form = plain.code.form
        head.has_expire = plain.has_expire
        if plain.has_expire:
            head.expire_at_ms = plain.expire_at_ms
        return True

    cdef int finish_head(self) except -1:
        """Look up the type, and stop at the value."""
        cdef Head *head = &self.head
        cdef int i
        if head.kind == KIND_MODULE:
            return RT_BAD       # the grammar reads what modules stored
        if self.encoding == NULL:
            return RT_OK
        for i in range(self.first_code[head.kind], self.first_code[head.kind + 1]):
            if is_named(&self.codes[i], self.encoding, self.encoding_size):
                head.type_code = self.codes[i].type_code
                head.form = self.codes[i].form
                return RT_OK
        return RT_BAD

    cdef int end_line(self) except -1:
        """Skip what follows the value."""
        self.pass_mark(c"}")
        while True:
            self.c.p = rt_json_blanks(self.c.p, self.c.end)
            if self.c.p < self.c.end:
                if self.place == WHOLE or self.c.p[0] != c"\n":
                    return self.fail()
                self.c.p += 1
                return 0
            if not self.more():
                return 0

    cdef int pass_mark(self, char c) except -1:
        cdef Bytes mark
        cdef int status
        while True:
            mark = self.c.p
            status = rt_json_mark(&self.c, c)
            self.settle(status, mark)
            if status == RT_OK:
                return 0

    # ---- values --------------------------------------------------------------------------------

    cdef int read_value(self, Sink sink) except -1:
        cdef int kind = self.head.kind
        if kind == KIND_STRING:
            return self.read_long_string(sink) if self.is_long else self.read_string(sink)
        if kind == KIND_STREAM:
            return self.read_stream(sink)
        if kind == KIND_ARRAY:
            return self.read_array(sink)
        return self.read_rows(kind, sink)

    cdef int read_rows(self, int kind, Sink sink) except -1:
        """Read an array; ``kind`` says of what: KIND_* of a collection, or what ``try_row`` has else."""
        cdef Bytes mark
        cdef int status
        while True:
            mark = self.c.p
            status = self.open_rows()
            self.settle(status, mark)
            if status == RT_OK:
                break
        while not self.closed:
            self.pass_plain_rows(kind, sink)
            if self.closed:
                break
            mark = self.c.p
            status = self.try_row(kind, sink)
            if status:
                self.settle(status, mark)
                self.closed = False     # an array within the row may be
        return 0

    cdef int pass_plain_rows(self, int kind, Sink sink) except -1:
        """Emit rows up to the first that has to be read token by token, or to the end of the array."""
        cdef rt_json_plain_row row
        row.closed = False
        if kind == KIND_LIST or kind == KIND_SET:
            while not row.closed and rt_json_element(&self.c, &row):
                sink.element(row.text, row.size)
        elif kind == KIND_HASH:
            while not row.closed and rt_json_pair(&self.c, &row):
                sink.pair(row.text, row.size, row.other, row.other_size, -1)
        elif kind == KIND_ZSET:
            while not row.closed and rt_json_scored(&self.c, &row):
                sink.score(row.text, row.size, row.score)
        self.closed = row.closed
        return 0

    cdef int open_rows(self) noexcept:
        cdef int status = self.mark(c"[")
        if status:
            return status
        self.closed = self.c.p[0] == c"]"
        self.c.p += self.closed
        return RT_OK

    cdef int try_row(self, int kind, Sink sink) except -1:
        cdef Bytes text
        cdef Bytes other
        cdef size_t size, other_size
        cdef int64_t expiry = -1
        cdef uint64_t number
        cdef double score
        cdef int status
        if self.blanks():
            return RT_MORE
        if kind == KIND_LIST or kind == KIND_SET:
            status = rt_json_octets(&self.c, &self.first, &text, &size) or self.separator()
            if status == RT_OK:
                sink.element(text, size)
            return status
        if kind == KIND_STREAM:
            return self.try_entry(sink)
        if kind == KIND_GROUP:
            return self.try_group(sink)
        if kind == KIND_ARRAY:
            return self.try_item(sink)
        status = (
            self.mark(c"[")
            or rt_json_octets(&self.c, &self.first, &text, &size)
            or self.mark(c",")
        )
        if status:
            return status
        if kind == KIND_ZSET:
            status = rt_json_score(&self.c, &score) or rt_json_mark(&self.c, c"]") or self.separator()
            if status == RT_OK:
                sink.score(text, size, score)
            return status
        status = rt_json_octets(&self.c, &self.second, &other, &other_size) or self.blanks()
        if status == RT_OK and self.c.p[0] == c",":
            self.c.p += 1
            status = self.blanks()
            if status == RT_OK:
                status = rt_json_null(&self.c)
                if status == RT_BAD:
                    status = rt_json_u64(&self.c, INT64_MAX, &number)
                    expiry = <int64_t>number
        status = status or rt_json_mark(&self.c, c"]") or self.separator()
        if status == RT_OK:
            sink.pair(text, size, other, other_size, expiry)
        return status

    # ---- strings -------------------------------------------------------------------------------

    cdef int read_string(self, Sink sink) except -1:
        cdef Bytes text
        cdef Bytes mark = self.c.p
        cdef size_t size, piece
        self.settle(rt_json_octets(&self.c, &self.first, &text, &size), mark)
        if not self.is_emitted_in_pieces(sink, size):
            return sink.string(text, size)
        self.text.size = size
        self.text.packed = 0
        self.text.whole = NULL
        self.text.is_utf8 = mark[0] == c'"' or (sink.asks_utf8 and rt_is_utf8(text, size))
        sink.begin_string(&self.text)
        while size:
            piece = min(size, <size_t>PIECE)
            if piece < size:
                piece -= rt_utf8_cut(text, piece)
            sink.string_piece(text, piece)
            text += piece
            size -= piece
        return sink.end_string()

    cdef bint is_emitted_in_pieces(self, Sink sink, size_t size) noexcept:
        return sink.takes_pieces and size >= <size_t>(HELD if self.head.form == FORM_LZF else LONG)

    cdef int open_string(self) noexcept:
        self.is_base64 = False
        if self.c.p < self.c.end and self.c.p[0] == c'"':
            self.c.p += 1
            return RT_OK
        self.is_base64 = True
        return rt_json_base64_head(&self.c)

    cdef int read_long_string(self, Sink sink) except -1:
        """Read a string piece by piece: its size is known when it is read for the second time."""
        cdef Bytes mark
        cdef int status
        cdef size_t made, filled = 0
        cdef bint in_pieces = False
        cdef uint64_t size = 0
        while True:
            mark = self.c.p
            status = self.open_string()
            self.settle(status, mark)
            if status == RT_OK:
                break
        self.held = 0
        if self.measures:
            self.text.is_utf8 = True
            self.text.packed = 0
            self.text.whole = NULL
        else:
            in_pieces = self.is_emitted_in_pieces(sink, self.text.size)
            if in_pieces:
                sink.begin_string(&self.text)
        # What cannot be emitted in pieces is assembled after what is read.
        if not rt_buffer_grow(&self.joined, (0 if self.measures or in_pieces else self.text.size) + 2 * PIECE + 64):
            raise MemoryError
        while True:
            mark = self.c.p
            made = 0
            if self.is_base64:
                status = self.some_base64(self.joined.data + filled + self.held, &made)
            else:
                status = rt_json_some(
                    &self.c, min(self.c.end, self.c.p + PIECE), self.joined.data + filled + self.held, &made
                )
            if status == RT_BAD:
                return self.fail()
            size += made
            if not self.measures and size > self.text.size:
                return self.fail()
            if self.measures or in_pieces:
                self.pass_piece(sink if in_pieces else None, self.held + made, status == RT_OK)
            else:
                filled += made
            if status == RT_OK:
                break
            if self.c.p == mark and not self.more():
                return self.fail()
        self.c.p += 1
        if self.is_base64:
            self.pass_mark(c"}")
        if self.measures:
            self.text.size = size
            return 0
        if size != self.text.size:
            return self.fail()
        return sink.end_string() if in_pieces else sink.string(self.joined.data, size)

    cdef int pass_piece(self, Sink sink, size_t size, bint last) except -1:
        """Pass on what was read of a string, but for a UTF-8 sequence that may go on."""
        cdef size_t ready = size if last else size - rt_utf8_cut(self.joined.data, size)
        if sink is None:
            if self.is_base64 and self.text.is_utf8:
                self.text.is_utf8 = rt_is_utf8(self.joined.data, ready)
        elif ready:
            sink.string_piece(self.joined.data, ready)
        self.held = size - ready
        if self.held:
            memmove(self.joined.data, self.joined.data + ready, self.held)
        return 0

    cdef int some_base64(self, uint8_t *out, size_t *made) noexcept:
        cdef const uint8_t *limit = min(self.c.end, self.c.p + PIECE)
        cdef int high = 0
        cdef const uint8_t *stop = rt_json_plain(self.c.p, limit, &high)
        cdef size_t size = stop - self.c.p
        cdef bint last = stop < limit
        if last:
            if stop[0] != c'"' or size % 4:
                return RT_BAD
        else:
            # The last group may be padded.
            size = size - size % 4 - 4 if size >= 8 else 0
        if not rt_base64_decode(self.c.p, size, last, out, made):
            return RT_BAD
        self.c.p += size
        return RT_OK if last else RT_MORE

    # ---- arrays --------------------------------------------------------------------------------

    cdef int read_array(self, Sink sink) except -1:
        cdef Bytes mark
        cdef uint64_t insert
        cdef bint has_insert
        cdef int status
        while True:
            mark = self.c.p
            status = self.open_member(b"items")
            self.settle(status, mark)
            if status == RT_OK:
                break
        self.read_rows(KIND_ARRAY, sink)
        while True:
            mark = self.c.p
            has_insert = False
            insert = 0
            status = self.try_array_end(&has_insert, &insert)
            self.settle(status, mark)
            if status == RT_OK:
                return sink.array_end(has_insert, insert)

    cdef int open_member(self, bytes name) except -1:
        """Open an object, and skip the name of its first member, which has to be this one."""
        cdef Bytes text
        cdef size_t size
        cdef int status = self.mark(c"{") or self.member(&text, &size)
        return status or (RT_OK if is_word(text, size, name) else RT_BAD)

    cdef int try_array_end(self, bint *has_insert, uint64_t *insert) except -1:
        cdef Bytes text
        cdef size_t size
        cdef int status = self.blanks()
        if status == RT_OK and self.c.p[0] == c",":
            status = self.mark(c",") or self.member(&text, &size)
            if status:
                return status
            if not is_word(text, size, b"insert_index"):
                return RT_BAD
            status = rt_json_null(&self.c)
            if status == RT_BAD:
                status = rt_json_u64(&self.c, UINT64_MAX, insert)
                has_insert[0] = True
        return status or rt_json_mark(&self.c, c"}")

    cdef int try_item(self, Sink sink) except -1:
        cdef ArrayItem item
        cdef rt_json at
        cdef int status, is_whole
        memset(&item, 0, sizeof(ArrayItem))
        status = self.mark(c"[") or rt_json_u64(&self.c, UINT64_MAX - 1, &item.index) or self.mark(c",")
        if status:
            return status
        if self.c.p[0] == c'"':
            item.tag = ITEM_STRING
            status = rt_json_text(&self.c, &self.first, &item.text, &item.text_size)
        elif self.c.p[0] == c"{":
            item.tag = ITEM_STRING
            at = self.c
            status = rt_json_octets(&self.c, &self.first, &item.text, &item.text_size)
            if status == RT_BAD:
                self.c = at
                item.tag = ITEM_DOUBLE
                status = self.open_member(b"float")
                status = status or rt_json_score(&self.c, &item.real) or rt_json_mark(&self.c, c"}")
        else:
            at = self.c
            item.tag = ITEM_DOUBLE
            status = rt_json_number(&self.c, &item.real, &is_whole)
            if status == RT_OK and is_whole:
                self.c = at
                item.tag = ITEM_INT
                status = rt_json_i64(&self.c, &item.number)
        status = status or rt_json_mark(&self.c, c"]") or self.separator()
        if status == RT_OK:
            sink.array_item(&item)
        return status

    # ---- streams -------------------------------------------------------------------------------

    cdef int read_stream(self, Sink sink) except -1:
        cdef Bytes mark
        cdef int status
        while True:
            mark = self.c.p
            status = self.open_member(b"entries")
            self.settle(status, mark)
            if status == RT_OK:
                break
        self.entries = self.first_ms = self.first_seq = 0
        self.read_rows(KIND_STREAM, sink)
        while True:
            mark = self.c.p
            status = self.try_tail()
            self.settle(status, mark)
            if status == RT_OK:
                break
        self.finish_tail()
        sink.stream_tail(&self.tail)
        if self.has_groups:
            self.read_rows(KIND_GROUP, sink)
            self.pass_mark(c"}")
        return 0

    cdef int try_entry(self, Sink sink) except -1:
        """Read an entry, twice: its number of fields is emitted before them."""
        cdef uint64_t ms, seq, fields = 0
        cdef Bytes text
        cdef Bytes other
        cdef size_t size, other_size
        cdef rt_json at, behind
        cdef bint closed
        cdef int status
        status = self.mark(c"[") or rt_json_id(&self.c, &ms, &seq) or self.mark(c",")
        if status:
            return status
        at = self.c
        status = self.open_rows()
        while status == RT_OK and not self.closed:
            status = self.try_field(&text, &size, &other, &other_size)
            fields += 1
        status = status or rt_json_mark(&self.c, c"]") or self.separator()
        if status:
            return status
        if self.entries == 0:
            self.first_ms = ms
            self.first_seq = seq
        self.entries += 1
        sink.entry(ms, seq, fields)
        behind = self.c
        closed = self.closed
        self.c = at
        self.open_rows()
        while not self.closed:
            self.try_field(&text, &size, &other, &other_size)
            sink.entry_field(text, size, other, other_size)
        self.c = behind
        self.closed = closed
        return sink.end_entry()

    cdef int try_field(self, Bytes *text, size_t *size, Bytes *other, size_t *other_size) noexcept:
        return (
            self.mark(c"[")
            or rt_json_octets(&self.c, &self.first, text, size)
            or self.mark(c",")
            or rt_json_octets(&self.c, &self.second, other, other_size)
            or rt_json_mark(&self.c, c"]")
            or self.separator()
        )

    cdef int try_tail(self) except -1:
        """Read what follows the entries, up to the groups."""
        cdef StreamTail *tail = &self.tail
        cdef Bytes text
        cdef size_t size
        cdef int bit, status
        memset(tail, 0, sizeof(StreamTail))
        self.tail_has = 0
        self.has_groups = False
        while True:
            status = self.blanks()
            if status == RT_OK and self.c.p[0] == c"}":
                self.c.p += 1
                return RT_OK if self.tail_has & HAS_LAST else RT_BAD
            status = status or self.mark(c",") or self.member(&text, &size)
            if status:
                return status
            if is_word(text, size, b"groups"):
                self.has_groups = True
                return RT_OK if self.tail_has & HAS_LAST else RT_BAD
            if is_word(text, size, b"last_id"):
                bit = HAS_LAST
                status = rt_json_id(&self.c, &tail.last_ms, &tail.last_seq)
            else:
                status = rt_json_null(&self.c)
                bit = HAS_ADDED if is_word(text, size, b"entries_added") else \
                    HAS_DELETED if is_word(text, size, b"max_deleted_id") else \
                    HAS_FIRST if is_word(text, size, b"first_id") else \
                    HAS_LENGTH if is_word(text, size, b"length") else 0
                if bit == 0:
                    return RT_BAD
                if status == RT_OK:
                    bit <<= 8           # it is named, and says nothing
                elif status == RT_BAD and bit == HAS_ADDED:
                    status = rt_json_u64(&self.c, UINT64_MAX, &tail.entries_added)
                elif status == RT_BAD and bit == HAS_LENGTH:
                    status = rt_json_u64(&self.c, UINT64_MAX, &tail.length)
                elif status == RT_BAD and bit == HAS_FIRST:
                    status = rt_json_id(&self.c, &tail.first_ms, &tail.first_seq)
                elif status == RT_BAD:
                    status = rt_json_id(&self.c, &tail.max_deleted_ms, &tail.max_deleted_seq)
            if status:
                return status
            if self.tail_has & (bit | bit << 8 | bit >> 8):
                return RT_BAD
            self.tail_has |= bit

    cdef int finish_tail(self) except -1:
        cdef StreamTail *tail = &self.tail
        tail.counted = self.tail_has & HAS_ADDED != 0
        tail.version = 3 if tail.counted else 1
        if not self.tail_has & HAS_LENGTH:
            tail.length = self.entries
        if not tail.counted and self.tail_has & (HAS_FIRST | HAS_DELETED):
            return self.fail()
        if tail.counted and not self.tail_has & HAS_FIRST:
            tail.first_ms = self.first_ms
            tail.first_seq = self.first_seq
        return 0

    cdef int try_group(self, Sink sink) except -1:
        """Read a group: what its consumers own is emitted before it is known."""
        cdef Group group
        cdef Consumer consumer
        cdef Pending pending
        cdef Name *names
        cdef Owner *owner
        cdef Row *row
        cdef Bytes text
        cdef size_t size, name, used = 0, owners = 0, rows = 0, i
        cdef uint64_t last_ms = 0, last_seq = 0
        cdef dict known = {}
        cdef int status, stage = 0
        cdef bint closed
        group.counted = False
        group.entries_read = 0
        status = self.open_member(b"name")
        # The name of the group is the first in the arena.
        status = status or self.put_name(known, &used, &name)
        if status:
            return status
        known.clear()       # a consumer may have the same one
        while True:
            status = self.blanks()
            if status:
                return status
            if self.c.p[0] == c"}":
                self.c.p += 1
                break
            status = self.mark(c",") or self.member(&text, &size)
            if status:
                return status
            if stage < 1 and is_word(text, size, b"last_id"):
                stage = 1
                status = rt_json_id(&self.c, &group.last_ms, &group.last_seq)
            elif stage == 1 and is_word(text, size, b"entries_read"):
                stage = 2
                status = rt_json_null(&self.c)
                if status == RT_BAD:
                    status = rt_json_u64(&self.c, UINT64_MAX - 1, &group.entries_read)
                    group.counted = True
            elif 1 <= stage < 3 and is_word(text, size, b"consumers"):
                stage = 3
                status = self.open_rows()
                while status == RT_OK and not self.closed:
                    if not rt_buffer_grow(&self.owners, (owners + 1) * sizeof(Owner)):
                        return RT_NO_MEMORY
                    owner = <Owner *>self.owners.data + owners
                    owners += 1
                    status = self.try_consumer(known, &used, owner) or self.separator()
            elif 1 <= stage < 4 and is_word(text, size, b"pending"):
                stage = 4
                status = self.open_rows()
                while status == RT_OK and not self.closed:
                    if not rt_buffer_grow(&self.rows, (rows + 1) * sizeof(Row)):
                        return RT_NO_MEMORY
                    row = <Row *>self.rows.data + rows
                    status = self.try_pending(known, &used, row) or self.separator()
                    # Who has an entry that others have too is looked at closely elsewhere.
                    if (status == RT_OK and rows
                            and (row.ms < last_ms or (row.ms == last_ms and row.seq <= last_seq))):
                        return RT_BAD
                    last_ms = row.ms
                    last_seq = row.seq
                    rows += 1
            else:
                return RT_BAD
            if status:
                return status
        if stage < 1:
            return RT_BAD
        status = self.separator()
        if status:
            return status
        closed = self.closed
        names = <Name *>self.names.data
        group.name = self.arena.data + names[name].at
        group.name_size = names[name].size
        sink.begin_group(&group)
        for i in range(owners):
            owner = <Owner *>self.owners.data + i
            consumer.name = self.arena.data + names[owner.name].at
            consumer.name_size = names[owner.name].size
            consumer.pending = names[owner.name].pending
            consumer.has_seen = owner.has_seen
            consumer.seen_at_ms = owner.seen_at_ms
            consumer.has_active = owner.has_active
            consumer.active_at_ms = owner.active_at_ms
            sink.consumer(&consumer)
        for i in range(rows):
            row = <Row *>self.rows.data + i
            pending.ms = row.ms
            pending.seq = row.seq
            pending.owned = row.name >= 0
            pending.consumer = self.arena.data if row.name < 0 else self.arena.data + names[row.name].at
            pending.consumer_size = 0 if row.name < 0 else names[row.name].size
            pending.delivered_at_ms = row.delivered_at_ms
            pending.delivery_count = row.delivery_count
            sink.pending(&pending)
        self.closed = closed
        return sink.end_group()

    cdef int put_name(self, dict known, size_t *used, size_t *number) except -1:
        """Read a name into the arena, where it was not there before; ``number`` becomes its place in the names."""
        cdef Bytes text
        cdef size_t size
        cdef Name *name
        cdef int status = rt_json_octets(&self.c, &self.first, &text, &size)
        if status:
            return status
        key = (<char *>text)[:size]
        found = known.get(key)
        if found is not None:
            number[0] = found
            return RT_OK
        number[0] = len(known) + 1 if used[0] else 0
        known[key] = number[0]
        if not (rt_buffer_grow(&self.names, (number[0] + 1) * sizeof(Name))
                and rt_buffer_grow(&self.arena, used[0] + size + 1)):
            return RT_NO_MEMORY
        name = <Name *>self.names.data + number[0]
        name.at = used[0]
        name.size = size
        name.pending = 0
        memcpy(self.arena.data + used[0], text, size)
        used[0] += size + 1
        return RT_OK

    cdef int try_consumer(self, dict known, size_t *used, Owner *owner) except -1:
        cdef Bytes text
        cdef size_t size
        cdef int status = self.open_member(b"name") or self.put_name(known, used, &owner.name)
        cdef int stage = 0
        owner.has_seen = owner.has_active = False
        owner.seen_at_ms = owner.active_at_ms = 0
        while status == RT_OK:
            status = self.blanks()
            if status == RT_OK and self.c.p[0] == c"}":
                self.c.p += 1
                return RT_OK
            status = status or self.mark(c",") or self.member(&text, &size)
            if status:
                return status
            if stage < 1 and is_word(text, size, b"seen_at_ms"):
                stage = 1
                status = rt_json_null(&self.c)
                if status == RT_BAD:
                    status = rt_json_i64(&self.c, &owner.seen_at_ms)
                    owner.has_seen = True
            elif stage < 2 and is_word(text, size, b"active_at_ms"):
                stage = 2
                status = rt_json_null(&self.c)
                if status == RT_BAD:
                    status = rt_json_i64(&self.c, &owner.active_at_ms)
                    owner.has_active = True
            else:
                return RT_BAD
        return status

    cdef int try_pending(self, dict known, size_t *used, Row *row) except -1:
        cdef size_t name
        cdef int status = self.mark(c"[") or rt_json_id(&self.c, &row.ms, &row.seq) or self.mark(c",")
        if status:
            return status
        status = rt_json_null(&self.c)
        row.name = -1
        if status == RT_BAD:
            status = self.put_name(known, used, &name)
            if status == RT_OK:
                row.name = <int64_t>name
                (<Name *>self.names.data + name).pending += 1
        return (
            status
            or self.mark(c",")
            or rt_json_i64(&self.c, &row.delivered_at_ms)
            or self.mark(c",")
            or rt_json_u64(&self.c, UINT64_MAX, &row.delivery_count)
            or rt_json_mark(&self.c, c"]")
        )
