# The loop over an AOF's plain commands: those with known names and enough arguments, and transactions of such.
#
# Compiled, because it runs once for every command of an AOF. The commands that AOFs hold the most of are carried out
# here in their plainest forms: known words, canonical numbers, a key of the right type, nothing on which servers
# differ. On anything else a compiled command declines before it changes something, and its handler, which is the
# reference, executes it.

from cython cimport final
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_Contains, PyDict_SetItem, PyDict_Size
from cpython.object cimport PyObject, PyObject_Hash
from cpython.tuple cimport PyTuple_GET_SIZE
from libc.math cimport isnan, signbit
from libc.stdint cimport INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy
from rdbtool._codec.decode.cursor cimport rt_u64_text
from rdbtool._codec.decode.raw_commands cimport Head, RawCommands, Word
from rdbtool.engine.keyspace cimport Db
from rdbtool.engine.replay.watched_keys cimport WatchedKeys
from rdbtool.engine.streams.data cimport EntryId, StreamData, entry_is_before, number_of
from rdbtool.engine.streams.pending cimport PendingEntries
from rdbtool.engine.values cimport (
    HashData, ListData, SetData, ZSetData, bytes_of, pack_entry, pack_filter, plain_score, read_int, word_of
)

from rdbtool.engine.streams.arguments import knows

cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object mapping, object key) except? NULL
    PyObject *PyTuple_GET_ITEM(object row, Py_ssize_t at)

cdef extern from "prefetch.h":
    void prefetch(object mapping, Py_hash_t hash, int step) noexcept
    int prefetch_fits() except -1

cdef bint looks_ahead = prefetch_fits()

#: Whether memory that commands will need is asked for in advance: it takes knowing how this Python lays out its dicts.
LOOKS_AHEAD = bool(looks_ahead)

cdef enum:
    NONE
    MULTI
    EXEC
    CONTAINER
    SET
    DEL
    INCR
    DECR
    INCRBY
    DECRBY
    APPEND
    EXPIRE
    PEXPIRE
    EXPIREAT
    PEXPIREAT
    PERSIST
    LPUSH
    RPUSH
    LPOP
    RPOP
    LTRIM
    LSET
    SADD
    SREM
    HSET
    HDEL
    HINCRBY
    ZADD
    ZINCRBY
    ZREM
    ZREMRANGEBYRANK
    XADD
    XTRIM
    XDEL
    XCLAIM
    # Strings up to this size are ``bytes`` (``SHORT`` of rdbtool.engine.commands.strings).
    SHORT = 1024
    # Scores of one ZADD that need no memory of their own.
    FEW = 32
    # Keys up to which a lookup finds most in a cache.
    CACHED = 8192
    # Commands between two steps of looking ahead.
    AHEAD = 4

#: What the loop has for a command, by the name of its row.
CODES = {
    "SET": SET, "DEL": DEL, "UNLINK": DEL, "INCR": INCR, "DECR": DECR, "INCRBY": INCRBY, "DECRBY": DECRBY,
    "APPEND": APPEND, "EXPIRE": EXPIRE, "PEXPIRE": PEXPIRE, "EXPIREAT": EXPIREAT, "PEXPIREAT": PEXPIREAT,
    "PERSIST": PERSIST, "LPUSH": LPUSH, "RPUSH": RPUSH, "LPOP": LPOP, "RPOP": RPOP, "LTRIM": LTRIM, "LSET": LSET,
    "SADD": SADD, "SREM": SREM, "HSET": HSET, "HMSET": HSET, "HDEL": HDEL, "HINCRBY": HINCRBY, "ZADD": ZADD,
    "ZINCRBY": ZINCRBY, "ZREM": ZREM, "ZREMRANGEBYRANK": ZREMRANGEBYRANK, "XADD": XADD, "XTRIM": XTRIM, "XDEL": XDEL,
    "XCLAIM": XCLAIM,
}

#: Codes of entries that are no commands of the engine: a transaction's ends, and names with subcommands.
AT_MULTI, AT_EXEC, AT_CONTAINER = MULTI, EXEC, CONTAINER


@final
cdef class Known:
    cdef readonly object handler
    cdef readonly Py_ssize_t least
    cdef readonly int code
    cdef Py_ssize_t first
    cdef Py_ssize_t last
    cdef Py_ssize_t step

    def __init__(self, handler, Py_ssize_t least, int code, keys=(0, 0, 0)):
        self.handler = handler
        self.least = least
        self.code = code
        self.first, self.last, self.step = keys


