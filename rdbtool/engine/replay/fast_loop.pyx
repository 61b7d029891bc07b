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
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy
from rdbtool._codec.decode.cursor cimport rt_u64_text
from rdbtool.engine.keyspace cimport Db
from rdbtool.engine.replay.watched_keys cimport WatchedKeys
from rdbtool.engine.streams.data cimport EntryId, StreamData, entry_is_before, number_of
from rdbtool.engine.streams.pending cimport PendingEntries
from rdbtool.engine.values cimport HashData, ListData, SetData, ZSetData, pack_entry, plain_score

from rdbtool.engine.streams.arguments import knows

cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object mapping, object key) except? NULL
    PyObject *PyTuple_GET_ITEM(object row, Py_ssize_t at)

cdef extern from "prefetch.h":
    enum:
        PREFETCH_PLACE
        PREFETCH_ENTRY
        PREFETCH_OBJECTS
    void prefetch(object mapping, Py_hash_t hash, int what) noexcept
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


cdef class PlainCommands:
    cdef readonly Py_ssize_t index
    cdef public Py_ssize_t exec_at
    cdef public Py_ssize_t transactions
    cdef public bint compiles
    cdef readonly WatchedKeys watched
    # The key, if it is one only.
    cdef bytes sole

    def __init__(self, WatchedKeys watched=None):
        self.exec_at = -1
        self.compiles = True
        self.watched = watched
        if watched is not None and len(watched.exact) == 1 and not watched.has_patterns:
            self.sole = watched.exact[0]

    def execute(self, engine, list argvs not None, Py_ssize_t start, Py_ssize_t end, dict handlers not None):
        cdef tuple argv
        cdef Known known
        cdef PyObject *found
        cdef Py_ssize_t index = start
        cdef int code
        cdef Db db = engine.db
        cdef bint takes_pxat = engine.takes_pxat
        while index < end:
            self.index = index
            if looks_ahead and index + 3 * AHEAD < end and PyDict_Size(db.keys) > CACHED:
                look_ahead(db, argvs[index + 3 * AHEAD], PREFETCH_PLACE)
                look_ahead(db, argvs[index + 2 * AHEAD], PREFETCH_ENTRY)
                look_ahead(db, argvs[index + AHEAD], PREFETCH_OBJECTS)
            if index == self.exec_at:
                self.exec_at = -1
                self.transactions += 1
                index += 1
                continue
            given = argvs[index]
            argv = <tuple>given if type(given) is tuple else tuple(given)
            found = PyDict_GetItemWithError(handlers, argv[0])
            if found == NULL:
                return index
            known = <Known>found
            if PyTuple_GET_SIZE(argv) < known.least or (self.watched is not None and self.names(argv, known)):
                return index
            code = known.code
            if code == MULTI or code == EXEC:
                if code == EXEC or self.exec_at >= 0 or not self.begin(argvs, index + 1, end, handlers):
                    return index
            elif code <= CONTAINER or not self.compiles or not carry_out(code, engine, db, argv, takes_pxat):
                known.handler(engine, argv)
                db = engine.db
                takes_pxat = engine.takes_pxat
            index += 1
        return end

    cdef inline bint names(self, tuple argv, Known known) except -1:
        """Whether a command names a key that is watched."""
        cdef Py_ssize_t i, size
        cdef const char *key
        if self.sole is None:
            return self.watched.names(argv, known.first, known.last, known.step)
        size = PyBytes_GET_SIZE(self.sole)
        key = PyBytes_AS_STRING(self.sole)
        for i in range(1, PyTuple_GET_SIZE(argv)):
            if is_word(<bytes?>argv[i], key, size):
                return True
        return False

    cdef bint begin(self, list argvs, Py_ssize_t start, Py_ssize_t end, dict handlers) except -1:
        """Whether all of a transaction is there and holds plain commands only; ``exec_at`` is the index of its EXEC."""
        cdef Py_ssize_t index
        cdef PyObject *found
        cdef Known known
        cdef int code
        for index in range(start, end):
            argv = argvs[index]
            found = PyDict_GetItemWithError(handlers, argv[0])
            if found == NULL or len(argv) < (<Known>found).least:
                return False
            known = <Known>found
            if self.watched is not None and self.names(argv if type(argv) is tuple else tuple(argv), known):
                return False
            code = known.code
            if code == EXEC:
                self.exec_at = index
                return True
            if code == MULTI or code == CONTAINER:
                return False
        return False


# ---- arguments and keys ------------------------------------------------------------------------


cdef inline int look_ahead(Db db, argv, int what) except -1:
    """Ask for memory that a coming command will need to find its key."""
    cdef PyObject *key
    if type(argv) is tuple and PyTuple_GET_SIZE(argv) > 1:
        key = PyTuple_GET_ITEM(argv, 1)
        if type(<object>key) is bytes:
            prefetch(db.keys, PyObject_Hash(<object>key), what)
    return 0


