/* The entries of a stream, ascending by ID, in blocks of memory of up to ENTRIES_MOST entries or about ENTRIES_BYTES.
 *
 * An entry of a block is a byte of flags; by how much its milliseconds are more than those of the block's first entry,
 * and its sequence number, as integers of 7 bits in each byte, least significant first; and its fields: their number, then
 * each name and each value with its size before it (pack_put_size). Where the names are those of the block's first
 * entry, the values only: most streams repeat the same names, and servers share them in the same way.
 *
 * An entry that goes is marked; a block of which most entries are marked is written again, and one without any other is
 * freed. So both ends are cheap, and no entry has an offset: finding one is a binary search over the blocks, and
 * a walk through one of them. IDs that do not ascend (no server writes that) make searches miss, nothing worse.
 *
 * Nothing here touches Python but its allocator, and no function frees what a caller passes. -1 is "no memory", and then
 * nothing has changed.
 */
#ifndef RDBTOOL_ENTRIES_H
#define RDBTOOL_ENTRIES_H

#include "pack.h"
#include "word.h"

enum { ENTRIES_MOST = 128, ENTRIES_BYTES = 4096 };

enum { ENTRY_GONE = 1, ENTRY_SHARES = 2 }; /* flags */

#define ENTRY_HEAD 31 /* bytes that precede the fields at most */

typedef struct {
    uint64_t ms, seq;        /* of the first entry that was written */
    uint8_t *bytes;
    size_t used, room;       /* bytes: written, allocated */
    size_t start;            /* of the oldest entry that is there */
    size_t pairs;            /* fields of the first entry that was written */
    uint32_t names;          /* where its first name is */
    uint32_t live, gone;     /* entries from ``start`` on */
} entries_block;

typedef struct {
    entries_block *blocks;
    uint32_t first, count, places; /* blocks ``first`` to ``first + count`` of those allocated are there */
    uint64_t length;
} stream_entries;

/* An entry as it is read. ``entry_next_pair`` moves ``names`` and ``values``. */
typedef struct {
    uint64_t ms, seq;
    size_t pairs;
    const uint8_t *names;  /* NULL: each name is before its value */
    const uint8_t *values;
    int is_gone;
} entry_view;

static inline uint8_t *entry_put_number(uint8_t *p, uint64_t n) {
    while (n >= 0x80) {
        *p++ = (uint8_t)(n | 0x80);
        n >>= 7;
    }
    *p++ = (uint8_t)n;
    return p;
}

static inline const uint8_t *entry_get_number(const uint8_t *p, uint64_t *n) {
    uint64_t v = *p & 0x7F;
    for (int shift = 7; *p++ & 0x80; shift += 7) v |= (uint64_t)(*p & 0x7F) << shift;
    *n = v;
    return p;
}

static inline const uint8_t *entry_skip_words(const uint8_t *p, size_t words) {
    size_t size;
    while (words--) {
        p = pack_get_size(p, &size);
        p += size;
    }
    return p;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Read an entry but for its fields. */
static inline void entry_read(const entries_block *block, size_t at, entry_view *entry) {
    const uint8_t *p = block->bytes + at;
    uint8_t flags = *p;
    uint64_t pairs = block->pairs;
    p = entry_get_number(p + 1, &entry->ms);
    entry->ms += block->ms;
    p = entry_get_number(p, &entry->seq);
    entry->is_gone = flags & ENTRY_GONE;
    entry->names = block->bytes + block->names;
    if (!(flags & ENTRY_SHARES)) {
        p = entry_get_number(p, &pairs);
        entry->names = NULL;
    }
    entry->pairs = (size_t)pairs;
    entry->values = p;
}

/* Where the next entry of the block is. No pair may have been taken. */
static inline size_t entry_end(const entries_block *block, const entry_view *entry) {
    return (size_t)(entry_skip_words(entry->values, entry->names == NULL ? 2 * entry->pairs : entry->pairs) - block->bytes);
}

static inline void entry_next_pair(entry_view *entry, rt_word *name, rt_word *value) {
    if (entry->names != NULL) {
        name->text = pack_get_size(entry->names, &name->size);
        entry->names = entry_skip_words(name->text + name->size, 1);
    } else {
        name->text = pack_get_size(entry->values, &name->size);
        entry->values = name->text + name->size;
    }
    value->text = pack_get_size(entry->values, &value->size);
    entry->values = value->text + value->size;
}

/* Read the first entry from ``at`` on that is there; return where the next one is, 0 where there is none. */
static inline size_t block_next(const entries_block *block, size_t at, entry_view *entry) {
    while (at < block->used) {
        size_t end;
        entry_read(block, at, entry);
        end = entry_end(block, entry);
        if (!entry->is_gone) return end;
        at = end;
    }
    return 0;
}

static inline int entry_is_before(uint64_t ms, uint64_t seq, uint64_t other_ms, uint64_t other_seq) {
    return ms != other_ms ? ms < other_ms : seq < other_seq;
}

/* The index, counted from the first block, of the last one that does not begin after an ID; 0 if all do. */
static inline uint32_t entries_block_of(const stream_entries *e, uint64_t ms, uint64_t seq) {
    uint32_t low = 0, high = e->count ? e->count - 1 : 0;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        const entries_block *block = &e->blocks[e->first + middle];
        if (entry_is_before(ms, seq, block->ms, block->seq))
            high = middle - 1;
        else
            low = middle;
    }
    return low;
}