cdef struct Command:
    PyObject *name              # all borrowed
    const Word *words
    Py_ssize_t count            # of words
    PyObject *argv              # their tuple, NULL: not made yet


cdef class PlainCommands:
    cdef readonly Py_ssize_t index
    cdef public Py_ssize_t exec_at
    cdef public Py_ssize_t transactions
    cdef public bint compiles
    cdef readonly WatchedKeys watched
    # The key, if it is one only.
    cdef bytes sole
    # The tuple of a command that was in another form, and the words of any that is one.
    cdef tuple argv
    cdef Word *words
    cdef Py_ssize_t room

    def __init__(self, WatchedKeys watched=None):
        self.exec_at = -1
        self.compiles = True
        self.watched = watched
        if watched is not None and len(watched.exact) == 1 and not watched.has_patterns:
            self.sole = watched.exact[0]

    def __dealloc__(self):
        free(self.words)

    def execute(self, engine, argvs not None, Py_ssize_t start, Py_ssize_t end, dict handlers not None):
        cdef RawCommands raw = <RawCommands>argvs if type(argvs) is RawCommands else None
        cdef list rows = None if raw is not None else <list?>argvs
        cdef Command command
        cdef Known known
        cdef PyObject *found
        cdef PyObject *key
        cdef Py_ssize_t index = start
        cdef int code
        cdef Db db = engine.db
        cdef bint takes_pxat = engine.takes_pxat
        if not 0 <= start <= end <= len(argvs):
            raise IndexError("there are not so many commands")
        while index < end:
            self.index = index
            if looks_ahead and index + 4 * AHEAD < end and PyDict_Size(db.keys) > CACHED:
                look_ahead(db, key_at(raw, rows, index + 4 * AHEAD), 0)
                look_ahead(db, key_at(raw, rows, index + 3 * AHEAD), 1)
                look_ahead(db, key_at(raw, rows, index + 2 * AHEAD), 2)
                look_ahead(db, key_at(raw, rows, index + AHEAD), 3)
            if index == self.exec_at:
                self.exec_at = -1
                self.transactions += 1
                index += 1
                continue
            self.read(raw, rows, index, &command)
            found = PyDict_GetItemWithError(handlers, <object>command.name)
            if found == NULL:
                return index
            known = <Known>found
            if command.count < known.least or (self.watched is not None and self.names(&command, known)):
                return index
            code = known.code
            if code == MULTI or code == EXEC:
                if code == EXEC or self.exec_at >= 0 or not self.begin(raw, rows, index + 1, end, handlers):
                    return index
                index += 1
                continue
            if code > CONTAINER and self.compiles and command.count > 1:
                key = raw.key(index) if command.argv == NULL else PyTuple_GET_ITEM(<object>command.argv, 1)
                if carry_out(code, engine, db, <bytes?><object>key, &command, takes_pxat):
                    if raw is not None:
                        raw.drop_key(index)
                    index += 1
                    continue
            if command.argv == NULL:
                command.argv = raw.argv(index)
            known.handler(engine, <object>command.argv)
            db = engine.db
            takes_pxat = engine.takes_pxat
            index += 1
        return end

    cdef int read(self, RawCommands raw, list rows, Py_ssize_t index, Command *command) except -1:
        """Read the command at an index; what is read holds until the next one is."""
        cdef Head *head
        cdef Py_ssize_t size, i
        cdef Word *words
        if raw is not None:
            head = &raw.heads[index]
            if head.count:
                command.name = head.name
                command.words = raw.words + head.first
                command.count = head.count
                command.argv = head.argv
                return 0
            given = <object>head.argv
        else:
            given = rows[index]
        # A tuple is held by the batch that it is in, for as long as it is needed: some are large.
        if type(given) is not tuple:
            given = self.argv = tuple(given)
        size = PyTuple_GET_SIZE(given)
        if size == 0:
            raise IndexError("a command has a name")
        if size > self.room:
            words = <Word *>realloc(self.words, <size_t>size * sizeof(Word))
            if words == NULL:
                raise MemoryError
            self.words = words
            self.room = size
        for i in range(size):
            self.words[i] = word_of(<bytes?><object>PyTuple_GET_ITEM(given, i))
        command.argv = <PyObject *>given
        command.name = PyTuple_GET_ITEM(given, 0)
        command.words = self.words
        command.count = size
        return 0

    cdef inline bint names(self, Command *command, Known known) except -1:
        """Whether a command names a key that is watched."""
        cdef Py_ssize_t i, size
        cdef const char *key
        if self.sole is None:
            return self.watched.names(command.words, command.count, known.first, known.last, known.step)
        size = PyBytes_GET_SIZE(self.sole)
        key = PyBytes_AS_STRING(self.sole)
        for i in range(1, command.count):
            if is_word(command.words[i], key, <size_t>size):
                return True
        return False

    cdef bint begin(self, RawCommands raw, list rows, Py_ssize_t start, Py_ssize_t end, dict handlers) except -1:
        """Whether all of a transaction is there and holds plain commands only; ``exec_at`` is the index of its EXEC."""
        cdef Command command
        cdef Py_ssize_t index
        cdef PyObject *found
        cdef Known known
        cdef int code
        for index in range(start, end):
            self.read(raw, rows, index, &command)
            found = PyDict_GetItemWithError(handlers, <object>command.name)
            if found == NULL or command.count < (<Known>found).least:
                return False
            known = <Known>found
            if self.watched is not None and self.names(&command, known):
                return False
            code = known.code
            if code == EXEC:
                self.exec_at = index
                return True
            if code == MULTI or code == CONTAINER:
                return False
        return False


