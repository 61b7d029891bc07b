# RESP encoder: commands that rebuild the data, ready for `redis-cli --pipe`.
#
# Commands are those of the servers' own AOF rewrite (format C6), with at most 64 elements each, fewer if they are
# large, for the given target server, by default by the version of the source. Module values exist as RESTORE payloads
# only.

from libc.stdint cimport int64_t, uint64_t, uint8_t
from libc.string cimport memcpy
from rdbtool._codec.decode.cursor cimport Bytes, grow, rt_double_text, rt_i64_text, rt_u64_text
from rdbtool._codec.encode.encoder cimport LARGE
from rdbtool._codec.encode.resp_streams cimport StreamCommands
from rdbtool._codec.encode.resp_words cimport BATCH, BATCH_OCTETS, payload_of
from rdbtool._codec.sink cimport ASKS_GONE, ArrayItem, Head, ITEM_DOUBLE, ITEM_INT, LongString

from rdbtool._codec.room import NoResultError
from rdbtool.core.servers import server_of
from rdbtool.model.items import Aux, FunctionLibrary
from rdbtool.core.rdb_types import SCRIPT_AUX

include "../_types.pxi"

#: The default limit of servers for an argument, in bytes: proto-max-bulk-len.
LONGEST_ARGUMENT = 512 << 20

cdef enum:
    LAST_WITHOUT_REPLACE = 6    # RDB version


