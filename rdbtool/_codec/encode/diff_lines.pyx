# Lines of keys that differ, of those kinds of differences that are frequent: a key that only one dataset has, and two
# values of the types that are no streams. All others are described by the caller, as these are by `report/diff.py`,
# which the lines here are the same as.

from libc.math cimport fabs, isinf, signbit
from libc.stdint cimport INT64_MIN, int64_t, uint64_t, uint8_t
from libc.string cimport memcmp, memcpy
from rdbtool._codec.decode.cursor cimport Bytes, rt_u64_text
from rdbtool._codec.encode.moments cimport MOMENT_SIZE, fraction_text, moment_text

from rdbtool.core.rdb_types import KINDS

include "../_types.pxi"

cdef extern from "escape.h" nogil:
    enum: RT_MIXED
    int rt_is_utf8(const uint8_t *p, size_t n)
    char *rt_base64(const uint8_t *p, size_t n, char *op)

cdef enum:
    SHOWN_PARTS = 20            # of a key, in text
    SHOWN = 60                  # bytes of a value
    APART = 40                  # values that begin with so many same bytes are shown where they differ
    BEFORE = 10                 # bytes that are shown before that
    AFTER = 30

cdef list KIND_TEXTS = [kind.encode() for kind in KINDS]
cdef const char *HEX = b"0123456789abcdef"
cdef int64_t NEVER = INT64_MIN

#: Nouns for the elements of the types whose keys are written here, and their plurals.
cdef dict NOUNS = {
    KIND_STRING: (b"byte", b"bytes"),
    KIND_LIST: (b"element", b"elements"),
    KIND_SET: (b"member", b"members"),
    KIND_ZSET: (b"member", b"members"),
    KIND_HASH: (b"field", b"fields"),
}