# ---- arguments and keys ------------------------------------------------------------------------


cdef inline PyObject *key_at(RawCommands raw, list rows, Py_ssize_t index) except? NULL:
    """Return the second word of a command (borrowed), NULL where it has none, or is no tuple."""
    if raw is not None:
        return raw.key(index)
    argv = rows[index]
    return PyTuple_GET_ITEM(argv, 1) if type(argv) is tuple and PyTuple_GET_SIZE(argv) > 1 else NULL


cdef inline int look_ahead(Db db, PyObject *key, int step) except -1:
    """Ask for memory that a coming command will need to find its key."""
    if key != NULL and type(<object>key) is bytes:
        prefetch(db.keys, PyObject_Hash(<object>key), step)
    return 0


cdef inline bytes object_of(Command *command, Py_ssize_t at):
    """Return a word as an object."""
    if command.argv != NULL:
        return <bytes><object>PyTuple_GET_ITEM(<object>command.argv, at)
    return bytes_of(command.words[at])


cdef inline int int_text(int64_t number, char *out) noexcept:
    if number < 0:
        out[0] = c"-"
        return 1 + rt_u64_text(0 - <uint64_t>number, out + 1)
    return rt_u64_text(<uint64_t>number, out)


cdef inline bint add_overflows(int64_t one, int64_t other) noexcept:
    return one > INT64_MAX - other if other > 0 else one < INT64_MIN - other


cdef inline bint is_word(Word given, const char *word, size_t size) noexcept:
    return given.size == size and memcmp(given.text, word, size) == 0


cdef inline bint find_ranks(int64_t first, int64_t last, int64_t size, int64_t *start, int64_t *stop) noexcept:
    """Find the slice that inclusive indexes from either end mean; whether it holds anything."""
    if first < 0:
        first = first + size if first > -size else 0
    if last < 0:
        if last < -size:
            return False
        last += size
    start[0] = first
    stop[0] = last + 1 if last < size else size
    return start[0] < stop[0]


# ---- the commands ------------------------------------------------------------------------------


