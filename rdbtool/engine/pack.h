/* A pack: the elements of one collection, one after another in a single block of memory, in the order in which they came.
 *
 * An entry is a name, and what belongs to it: nothing (PACK_PLAIN: lists and sets), a value (PACK_PAIR: hashes), or
 * a double (PACK_SCORE: sorted sets). Sizes take 1, 3 or 9 bytes. A second block has the offset of each entry, in 2, 4 or 8
 * bytes, so that lists have cheap ends and a cheap middle, and entries of a hash that get a longer value keep their place.
 * From PACK_SCANNED entries on, a hash index finds names; it holds positions, so an entry that goes leaves a hole then.
 * Holes and wasted bytes are closed up when room is needed.
 *
 * Nothing here touches Python but its allocator, and no function frees what a caller passes. -1 is "no memory".
 */
#ifndef RDBTOOL_PACK_H
#define RDBTOOL_PACK_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { PACK_PLAIN, PACK_PAIR, PACK_SCORE };

#define PACK_SCANNED 32      /* entries up to which names are searched one by one */
#define PACK_EMPTY 0u        /* places of an index: free, or left by an entry that went */
#define PACK_GONE 0xffffffffu

typedef struct {
    uint32_t *places; /* position + 1 */
    uint8_t *tags;    /* a byte of the hash, for each place */
    uint32_t size;    /* a power of two */
    uint32_t taken;   /* places that are not free */
} pack_index;

typedef struct {
    uint8_t *blob;
    void *offsets;
    pack_index *index;
    size_t used, room, waste; /* bytes of the blob: written, allocated, written and no longer needed */
    uint32_t first, count;    /* positions first to first + count are taken, holes among them */
    uint32_t places, live;    /* offsets allocated; entries that are there */
    uint8_t width, kind;
} pack;

/* Set once from a random source: so no writer of a file knows which names collide. */
static uint64_t pack_seed = 0x9E3779B97F4A7C15ull;

