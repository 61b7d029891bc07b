# Long runs of commands that add to one key, emitted as the record that they make.
#
# A server's rewrite, and our own output, adds to a large collection by thousands of equal commands: SADD, RPUSH, ZADD,
# HMSET, XADD. Their effect is plain: the elements that they name, in this order. So a run is read twice. The first
# reading finds out whether it is plain, up to the first command that is about something else, and declines whatever it
# does not know. Then an engine executes the few commands of the run that matter to what follows (`keeps`), and what
# follows; a sink receives the elements from the file.
#
# A SET of a long string is such a run, of one command. Its value is never held.

from libc.stdint cimport INT32_MAX, UINT64_MAX, int64_t, uint64_t, uint8_t
from libc.string cimport memcmp, memcpy, memmove, memset
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.memoryview cimport PyMemoryView_FromMemory
from rdbtool._codec.decode.cursor cimport Bytes, FORM_RAW, Scratch, grow, release, rt_parse_double
from rdbtool._codec.decode.framing cimport BAD, Reach, Record, SHORT, SOUND, argument, command_head, header
from rdbtool._codec.decode.scores cimport in_doubt
from rdbtool._codec.sink cimport Head, LongString, Sink, StreamTail

from rdbtool.core.errors import InputError

include "../_types.pxi"

cdef extern from "Python.h":
    int PyBUF_WRITE

cdef extern from "escape.h" nogil:
    size_t rt_utf8_cut(const uint8_t *p, size_t n)

#: How a SET begins, up to its key.
cdef const char *LONG_SET = b"*3\r\n$3\r\nSET\r\n"

cdef enum:
    PIECE = 1 << 18             # bytes that are read at once
    LONG = 1 << 20              # bytes from which on a string is long
    LONG_SET_SIZE = 13
    ID_DIGITS = 19              # of each half of an ID: more may overflow, and are declined
    MOST_KEPT = 1 << 22         # entries of a stream that later commands name

#: The verb of a run, and the kind that it makes.
cdef dict VERBS = {
    b"RPUSH": KIND_LIST, b"SADD": KIND_SET, b"ZADD": KIND_ZSET, b"HMSET": KIND_HASH, b"HSET": KIND_HASH,
    b"XADD": KIND_STREAM, b"SET": KIND_STRING,
}

#: Commands that name an entry of a stream, and which of their arguments after the key it is: XCLAIM key group consumer
#: 0 ID …, XNACK key group FAIL IDS 1 ID …, XIDMPRECORD key producer name ID.
cdef dict ID_PLACES = {b"XCLAIM": 3, b"XNACK": 4, b"XIDMPRECORD": 2}


cdef struct EntryId:
    uint64_t ms
    uint64_t seq

cdef struct Words:
    Bytes verb
    uint64_t verb_size
    Bytes key
    uint64_t key_size
    Bytes rest                  # of the command, from its third argument on
    uint64_t count              # arguments there


def find_run(argvs not None, Py_ssize_t start):
    """Return the index from which on all commands may be one run, from ``start`` on; the size of ``argvs`` if none."""
    cdef Py_ssize_t index = len(argvs)
    if index <= start or len(argvs[index - 1]) < 3:
        return index
    verb, key = argvs[index - 1][:2]
    if verb not in VERBS:
        return index
    if verb == b"SET":
        # The scanner left out a long value; it ends its batch.
        return index - 1 if argvs[index - 1][2] is None else index
    while index > start and len(argvs[index - 1]) >= 3 and argvs[index - 1][1] == key and argvs[index - 1][0] == verb:
        index -= 1
    return index


def is_omitted(tuple argv not None):
    """Return whether a command lacks its last argument: it is too long to be held."""
    return argv[len(argv) - 1] is None


cdef inline bint is_same(Bytes p, uint64_t size, bytes word) noexcept:
    return size == <uint64_t>PyBytes_GET_SIZE(word) and memcmp(p, PyBytes_AS_STRING(word), size) == 0