cdef bint carry_out(int code, engine, Db db, bytes key, Command *command, bint takes_pxat) except -1:
    """Execute a command, or return False and leave everything as it is."""
    cdef const Word *words = command.words
    cdef Py_ssize_t size = command.count, i
    if code == SET:
        if size == 3:
            db.replace(key, object_of(command, 2))
            return True
        return takes_pxat and size == 5 and set_until(db, key, command)
    if code == DEL:
        db.remove(key)
        for i in range(2, size):
            db.remove(object_of(command, i))
        return True
    if code == INCR:
        return size == 2 and add_to(db, key, 1)
    if code == DECR:
        return size == 2 and add_to(db, key, -1)
    if code == INCRBY or code == DECRBY:
        return size == 3 and add_given(db, key, words[2], code == DECRBY)
    if code == HSET:
        return size % 2 == 0 and set_fields(db, key, words, size)
    if code == ZADD:
        return size % 2 == 0 and add_scores(db, key, words, size)
    if code == SADD:
        return add_members(db, key, words, size)
    if code == LPUSH or code == RPUSH:
        return push(db, key, words, size, code == LPUSH)
    if code == LPOP or code == RPOP:
        return size == 2 and pop(db, key, code == LPOP)
    if code == HINCRBY:
        return size == 4 and add_to_field(db, key, words)
    if code == ZINCRBY:
        return size == 4 and add_to_score(db, key, words)
    if code == SREM or code == HDEL or code == ZREM:
        return remove_names(db, key, words, size, code)
    if code == ZREMRANGEBYRANK:
        return size == 4 and remove_ranks(db, key, words)
    if code == LTRIM:
        return size == 4 and trim(db, key, words)
    if code == LSET:
        return size == 4 and set_element(db, key, words)
    if code == APPEND:
        return size == 3 and append(db, key, object_of(command, 2))
    if code == PEXPIREAT or code == EXPIREAT:
        return size == 3 and expire(db, key, words[2], 1 if code == PEXPIREAT else 1000, 0)
    if code == PEXPIRE or code == EXPIRE:
        return size == 3 and expire(db, key, words[2], 1 if code == PEXPIRE else 1000, engine.now_ms)
    if code == XADD:
        return size >= 5 and size % 2 and add_entry(db, key, words, size)
    if code == XTRIM:
        return size == 5 and trim_stream(engine, db, key, words)
    if code == XDEL:
        return delete_entries(db, key, words, size)
    if code == XCLAIM:
        return (size == 12 or size == 14) and claim_entry(engine, db, key, command)
    if code == PERSIST:
        return size == 2 and persist(db, key)
    return False


cdef bint set_until(Db db, bytes key, Command *command) except -1:
    cdef int64_t when
    if not is_word(command.words[3], "PXAT", 4) or not read_int(command.words[4], &when) or when <= 0:
        return False
    db.put(key, object_of(command, 2))
    PyDict_SetItem(db.expires, key, when)
    return True


cdef bint add_given(Db db, bytes key, Word given, bint is_less) except -1:
    cdef int64_t step
    if not read_int(given, &step) or (is_less and step == INT64_MIN):
        return False
    return add_to(db, key, -step if is_less else step)


cdef bint add_to(Db db, bytes key, int64_t step) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef int64_t number = 0
    cdef char[32] out
    if value != NULL and (type(<object>value) is not bytes or not read_int(word_of(<bytes>value), &number)):
        return False
    if add_overflows(number, step):
        return False
    db.put(key, PyBytes_FromStringAndSize(out, int_text(number + step, out)))
    return True


cdef bint append(Db db, bytes key, bytes more) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    if value == NULL:
        db.put(key, more)
    elif type(<object>value) is bytes and len(<bytes>value) + len(more) <= SHORT:
        db.put(key, <bytes>value + more)
    else:
        return False
    return True


cdef bint expire(Db db, bytes key, Word given, int64_t unit, int64_t now_ms) except -1:
    cdef int64_t when
    # A time far from the edges of 64 bits; -1 is how servers note that there is none.
    if not read_int(given, &when) or not -(1 << 50) < when < 1 << 50 or not 0 <= now_ms < 1 << 50:
        return False
    when = when * unit + now_ms
    if when == -1:
        return False
    if PyDict_Contains(db.keys, key):
        PyDict_SetItem(db.expires, key, when)
    return True


cdef bint persist(Db db, bytes key) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    if value == NULL or type(<object>value) is bytes:
        db.expires.pop(key, None)
        return True
    return False


# ---- lists


cdef bint push(Db db, bytes key, const Word *words, Py_ssize_t size, bint left) except -1:
    data = db.holder(key, ListData)
    if data is None:
        return False
    (<ListData>data).push(words + 2, size - 2, left)
    return True


cdef bint pop(Db db, bytes key, bint left) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef ListData data
    if value == NULL:
        return True
    if type(<object>value) is not ListData:
        return False
    data = <ListData>value
    data.cut(1 if left else 0, data.p.count if left else data.p.count - 1)
    if not data.p.live:
        db.remove(key)
    return True


cdef bint trim(Db db, bytes key, const Word *words) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef int64_t first, last, start, stop
    if not read_int(words[2], &first) or not read_int(words[3], &last):
        return False
    if value == NULL:
        return True
    if type(<object>value) is not ListData:
        return False
    if find_ranks(first, last, (<ListData>value).p.count, &start, &stop):
        (<ListData>value).cut(<uint32_t>start, <uint32_t>stop)
    else:
        db.remove(key)
    return True