cdef inline bint read_int(bytes given, int64_t *number) noexcept:
    """Read a canonical integer of 64 bits."""
    cdef const char *p = PyBytes_AS_STRING(given)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(given), i
    cdef bint is_negative = size > 1 and p[0] == c"-"
    cdef uint64_t total = 0
    if is_negative:
        p += 1
        size -= 1
    if not 1 <= size <= 19 or (p[0] == c"0" and (size > 1 or is_negative)):
        return False
    for i in range(size):
        if not c"0" <= p[i] <= c"9":
            return False
        # 19 digits do not overflow.
        total = total * 10 + <uint64_t>(p[i] - c"0")
    if total > <uint64_t>INT64_MAX + is_negative:
        return False
    number[0] = <int64_t>(0 - total) if is_negative else <int64_t>total
    return True


cdef inline int int_text(int64_t number, char *out) noexcept:
    if number < 0:
        out[0] = c"-"
        return 1 + rt_u64_text(0 - <uint64_t>number, out + 1)
    return rt_u64_text(<uint64_t>number, out)


cdef inline bint add_overflows(int64_t one, int64_t other) noexcept:
    return one > INT64_MAX - other if other > 0 else one < INT64_MIN - other


cdef inline bint is_word(bytes given, const char *word, Py_ssize_t size) noexcept:
    return PyBytes_GET_SIZE(given) == size and memcmp(PyBytes_AS_STRING(given), word, <size_t>size) == 0


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


cdef bint carry_out(int code, engine, Db db, tuple argv, bint takes_pxat) except -1:
    """Execute a command, or return False and leave everything as it is."""
    cdef Py_ssize_t size = PyTuple_GET_SIZE(argv), i
    cdef bytes key = <bytes?>argv[1]
    if code == SET:
        if size == 3:
            db.replace(key, argv[2])
            return True
        return takes_pxat and size == 5 and set_until(db, key, argv)
    if code == DEL:
        for i in range(1, size):
            db.remove(<bytes?>argv[i])
        return True
    if code == INCR:
        return size == 2 and add_to(db, key, 1)
    if code == DECR:
        return size == 2 and add_to(db, key, -1)
    if code == INCRBY or code == DECRBY:
        return size == 3 and add_given(db, key, <bytes?>argv[2], code == DECRBY)
    if code == HSET:
        return size % 2 == 0 and set_fields(db, key, argv)
    if code == ZADD:
        return size % 2 == 0 and add_scores(db, key, argv)
    if code == SADD:
        return add_members(db, key, argv)
    if code == LPUSH or code == RPUSH:
        return push(db, key, argv, code == LPUSH)
    if code == LPOP or code == RPOP:
        return size == 2 and pop(db, key, code == LPOP)
    if code == HINCRBY:
        return size == 4 and add_to_field(db, key, argv)
    if code == ZINCRBY:
        return size == 4 and add_to_score(db, key, argv)
    if code == SREM or code == HDEL or code == ZREM:
        return remove_names(db, key, argv, code)
    if code == ZREMRANGEBYRANK:
        return size == 4 and remove_ranks(db, key, argv)
    if code == LTRIM:
        return size == 4 and trim(db, key, argv)
    if code == LSET:
        return size == 4 and set_element(db, key, argv)
    if code == APPEND:
        return size == 3 and append(db, key, argv[2])
    if code == PEXPIREAT or code == EXPIREAT:
        return size == 3 and expire(db, key, <bytes?>argv[2], 1 if code == PEXPIREAT else 1000, 0)
    if code == PEXPIRE or code == EXPIRE:
        return size == 3 and expire(db, key, <bytes?>argv[2], 1 if code == PEXPIRE else 1000, engine.now_ms)
    if code == XADD:
        return size >= 5 and size % 2 and add_entry(db, key, argv)
    if code == XTRIM:
        return size == 5 and trim_stream(engine, db, key, argv)
    if code == XDEL:
        return delete_entries(db, key, argv)
    if code == XCLAIM:
        return (size == 12 or size == 14) and claim_entry(engine, db, key, argv)
    if code == PERSIST:
        return size == 2 and persist(db, key)
    return False


cdef bint set_until(Db db, bytes key, tuple argv) except -1:
    cdef int64_t when
    if not is_word(<bytes?>argv[3], "PXAT", 4) or not read_int(<bytes?>argv[4], &when) or when <= 0:
        return False
    db.put(key, argv[2])
    PyDict_SetItem(db.expires, key, when)
    return True