cdef class DiffLines(JsonText):
    """Writes the differing keys, as text or JSON (``as_json``); ``brief``: text of one line a key.

    ``show(data, limit)`` returns the text of bytes that are not ASCII. ``describe`` is called by those who compare:
    with a difference, for its lines without the last line end. ``is_empty`` is True until the first key.
    """

    def __init__(self, write, *, bint as_json, bint brief, show, describe):
        super().__init__(write)
        self.as_json = as_json
        self.brief = brief
        self.show = show
        self.describe = describe
        self.is_empty = True

    @property
    def has_keys(self):
        """Whether a key was written."""
        return not self.is_empty

    cdef int put_described(self, str text) except -1:
        """Write a key that was described elsewhere."""
        cdef bytes data = text.encode()
        self.separate()
        self.put(<char *>data, len(data))
        if not self.as_json:
            self.put_char(c"\n")
        return self.commit()

    cdef int whole(self, char sign, Head *head, uint64_t size) except -1:
        """Write a key that only one has, of a type that has a noun; ``size``: elements, or bytes."""
        cdef tuple noun
        cdef bytes word
        self.separate()
        self.put_head(sign, head)
        if self.as_json:
            self.put_text(b', "size": ')
            self.put_u64(size)
            self.put_text(b', "expire_at_ms": ')
            self.put_expiry(head.expire_at_ms if head.has_expire else NEVER)
            self.put_char(c"}")
        else:
            noun = <tuple>NOUNS[head.kind]
            word = <bytes>noun[size != 1]
            self.put_text(b", ")
            self.put_grouped(size)
            self.put_char(c" ")
            self.put(<char *>word, len(word))
            self.put_text(b")\n")
        return self.commit()

    # ---- a key that both have ------------------------------------------------------------------

    cdef int begin_changed(self, Head *head) except -1:
        self.was_empty = self.is_empty
        self.parts = 0
        self.separate()
        self.put_head(c"~", head)
        return self.put_text(b', "details": [' if self.as_json else b")\n")

    cdef bint end_changed(self) except -1:
        """End a key and return True; of one without parts nothing is written."""
        if self.parts == 0:
            self.forget_changed()
            return False
        if self.as_json:
            self.put_text(b"]}")
        elif self.parts > SHOWN_PARTS and not self.brief:
            self.put_text(b"    and ")
            self.put_grouped(self.parts - SHOWN_PARTS)
            self.put_text(b" more\n")
        self.commit()
        return True

    cdef void forget_changed(self) noexcept:
        """Write nothing of the key that was begun."""
        self.is_empty = self.was_empty
        self.rollback()

    cdef int strings(self, Bytes before, size_t before_size, Bytes after, size_t after_size) except -1:
        cdef size_t at = APART
        if not self.begin_part(c"~", b"value", b"value"):
            return 0
        if self.as_json:
            self.put_side(False)
            self.put_json(before, before_size)
            self.put_side(True)
            self.put_json(after, after_size)
            return self.end_part()
        self.put_text(b": ")
        if min(before_size, after_size) >= APART and memcmp(before, after, APART) == 0:
            while at < before_size and at < after_size and before[at] == after[at]:
                at += 1
            self.put_apart(before, before_size, at)
            self.put_text(b" -> ")
            self.put_apart(after, after_size, at)
        else:
            self.put_quoted(before, before_size, SHOWN)
            self.put_text(b" -> ")
            self.put_quoted(after, after_size, SHOWN)
        return self.end_part()

    cdef int field(self, char sign, bytes name, bytes before, bytes after) except -1:
        if not self.begin_part(sign, b"field", b"field"):
            return 0
        self.put_name(name)
        return self.put_sides(sign, before, after)

    cdef int field_expiry(self, char sign, bytes name, int64_t before, int64_t after) except -1:
        if not self.begin_part(sign, b"field_expires", b"expiry of field"):
            return 0
        self.put_name(name)
        return self.put_times(sign, before, after)

    cdef int member(self, char sign, bytes name) except -1:
        if not self.begin_part(sign, b"member", b"member"):
            return 0
        self.put_name(name)
        return self.end_part()

    cdef int member_score(self, char sign, bytes name, double before, double after) except -1:
        if not self.begin_part(sign, b"member", b"member"):
            return 0
        self.put_name(name)
        if not self.as_json:
            self.put_text(b": ")
        if sign != c"+":
            self.put_side(False)
            self.put_score(before)
        if sign == c"~" and not self.as_json:
            self.put_text(b" -> ")
        if sign != c"-":
            self.put_side(True)
            self.put_score(after)
        return self.end_part()

    cdef int element_at(self, char sign, uint64_t index, bytes before, bytes after) except -1:
        if not self.begin_part(sign, b"element", b"element"):
            return 0
        self.put_text(b', "name": ' if self.as_json else b" ")
        self.put_u64(index)
        return self.put_sides(sign, before, after)

    cdef int expiry(self, int64_t before, int64_t after) except -1:
        if not self.begin_part(c"~", b"expires", b"expires"):
            return 0
        return self.put_times(c"~", before, after)

    # ---- parts of a key ------------------------------------------------------------------------

    cdef bint begin_part(self, char sign, const char *what, const char *shown) except -1:
        """Begin a part and return True; False if it is only counted."""
        self.parts += 1
        if self.as_json:
            self.put_text(b'{"change": "' if self.parts == 1 else b', {"change": "')
            self.put_text(b"added" if sign == c"+" else b"removed" if sign == c"-" else b"changed")
            self.put_text(b'", "what": "')
            self.put_text(what)
            self.put_char(c'"')
            return True
        if self.brief or self.parts > SHOWN_PARTS:
            return False
        self.put_text(b"    ")
        self.put_char(sign)
        self.put_char(c" ")
        self.put_text(shown)
        return True

    cdef int end_part(self) except -1:
        return self.put_char(c"}" if self.as_json else c"\n")

    cdef int put_name(self, bytes name) except -1:
        if self.as_json:
            self.put_text(b', "name": ')
            return self.put_json(<Bytes>(<char *>name), len(name))
        self.put_char(c" ")
        return self.put_quoted(<Bytes>(<char *>name), len(name), SHOWN)

    cdef int put_side(self, bint second) except -1:
        """Write the name of a side where it has one."""
        if self.as_json:
            self.put_text(b', "after": ' if second else b', "before": ')
        return 0

    cdef int put_sides(self, char sign, bytes before, bytes after) except -1:
        """Write the sides that there are, and end the part."""
        if not self.as_json:
            self.put_text(b": ")
        if sign != c"+":
            self.put_side(False)
            if self.as_json:
                self.put_json(<Bytes>(<char *>before), len(before))
            else:
                self.put_quoted(<Bytes>(<char *>before), len(before), SHOWN)
        if sign == c"~" and not self.as_json:
            self.put_text(b" -> ")
        if sign != c"-":
            self.put_side(True)
            if self.as_json:
                self.put_json(<Bytes>(<char *>after), len(after))
            else:
                self.put_quoted(<Bytes>(<char *>after), len(after), SHOWN)
        return self.end_part()

    cdef int put_times(self, char sign, int64_t before, int64_t after) except -1:
        """Write the sides that there are, and end the part."""
        if self.as_json:
            if sign != c"+":
                self.put_side(False)
                self.put_expiry(before)
            if sign != c"-":
                self.put_side(True)
                self.put_expiry(after)
            return self.end_part()
        self.put_text(b": ")
        if sign != c"+":
            self.put_moment(before)
        if sign == c"~":
            self.put_text(b" -> ")
        if sign != c"-":
            self.put_moment(after)
        return self.end_part()

    # ---- parts of lines ------------------------------------------------------------------------

    cdef int separate(self) except -1:
        if self.as_json and not self.is_empty:
            self.put_text(b",\n")
        self.is_empty = False
        return 0

    cdef int put_head(self, char sign, Head *head) except -1:
        """Write what all keys have: sign, db, key and type, and leave the object or parenthesis open."""
        cdef bytes kind = <bytes>KIND_TEXTS[head.kind]
        if self.as_json:
            self.put_text(b'{"change": "')
            self.put_text(b"added" if sign == c"+" else b"removed" if sign == c"-" else b"changed")
            self.put_text(b'", "db": ')
            self.put_i64(head.db)
            self.put_text(b', "key": ')
            self.put_json(head.key, head.key_size)
            self.put_text(b', "type": "')
            self.put(<char *>kind, len(kind))
            return self.put_char(c'"')
        self.put_char(sign)
        self.put_text(b" db")
        self.put_i64(head.db)
        self.put_char(c" ")
        self.put_quoted(head.key, head.key_size, SHOWN)
        self.put_text(b" (")
        return self.put(<char *>kind, len(kind))

    cdef int put_grouped(self, uint64_t number) except -1:
        """Write a number with a comma after each group of three digits."""
        cdef char text[24]
        cdef int i, size = rt_u64_text(number, text)
        for i in range(size):
            self.put_char(text[i])
            if (size - 1 - i) % 3 == 0 and i < size - 1:
                self.put_char(c",")
        return 0

    cdef int put_quoted(self, Bytes p, size_t size, size_t limit) except -1:
        """Write at most ``limit`` bytes in quotes, as ``show`` does, and how many there are."""
        cdef size_t i, seen = min(size, limit)
        cdef bint is_ascii = size == seen or p[seen] & 0xC0 != 0x80
        cdef uint8_t c
        cdef char *to
        cdef bytes shown
        for i in range(seen):
            if p[i] >= 0x80:
                is_ascii = False
        if not is_ascii:
            shown = self.show((<char *>p)[:size], limit).encode()
            return self.put(<char *>shown, len(shown))
        self.reserve(4 * seen + 2)
        to = self.data + self.size
        to[0] = c'"'
        to += 1
        for i in range(seen):
            c = p[i]
            if c < 0x20 or c == 0x7F:
                memcpy(to, <const char *>b"\\x", 2)
                to[2] = HEX[c >> 4]
                to[3] = HEX[c & 15]
                to += 4
                continue
            if c == c'"' or c == c"\\":
                to[0] = c"\\"
                to += 1
            to[0] = <char>c
            to += 1
        to[0] = c'"'
        self.size = to + 1 - self.data
        if size > limit:
            self.put_text(b"\xe2\x80\xa6 (")
            self.put_u64(size)
            self.put_text(b" bytes)")
        return 0

    cdef int put_apart(self, Bytes p, size_t size, size_t at) except -1:
        """Write the bytes around the first that differs."""
        cdef size_t start = at - BEFORE, stop = min(at + AFTER, size)
        self.put_text(b"\xe2\x80\xa6 ")
        self.put_quoted(p + start, stop - start, SHOWN)
        if stop < size:
            self.put_text(b" \xe2\x80\xa6")
        self.put_text(b" (byte ")
        self.put_grouped(start)
        self.put_text(b" of ")
        self.put_grouped(size)
        return self.put_char(c")")

    cdef int put_score(self, double score) except -1:
        cdef bytes text
        if not self.as_json and fabs(score) < 9007199254740992.0 and score == <double><int64_t>score:
            if score == 0 and signbit(score):
                return self.put_text(b"-0")
            return self.put_i64(<int64_t>score)
        if self.as_json and (isinf(score) or score != score):
            text = f'"{score}"'.encode()
        else:
            text = repr(score).encode()
        return self.put(<char *>text, len(text))

    cdef int put_moment(self, int64_t expire_at_ms) except -1:
        cdef char text[32]
        if expire_at_ms == NEVER:
            return self.put_text(b"never")
        if not moment_text(expire_at_ms, text):
            self.put_i64(expire_at_ms)
            return self.put_text(b" ms")
        self.put(text, MOMENT_SIZE)
        self.put(text + MOMENT_SIZE, fraction_text(expire_at_ms, text + MOMENT_SIZE))
        return self.put_char(c"Z")

    cdef int put_json(self, Bytes p, size_t size) except -1:
        """Write bytes as a string if they are UTF-8, else as an object with base64."""
        if rt_is_utf8(p, size):
            self.string_in_mode(p, size, RT_MIXED)
            return 0
        self.put_text(b'{"base64": ')
        self.base64(p, size)
        return self.put_char(c"}")

    cdef int put_expiry(self, int64_t expire_at_ms) except -1:
        if expire_at_ms == NEVER:
            return self.put_text(b"null")
        return self.put_i64(expire_at_ms)