static inline uint64_t pack_load(const uint8_t *p, size_t n) {
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static inline uint64_t pack_mix(uint64_t a, uint64_t b) {
    unsigned __int128 r = (unsigned __int128)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static inline uint64_t pack_hash(const uint8_t *p, size_t n) {
    uint64_t h = pack_seed ^ (n * 0xA0761D6478BD642Full), a = 0, b = 0;
    while (n > 16) {
        h = pack_mix(pack_load(p, 8) ^ h, pack_load(p + 8, 8) ^ 0xE7037ED1A0B428DBull ^ pack_seed);
        p += 16;
        n -= 16;
    }
    if (n >= 8) {
        a = pack_load(p, 8);
        b = pack_load(p + n - 8, 8);
    } else {
        a = pack_load(p, n);
    }
    return pack_mix(a ^ h ^ 0x8EBC6AF09C88C6E3ull, b ^ pack_seed ^ 0x589965CC75374CC3ull);
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

static inline size_t pack_size_size(size_t n) { return n < 0xFE ? 1 : n <= 0xFFFF ? 3 : 9; }

static inline uint8_t *pack_put_size(uint8_t *p, size_t n) {
    if (n < 0xFE) {
        *p = (uint8_t)n;
        return p + 1;
    }
    if (n <= 0xFFFF) {
        uint16_t v = (uint16_t)n;
        *p = 0xFE;
        memcpy(p + 1, &v, 2);
        return p + 3;
    }
    uint64_t v = n;
    *p = 0xFF;
    memcpy(p + 1, &v, 8);
    return p + 9;
}

static inline const uint8_t *pack_get_size(const uint8_t *p, size_t *n) {
    if (*p < 0xFE) {
        *n = *p;
        return p + 1;
    }
    if (*p == 0xFE) {
        uint16_t v;
        memcpy(&v, p + 1, 2);
        *n = v;
        return p + 3;
    }
    uint64_t v;
    memcpy(&v, p + 1, 8);
    *n = (size_t)v;
    return p + 9;
}

static inline size_t pack_entry_size(int kind, size_t name_size, size_t value_size) {
    size_t size = pack_size_size(name_size) + name_size;
    if (kind == PACK_PAIR) return size + pack_size_size(value_size) + value_size;
    return size + (kind == PACK_SCORE ? 8 : 0);
}

/* An entry, taken apart. */
typedef struct {
    const uint8_t *name, *value; /* value of PACK_SCORE: the double */
    size_t name_size, value_size, size;
} pack_entry;

static inline void pack_read(const pack *p, uint64_t offset, pack_entry *entry) {
    const uint8_t *start = p->blob + offset, *q = start;
    entry->value = NULL;
    entry->value_size = 0;
    q = pack_get_size(q, &entry->name_size);
    entry->name = q;
    q += entry->name_size;
    if (p->kind == PACK_PAIR) {
        q = pack_get_size(q, &entry->value_size);
        entry->value = q;
        q += entry->value_size;
    } else if (p->kind == PACK_SCORE) {
        entry->value = q;
        entry->value_size = 8;
        q += 8;
    }
    entry->size = (size_t)(q - start);
}

/* ---- offsets ----------------------------------------------------------------------------------------------------- */

#define PACK_HOLE UINT64_MAX

static inline uint64_t pack_offset(const pack *p, uint32_t at) {
    if (p->width == 2) {
        uint16_t v = ((const uint16_t *)p->offsets)[at];
        return v == UINT16_MAX ? PACK_HOLE : v;
    }
    if (p->width == 4) {
        uint32_t v = ((const uint32_t *)p->offsets)[at];
        return v == UINT32_MAX ? PACK_HOLE : v;
    }
    return ((const uint64_t *)p->offsets)[at];
}

static inline void pack_set_offset(pack *p, uint32_t at, uint64_t offset) {
    if (p->width == 2)
        ((uint16_t *)p->offsets)[at] = (uint16_t)offset;
    else if (p->width == 4)
        ((uint32_t *)p->offsets)[at] = (uint32_t)offset;
    else
        ((uint64_t *)p->offsets)[at] = offset;
}

static inline void pack_init(pack *p, int kind) {
    memset(p, 0, sizeof(pack));
    p->kind = (uint8_t)kind;
    p->width = 2;
}

static inline void pack_drop_index(pack *p) {
    if (p->index != NULL) {
        PyMem_Free(p->index->places);
        PyMem_Free(p->index->tags);
        PyMem_Free(p->index);
        p->index = NULL;
    }
}

static inline void pack_clear(pack *p) {
    int kind = p->kind;
    pack_drop_index(p);
    PyMem_Free(p->blob);
    PyMem_Free(p->offsets);
    pack_init(p, kind);
}

/* ---- the index --------------------------------------------------------------------------------------------------- */

static inline void pack_index_add(pack_index *index, uint64_t hash, uint32_t at) {
    uint32_t mask = index->size - 1, place = (uint32_t)hash & mask;
    while (index->places[place] != PACK_EMPTY) place = (place + 1) & mask;
    index->places[place] = at + 1;
    index->tags[place] = (uint8_t)(hash >> 56);
    index->taken++;
}

static int pack_make_index(pack *p) {
    uint32_t size = 64, i;
    pack_entry entry;
    pack_index *index;
    pack_drop_index(p);
    while (size / 8 * 5 < p->live + 1) {
        if (size > UINT32_MAX / 2) return -1;
        size *= 2;
    }
    index = (pack_index *)PyMem_Calloc(1, sizeof(pack_index));
    if (index == NULL) return -1;
    index->places = (uint32_t *)PyMem_Calloc(size, sizeof(uint32_t));
    index->tags = (uint8_t *)PyMem_Malloc(size);
    index->size = size;
    p->index = index;
    if (index->places == NULL || index->tags == NULL) {
        pack_drop_index(p);
        return -1;
    }
    for (i = p->first; i < p->first + p->count; i++) {
        uint64_t offset = pack_offset(p, i);
        if (offset == PACK_HOLE) continue;
        pack_read(p, offset, &entry);
        pack_index_add(index, pack_hash(entry.name, entry.name_size), i);
    }
    return 0;
}

static inline int pack_is_name(const uint8_t *p, const uint8_t *name, size_t size) {
    /* Names of a kind differ most at their ends. */
    return size == 0 || (p[size - 1] == name[size - 1] && memcmp(p, name, size) == 0);
}

/* Return the position of a name, -1 where there is none. ``place``: that of the index, if there is one; ``hash``: of the
 * name, used only then. */
static inline int64_t pack_find_hashed(const pack *p, const uint8_t *name, size_t size, uint64_t hash, uint32_t *place) {
    size_t other;
    if (p->index == NULL) {
        uint32_t i, end = p->first + p->count;
        for (i = p->first; i < end; i++) {
            uint64_t offset = pack_offset(p, i);
            const uint8_t *q;
            if (offset == PACK_HOLE) continue;
            q = pack_get_size(p->blob + offset, &other);
            if (other == size && pack_is_name(q, name, size)) return i;
        }
        return -1;
    }
    const pack_index *index = p->index;
    uint32_t mask = index->size - 1, at = (uint32_t)hash & mask;
    uint8_t tag = (uint8_t)(hash >> 56);
    for (;; at = (at + 1) & mask) {
        uint32_t found = index->places[at];
        if (found == PACK_EMPTY) return -1;
        if (found != PACK_GONE && index->tags[at] == tag) {
            const uint8_t *q = pack_get_size(p->blob + pack_offset(p, found - 1), &other);
            if (other == size && pack_is_name(q, name, size)) {
                *place = at;
                return found - 1;
            }
        }
    }
}

static inline int64_t pack_find_place(const pack *p, const uint8_t *name, size_t size, uint32_t *place) {
    return pack_find_hashed(p, name, size, p->index == NULL ? 0 : pack_hash(name, size), place);
}

static inline int64_t pack_find(const pack *p, const uint8_t *name, size_t size) {
    uint32_t place;
    return pack_find_place(p, name, size, &place);
}

/* What names a pack may have, while it is filled: a bit for each hash. */
typedef struct {
    uint64_t bits[16];
} pack_filter;

/* Note a hash; whether it, or one with the same bit, was noted before. */
static inline int pack_note(pack_filter *filter, uint64_t hash) {
    uint64_t *bits = &filter->bits[hash >> 40 & 15], bit = 1ull << (hash >> 44 & 63);
    int was_noted = (*bits & bit) != 0;
    *bits |= bit;
    return was_noted;
}

/* ---- room -------------------------------------------------------------------------------------------------------- */

/* Write everything again, without holes and waste, with room for more. ``moved``: NULL, or takes the new position of
 * each old one, counted from ``first`` (``count`` of them). */
static int pack_rewrite(pack *p, size_t more_bytes, uint32_t more_places, uint32_t *moved) {
    size_t room = p->used - p->waste + more_bytes;
    uint64_t places = (uint64_t)p->live + more_places;
    uint8_t *blob, *out;
    void *offsets;
    uint32_t i, to = 0, end = p->first + p->count;
    int width = room < UINT16_MAX ? 2 : room < UINT32_MAX ? 4 : 8;
    int was_indexed = p->index != NULL;
    pack old = *p;
    pack_entry entry;
    if (places > UINT32_MAX - 2) return -1;
    blob = (uint8_t *)PyMem_Malloc(room ? room : 1);
    offsets = PyMem_Malloc(places ? places * (size_t)width : 1);
    if (blob == NULL || offsets == NULL) {
        PyMem_Free(blob);
        PyMem_Free(offsets);
        return -1;
    }
    out = blob;
    p->width = (uint8_t)width;
    p->offsets = offsets;
    for (i = old.first; i < end; i++) {
        uint64_t offset = pack_offset(&old, i);
        if (moved != NULL) moved[i - old.first] = to;
        if (offset == PACK_HOLE) continue;
        pack_read(&old, offset, &entry);
        memcpy(out, old.blob + offset, entry.size);
        pack_set_offset(p, to++, (uint64_t)(out - blob));
        out += entry.size;
    }
    PyMem_Free(old.blob);
    PyMem_Free(old.offsets);
    p->blob = blob;
    p->used = (size_t)(out - blob);
    p->room = room;
    p->waste = 0;
    p->first = 0;
    p->count = p->live = to;
    p->places = (uint32_t)places;
    if (was_indexed) {
        if (to > PACK_SCANNED / 2) return pack_make_index(p);
        pack_drop_index(p);
    }
    return 0;
}

/* Whether ``pack_make_room`` will move positions. */
static inline int pack_is_crowded(const pack *p, size_t bytes, uint32_t places) {
    return p->used + bytes > p->room || (uint64_t)p->first + p->count + places > p->places;
}

static int pack_widen(pack *p, int width) {
    void *offsets = PyMem_Malloc((size_t)p->places * (size_t)width);
    pack old = *p;
    uint32_t i;
    if (offsets == NULL) return -1;
    p->offsets = offsets;
    p->width = (uint8_t)width;
    for (i = p->first; i < p->first + p->count; i++) pack_set_offset(p, i, pack_offset(&old, i));
    PyMem_Free(old.offsets);
    return 0;
}

/* Have room for more bytes, and more positions after the last one. ``moved`` (``count`` positions) is filled, and
 * 1 returned, where positions moved; else 0. */
static int pack_make_room(pack *p, size_t bytes, uint32_t places, uint32_t *moved) {
    if (p->used + bytes > p->room) {
        if (p->waste && p->waste >= p->used / 4) {
            uint32_t spare = p->live / 4;
            if (pack_rewrite(p, bytes + p->used / 8, places + spare, moved) < 0) return -1;
            return 1;
        }
        size_t room = p->used + bytes;
        if (p->used) room += room / 4 + 8;
        uint8_t *blob = (uint8_t *)PyMem_Realloc(p->blob, room);
        if (blob == NULL) return -1;
        p->blob = blob;
        p->room = room;
        int width = room < UINT16_MAX ? 2 : room < UINT32_MAX ? 4 : 8;
        if (width > p->width && pack_widen(p, width) < 0) return -1;
    }
    if ((uint64_t)p->first + p->count + places > p->places) {
        if (p->count - p->live > p->count / 4) {
            if (pack_rewrite(p, bytes, places + p->live / 4, moved) < 0) return -1;
            return 1;
        }
        if (p->first > p->count / 2 + 4 && p->index == NULL && moved == NULL && p->first >= places) {
            memmove(p->offsets, (uint8_t *)p->offsets + (size_t)p->first * p->width, (size_t)p->count * p->width);
            p->first = 0;
            return 0;
        }
        uint64_t total = (uint64_t)p->first + p->count + places;
        if (p->count) total += total / 4 + 2;
        if (total > UINT32_MAX - 2) return -1;
        void *offsets = PyMem_Realloc(p->offsets, (size_t)total * p->width);
        if (offsets == NULL) return -1;
        p->offsets = offsets;
        p->places = (uint32_t)total;
    }
    return 0;
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

/* Write an entry at the end of the blob, where there is room, and return its offset. */
static inline uint64_t pack_write(pack *p, const uint8_t *name, size_t name_size, const uint8_t *value, size_t value_size) {
    uint8_t *start = p->blob + p->used, *q = start;
    q = pack_put_size(q, name_size);
    memcpy(q, name, name_size);
    q += name_size;
    if (p->kind == PACK_PAIR) {
        q = pack_put_size(q, value_size);
        memcpy(q, value, value_size);
        q += value_size;
    } else if (p->kind == PACK_SCORE) {
        memcpy(q, value, 8);
        q += 8;
    }
    uint64_t offset = p->used;
    p->used += (size_t)(q - start);
    return offset;
}

/* Add an entry after the last one. There has to be room. The name is not looked for, nor indexed. */
static inline void pack_append(pack *p, const uint8_t *name, size_t name_size, const uint8_t *value, size_t value_size) {
    pack_set_offset(p, p->first + p->count, pack_write(p, name, name_size, value, value_size));
    p->count++;
    p->live++;
}

/* Likewise, and index the name; ``hash``: of it, used only where there is an index. */
static inline int pack_append_hashed(pack *p, const uint8_t *name, size_t name_size, const uint8_t *value,
                                     size_t value_size, uint64_t hash) {
    uint32_t at = p->first + p->count;
    pack_append(p, name, name_size, value, value_size);
    if (p->index == NULL) return p->live > PACK_SCANNED ? pack_make_index(p) : 0;
    if ((uint64_t)(p->index->taken + 1) * 4 > (uint64_t)p->index->size * 3) return pack_make_index(p);
    pack_index_add(p->index, hash, at);
    return 0;
}

/* Have room for more positions before the first one (without an index). */
static int pack_make_front(pack *p, uint32_t places) {
    if (p->first >= places) return 0;
    uint64_t front = places + p->count / 4, total = front + p->count + p->count / 8;
    if (total > UINT32_MAX - 2) return -1;
    uint8_t *offsets = (uint8_t *)PyMem_Malloc((size_t)total * p->width);
    if (offsets == NULL) return -1;
    /* A list that has had no element has no offsets: memcpy takes no null pointer, not even for nothing. */
    if (p->count != 0)
        memcpy(offsets + front * p->width, (uint8_t *)p->offsets + (size_t)p->first * p->width, (size_t)p->count * p->width);
    PyMem_Free(p->offsets);
    p->offsets = offsets;
    p->first = (uint32_t)front;
    p->places = (uint32_t)total;
    return 0;
}

static inline void pack_waste(pack *p, uint64_t offset, size_t size) {
    if (offset + size == p->used)
        p->used -= size;
    else
        p->waste += size;
}

/* Remove the entry at a position. With an index it leaves a hole; else what follows moves up. ``place``: of the index. */
static inline void pack_remove(pack *p, uint32_t at, uint32_t place) {
    uint64_t offset = pack_offset(p, at);
    uint32_t last = p->first + p->count - 1;
    pack_entry entry;
    pack_read(p, offset, &entry);
    pack_waste(p, offset, entry.size);
    p->live--;
    if (p->live == 0) {
        p->first = p->count = 0;
        p->used = p->waste = 0;
        pack_drop_index(p);
        return;
    }
    if (p->index != NULL) {
        p->index->places[place] = PACK_GONE;
        pack_set_offset(p, at, PACK_HOLE);
        while (pack_offset(p, p->first) == PACK_HOLE) {
            p->first++;
            p->count--;
        }
        while (pack_offset(p, p->first + p->count - 1) == PACK_HOLE) p->count--;
    } else if (at - p->first < last - at) {
        uint8_t *base = (uint8_t *)p->offsets + (size_t)p->first * p->width;
        memmove(base + p->width, base, (size_t)(at - p->first) * p->width);
        p->first++;
        p->count--;
    } else {
        uint8_t *base = (uint8_t *)p->offsets + (size_t)at * p->width;
        memmove(base, base + p->width, (size_t)(last - at) * p->width);
        p->count--;
    }
}

/* Remove entries at the ends of a list. */
static inline void pack_drop_back(pack *p, uint32_t n) {
    while (n--) pack_remove(p, p->first + p->count - 1, 0);
}

static inline void pack_drop_front(pack *p, uint32_t n) {
    while (n--) pack_remove(p, p->first, 0);
}

/* Insert an element into a list, ``at`` counted from the head. There has to be room for its bytes and after the last. */
static inline int pack_insert(pack *p, uint32_t at, const uint8_t *name, size_t size) {
    uint8_t *base;
    if (at < p->count / 2) {
        if (pack_make_front(p, 1) < 0) return -1;
        base = (uint8_t *)p->offsets + (size_t)p->first * p->width;
        memmove(base - p->width, base, (size_t)at * p->width);
        p->first--;
    } else {
        base = (uint8_t *)p->offsets + (size_t)(p->first + at) * p->width;
        memmove(base + p->width, base, (size_t)(p->count - at) * p->width);
    }
    p->count++;
    p->live++;
    pack_set_offset(p, p->first + at, pack_write(p, name, size, NULL, 0));
    return 0;
}

#endif