cdef bint add_given(Db db, bytes key, bytes given, bint is_less) except -1:
    cdef int64_t step
    if not read_int(given, &step) or (is_less and step == INT64_MIN):
        return False
    return add_to(db, key, -step if is_less else step)


cdef bint add_to(Db db, bytes key, int64_t step) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef int64_t number = 0
    cdef char[32] out
    if value != NULL and (type(<object>value) is not bytes or not read_int(<bytes>value, &number)):
        return False
    if add_overflows(number, step):
        return False
    db.put(key, PyBytes_FromStringAndSize(out, int_text(number + step, out)))
    return True


cdef bint append(Db db, bytes key, more) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    if value == NULL:
        db.put(key, more)
    elif type(<object>value) is bytes and len(<bytes>value) + len(more) <= SHORT:
        db.put(key, <bytes>value + more)
    else:
        return False
    return True


cdef bint expire(Db db, bytes key, bytes given, int64_t unit, int64_t now_ms) except -1:
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


cdef bint push(Db db, bytes key, tuple argv, bint left) except -1:
    data = db.holder(key, ListData)
    if data is None:
        return False
    (<ListData>data).push(argv, 2, left)
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


cdef bint trim(Db db, bytes key, tuple argv) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef int64_t first, last, start, stop
    if not read_int(<bytes?>argv[2], &first) or not read_int(<bytes?>argv[3], &last):
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


cdef bint set_element(Db db, bytes key, tuple argv) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef int64_t index, size
    if value == NULL or type(<object>value) is not ListData or not read_int(<bytes?>argv[2], &index):
        return False
    size = (<ListData>value).p.count
    if not -size <= index < size or not INT32_MIN <= index <= INT32_MAX:
        return False
    (<ListData>value)[<Py_ssize_t>index] = argv[3]
    return True


# ---- sets and hashes


cdef bint add_members(Db db, bytes key, tuple argv) except -1:
    data = db.holder(key, SetData)
    if data is None:
        return False
    (<SetData>data).add_words(argv, 2)
    return True


cdef bint set_fields(Db db, bytes key, tuple argv) except -1:
    data = db.holder(key, HashData)
    if data is None:
        return False
    (<HashData>data).set_words(argv, 2)
    return True


cdef bint remove_names(Db db, bytes key, tuple argv, int code) except -1:
    """Execute SREM, HDEL or ZREM."""
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef Py_ssize_t i, size = PyTuple_GET_SIZE(argv)
    cdef HashData data
    cdef bint is_empty
    if value == NULL:
        return True
    if code == SREM and type(<object>value) is SetData:
        for i in range(2, size):
            (<SetData>value).remove(<bytes?>argv[i])
        is_empty = (<SetData>value).p.live == 0
    elif code == HDEL and type(<object>value) is HashData:
        data = <HashData>value
        for i in range(2, size):
            if data.remove(<bytes?>argv[i]) and data.expires is not None:
                data.forget_expiry(<bytes>argv[i])
        is_empty = data.p.live == 0
    elif code == ZREM and type(<object>value) is ZSetData:
        for i in range(2, size):
            (<ZSetData>value).remove(<bytes?>argv[i])
        is_empty = (<ZSetData>value).p.live == 0
    else:
        return False
    if is_empty:
        db.remove(key)
    return True


cdef bint add_to_field(Db db, bytes key, tuple argv) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef int64_t step, number = 0
    cdef pack_entry entry
    cdef char[32] out
    cdef bytes field = <bytes?>argv[2]
    cdef int size
    if not read_int(<bytes?>argv[3], &step):
        return False
    if value != NULL:
        # With expiries of fields there is more to look at.
        if type(<object>value) is not HashData or (<HashData>value).expires is not None:
            return False
        if (<HashData>value).find(field, &entry):
            given = PyBytes_FromStringAndSize(<const char *>entry.value, <Py_ssize_t>entry.value_size)
            if not read_int(<bytes>given, &number):
                return False
    if add_overflows(number, step):
        return False
    size = int_text(number + step, out)
    (<HashData>db.holder(key, HashData)).set(field, <const uint8_t *>out, <size_t>size)
    return True


# ---- sorted sets


cdef bint add_scores(Db db, bytes key, tuple argv) except -1:
    cdef Py_ssize_t i, count = PyTuple_GET_SIZE(argv) // 2 - 1
    cdef double[FEW] few
    cdef double *scores = few
    cdef double before
    cdef ZSetData zset
    cdef bytes member
    if count > FEW:
        scores = <double *>malloc(<size_t>count * sizeof(double))
        if scores == NULL:
            raise MemoryError
    try:
        for i in range(count):
            if not plain_score(<bytes?>argv[2 + 2 * i], &scores[i]):
                return False
        data = db.holder(key, ZSetData)
        if data is None:
            return False
        zset = <ZSetData>data
        zset.expect(argv, 2)
        for i in range(count):
            member = <bytes?>argv[3 + 2 * i]
            # An equal score is not stored again: it keeps the sign of a zero.
            if not zset.find(member, &before) or before != scores[i]:
                zset.set(member, scores[i])
    finally:
        if scores != few:
            free(scores)
    return True