cdef inline bint read_half(Bytes *at, Bytes stop, uint64_t *number) noexcept:
    """Read a number without leading zeros, of at most 19 digits."""
    cdef Bytes p = at[0]
    cdef uint64_t value = 0
    while p < stop and c"0" <= p[0] <= c"9" and p - at[0] < ID_DIGITS:
        value = value * 10 + (p[0] - 48)
        p += 1
    if p == at[0] or (at[0][0] == 48 and p - at[0] > 1):
        return False
    at[0] = p
    number[0] = value
    return True


cdef inline bint read_id(Bytes p, uint64_t size, EntryId *id) noexcept:
    """Read the ID of an entry, as it is written."""
    cdef Bytes stop = p + size
    if not read_half(&p, stop, &id.ms) or p >= stop or p[0] != c"-":
        return False
    p += 1
    return read_half(&p, stop, &id.seq) and p == stop


cdef inline bint is_after(const EntryId *one, const EntryId *other) noexcept:
    return one.ms > other.ms or (one.ms == other.ms and one.seq > other.seq)


cdef class CommandRun:
    cdef object reread
    cdef Scratch buffer
    cdef size_t at                  # of the current command, in the buffer
    cdef size_t filled
    cdef int64_t base               # offset of the buffer
    cdef bint at_end
    cdef int kind
    cdef bytes verb
    cdef bytes key
    cdef readonly int64_t stop
    cdef readonly int64_t settled
    cdef EntryId first
    cdef EntryId last
    cdef uint64_t entries
    cdef set named                  # IDs that later commands name
    cdef bint kept_one
    cdef int64_t value_at           # of the last long string met
    cdef uint64_t value_size
    cdef int64_t emitted_from          # where the second reading begins
    cdef LongString text

    def __init__(self, reread):
        self.reread = reread
        self.named = set()

    def __dealloc__(self):
        release(&self.buffer)

    # ---- reading -------------------------------------------------------------------------------

    cdef int seek(self, int64_t offset) except -1:
        self.base = offset
        self.at = self.filled = 0
        self.at_end = False
        return 0

    cdef int more(self) except -1:
        """Read more after what is left in the buffer."""
        cdef size_t kept = self.filled - self.at
        cdef size_t room = max(kept, <size_t>PIECE)
        cdef Py_ssize_t count
        PyErr_CheckSignals()
        grow(&self.buffer, kept + room)
        memmove(self.buffer.data, self.buffer.data + self.at, kept)
        self.base += <int64_t>self.at
        self.at = 0
        view = PyMemoryView_FromMemory(<char *>self.buffer.data + kept, room, PyBUF_WRITE)
        count = self.reread(view, self.base + <int64_t>kept)
        self.filled = kept + max(count, 0)
        self.at_end = count <= 0
        return 0

    cdef int next_command(self, Words *words) except -2:
        """Read the current command whole: SOUND, SHORT at the end of the file, or BAD."""
        cdef Reach reach
        cdef Record record
        cdef Bytes p
        cdef Bytes text
        cdef uint64_t size, i
        cdef int status
        while True:
            reach.end = self.buffer.data + self.filled
            reach.beyond = 0 if self.at_end else UINT64_MAX
            status = SHORT if self.at == self.filled else command_head(self.buffer.data + self.at, &reach, &record)
            if status == SOUND:
                if record.argc < 2:
                    return BAD
                p = record.first
                for i in range(record.argc):
                    status = argument(&p, &reach, &text, &size)
                    if status != SOUND:
                        break
                    if i == 0:
                        words.verb, words.verb_size = text, size
                    elif i == 1:
                        words.key, words.key_size = text, size
                        words.rest = p
                if status == SOUND:
                    words.count = record.argc - 2
                    self.at = p - self.buffer.data
                    return SOUND
            if status == BAD or self.at_end:
                return status
            self.more()

    cdef bint meets_long_set(self, Words *words) except -1:
        """Whether the current command is a SET of a long string; then its key, and the place and size of the value."""
        cdef Reach reach
        cdef Bytes p
        cdef int status = SHORT
        while True:
            p = self.buffer.data + self.at
            reach.end = self.buffer.data + self.filled
            reach.beyond = UINT64_MAX
            if self.filled - self.at >= LONG_SET_SIZE:
                if memcmp(p, LONG_SET, LONG_SET_SIZE):
                    return False
                p += LONG_SET_SIZE
                status = argument(&p, &reach, &words.key, &words.key_size)
                if status == SOUND:
                    status = header(&p, &reach, c"$", &self.value_size)
            if status != SHORT or self.at_end or self.filled - self.at >= LONG:
                break
            self.more()
        if status != SOUND or self.value_size < LONG:
            return False
        self.value_at = self.base + (p - self.buffer.data)
        return True

    def locate(self, int64_t start):
        """Return offset and size of the value of a SET of a long string."""
        cdef Words words
        self.seek(start)
        if not self.meets_long_set(&words):
            raise InputError("the file changed while it was read")
        return self.value_at, self.value_size

    cdef inline int word(self, Words *words, Bytes *text, uint64_t *size) except -1:
        """Take the next argument of a command that was read whole."""
        cdef Reach reach
        reach.end = self.buffer.data + self.filled
        reach.beyond = 0
        words.count -= 1
        return argument(&words.rest, &reach, text, size)

    # ---- the first time ------------------------------------------------------------------------

    def check(self, int64_t start, Sink sink not None):
        """Return whether the run at an offset adds what it says, and nothing else follows that changes the value.

        A long string is one only for a sink that takes pieces.
        """
        cdef Words words
        cdef int64_t stop
        self.emitted_from = self.stop = start
        self.entries = 0
        self.seek(start)
        if self.meets_long_set(&words):
            self.kind = KIND_STRING
            self.verb = b"SET"
            self.key = (<char *>words.key)[:words.key_size]
            self.emitted_from = self.value_at
            self.text.size = self.value_size
            self.seek(self.value_at + <int64_t>self.value_size + 2)
            self.stop = self.settled = self.base
            if not sink.takes_pieces or sink.asks_utf8:
                return False
            return self.rest_is_plain()
        if self.next_command(&words) != SOUND:
            return False
        self.verb = (<char *>words.verb)[:words.verb_size]
        self.key = (<char *>words.key)[:words.key_size]
        self.kind = VERBS.get(self.verb, -1)
        if self.kind < 0 or self.kind == KIND_STRING:
            return False
        while True:
            if not self.adds(&words):
                return False
            stop = self.base + <int64_t>self.at
            self.stop = self.settled = stop
            if self.meets_long_set(&words):
                break
            if self.next_command(&words) != SOUND:
                return self.at_end and self.at == self.filled
            if not self.belongs(&words):
                self.at = <size_t>(stop - self.base)
                break
        return self.rest_is_plain()

    cdef bint rest_is_plain(self) except -1:
        """Whether the commands from here on that are about the key leave its elements as they are."""
        cdef Words words
        while True:
            self.settled = self.base + <int64_t>self.at
            if self.meets_long_set(&words):
                return not is_same(words.key, words.key_size, self.key)
            if self.next_command(&words) != SOUND:
                return self.at_end and self.at == self.filled
            if not (is_same(words.key, words.key_size, self.key) or self.names_key(words)):
                return True
            if not self.follows(&words):
                return False

    cdef bint belongs(self, Words *words) noexcept:
        return is_same(words.verb, words.verb_size, self.verb) and is_same(words.key, words.key_size, self.key)

    cdef bint names_key(self, Words words) except -1:
        """Whether the third argument is the key: it follows a subcommand."""
        cdef Bytes text
        cdef uint64_t size
        return words.count > 0 and self.word(&words, &text, &size) == SOUND and is_same(text, size, self.key)

    cdef bint adds(self, Words *given) except -1:
        """Whether a command of the run does what its verb says, on every server."""
        cdef Words words = given[0]
        cdef Bytes text
        cdef uint64_t size
        cdef EntryId id
        cdef double score
        if words.count == 0:
            return False
        if self.kind == KIND_LIST or self.kind == KIND_SET:
            return True
        if self.kind == KIND_HASH:
            return words.count % 2 == 0
        if self.kind == KIND_ZSET:
            while words.count >= 2:
                self.word(&words, &text, &size)
                if size == 0 or not rt_parse_double(text, size, &score) or in_doubt(text, size, score):
                    return False
                self.word(&words, &text, &size)
            return words.count == 0
        self.word(&words, &text, &size)
        if words.count == 0 or words.count % 2 or not read_id(text, size, &id):
            return False
        if self.entries == 0:
            self.first = id
            if id.ms == 0 and id.seq == 0:
                return False
        elif not is_after(&id, &self.last):
            return False
        self.last = id
        self.entries += 1
        return True

    cdef bint follows(self, Words *given) except -1:
        """Whether a command about the key leaves its elements as they are."""
        cdef Words words = given[0]
        cdef bytes verb = (<char *>words.verb)[:words.verb_size]
        cdef Bytes text
        cdef uint64_t size, place
        cdef EntryId id
        if verb == b"PEXPIREAT" or verb == b"EXPIREAT":
            return is_same(words.key, words.key_size, self.key)
        if self.kind != KIND_STREAM:
            return False
        if verb in ID_PLACES:
            place = ID_PLACES[verb]
            while words.count:
                self.word(&words, &text, &size)
                if place == 0:
                    if not read_id(text, size, &id):
                        return False
                    self.named.add((id.ms, id.seq))
                    return len(self.named) < MOST_KEPT
                place -= 1
            return False
        return verb in (b"XSETID", b"XGROUP", b"XCFGSET")

    def keeps(self, tuple argv not None):
        """Return whether a command of the run matters to the commands that follow it."""
        cdef EntryId id
        cdef bytes text
        if self.kind != KIND_STREAM:
            # That the key is there, and what it holds.
            kept_before, self.kept_one = self.kept_one, True
            return not kept_before
        text = argv[2]
        if not read_id(<Bytes>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), &id):
            return True
        return (
            (id.ms == self.first.ms and id.seq == self.first.seq)
            or (id.ms == self.last.ms and id.seq == self.last.seq)
            or (id.ms, id.seq) in self.named
        )

    # ---- the second time -----------------------------------------------------------------------

    def emit(self, Sink sink not None, int64_t db, expire_at_ms, tail=None):
        """Emit the key to ``sink``. ``tail(entries)`` is called where the tail of a stream is due."""
        cdef Head head
        cdef Words words
        memset(&head, 0, sizeof(Head))
        head.db = db
        head.key = <Bytes>PyBytes_AS_STRING(self.key)
        head.key_size = PyBytes_GET_SIZE(self.key)
        head.kind = self.kind
        head.type_code = -1
        head.form = FORM_RAW
        head.idle_s = head.freq = head.start = -1
        head.has_expire = expire_at_ms is not None
        if head.has_expire:
            head.expire_at_ms = expire_at_ms
        self.seek(self.emitted_from)
        # The run was read before: what is emitted of it is complete.
        sink.may_spill = True
        sink.extent_ahead.is_known = False
        try:
            sink.begin_key(&head)
            if self.kind == KIND_STRING:
                self.emit_value(sink)
            while self.base + <int64_t>self.at < self.stop:
                if self.next_command(&words) != SOUND or not self.belongs(&words):
                    raise InputError("the file changed while it was read")
                self.emit_words(&words, sink)
            if tail is not None:
                tail(self.entries)
            sink.end_key(NULL, 0, -1)
            sink.commit()
        except BaseException:
            sink.rollback()
            raise
        finally:
            sink.may_spill = False

    cdef int emit_value(self, Sink sink) except -1:
        cdef uint64_t left = self.text.size
        cdef size_t piece
        self.text.packed = 0
        self.text.whole = NULL
        self.text.is_utf8 = False
        sink.begin_string(&self.text)
        while left:
            piece = min(left, <uint64_t>(self.filled - self.at))
            if piece < left:
                # A piece never splits a UTF-8 sequence.
                piece -= rt_utf8_cut(self.buffer.data + self.at, piece)
            if piece:
                sink.string_piece(self.buffer.data + self.at, piece)
                self.at += piece
                left -= piece
                continue
            if self.at_end:
                raise InputError("the file changed while it was read")
            self.more()
        self.at += 2                # the line end
        return sink.end_string()

    cdef int emit_words(self, Words *words, Sink sink) except -1:
        cdef Bytes text
        cdef Bytes other
        cdef uint64_t size, other_size
        cdef EntryId id
        cdef double score
        if self.kind == KIND_STREAM:
            self.word(words, &text, &size)
            read_id(text, size, &id)
            sink.entry(id.ms, id.seq, words.count // 2)
        while words.count:
            self.word(words, &text, &size)
            if self.kind == KIND_LIST or self.kind == KIND_SET:
                sink.element(text, size)
                continue
            self.word(words, &other, &other_size)
            if self.kind == KIND_HASH:
                sink.pair(text, size, other, other_size, -1)
            elif self.kind == KIND_STREAM:
                sink.entry_field(text, size, other, other_size)
            else:
                rt_parse_double(text, size, &score)
                sink.score(other, other_size, score)
        return sink.end_entry() if self.kind == KIND_STREAM else 0


# ---- keys of plain commands ----------------------------------------------------------------------
#
# Most keys of such a file are made by a few commands: SET, or one of the adding ones, then PEXPIREAT. XSETID follows those
# that add to a stream. These keys are emitted from the file, too, without an engine: the effect of the commands is what
# they say if nothing else is about the key.

cdef enum:
    MOST_HELD = 1 << 20         # bytes of the commands of such a key; more is left to others
    EXECUTED = 1 << 18          # bytes that are at least executed where a key is not plain
    TIME_DIGITS = 18
    TAIL_WORDS = 5              # of XSETID after the key: the last ID, ENTRIESADDED number, MAXDELETEDID ID


cdef struct Plain:
    # A command: its verb, its key, and where its other arguments begin.
    int kind                    # KIND_*, PLAIN_…
    Bytes verb
    uint64_t verb_size
    Bytes key
    uint64_t key_size
    Bytes rest
    uint64_t count              # arguments there
    Bytes stop                  # set by `pass_rest`

cdef enum:
    PLAIN_SELECT = -1
    PLAIN_EXPIRY = -2
    PLAIN_TAIL = -3
    PLAIN_OTHER = -4


cdef inline int kind_of_verb(Bytes p, uint64_t size) noexcept nogil:
    if size == 3:
        return KIND_STRING if memcmp(p, b"SET", 3) == 0 else PLAIN_OTHER
    if size == 4:
        if memcmp(p, b"SADD", 4) == 0:
            return KIND_SET
        return KIND_ZSET if memcmp(p, b"ZADD", 4) == 0 else KIND_STREAM if memcmp(p, b"XADD", 4) == 0 else PLAIN_OTHER
    if size == 5:
        return KIND_LIST if memcmp(p, b"RPUSH", 5) == 0 else KIND_HASH if memcmp(p, b"HMSET", 5) == 0 else PLAIN_OTHER
    if size == 6:
        return PLAIN_SELECT if memcmp(p, b"SELECT", 6) == 0 else PLAIN_TAIL if memcmp(p, b"XSETID", 6) == 0 else PLAIN_OTHER
    if size == 9:
        return PLAIN_EXPIRY if memcmp(p, b"PEXPIREAT", 9) == 0 else PLAIN_OTHER
    return PLAIN_OTHER


cdef inline int begin_plain(Bytes p, Reach *reach, Plain *command) noexcept nogil:
    """Read a command up to its key."""
    cdef Record record
    cdef int status = command_head(p, reach, &record)
    if status != SOUND:
        return status
    if record.argc < 2:
        return BAD
    p = record.first
    status = argument(&p, reach, &command.verb, &command.verb_size)
    if status != SOUND:
        return status
    status = argument(&p, reach, &command.key, &command.key_size)
    command.rest = p
    command.count = record.argc - 2
    command.kind = kind_of_verb(command.verb, command.verb_size)
    return status


cdef inline int pass_rest(Reach *reach, Plain *command) noexcept nogil:
    """Pass over the arguments after the key."""
    cdef Bytes p = command.rest
    cdef Bytes text
    cdef uint64_t size, i
    cdef int status
    for i in range(command.count):
        status = argument(&p, reach, &text, &size)
        if status != SOUND:
            return status
    command.stop = p
    return SOUND


cdef inline bint read_digits(Bytes p, uint64_t size, int64_t *number) noexcept nogil:
    """Read a positive number as it is written, or 0."""
    cdef uint64_t i
    cdef int64_t value = 0
    if not 0 < size <= TIME_DIGITS or (p[0] == 48 and size > 1):
        return False
    for i in range(size):
        if not c"0" <= p[i] <= c"9":
            return False
        value = value * 10 + (p[i] - 48)
    number[0] = value
    return True


cdef inline bint has_key(Plain *command, Bytes key, uint64_t size) noexcept nogil:
    return command.key_size == size and memcmp(command.key, key, size) == 0


cdef class PlainKeys(CommandRun):
    """Emits keys that plain commands make, in a file that ``reread(view, at)`` reads from any offset.

    ``has_streams``: the server has them; ``has_counters``: with counters.
    """

    cdef readonly int64_t db
    cdef bint has_streams
    cdef bint has_counters

    def __init__(self, reread, bint has_streams, bint has_counters):
        super().__init__(reread)
        self.has_streams = has_streams
        self.has_counters = has_counters

    def emit_from(self, int64_t start, int64_t db, Sink sink not None, progress=None):
        """Emit the keys from an offset on, which is that of a command for ``db``.

        Return the offset of the first command that was not read, because it is not about a plain key, and the db there.
        ``progress`` is called with the offset.
        """
        cdef int status
        cdef int64_t base
        self.db = db
        self.seek(start)
        while True:
            status = self.emit_key(sink)
            if status == SOUND:
                continue
            if status == BAD or self.at_end or self.filled - self.at >= MOST_HELD:
                return self.base + <int64_t>self.at, self.db
            self.more()
            if progress is not None:
                progress(self.base + <int64_t>self.at)

    cdef int emit_key(self, Sink sink) except -2:
        """Emit the next key, or select the next db: SOUND, SHORT: more has to be read, or BAD: it is not plain."""
        cdef Reach reach
        cdef Plain command, ahead
        cdef Head head
        cdef StreamTail tail
        cdef Bytes start
        cdef Bytes stop             # of the commands that add
        cdef Bytes settled          # and of all about the key
        cdef int64_t number
        cdef Bytes text
        cdef uint64_t size
        cdef int status
        if self.at == self.filled:
            return SHORT
        start = self.buffer.data + self.at
        reach.end = self.buffer.data + self.filled
        reach.beyond = 0 if self.at_end else UINT64_MAX
        status = begin_plain(start, &reach, &command)
        if status != SOUND:
            return status
        if command.kind == PLAIN_SELECT:
            if command.count or not read_digits(command.key, command.key_size, &number) or number > INT32_MAX:
                return BAD
            self.db = number
            self.at = command.rest - self.buffer.data
            return SOUND
        if command.kind < 0 or (command.kind == KIND_STREAM and not self.has_streams):
            return BAD
        memset(&head, 0, sizeof(Head))
        ahead = command
        while True:
            if not self.is_whole(&ahead):
                return BAD
            status = pass_rest(&reach, &ahead)
            if status != SOUND:
                return status
            stop = ahead.stop
            if stop - start >= MOST_HELD:
                return BAD
            status = self.look_ahead(stop, &reach, &ahead)
            if status != SOUND:
                break
            if command.kind == KIND_STRING or ahead.kind != command.kind or not has_key(&ahead, command.key, command.key_size):
                break
        settled = stop
        if command.kind == KIND_STREAM:
            if status == SOUND and not (ahead.kind == PLAIN_TAIL and has_key(&ahead, command.key, command.key_size)):
                return BAD
            if status == SOUND:
                status = self.read_tail(&ahead, &reach, &tail)
            if status != SOUND:
                return status
            settled = ahead.rest
            status = self.look_ahead(settled, &reach, &ahead)
        if status == SOUND and ahead.kind == PLAIN_EXPIRY and has_key(&ahead, command.key, command.key_size):
            text = ahead.rest
            if ahead.count != 1:
                return BAD
            status = argument(&ahead.rest, &reach, &text, &size)
            if status != SOUND:
                return status
            if not read_digits(text, size, &number) or number == 0:
                return BAD
            head.has_expire = True
            head.expire_at_ms = number
            settled = ahead.rest
            status = self.look_ahead(ahead.rest, &reach, &ahead)
        if status == SOUND:
            if has_key(&ahead, command.key, command.key_size):
                return BAD
            if ahead.kind == PLAIN_OTHER and ahead.count:
                # Of XGROUP CREATE and the like, the key is the third argument.
                text = ahead.rest
                status = argument(&text, &reach, &ahead.key, &ahead.key_size)
                if status != SOUND:
                    return status
                if has_key(&ahead, command.key, command.key_size):
                    return BAD
        elif status == BAD or not self.at_end or settled != reach.end:
            return status
        head.db = self.db
        head.key = command.key
        head.key_size = command.key_size
        head.kind = command.kind
        head.type_code = -1
        head.form = FORM_RAW
        head.idle_s = head.freq = head.start = -1
        sink.extent_ahead.is_known = sink.may_spill = False
        try:
            if not self.emit_plain(start, stop, &reach, &head, &tail, sink):
                sink.rollback()
                return BAD
        except BaseException:
            sink.rollback()
            raise
        self.at = settled - self.buffer.data
        return SOUND

    cdef inline int look_ahead(self, Bytes p, Reach *reach, Plain *command) noexcept:
        """Read the beginning of the command at ``p``: SHORT at the end of what was read."""
        return SHORT if p == reach.end else begin_plain(p, reach, command)

    cdef inline bint is_whole(self, Plain *command) noexcept:
        """Whether the number of arguments is that of a plain command."""
        if command.kind == KIND_STRING:
            return command.count == 1
        if command.kind == KIND_STREAM:
            return command.count >= 3 and command.count % 2 == 1
        return command.count > 0 and (command.kind == KIND_LIST or command.kind == KIND_SET or command.count % 2 == 0)

    cdef int read_tail(self, Plain *command, Reach *reach, StreamTail *tail) noexcept:
        """Read what XSETID says of a stream: with the counters, if the server has them."""
        cdef EntryId last, deleted
        cdef int64_t added
        cdef Bytes[TAIL_WORDS] words
        cdef uint64_t[TAIL_WORDS] sizes
        cdef uint64_t i
        cdef int status
        if command.count != (<uint64_t>TAIL_WORDS if self.has_counters else 1):
            return BAD
        for i in range(command.count):
            status = argument(&command.rest, reach, &words[i], &sizes[i])
            if status != SOUND:
                return status
        memset(tail, 0, sizeof(StreamTail))
        tail.version = 3 if self.has_counters else 1
        tail.counted = self.has_counters
        if not read_id(words[0], sizes[0], &last):
            return BAD
        tail.last_ms, tail.last_seq = last.ms, last.seq
        if not self.has_counters:
            return SOUND
        if not is_same(words[1], sizes[1], b"ENTRIESADDED") or not is_same(words[3], sizes[3], b"MAXDELETEDID"):
            return BAD
        if not read_digits(words[2], sizes[2], &added) or not read_id(words[4], sizes[4], &deleted):
            return BAD
        tail.entries_added = added
        tail.max_deleted_ms, tail.max_deleted_seq = deleted.ms, deleted.seq
        # A server refuses it.
        return BAD if is_after(&deleted, &last) else SOUND

    cdef bint emit_plain(self, Bytes p, Bytes stop, Reach *reach, Head *head, StreamTail *tail, Sink sink) except -1:
        """Emit the commands up to ``stop``, which are sound; False: a score or an ID is not plain.

        ``tail`` is that of a stream, without what its entries say.
        """
        cdef Plain command
        cdef Bytes text
        cdef Bytes other
        cdef uint64_t size, other_size, i
        cdef double score
        cdef EntryId id, last
        last.ms = last.seq = 0
        sink.begin_key(head)
        while p < stop:
            begin_plain(p, reach, &command)
            p = command.rest
            if head.kind == KIND_STRING:
                argument(&p, reach, &text, &size)
                sink.string(text, size)
            elif head.kind == KIND_LIST or head.kind == KIND_SET:
                for i in range(command.count):
                    argument(&p, reach, &text, &size)
                    sink.element(text, size)
            elif head.kind == KIND_STREAM:
                argument(&p, reach, &text, &size)
                if not read_id(text, size, &id) or not is_after(&id, &last):
                    return False
                if tail.counted and tail.length == 0:
                    tail.first_ms, tail.first_seq = id.ms, id.seq
                last = id
                tail.length += 1
                sink.entry(id.ms, id.seq, command.count // 2)
                for i in range(command.count // 2):
                    argument(&p, reach, &text, &size)
                    argument(&p, reach, &other, &other_size)
                    sink.entry_field(text, size, other, other_size)
                sink.end_entry()
            else:
                for i in range(command.count // 2):
                    argument(&p, reach, &text, &size)
                    argument(&p, reach, &other, &other_size)
                    if head.kind == KIND_HASH:
                        sink.pair(text, size, other, other_size, -1)
                        continue
                    if size == 0 or not rt_parse_double(text, size, &score) or in_doubt(text, size, score):
                        return False
                    sink.score(other, other_size, score)
        if head.kind == KIND_STREAM:
            id.ms, id.seq = tail.last_ms, tail.last_seq
            # A server refuses such an XSETID.
            if is_after(&last, &id) or (tail.counted and tail.entries_added < tail.length):
                return False
            sink.stream_tail(tail)
        sink.end_key(NULL, 0, -1)
        sink.commit()
        return True

    def find_plain(self, int64_t start):
        """Return the offset of a command, far enough after an offset, that begins a key which may be plain.

        None if there is none, or if a transaction begins before it.
        """
        cdef Words words
        cdef int64_t at
        cdef bytes before = None, named = None, key
        cdef Bytes text
        cdef uint64_t size
        self.seek(start)
        while True:
            at = self.base + <int64_t>self.at
            if self.meets_long_set(&words):
                before = (<char *>words.key)[:words.key_size]
                named = None
                self.seek(self.value_at + <int64_t>self.value_size + 2)
                continue
            if self.next_command(&words) != SOUND:
                return None
            if at - start < EXECUTED:
                continue
            key = (<char *>words.key)[:words.key_size]
            if before is not None and kind_of_verb(words.verb, words.verb_size) >= 0 and key != before and key != named:
                return at
            before = key
            named = None
            if words.count:
                self.word(&words, &text, &size)
                named = (<char *>text)[:size]
