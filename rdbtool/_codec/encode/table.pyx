# Rows of a table for people. What is plain ASCII is laid out here; everything else by the functions that know how text
# is shown and how wide it is, which the caller provides.

from libc.math cimport fabs, signbit
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset
from rdbtool._codec.decode.cursor cimport Bytes, Scratch, grow, release, rt_i64_text, rt_u64_text
from rdbtool._codec.encode.encoder cimport Encoder
from rdbtool._codec.sink cimport ArrayItem, Head, ITEM_DOUBLE, ITEM_INT, LongString

include "../_types.pxi"

cdef enum:
    DB_WIDTH = 3
    SIZE_WIDTH = 9
    ELEMENT_SIZE = 3            # the shortest thing between two elements of a preview
    BEYOND = 8                  # bytes of a long string that are kept beside those that are shown


cdef const char *HEX = b"0123456789abcdef"


cdef bint is_plain(Bytes p, size_t size) noexcept:
    """Whether text is shown as it is within quotes."""
    cdef size_t i
    for i in range(size):
        if p[i] < 0x20 or p[i] > 0x7E or p[i] == c'"' or p[i] == c"\\":
            return False
    return True


cdef class Table(Encoder):
    """A row a key: db, key, type, size, time to live, and the beginning of the value.

    ``kinds`` are the cells of the types, painted; ``key_style`` is written before and after each key. ``show(data, limit, bare=…)`` returns bytes as text, ``fit(text,
    width)`` text in so many columns, ``ttl(expire_at_ms)`` the cell of a key that expires. ``at_once``: each row is
    handed on when it is complete.
    """

    cdef size_t key_width
    cdef size_t width               # of the preview
    cdef list kinds
    cdef bytes key_on
    cdef bytes key_off
    cdef object show
    cdef object fit
    cdef object ttl
    cdef bint at_once
    cdef bytes no_ttl
    cdef int kind
    cdef bint has_expire
    cdef int64_t expire_at_ms
    cdef uint64_t count             # elements, or bytes
    cdef Scratch text               # the preview
    cdef size_t filled
    cdef size_t characters
    cdef bint is_ascii
    cdef bint is_full               # nothing that follows is shown
    cdef uint64_t shown             # elements of the preview
    cdef uint64_t shown_fields      # of the current entry
    cdef Scratch start              # of a long string
    cdef size_t started

    def __init__(self, write, *, size_t key_width, size_t width, kinds, key_style, show, fit, ttl, bint at_once):
        super().__init__(write)
        self.takes_pieces = True
        self.key_width = key_width
        self.width = width
        self.kinds = [cell.encode() for cell in kinds]
        self.key_on, self.key_off = (code.encode() for code in key_style)
        self.show = show
        self.fit = fit
        self.ttl = ttl
        self.at_once = at_once
        self.no_ttl = b"-".rjust(SIZE_WIDTH)

    def __dealloc__(self):
        release(&self.text)
        release(&self.start)

    # ---- the preview ---------------------------------------------------------------------------

    cdef int add(self, const void *p, size_t size) except -1:
        """Add ASCII."""
        grow(&self.text, self.filled + size + 1)
        memcpy(self.text.data + self.filled, p, size)
        self.filled += size
        self.characters += size
        return 0

    cdef int add_str(self, str text) except -1:
        cdef bytes data = text.encode()
        self.add(<char *>data, len(data))
        self.characters -= len(data) - len(text)
        self.is_ascii = self.is_ascii and text.isascii()
        return 0

    cdef int add_bytes(self, Bytes p, size_t size) except -1:
        """Add bytes as they are shown, without quotes where they need none."""
        if self.is_ascii and self.filled > self.width:
            return 0                # it is cut before
        if 0 < size <= self.width and p[0] != c" " and p[size - 1] != c" " and is_plain(p, size):
            return self.add(p, size)
        if self.add_quoted(p, size):
            return 0
        return self.add_str(self.show((<char *>p)[:size], self.width, bare=True))

    cdef bint add_quoted(self, Bytes p, size_t size) except -1:
        """Add ASCII in quotes, as far as it is shown, and return True; False where it is none.

        How long it is, is not said: that follows the whole preview.
        """
        cdef size_t i, seen = min(size, self.width)
        cdef char *to
        for i in range(seen):
            if p[i] >= 0x80:
                return False
        if size > seen and p[seen] & 0xC0 == 0x80:
            return False
        grow(&self.text, self.filled + 4 * seen + 2)
        to = <char *>self.text.data + self.filled
        to[0] = c'"'
        to += 1
        for i in range(seen):
            if p[i] < 0x20 or p[i] == 0x7F:
                to[0] = c"\\"
                to[1] = c"x"
                to[2] = HEX[p[i] >> 4]
                to[3] = HEX[p[i] & 15]
                to += 4
                continue
            if p[i] == c'"' or p[i] == c"\\":
                to[0] = c"\\"
                to += 1
            to[0] = <char>p[i]
            to += 1
        to[0] = c'"'
        seen = to + 1 - <char *>self.text.data - self.filled
        self.filled += seen
        self.characters += seen
        return True

    cdef bint next_element(self) except -1:
        """Begin another element of the preview, and return True; False where it is full."""
        self.count += 1
        if self.is_full:
            return False
        if self.shown == self.width // ELEMENT_SIZE + 2 or self.characters > self.width:
            self.is_full = True
            return False
        if self.shown:
            self.add(<const char *>b", ", 2)
        self.shown += 1
        return True

    cdef int add_text(self, Bytes p, size_t size) except -1:
        """The preview of a string."""
        self.count = size
        if self.add_quoted(p, size):
            return 0
        return self.add_str(self.show((<char *>p)[:size], self.width))

    # ---- events --------------------------------------------------------------------------------

    cdef int begin_key(self, Head *head) except -1:
        cdef char text[32]
        cdef int size = rt_i64_text(head.db, text)
        cdef bytes cell
        self.kind = head.kind
        self.has_expire = head.has_expire
        self.expire_at_ms = head.expire_at_ms
        self.count = self.shown = 0
        self.filled = self.characters = 0
        self.is_ascii = True
        self.is_full = False
        self.right(<Bytes>text, size, DB_WIDTH)
        self.put_text(b"  ")
        self.put(<char *>self.key_on, len(self.key_on))
        self.put_key(head.key, head.key_size)
        self.put(<char *>self.key_off, len(self.key_off))
        self.put_text(b"  ")
        cell = <bytes>self.kinds[head.kind]
        self.put(<char *>cell, len(cell))
        return self.put_text(b"  ")

    cdef int right(self, Bytes p, size_t size, size_t width) except -1:
        cdef size_t gap = width - size if size < width else 0
        self.reserve(gap)
        memset(self.data + self.size, c" ", gap)
        self.size += gap
        return self.put(p, size)

    cdef int put_key(self, Bytes p, size_t size) except -1:
        cdef size_t width = self.key_width
        cdef bytes cell
        if 0 < size <= width and p[0] != c" " and p[size - 1] != c" " and is_plain(p, size):
            self.put(p, size)
            self.reserve(width)
            memset(self.data + self.size, c" ", width - size)
            self.size += width - size
            return 0
        if size > width and p[width] & 0xC0 != 0x80 and is_plain(p, width):
            self.put_char(c'"')
            self.put(p, width - 2)
            return self.put_text(b"\xe2\x80\xa6")
        cell = self.fit(self.show((<char *>p)[:size], width, bare=True), width).encode()
        return self.put(<char *>cell, len(cell))

    cdef int string(self, Bytes p, size_t size) except -1:
        return self.add_text(p, size)

    cdef int begin_string(self, LongString *text) except -1:
        self.count = text.size
        self.started = 0
        return 0

    cdef int string_piece(self, Bytes p, size_t size) except -1:
        cdef size_t more = min(size, self.width + BEYOND - self.started)
        grow(&self.start, self.width + BEYOND)
        memcpy(self.start.data + self.started, p, more)
        self.started += more
        return 0

    cdef int end_string(self) except -1:
        cdef uint64_t size = self.count
        cdef str shown
        if not self.add_quoted(self.start.data, self.started):
            shown = self.show((<char *>self.start.data)[:self.started], self.width)
            # It says how long the string is.
            self.add_str(shown.rpartition("… (")[0] + f"… ({size} bytes)")
        self.count = size
        return 0

    cdef int element(self, Bytes p, size_t size) except -1:
        return self.add_bytes(p, size) if self.next_element() else 0

    cdef int add_pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        self.add_bytes(field, field_size)
        self.add(<const char *>b"=", 1)
        return self.add_bytes(value, value_size)

    cdef int pair(self, Bytes field, size_t field_size, Bytes value, size_t value_size, int64_t expire_at_ms) except -1:
        return self.add_pair(field, field_size, value, value_size) if self.next_element() else 0

    cdef int score(self, Bytes member, size_t member_size, double score) except -1:
        cdef char text[32]
        if not self.next_element():
            return 0
        self.add_bytes(member, member_size)
        self.add(<const char *>b"=", 1)
        if fabs(score) < 9007199254740992.0 and score == <double><int64_t>score:
            if score == 0 and signbit(score):
                return self.add(<const char *>b"-0", 2)
            return self.add(text, rt_i64_text(<int64_t>score, text))
        return self.add_str(repr(score))

    cdef int array_item(self, ArrayItem *item) except -1:
        cdef char text[32]
        if not self.next_element():
            return 0
        self.add(text, rt_u64_text(item.index, text))
        self.add(<const char *>b"=", 1)
        if item.tag == ITEM_INT:
            return self.add(text, rt_i64_text(item.number, text))
        if item.tag == ITEM_DOUBLE:
            return self.add_str(str(item.real))
        return self.add_bytes(item.text, item.text_size)

    cdef int opaque(self, Bytes module, Bytes raw, size_t raw_size) except -1:
        self.count = raw_size
        self.add(<const char *>b"module ", 7)
        return self.add_str((<char *>module)[:9].decode("ascii"))

    cdef int entry(self, uint64_t ms, uint64_t seq, uint64_t fields) except -1:
        cdef char text[48]
        cdef int size
        self.shown_fields = 0
        if not self.next_element():
            return 0
        size = rt_u64_text(ms, text)
        text[size] = c"-"
        size += 1
        size += rt_u64_text(seq, text + size)
        text[size] = c" "
        return self.add(text, size + 1)

    cdef int entry_field(self, Bytes field, size_t field_size, Bytes value, size_t value_size) except -1:
        if self.is_full or self.shown_fields == self.width:
            return 0
        if self.shown_fields:
            self.add(<const char *>b" ", 1)
        self.shown_fields += 1
        return self.add_pair(field, field_size, value, value_size)

    cdef int end_key(self, Bytes raw, size_t raw_size, int64_t stop) except -1:
        cdef char text[32]
        cdef int size = rt_u64_text(self.count, text)
        cdef bytes cell
        if self.kind == KIND_STRING or self.kind == KIND_MODULE:
            text[size] = c" "
            text[size + 1] = c"B"
            size += 2
        self.right(<Bytes>text, size, SIZE_WIDTH)
        self.put_text(b"  ")
        cell = self.ttl(self.expire_at_ms).encode() if self.has_expire else self.no_ttl
        self.put(<char *>cell, len(cell))
        self.put_text(b"  ")
        self.put_preview()
        while self.data[self.size - 1] == c" ":
            self.size -= 1
        return self.put_char(c"\n")

    cdef int put_preview(self) except -1:
        cdef bytes cell
        if not self.is_ascii:
            cell = self.fit((<char *>self.text.data)[:self.filled].decode(), self.width).rstrip().encode()
            return self.put(<char *>cell, len(cell))
        if self.filled <= self.width:
            return self.put(self.text.data, self.filled)
        self.put(self.text.data, self.width - 1)
        return self.put_text(b"\xe2\x80\xa6")

    cdef int commit(self) except -1:
        Encoder.commit(self)
        return self.hand_on(self.size) if self.at_once else 0