cdef bint add_to_score(Db db, bytes key, tuple argv) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef bytes member = <bytes?>argv[3]
    cdef double score, before = 0
    cdef bint is_there = False
    if not plain_score(<bytes?>argv[2], &score) or (value != NULL and type(<object>value) is not ZSetData):
        return False
    if value != NULL and (<ZSetData>value).find(member, &before):
        is_there = True
        score += before
        if isnan(score) or (score == 0 and signbit(score)):
            return False
    if not is_there or before != score:
        (<ZSetData>db.holder(key, ZSetData)).set(member, score)
    return True


cdef bint remove_ranks(Db db, bytes key, tuple argv) except -1:
    cdef PyObject *value = PyDict_GetItemWithError(db.keys, key)
    cdef int64_t first, last, start, stop
    if not read_int(<bytes?>argv[2], &first) or not read_int(<bytes?>argv[3], &last):
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


cdef bint read_id(bytes given, EntryId *id) noexcept:
    """Read an ID of the form ``ms-seq``; return whether a text is one."""
    cdef const char *p = PyBytes_AS_STRING(given)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(given), i, digits = 0
    cdef uint64_t number = 0
    cdef bint is_behind = False
    for i in range(size):
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


cdef bint add_entry(Db db, bytes key, tuple argv) except -1:
    cdef StreamData stream = find_stream(db, key)
    cdef EntryId id
    if stream is None or not read_id(<bytes?>argv[2], &id):
        return False
    if not entry_is_before(stream.last.ms, stream.last.seq, id.ms, id.seq):
        return False
    stream.append_tuple(id.ms, id.seq, argv, 3)
    return True


cdef bint trim_stream(engine, Db db, bytes key, tuple argv) except -1:
    cdef StreamData stream = find_stream(db, key)
    cdef int64_t bound
    if stream is None or not is_word(<bytes?>argv[2], "MAXLEN", 6) or not is_word(<bytes?>argv[3], "=", 1):
        return False
    if not read_int(<bytes?>argv[4], &bound) or bound < 0 or not engine.knows(b"XTRIM", b"MAXLEN"):
        return False
    if stream.held.length > <uint64_t>bound:
        stream.cut(stream.held.length - <uint64_t>bound)
    return True


cdef bint delete_entries(Db db, bytes key, tuple argv) except -1:
    cdef StreamData stream = find_stream(db, key)
    cdef Py_ssize_t i
    cdef EntryId id
    if stream is None:
        return False
    for i in range(2, PyTuple_GET_SIZE(argv)):
        if not read_id(<bytes?>argv[i], &id):
            return False
    for i in range(2, PyTuple_GET_SIZE(argv)):
        read_id(<bytes>argv[i], &id)
        stream.remove(id.ms, id.seq)
    return True


cdef bint claim_entry(engine, Db db, bytes key, tuple argv) except -1:
    """Execute XCLAIM in the two forms that servers write: of one entry that is there, for a consumer that is there."""
    cdef StreamData stream = find_stream(db, key)
    cdef PyObject *group
    cdef PyObject *consumer
    cdef EntryId id, last
    cdef int64_t delivered_at_ms, count, now_ms = engine.now_ms
    cdef bint names_last = PyTuple_GET_SIZE(argv) == 14
    if stream is None or not is_word(<bytes?>argv[4], "0", 1) or not read_id(<bytes?>argv[5], &id):
        return False
    if not is_word(<bytes?>argv[6], "TIME", 4) or not read_int(<bytes?>argv[7], &delivered_at_ms):
        return False
    if not is_word(<bytes?>argv[8], "RETRYCOUNT", 10) or not read_int(<bytes?>argv[9], &count) or count < 0:
        return False
    # As they propagate a delivery, and as they rewrite a log.
    if not is_word(<bytes?>argv[10 if names_last else 11], "FORCE", 5):
        return False
    if not is_word(<bytes?>argv[11 if names_last else 10], "JUSTID", 6):
        return False
    if names_last and not (is_word(<bytes?>argv[12], "LASTID", 6) and read_id(<bytes?>argv[13], &last)):
        return False
    group = PyDict_GetItemWithError(stream.groups, argv[2])
    if group == NULL or not stream.holds(id.ms, id.seq):
        return False
    consumer = PyDict_GetItemWithError((<object>group).consumers, argv[3])
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