cdef class Resp(StreamCommands):
    """Commands that rebuild the data. ``restore``: RESTORE payloads instead; ``replace``: replace existing keys.

    Payloads are the values as the source stores them. One of more than ``largest`` bytes is not written: ``on_large``
    is called with db, key, expiry (Unix ms, None) and the payload, after all commands before it were written. An
    argument of more is written, and ``on_long`` called with db, key and size, once a key. With ``version`` the commands
    are those of a target: ``release`` (family, major, minor), or the first server that wrote RDBs of that ``magic`` and
    ``version``. A ``TargetFilter`` has to drop what its commands cannot express.
    """

    cdef bint restore
    cdef bint replace
    cdef bint in_milliseconds       # expiry times
    cdef bint variadic              # several elements per command, also for other types than hashes
    cdef bint fields_at_once        # a field that expires is set together with its expiry
    cdef int target_version         # of payloads
    cdef Head head
    cdef list late                  # field expiries: commands that follow the hash
    cdef list members               # member expiries, as KeyDB commands
    cdef bint is_bare               # the stored value has no field expiries
    cdef size_t largest             # payload, argument
    cdef size_t collected           # an argument of more is written at once
    cdef object on_large
    cdef object on_long
    cdef bint is_reported           # the current key, to it

    def __init__(self, write, *, bint restore=False, bint replace=False, str magic="REDIS", version=None,
                 release=None, on_large=None, on_long=None, largest=LONGEST_ARGUMENT):
        super().__init__(write)
        self.largest = largest
        self.collected = min(<size_t>LARGE - 1, self.largest)
        self.on_long = on_long
        self.on_large = on_large
        self.restore = restore
        self.takes_pieces = not restore
        self.asks_extent = ASKS_GONE
        self.divides = True
        self.replace = replace
        self.in_milliseconds = self.variadic = True
        self.has_counters = self.creates_idle = True
        if version is not None:
            self.aim(version, server_of(magic, version, release))

    cdef int aim(self, int version, server) except -1:
        """Choose the commands of a server."""
        self.targeted = True
        self.target_version = version
        self.in_milliseconds = server.has((2, 6))
        self.variadic = server.has((2, 4))
        self.has_counters = self.creates_all = server.has((7, 0))
        self.creates_idle = server.has((6, 2))
        self.fields_at_once = server.family == "valkey"
        return 0

    def begin_range(self, room, db):
        """Write into ``room`` what follows commands for ``db``."""
        StreamCommands.begin_range(self, room, db)
        self.db = self.committed_db = db

    def end_range(self):
        """Return the db."""
        StreamCommands.end_range(self)
        return self.db

    def add_range(self, result, room):
        """Add commands after others for their db; the first ones have to come from the reader."""
        if room.used and self.db != result:
            return False
        return StreamCommands.add_range(self, result, room)

    # ---- events --------------------------------------------------------------------------------

    cdef int item(self, object item) except -1:
        cdef bytes code
        if isinstance(item, Aux) and item.key == SCRIPT_AUX:
            code = item.value
            self.command(b"SCRIPT", 3)
            self.word(b"LOAD")
            self.bulk(<Bytes>(<char *>code), len(code))
            self.commit()
        elif isinstance(item, FunctionLibrary) and item.released:
            code = item.code
            self.command(b"FUNCTION", 4 if self.replace else 3)
            self.word(b"LOAD")
            if self.replace:
                self.word(b"REPLACE")
            self.bulk(<Bytes>(<char *>code), len(code))
            self.commit()
        return 0

    cdef int begin_key(self, Head *head) except -1:
        self.late = self.members = None
        self.is_reported = False
        self.is_bare = head.type_code in (TYPE_HASH, TYPE_HASH_ZIPMAP, TYPE_HASH_ZIPLIST, TYPE_HASH_LISTPACK)
        self.head = head[0]
        if head.db != self.db:
            self.command(b"SELECT", 2)
            self.bulk_i64(head.db)
            self.db = head.db
        self.keep_key(head.key, head.key_size)
        self.note_long(head.key_size)
        # References to templates have no meaning outside their file: such a hash is written as commands.
        self.silent = head.kind == KIND_MODULE or (
            self.restore
            and head.type_code != TYPE_HASH_TEMPLATE_LISTPACK_REF
            and head.type_code != TYPE_HASH_TEMPLATE_ARRAY_REF
        )
        if self.replace and not self.silent and head.kind != KIND_STRING:
            self.command(b"DEL", 2)
            self.bulk_key()
        self.batch = BATCH if self.variadic or head.kind == KIND_HASH else 1
        if head.kind == KIND_LIST:
            self.verb = b"RPUSH"
        elif head.kind == KIND_SET:
            self.verb = b"SADD"
        elif head.kind == KIND_ZSET:
            self.verb = b"ZADD"
        elif head.kind == KIND_HASH:
            self.verb = b"HMSET"
        elif head.kind == KIND_ARRAY:
            self.verb = b"ARMSET"
            self.batch = BATCH // 2
        elif head.kind == KIND_STREAM and not self.silent:
            self.begin_stream()
        return 0

    cdef int string(self, Bytes p, size_t size) except -1:
        if self.silent:
            return 0
        self.note_long(size)
        self.command(b"SET", 3)
        self.bulk_key()
        return self.bulk(p, size)

    cdef int emit_long(self, uint64_t size) except -1:
        if self.on_long is not None:
            self.on_long(self.head.db, self.current_key(), size)
        return 0

    cdef int begin_string(self, LongString *text) except -1:
        self.note_long(text.size)
        self.command(b"SET", 3)
        self.bulk_key()
        self.put_char(c"$")
        self.put_u64(text.size)
        return self.put_text(b"\r\n")

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        return self.put(p, size)

    cdef int end_string(self) except -1:
        return self.put_text(b"\r\n")

    cdef int note_long(self, size_t size) except -1:
        """Report an argument above the servers' limit, once a key."""
        if size > self.largest and not self.is_reported:
            self.is_reported = True
            self.emit_long(size)
        return 0

    cdef int put_alone(self, Bytes first, size_t first_size, Bytes second, size_t second_size) except -1:
        """Write large arguments in a command of their own: so they are not collected. ``first`` may be NULL."""
        self.close_command()
        self.command(self.verb, 3 if first == NULL else 4)
        self.bulk_key()
        if first != NULL:
            self.note_long(first_size)
            self.bulk(first, first_size)
        self.note_long(second_size)
        return self.bulk(second, second_size)

    cdef int element(self, Bytes p, size_t size) except -1:
        if self.silent:
            return 0
        if size > self.collected:
            return self.put_alone(NULL, 0, p, size)
        self.argument(p, size)
        return self.close_when_full()

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        if self.silent:
            return self.put_off(field, field_size, expire_at_ms) if expire_at_ms >= 0 and self.is_bare else 0
        if expire_at_ms >= 0 and self.fields_at_once:
            return self.put_field(field, field_size, value, value_size, expire_at_ms)
        if field_size > self.collected or value_size > self.collected:
            self.put_alone(field, field_size, value, value_size)
            return self.put_off(field, field_size, expire_at_ms) if expire_at_ms >= 0 else 0
        self.argument(field, field_size)
        self.argument(value, value_size)
        if expire_at_ms >= 0:
            self.put_off(field, field_size, expire_at_ms)
        return self.close_when_full()

    cdef int put_off(self, Bytes field, size_t size, int64_t expire_at_ms) except -1:
        """Keep the expiry of a field until the hash is complete."""
        if self.late is None:
            self.late = []
        self.late.append(((<char *>field)[:size], expire_at_ms))
        return 0

    cdef int member_expiry(self, Bytes member, size_t size, int64_t expire_at_ms) except -1:
        if self.members is None:
            self.members = []
        self.members.append(((<char *>member)[:size], expire_at_ms))
        return 0

    cdef int put_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t when) except -1:
        self.command(b"HSETEX", 8)
        self.bulk_key()
        self.word(b"PXAT")
        self.bulk_i64(when)
        self.word(b"FIELDS")
        self.word(b"1")
        self.note_long(max(field_size, value_size))
        self.bulk(field, field_size)
        return self.bulk(value, value_size)

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        if not self.silent:
            self.note_long(max(field_size, value_size))
        return StreamCommands.entry_field(self, field, field_size, value, value_size)

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        cdef char text[40]
        if self.silent:
            return 0
        if member_size > self.collected:
            return self.put_alone(<Bytes>text, rt_double_text(score, text, 0), member, member_size)
        self.argument(<Bytes>text, rt_double_text(score, text, 0))
        self.argument(member, member_size)
        return self.close_when_full()

    cdef int array_item(self, ArrayItem *item) except -1:
        cdef char text[40]
        if self.silent:
            return 0
        self.argument(<Bytes>text, rt_u64_text(item.index, text))
        if item.tag == ITEM_INT:
            self.argument(<Bytes>text, rt_i64_text(item.number, text))
        elif item.tag == ITEM_DOUBLE:
            self.argument(<Bytes>text, rt_double_text(item.real, text, 0))
        else:
            self.note_long(item.text_size)
            self.argument(item.text, item.text_size)
        return self.close_when_full()

    cdef int array_end(self, bint has_insert, uint64_t insert_index) except -1:
        if self.silent:
            return 0
        self.close_command()
        if has_insert:
            self.command(b"ARSEEK", 3)
            self.bulk_key()
            self.bulk_u64(insert_index)
        return 0

    # ---- the end of a key ----------------------------------------------------------------------

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef bytes field
        if self.silent:
            self.put_payload(raw, raw_size)
        else:
            self.close_command()
            if self.head.kind == KIND_STREAM:
                self.end_stream()
        if (self.members is not None or self.late is not None) and self.db != self.head.db:
            # A value that is too large for a command was passed on, as several commands.
            self.command(b"SELECT", 2)
            self.bulk_i64(self.head.db)
            self.db = self.head.db
        if self.members is not None:
            for field, expire_at_ms in self.members:
                self.command(b"PEXPIREMEMBERAT", 4)
                self.bulk_key()
                self.bulk(<Bytes>(<char *>field), len(field))
                self.bulk_i64(expire_at_ms)
        if self.late is not None:
            for field, expire_at_ms in self.late:
                self.command(b"HPEXPIREAT", 6)
                self.bulk_key()
                self.bulk_i64(expire_at_ms)
                self.word(b"FIELDS")
                self.word(b"1")
                self.bulk(<Bytes>(<char *>field), len(field))
        return self.put_expiry() if self.head.has_expire and not self.silent else 0

    cdef int put_expiry(self) except -1:
        self.command(b"PEXPIREAT" if self.in_milliseconds else b"EXPIREAT", 3)
        self.bulk_key()
        # TargetFilter has rounded it to whole seconds.
        return self.bulk_i64(self.head.expire_at_ms if self.in_milliseconds else self.head.expire_at_ms // 1000)

    cdef int pass_large(self, bytes payload) except -1:
        if self.room is not None:
            raise NoResultError
        self.hand_on(self.size)
        self.on_large(self.head.db, self.current_key(), self.head.expire_at_ms if self.head.has_expire else None, payload)
        # Other commands were written in between, with their own SELECT.
        self.db = -1
        return 0

    cdef int put_payload(self, Bytes raw, size_t raw_size) except -1:
        """RESTORE with the value as the file stores it, the version of the file and a checksum (format A15)."""
        cdef size_t start = 0
        cdef int type_code = TYPE_MODULE_2 if self.head.kind == KIND_MODULE else self.head.type_code
        # Servers before 5.0, which wrote RDBs before version 9, lack ABSTTL, and none accepts 0.
        cdef bint old = self.version < SINCE_IDLE
        cdef bint late = self.head.has_expire and (old or (self.targeted and not self.restore))
        # RDB 6 may be that of a server without REPLACE.
        cdef bint replaces = self.replace and self.version > LAST_WITHOUT_REPLACE
        # Servers accept only one of the two.
        cdef bint has_freq = self.head.freq >= 0 and self.head.idle_s < 0
        cdef bint expires = self.head.has_expire and not late
        cdef int version = self.target_version if self.targeted and not self.restore else self.version
        cdef int options
        cdef uint8_t *words
        if raw == NULL:
            raise ValueError("a payload needs the value as a file stores it")
        # What precedes the value. No arguments are available.
        grow(&self.arguments, self.head.meta_size + 2)
        words = self.arguments.data
        if self.head.meta != NULL:
            words[0] = OP_KEY_META
            memcpy(words + 1, self.head.meta, self.head.meta_size)
            start = self.head.meta_size + 1
        words[start] = <uint8_t>type_code
        start += 1
        if self.on_large is not None and start + raw_size + 10 > self.largest:
            return self.pass_large(payload_of(words, start, raw, raw_size, version))
        if self.replace and not replaces:
            self.command(b"DEL", 2)
            self.bulk_key()
        options = replaces + expires + 2 * (self.head.idle_s >= 0) + 2 * has_freq
        self.command(b"RESTORE", 4 + options)
        self.bulk_key()
        # 0 would mean no expiry, and less is refused: 1 ms past the epoch has expired as well.
        self.bulk_i64(max(1, self.head.expire_at_ms) if expires else 0)
        self.bulk_payload(words, start, raw, raw_size, version)
        if replaces:
            self.word(b"REPLACE")
        if expires:
            self.word(b"ABSTTL")
        if self.head.idle_s >= 0:
            self.word(b"IDLETIME")
            self.bulk_i64(self.head.idle_s)
        if has_freq:
            self.word(b"FREQ")
            self.bulk_i64(self.head.freq)
        return self.put_expiry() if late else 0
