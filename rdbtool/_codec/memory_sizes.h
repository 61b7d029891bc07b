/* Sizes of what servers allocate (format E1, E2): blocks, strings, tables, radix trees. Only arithmetic. */
#ifndef RT_MEMORY_SIZES_H
#define RT_MEMORY_SIZES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- blocks (E1) ----------------------------------------------------------------------------- */

enum { MS_JEMALLOC, MS_JEMALLOC_DISTRO, MS_JEMALLOC_DISTRO_531, MS_LIBC };

#define MS_SMALL 4096

typedef struct {
    int kind;
    uint32_t small[MS_SMALL + 1];
} ms_heap;

static uint64_t ms_class(int kind, uint64_t n)
{
    if (kind == MS_LIBC) {
        uint64_t chunk = (n + 8 + 15) & ~(uint64_t)15;
        return chunk < 32 ? 24 : chunk - 8;
    }
    if (n <= 8)
        return 8;
    if (kind == MS_JEMALLOC && n <= 64)
        return (n + 7) & ~(uint64_t)7;
    if (n <= 128)
        return (n + 15) & ~(uint64_t)15;
    if (kind == MS_JEMALLOC_DISTRO_531 && n > 16384)
        return (n + 4095) & ~(uint64_t)4095;
    int lg = 63 - __builtin_clzll(n - 1);
    uint64_t step = (uint64_t)1 << (lg - 2);
    return (n + step - 1) & ~(step - 1);
}

static void ms_heap_init(ms_heap *heap, int kind)
{
    heap->kind = kind;
    heap->small[0] = 0;
    for (uint32_t n = 1; n <= MS_SMALL; n++)
        heap->small[n] = (uint32_t)ms_class(kind, n);
}

/* The block that malloc(n) is. */
static inline uint64_t ms_block(const ms_heap *heap, uint64_t n)
{
    return n <= MS_SMALL ? heap->small[n] : ms_class(heap->kind, n);
}

/* ---- strings (E2) ---------------------------------------------------------------------------- */

/* An sds of n bytes with its header and end. */
static inline uint64_t ms_sds(uint64_t n)
{
    if (n < 32)
        return n + (n ? 2 : 4);
    if (n < 256)
        return n + 4;
    if (n < 65536)
        return n + 6;
    return n + (n >> 32 ? 18 : 10);
}