cdef bint set_element(Db db, bytes key, const Word *words) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef int64_t index, size
    if value == NULL or type(<object>value) is not ListData or not read_int(words[2], &index):
        return False
    size = (<ListData>value).p.count
    if not -size <= index < size or not INT32_MIN <= index <= INT32_MAX:
        return False
    (<ListData>value).replace(<Py_ssize_t>index, words[3])
    return True


# ---- sets and hashes


cdef bint add_members(Db db, bytes key, const Word *words, Py_ssize_t size) except -1:
    data = db.holder(key, SetData)
    if data is None:
        return False
    (<SetData>data).add_words(words + 2, size - 2)
    return True


cdef bint set_fields(Db db, bytes key, const Word *words, Py_ssize_t size) except -1:
    data = db.holder(key, HashData)
    if data is None:
        return False
    (<HashData>data).set_words(words + 2, size - 2)
    return True


cdef bint remove_names(Db db, bytes key, const Word *words, Py_ssize_t size, int code) except -1:
    """Execute SREM, HDEL or ZREM."""
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef Py_ssize_t i
    cdef HashData data
    cdef bint is_empty
    if value == NULL:
        return True
    if code == SREM and type(<object>value) is SetData:
        for i in range(2, size):
            (<SetData>value).remove(words[i])
        is_empty = (<SetData>value).p.live == 0
    elif code == HDEL and type(<object>value) is HashData:
        data = <HashData>value
        for i in range(2, size):
            if data.remove(words[i]) and data.expires is not None:
                data.forget_expiry(bytes_of(words[i]))
        is_empty = data.p.live == 0
    elif code == ZREM and type(<object>value) is ZSetData:
        for i in range(2, size):
            (<ZSetData>value).remove(words[i])
        is_empty = (<ZSetData>value).p.live == 0
    else:
        return False
    if is_empty:
        db.remove(key)
    return True


cdef bint add_to_field(Db db, bytes key, const Word *words) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef int64_t step, number = 0
    cdef pack_entry entry
    cdef char[32] out
    cdef Word given
    if not read_int(words[3], &step):
        return False
    if value != NULL:
        # With expiries of fields there is more to look at.
        if type(<object>value) is not HashData or (<HashData>value).expires is not None:
            return False
        if (<HashData>value).find(words[2], &entry):
            if not read_int(Word(entry.value, entry.value_size), &number):
                return False
    if add_overflows(number, step):
        return False
    given = Word(<const uint8_t *>out, <size_t>int_text(number + step, out))
    (<HashData>db.holder(key, HashData)).set(words[2], given, NULL)
    return True


# ---- sorted sets


cdef bint add_scores(Db db, bytes key, const Word *words, Py_ssize_t size) except -1:
    cdef Py_ssize_t i, count = size // 2 - 1
    cdef double[FEW] few
    cdef double *scores = few
    cdef ZSetData zset
    cdef pack_filter room
    cdef pack_filter *filter
    if count > FEW:
        scores = <double *>malloc(<size_t>count * sizeof(double))
        if scores == NULL:
            raise MemoryError
    try:
        for i in range(count):
            if not plain_score(words[2 + 2 * i], &scores[i]):
                return False
        data = db.holder(key, ZSetData)
        if data is None:
            return False
        zset = <ZSetData>data
        filter = zset.expect(words + 2, size - 2, &room)
        for i in range(count):
            # An equal score is not stored again: it keeps the sign of a zero.
            zset.set(words[3 + 2 * i], scores[i], False, filter)
    finally:
        if scores != few:
            free(scores)
    return True


cdef bint add_to_score(Db db, bytes key, const Word *words) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef Word member = words[3]
    cdef double score, before = 0
    if not plain_score(words[2], &score) or (value != NULL and type(<object>value) is not ZSetData):
        return False
    if value != NULL and (<ZSetData>value).find(member, &before):
        score += before
        if isnan(score) or (score == 0 and signbit(score)):
            return False
    (<ZSetData>db.holder(key, ZSetData)).set(member, score, False, NULL)
    return True


cdef bint remove_ranks(Db db, bytes key, const Word *words) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef int64_t first, last, start, stop
    if not read_int(words[2], &first) or not read_int(words[3], &last):
        return False
    if value == NULL:
        return True
    if type(<object>value) is not ZSetData:
        return False
    if find_ranks(first, last, (<ZSetData>value).p.live, &start, &stop):
        (<ZSetData>value).cut(<Py_ssize_t>start, <Py_ssize_t>stop, None)
        if not (<ZSetData>value).p.live:
            db.remove(key)
    return True