/* Find the first entry of a block whose ID is not smaller: return whether there is one, and where in ``*at``.
 * ``*passed``: how many entries are before it. */
static inline int block_seek(const entries_block *block, uint64_t ms, uint64_t seq, size_t *at, uint32_t *passed,
                             entry_view *entry) {
    size_t place = block->start;
    *passed = 0;
    while (place < block->used) {
        entry_read(block, place, entry);
        if (!entry->is_gone) {
            if (!entry_is_before(entry->ms, entry->seq, ms, seq)) {
                *at = place;
                return 1;
            }
            ++*passed;
        }
        place = entry_end(block, entry);
    }
    return 0;
}

/* Find an entry: return the index of its block, and where in that it is; -1 where there is no such entry. */
static inline int64_t entries_find(const stream_entries *e, uint64_t ms, uint64_t seq, size_t *at, entry_view *entry) {
    uint32_t index = entries_block_of(e, ms, seq), passed;
    if (e->count == 0 || !block_seek(&e->blocks[e->first + index], ms, seq, at, &passed, entry)) return -1;
    return entry->ms == ms && entry->seq == seq ? (int64_t)index : -1;
}

/* How many entries have a smaller ID. */
static uint64_t entries_before(const stream_entries *e, uint64_t ms, uint64_t seq) {
    uint32_t index = entries_block_of(e, ms, seq), passed = 0;
    uint64_t total = 0;
    entry_view entry;
    size_t at;
    if (e->count == 0) return 0;
    for (uint32_t i = 0; i < index; i++) total += e->blocks[e->first + i].live;
    block_seek(&e->blocks[e->first + index], ms, seq, &at, &passed, &entry);
    return total + passed;
}