/* The name of a field in 7.4 and newer. */
static inline uint64_t ms_field(uint64_t n)
{
    return n + (n < 32 ? 2 : n < 65536 ? 4 : 10);
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* Buckets of a dict that is expanded to n entries. */
static inline uint64_t ms_buckets(uint64_t n)
{
    uint64_t size = 4;
    while (size < n && size >> 62 == 0)
        size <<= 1;
    return size;
}

/* How much of a table has to be filled again until the one before it is empty: each entry moves one bucket, and
   1 - 1/e of the buckets have something in them. */
#define MS_MOVED 0.632

/* Buckets of both tables of a dict that had `first` and was filled one by one up to n entries; no server rehashes after
   a load, so the old table stays where the new one is not full enough. */
static inline uint64_t ms_grown(uint64_t first, uint64_t n)
{
    uint64_t size = ms_buckets(n), before = size / 2;
    if (size <= first)
        return first;
    if (before >= first && (double)(n - before) < MS_MOVED * (double)before)
        return before + size;
    return size;
}

/* Buckets that have something in them, expected, of n entries in `buckets`. */
static inline double ms_filled(double n, double buckets)
{
    return buckets * -expm1(n * log1p(-1 / buckets));
}

/* Buckets of Valkey's hashtable (64 bytes, room for 7) for n entries, with those that hang on full ones. */
static double ms_hashtable(uint64_t n)
{
    uint64_t least = n / 32 * 5 + (n % 32 * 5 + 31) / 32, size = 1;
    if (n == 0)
        return 0;
    while (size < least && size >> 62 == 0)
        size <<= 1;
    if (size == 1)
        return 1;
    /* k of the n in one bucket: binomial; for many buckets this is Poisson. */
    double p = 1 / (double)size, q = -log1p(-p), mean = 0;
    double term = exp(-(double)n * q);           /* k = 0 */
    double ratio = p / (1 - p);
    for (uint64_t k = 0; k < n && k < 200;) {
        term *= (double)(n - k) / (double)(k + 1) * ratio;
        k++;
        if (k > 7)
            mean += term * (double)((k - 7 + 5) / 6);
    }
    return (double)size * (1 + mean);
}

/* ---- radix trees (E2) ------------------------------------------------------------------------ */

/* Keys come in order, each once. What lies on the way to the last one stands on a stack: a point is where a branch
   or a key's end is. */
typedef struct {
    size_t depth;
    size_t first;           /* depth of the first child */
    uint64_t children;
    int is_key;
} ms_point;

typedef struct {
    const ms_heap *heap;
    ms_point *stack;
    size_t count, room;
    uint8_t *last;
    size_t last_size, last_room;
    uint64_t keys, nodes;
    uint64_t blocks;        /* bytes of nodes */
    uint64_t value;         /* bytes of the value of a key: 8, or 0 in a tree that only holds keys */
} ms_rax;

static inline uint64_t ms_rax_pad(uint64_t n) { return (8 - (n + 4) % 8) & 7; }

static inline void ms_rax_node(ms_rax *t, uint64_t bytes, uint64_t pointers, int value)
{
    t->nodes++;
    t->blocks += ms_block(t->heap, 4 + bytes + ms_rax_pad(bytes) + 8 * pointers + (value ? t->value : 0));
}

/* A chain of n bytes, compressed into one node where there are more than one. */
static inline void ms_rax_chain(ms_rax *t, uint64_t n, int value) { ms_rax_node(t, n, 1, value); }

static void ms_rax_begin(ms_rax *t, const ms_heap *heap)
{
    t->heap = heap;
    t->count = 0;
    t->last_size = 0;
    t->keys = t->nodes = t->blocks = 0;
    t->value = 8;
}

static void ms_rax_free(ms_rax *t)
{
    free(t->stack);
    free(t->last);
    t->stack = NULL;
    t->last = NULL;
    t->room = t->last_room = 0;
}

static inline void ms_rax_child(ms_rax *t, ms_point *point, size_t depth)
{
    if (point->children++ == 0)
        point->first = depth;
    else if (depth > point->depth + 1)
        ms_rax_chain(t, depth - point->depth - 1, 0);
}

static inline void ms_rax_close(ms_rax *t, const ms_point *point)
{
    if (point->children == 1) {
        ms_rax_chain(t, point->first - point->depth, point->is_key);
        return;
    }
    if (point->children && point->first > point->depth + 1)
        ms_rax_chain(t, point->first - point->depth - 1, 0);
    ms_rax_node(t, point->children, point->children, point->is_key);
}

static inline int ms_rax_push(ms_rax *t, size_t depth, int is_key)
{
    if (t->count == t->room) {
        size_t room = t->room * 2 + 20;
        ms_point *more = (ms_point *)realloc(t->stack, room * sizeof(ms_point));
        if (!more)
            return -1;
        t->stack = more;
        t->room = room;
    }
    ms_point *point = &t->stack[t->count++];
    point->depth = depth;
    point->children = point->first = 0;
    point->is_key = is_key;
    return 0;
}

/* Close what lies deeper than `depth`, and have a point there. */
static int ms_rax_up(ms_rax *t, size_t depth)
{
    while (t->count && t->stack[t->count - 1].depth > depth) {
        ms_point done = t->stack[--t->count];
        ms_rax_close(t, &done);
        if (t->count == 0 || t->stack[t->count - 1].depth < depth)
            if (ms_rax_push(t, depth, 0) < 0)
                return -1;
        ms_rax_child(t, &t->stack[t->count - 1], done.depth);
    }
    return 0;
}

/* The next key. A key that is there, or that is out of order, is ignored. Returns -1 where memory ends. */
static int ms_rax_add(ms_rax *t, const uint8_t *p, size_t size)
{
    size_t shared = 0, least = size < t->last_size ? size : t->last_size;
    if (t->keys) {
        while (shared < least && p[shared] == t->last[shared])
            shared++;
        if (shared == size || (shared < t->last_size && p[shared] < t->last[shared]))
            return 0;
        if (ms_rax_up(t, shared) < 0)
            return -1;
    }
    if (ms_rax_push(t, size, 1) < 0)
        return -1;
    if (size + 1 > t->last_room) {
        uint8_t *more = (uint8_t *)realloc(t->last, size * 2 + 16);
        if (!more)
            return -1;
        t->last = more;
        t->last_room = size * 2 + 16;
    }
    memcpy(t->last + shared, p + shared, size - shared);
    t->last_size = size;
    t->keys++;
    return 0;
}

/* All keys are there. */
static void ms_rax_end(ms_rax *t)
{
    if (t->keys == 0) {
        ms_rax_node(t, 0, 0, 0);
        return;
    }
    while (t->count) {
        ms_point done = t->stack[--t->count];
        ms_rax_close(t, &done);
        if (t->count)
            ms_rax_child(t, &t->stack[t->count - 1], done.depth);
        else if (done.depth)
            ms_rax_chain(t, done.depth, 0);     /* from the root to the first point */
    }
}

/* The tree with its head. */
static inline uint64_t ms_rax_bytes(const ms_rax *t) { return ms_block(t->heap, 24) + t->blocks; }

/* What MEMORY USAGE takes a tree of stream ids for (Redis, Valkey 8.0). */
static inline uint64_t ms_rax_guess(const ms_rax *t) { return 16 * t->keys + 244 * t->nodes; }

#endif