# ---- streams


cdef bint read_id(Word given, EntryId *id) noexcept:
    """Read an ID of the form ``ms-seq``; return whether a text is one."""
    cdef const uint8_t *p = given.text
    cdef size_t i
    cdef int digits = 0
    cdef uint64_t number = 0
    cdef bint is_behind = False
    for i in range(given.size):
        if c"0" <= p[i] <= c"9":
            # 19 digits do not overflow.
            digits += 1
            if digits > 19:
                return False
            number = number * 10 + <uint64_t>(p[i] - c"0")
        elif p[i] == c"-" and digits and not is_behind:
            is_behind = True
            id.ms = number
            number = 0
            digits = 0
        else:
            return False
    id.seq = number
    return is_behind and digits > 0


cdef StreamData find_stream(Db db, bytes key):
    """Return the stream of a key that has its counters, else None."""
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    if value == NULL or type(<object>value) is not StreamData or not (<StreamData>value).is_counted:
        return None
    return <StreamData>value


cdef bint add_entry(Db db, bytes key, const Word *words, Py_ssize_t size) except -1:
    cdef StreamData stream = find_stream(db, key)
    cdef EntryId id
    if stream is None or not read_id(words[2], &id):
        return False
    if not entry_is_before(stream.last.ms, stream.last.seq, id.ms, id.seq):
        return False
    stream.append_words(id.ms, id.seq, &words[3], <size_t>(size - 3) // 2)
    return True


cdef bint trim_stream(engine, Db db, bytes key, const Word *words) except -1:
    cdef StreamData stream = find_stream(db, key)
    cdef int64_t bound
    if stream is None or not is_word(words[2], "MAXLEN", 6) or not is_word(words[3], "=", 1):
        return False
    if not read_int(words[4], &bound) or bound < 0 or not engine.knows(b"XTRIM", b"MAXLEN"):
        return False
    if stream.held.length > <uint64_t>bound:
        stream.cut(stream.held.length - <uint64_t>bound)
    return True


cdef bint delete_entries(Db db, bytes key, const Word *words, Py_ssize_t size) except -1:
    cdef StreamData stream = find_stream(db, key)
    cdef Py_ssize_t i
    cdef EntryId id
    if stream is None:
        return False
    for i in range(2, size):
        if not read_id(words[i], &id):
            return False
    for i in range(2, size):
        read_id(words[i], &id)
        stream.remove(id.ms, id.seq)
    return True


cdef bint claim_entry(engine, Db db, bytes key, Command *command) except -1:
    """Execute XCLAIM in the two forms that servers write: of one entry that is there, for a consumer that is there."""
    cdef StreamData stream = find_stream(db, key)
    cdef const Word *words = command.words
    cdef PyObject *group
    cdef PyObject *consumer
    cdef EntryId id, last
    cdef int64_t delivered_at_ms, count, now_ms = engine.now_ms
    cdef bint names_last = command.count == 14
    if stream is None or not is_word(words[4], "0", 1) or not read_id(words[5], &id):
        return False
    if not is_word(words[6], "TIME", 4) or not read_int(words[7], &delivered_at_ms):
        return False
    if not is_word(words[8], "RETRYCOUNT", 10) or not read_int(words[9], &count) or count < 0:
        return False
    # As they propagate a delivery, and as they rewrite an AOF.
    if not is_word(words[10 if names_last else 11], "FORCE", 5):
        return False
    if not is_word(words[11 if names_last else 10], "JUSTID", 6):
        return False
    if names_last and not (is_word(words[12], "LASTID", 6) and read_id(words[13], &last)):
        return False
    group = PyDict_GetItemWithError(stream.groups, object_of(command, 2))
    if group == NULL or not stream.holds(id.ms, id.seq):
        return False
    consumer = PyDict_GetItemWithError((<object>group).consumers, object_of(command, 3))
    if consumer == NULL:
        return False
    if names_last:
        last_id = number_of(last.ms, last.seq)
        if last_id > (<object>group).last_id:
            (<object>group).last_id = last_id
    (<object>consumer).seen_at_ms = now_ms
    if knows(engine.rules, (7, 2)):
        (<object>consumer).active_at_ms = now_ms
    # Servers take a time that cannot be for now.
    if not 0 <= delivered_at_ms <= now_ms:
        delivered_at_ms = now_ms
    (<PendingEntries?>(<object>group).pending).put(id.ms, id.seq, <object>consumer, delivered_at_ms, <uint64_t>count)
    return True