/* The newest entry; there has to be one. */
static inline void entries_last(const stream_entries *e, entry_view *entry) {
    const entries_block *block = &e->blocks[e->first + e->count - 1];
    entry_view found;
    size_t at = block->start;
    while ((at = block_next(block, at, &found)) != 0) *entry = found;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Whether the names of an entry, each before its value, are those of the first entry of a block. */
static inline int block_has_names(const entries_block *block, const rt_word *words, size_t pairs) {
    const uint8_t *p = block->bytes + block->names;
    size_t size;
    if (block->pairs != pairs) return 0;
    for (size_t i = 0; i < pairs; i++) {
        p = pack_get_size(p, &size);
        if (size != words[2 * i].size || memcmp(p, words[2 * i].text, size) != 0) return 0;
        p = entry_skip_words(p + size, 1);
    }
    return 1;
}

/* Add an entry to a block, of which the bytes may be NULL with room for none; ``shares``: see ``block_has_names``. */
static int block_write(entries_block *block, uint64_t ms, uint64_t seq, const rt_word *words, size_t pairs, int shares) {
    uint8_t head[ENTRY_HEAD], *q = head;
    size_t need = 0, size;
    int step = shares ? 2 : 1;
    *q++ = shares ? ENTRY_SHARES : 0;
    q = entry_put_number(q, block->used ? ms - block->ms : 0);
    q = entry_put_number(q, seq);
    if (!shares) q = entry_put_number(q, pairs);
    size = (size_t)(q - head);
    need = size;
    for (size_t i = step - 1; i < 2 * pairs; i += step) need += pack_size_size(words[i].size) + words[i].size;
    if (block->used + need > block->room) {
        size_t room = block->used ? block->used + need + block->used / 2 : need;
        uint8_t *bytes = (uint8_t *)PyMem_Realloc(block->bytes, room);
        if (bytes == NULL) return -1;
        block->bytes = bytes;
        block->room = room;
    }
    if (block->used == 0) {
        block->ms = ms;
        block->seq = seq;
        block->pairs = pairs;
        block->names = (uint32_t)size;
    }
    q = block->bytes + block->used;
    memcpy(q, head, size);
    q += size;
    for (size_t i = step - 1; i < 2 * pairs; i += step) {
        q = pack_put_size(q, words[i].size);
        /* An empty word may have no address. */
        if (words[i].size) memcpy(q, words[i].text, words[i].size);
        q += words[i].size;
    }
    block->used += need;
    block->live++;
    return 0;
}

static inline void block_fit(entries_block *block) {
    if (block->room - block->used >= 16) {
        uint8_t *bytes = (uint8_t *)PyMem_Realloc(block->bytes, block->used);
        if (bytes != NULL) {
            block->bytes = bytes;
            block->room = block->used;
        }
    }
}

/* Have room for one more block. */
static int entries_make_place(stream_entries *e) {
    if (e->first + e->count < e->places) return 0;
    if (e->first > e->count / 2) {
        memmove(e->blocks, e->blocks + e->first, e->count * sizeof(entries_block));
        e->first = 0;
        return 0;
    }
    uint64_t places = (uint64_t)e->first + e->count + 1 + e->count / 4;
    if (places > UINT32_MAX) return -1;
    entries_block *blocks = (entries_block *)PyMem_Realloc(e->blocks, (size_t)places * sizeof(entries_block));
    if (blocks == NULL) return -1;
    e->blocks = blocks;
    e->places = (uint32_t)places;
    return 0;
}

/* Add an entry after the last one. ``words``: each name before its value. */
static int entries_append(stream_entries *e, uint64_t ms, uint64_t seq, const rt_word *words, size_t pairs) {
    entries_block *block = e->count ? &e->blocks[e->first + e->count - 1] : NULL;
    entries_block fresh;
    size_t size = 0;
    int shares = block != NULL && block_has_names(block, words, pairs);
    for (size_t i = shares; i < 2 * pairs; i += 1 + shares) size += words[i].size;
    if (block != NULL && block->live + block->gone < ENTRIES_MOST && block->used + size <= ENTRIES_BYTES) {
        if (block_write(block, ms, seq, words, pairs, shares) < 0) return -1;
        e->length++;
        return 0;
    }
    if (entries_make_place(e) < 0) return -1;
    memset(&fresh, 0, sizeof(fresh));
    if (block != NULL) {
        block = &e->blocks[e->first + e->count - 1];
        block_fit(block);
        /* It will become about as large as the one before. */
        if (block->used <= 2 * ENTRIES_BYTES && block->live > 1) {
            fresh.bytes = (uint8_t *)PyMem_Malloc(block->used);
            if (fresh.bytes == NULL) return -1;
            fresh.room = block->used;
        }
    }
    if (block_write(&fresh, ms, seq, words, pairs, 0) < 0) {
        PyMem_Free(fresh.bytes);
        return -1;
    }
    e->blocks[e->first + e->count++] = fresh;
    e->length++;
    return 0;
}

/* ---- removing ---------------------------------------------------------------------------------------------------- */

static void entries_clear(stream_entries *e) {
    for (uint32_t i = 0; i < e->count; i++) PyMem_Free(e->blocks[e->first + i].bytes);
    PyMem_Free(e->blocks);
    memset(e, 0, sizeof(*e));
}

static void entries_drop_block(stream_entries *e, uint32_t index) {
    entries_block *block = &e->blocks[e->first + index];
    e->length -= block->live;
    if (e->count == 1) {
        entries_clear(e);
        return;
    }
    PyMem_Free(block->bytes);
    if (index == 0)
        e->first++;
    else
        memmove(block, block + 1, (e->count - index - 1) * sizeof(entries_block));
    e->count--;
}

/* Let a block begin with an entry that is there. */
static inline void block_skip(entries_block *block) {
    entry_view entry;
    while (block->bytes[block->start] & ENTRY_GONE) {
        entry_read(block, block->start, &entry);
        block->start = entry_end(block, &entry);
        block->gone--;
    }
}

/* Write a block again without what is gone. Without memory for it, it stays as it is. */
static void block_close_up(entries_block *block) {
    entries_block fresh;
    entry_view entry;
    rt_word *words = NULL;
    size_t at = block->start, most = 0;
    memset(&fresh, 0, sizeof(fresh));
    while ((at = block_next(block, at, &entry)) != 0) {
        uint64_t ms = entry.ms, seq = entry.seq;
        size_t pairs = entry.pairs;
        if (pairs > most) {
            rt_word *more = (rt_word *)PyMem_Realloc(words, 2 * pairs * sizeof(rt_word));
            if (more == NULL) goto fail;
            words = more;
            most = pairs;
        }
        for (size_t i = 0; i < pairs; i++) entry_next_pair(&entry, &words[2 * i], &words[2 * i + 1]);
        if (block_write(&fresh, ms, seq, words, pairs, fresh.used && block_has_names(&fresh, words, pairs)) < 0) goto fail;
    }
    PyMem_Free(words);
    PyMem_Free(block->bytes);
    block_fit(&fresh);
    *block = fresh;
    return;
fail:
    PyMem_Free(words);
    PyMem_Free(fresh.bytes);
}

/* Remove an entry; return whether it was there. */
static int entries_remove(stream_entries *e, uint64_t ms, uint64_t seq) {
    entry_view entry;
    size_t at;
    int64_t index = entries_find(e, ms, seq, &at, &entry);
    entries_block *block;
    if (index < 0) return 0;
    block = &e->blocks[e->first + index];
    if (block->live == 1) {
        entries_drop_block(e, (uint32_t)index);
        return 1;
    }
    e->length--;
    block->live--;
    block->gone++;
    block->bytes[at] |= ENTRY_GONE;
    block_skip(block);
    /* Large entries do not wait until there are many of them. */
    if (block->gone > block->live && (block->gone >= 16 || block->used > ENTRIES_BYTES)) block_close_up(block);
    return 1;
}

/* Remove the ``count`` oldest entries, no more than there are. */
static void entries_trim(stream_entries *e, uint64_t count) {
    while (count && count >= e->blocks[e->first].live) {
        count -= e->blocks[e->first].live;
        entries_drop_block(e, 0);
    }
    if (count) {
        entries_block *block = &e->blocks[e->first];
        entry_view entry;
        block->live -= (uint32_t)count;
        e->length -= count;
        while (count--) {
            entry_read(block, block->start, &entry);
            block->start = entry_end(block, &entry);
            block_skip(block);
        }
    }
}

/* Make ``to``, which is empty, a copy. */
static int entries_copy(const stream_entries *from, stream_entries *to) {
    if (from->count == 0) return 0;
    to->blocks = (entries_block *)PyMem_Malloc(from->count * sizeof(entries_block));
    if (to->blocks == NULL) return -1;
    to->places = from->count;
    for (uint32_t i = 0; i < from->count; i++) {
        entries_block *block = &to->blocks[i];
        *block = from->blocks[from->first + i];
        block->bytes = (uint8_t *)PyMem_Malloc(block->used);
        if (block->bytes == NULL) {
            entries_clear(to);
            return -1;
        }
        memcpy(block->bytes, from->blocks[from->first + i].bytes, block->used);
        block->room = block->used;
        to->count++;
    }
    to->length = from->length;
    return 0;
}

#endif
