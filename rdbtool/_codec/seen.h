/* What was seen before: a keyed 128-bit hash, and sets of such hashes.
 *
 * The hash folds 64x64-bit products with secrets that are drawn in each process, so that no file can be made
 * whose members collide: neither into false duplicates nor into slow look-ups. Two equal hashes count as the same
 * string; by chance that happens once in 2^128 pairs.
 *
 * rt_table holds any number of keys in 256 parts that grow one at a time, without a moment at which two copies of all
 * stand side by side. If it is known how many keys are probably still to come, all parts get that size at once, as soon
 * as a share of the keys is there: until then the number may be wrong. It keeps 103 bits of a hash in 17 to 22 bytes:
 * two of a billion different keys are taken for one another once in 10^13 files.
 *
 * rt_seen is for the members of one collection after another: few are compared with each other, more live in blocks that
 * are cleared quickly and kept, many in an rt_crowd, which keeps 72 bits of a hash in 9 to 12 bytes: the members of a
 * large collection often take no more themselves. Two of ten million different members are taken for one another once in
 * 10^8 files.
 */
#ifndef RT_SEEN_H
#define RT_SEEN_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "large_memory.h"
#include "le64.h"

typedef struct {
    uint64_t a, b;          /* b is odd, so no hash is all zero */
} rt_key128;

typedef struct {
    uint64_t word[8];
} rt_secret;

static inline uint64_t rt_fold64(uint64_t x, uint64_t y)
{
    unsigned __int128 product = (unsigned __int128)x * y;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline void rt_hash_seen(const rt_secret *s, uint64_t tweak, const uint8_t *p, size_t size, rt_key128 *out)
{
    uint64_t x, y, h1 = tweak ^ s->word[6], h2 = tweak ^ s->word[7];
    size_t left = size;
    for (; left > 16; left -= 16, p += 16) {
        x = rt_load64(p);
        y = rt_load64(p + 8);
        h1 = rt_fold64(x ^ s->word[0] ^ h1, y ^ s->word[1]);
        h2 = rt_fold64(x ^ s->word[2], y ^ s->word[3] ^ h2);
    }
    if (left >= 8) {
        x = rt_load64(p);
        y = rt_load64(p + left - 8);
    } else if (left >= 4) {
        x = rt_load32(p);
        y = rt_load32(p + left - 4);
    } else {
        x = left ? (uint64_t)p[0] << 16 | (uint64_t)p[left >> 1] << 8 | p[left - 1] : 0;
        y = 0;
    }
    h1 = rt_fold64(x ^ s->word[0] ^ h1, y ^ s->word[1]);
    h2 = rt_fold64(x ^ s->word[2], y ^ s->word[3] ^ h2);
    out->a = rt_fold64(h1 ^ size ^ s->word[4], h2 ^ s->word[5]);
    out->b = rt_fold64(h2 ^ size ^ s->word[3], h1 ^ s->word[6]) | 1;
}

/* 64 bits of ``a`` and 32 of ``b``, of which the lowest is set; 8 more of ``b`` follow from the part. */
typedef struct {
    uint32_t low, high, b;
} rt_slot;

/* Slots in a line of the CPU cache: a search begins with the first of a line, and rarely needs a second line. */
enum { RT_LINE = 5 };

typedef struct {
    rt_slot slot[RT_LINE];
    uint32_t unused;
} rt_line;

typedef struct {
    rt_line *lines;
    size_t capacity;            /* lines */
    size_t count;               /* keys */
} rt_part;

/* Memory of all parts that got their size at once; a part that grew since has its own. */
typedef struct {
    rt_line *lines;
    size_t count;
    size_t size;                /* in bytes */
} rt_arena;

typedef struct {
    rt_part part[256];
    size_t lines;               /* in all parts */
    size_t limit;               /* the most of them, 0: any number */
    size_t expected;            /* lines that a part will probably take, 0: unknown */
    size_t share;               /* one of so many keys has to be there before it takes them */
    rt_arena arena;
} rt_table;

enum { RT_FULL = 2 };

/* GCC takes a function that only prefetches for one without an effect, and removes its calls: the empty assembly is one. */
static inline void rt_prefetch(const void *p)
{
    __builtin_prefetch(p, 1);
    __asm__ volatile("" : : "r"(p));
}

static inline rt_part *rt_part_of(rt_table *table, const rt_key128 *key) { return &table->part[key->b >> 32 & 255]; }

static inline size_t rt_home(uint64_t a, size_t capacity) { return (size_t)((unsigned __int128)a * capacity >> 64); }

/* Puts a hash that may or may not be there; 1: it was there. There is room. */
static inline int rt_table_place(rt_line *lines, size_t capacity, rt_slot key)
{
    size_t i = rt_home((uint64_t)key.high << 32 | key.low, capacity);
    for (;;) {
        for (int j = 0; j < RT_LINE; j++) {
            rt_slot *slot = &lines[i].slot[j];
            if (!slot->b) {
                *slot = key;
                return 0;
            }
            if (slot->low == key.low && slot->high == key.high && slot->b == key.b)
                return 1;
        }
        if (++i == capacity)
            i = 0;
    }
}

static inline void rt_table_prefetch(rt_table *table, const rt_key128 *key)
{
    rt_part *part = rt_part_of(table, key);
    if (part->capacity)
        rt_prefetch(&part->lines[rt_home(key->a, part->capacity)]);
}

/* Allocates zeroed lines. 0: no memory. */
static int rt_arena_open(rt_arena *arena, size_t count)
{
    arena->count = count;
    arena->size = rt_large_size(count * sizeof(rt_line));
    arena->lines = (rt_line *)rt_large_alloc(arena->size);
    return arena->lines != NULL;
}

static void rt_arena_close(rt_arena *arena)
{
    rt_large_free(arena->lines, arena->size);
    memset(arena, 0, sizeof(*arena));
}

static inline void rt_part_free(rt_table *table, rt_part *part)
{
    if (!table->arena.lines || (uintptr_t)part->lines - (uintptr_t)table->arena.lines >= table->arena.count * sizeof(rt_line))
        free(part->lines);
}

/* Moves the keys of a part to other lines, which are free. */
static inline void rt_part_move(rt_table *table, rt_part *part, rt_line *lines, size_t capacity)
{
    for (size_t i = 0; i < part->capacity; i++)
        for (int j = 0; j < RT_LINE && part->lines[i].slot[j].b; j++)
            rt_table_place(lines, capacity, part->lines[i].slot[j]);
    rt_part_free(table, part);
    table->lines += capacity - part->capacity;
    part->lines = lines;
    part->capacity = capacity;
}

/* Whether three quarters of the slots are taken. */
static inline int rt_part_is_full(const rt_part *part) { return part->count + part->count / 3 >= part->capacity * RT_LINE; }

/* The lines of a part that has to grow. */
static inline size_t rt_part_grown(const rt_part *part) { return part->capacity + part->capacity / 4 + 3; }

/* `keys` more will probably come, which is believed when one of `share` is there. */
static void rt_table_expect(rt_table *table, uint64_t keys, size_t share)
{
    uint64_t mean, most = 0;
    if (keys > (uint64_t)1 << 40)
        return;
    for (int i = 0; i < 256; i++)
        keys += table->part[i].count;
    /* No part will have many more keys than the mean: than four times its root. */
    mean = keys / 256 + 1;
    while (most * most < 16 * mean)
        most++;
    most += mean;
    table->share = share;
    table->expected = (size_t)((most + most / 3 + 2) / RT_LINE + 1);
}

/* Gives all parts the lines that they will probably take. */
static void rt_table_spread(rt_table *table)
{
    rt_arena arena;
    size_t capacity = table->expected;
    if (!rt_arena_open(&arena, 256 * capacity))
        return;
    for (int i = 0; i < 256; i++)
        if (table->part[i].capacity <= capacity)
            rt_part_move(table, &table->part[i], arena.lines + (size_t)i * capacity, capacity);
    /* A part that is larger than expected is not in the arena before it either: parts grow by quarters, and `expected` by
     * doubling. */
    rt_arena_close(&table->arena);
    table->arena = arena;
}

/* 1: it was there, 0: it is new, RT_FULL: it may be new, and would take more lines than the limit; -1: no memory. */
static int rt_table_add(rt_table *table, const rt_key128 *key)
{
    rt_part *part = rt_part_of(table, key);
    rt_slot slot = {(uint32_t)key->a, (uint32_t)(key->a >> 32), (uint32_t)key->b};
    int there;
    if (rt_part_is_full(part)) {
        size_t capacity = rt_part_grown(part);
        /* Half of the limit: there is room for as many keys as if all parts had grown by quarters. */
        if (table->expected >= 2 * capacity && table->expected * RT_LINE <= table->share * part->count &&
            (!table->limit || 256 * table->expected <= table->limit / 2))
            rt_table_spread(table);
    }
    if (rt_part_is_full(part)) {
        size_t capacity = rt_part_grown(part);
        rt_line *lines;
        if (table->limit && table->lines - part->capacity + capacity > table->limit)
            return RT_FULL;
        lines = (rt_line *)calloc(capacity, sizeof(rt_line));
        if (lines == NULL)
            return -1;
        rt_part_move(table, part, lines, capacity);
    }
    there = rt_table_place(part->lines, part->capacity, slot);
    part->count += !there;
    return there;
}

static void rt_part_clear(rt_table *table, int i)
{
    rt_part_free(table, &table->part[i]);
    table->lines -= table->part[i].capacity;
    memset(&table->part[i], 0, sizeof(rt_part));
}

/* Empties a table, which keeps its limit. */
static void rt_table_clear(rt_table *table)
{
    for (int i = 0; i < 256; i++)
        rt_part_clear(table, i);
    rt_arena_close(&table->arena);
    table->expected = 0;
}

/* What a slot of a part keeps of a hash. */
static inline rt_key128 rt_kept(int part, const rt_slot *slot)
{
    rt_key128 key = {(uint64_t)slot->high << 32 | slot->low, (uint64_t)part << 32 | slot->b};
    return key;
}

/* A sieve (a Bloom filter) separates most keys that are new from those that may be there, in a few bits a key: each
 * sets two of a word. */
typedef struct {
    uint64_t *words;
    size_t count;
} rt_sieve;

static inline void rt_sieve_prefetch(rt_sieve *sieve, const rt_key128 *key)
{
    if (sieve->words)
        rt_prefetch(&sieve->words[rt_home(key->a, sieve->count)]);
}

/* 0: it is new. */
static inline int rt_sieve_add(rt_sieve *sieve, const rt_key128 *key)
{
    uint64_t *word = &sieve->words[rt_home(key->a, sieve->count)];
    uint64_t bits = (uint64_t)1 << (key->b >> 1 & 63) | (uint64_t)1 << (key->b >> 7 & 63);
    int may_be_there = (*word & bits) == bits;
    *word |= bits;
    return may_be_there;
}

/* Half of a hash a slot, 0: free. Which part it is in, follows from the other half. */
typedef struct {
    uint64_t *slots;
    size_t capacity, count;
} rt_crowd_part;

typedef struct {
    rt_crowd_part part[256];
} rt_crowd;

static inline int rt_crowd_place(uint64_t *slots, size_t capacity, uint64_t half)
{
    size_t i = rt_home(half, capacity);
    while (slots[i]) {
        if (slots[i] == half)
            return 1;
        if (++i == capacity)
            i = 0;
    }
    slots[i] = half;
    return 0;
}

/* 1: it was there, 0: it is new, -1: no memory. */
static int rt_crowd_add(rt_crowd *crowd, const rt_key128 *key)
{
    rt_crowd_part *part = &crowd->part[key->b >> 1 & 255];
    if (part->count + part->count / 8 >= part->capacity) {
        size_t capacity = part->capacity + part->capacity / 4 + 64;
        uint64_t *slots = calloc(capacity, sizeof(uint64_t));
        if (slots == NULL)
            return -1;
        for (size_t i = 0; i < part->capacity; i++)
            if (part->slots[i])
                rt_crowd_place(slots, capacity, part->slots[i]);
        free(part->slots);
        part->slots = slots;
        part->capacity = capacity;
    }
    int there = rt_crowd_place(part->slots, part->capacity, key->a ? key->a : 1);
    part->count += !there;
    return there;
}

static void rt_crowd_clear(rt_crowd *crowd)
{
    for (int i = 0; i < 256; i++)
        free(crowd->part[i].slots);
    memset(crowd, 0, sizeof(*crowd));
}

/* Puts a hash into a block; 1: it was there. There is room. */
static inline int rt_seen_place(rt_key128 *slots, size_t capacity, const rt_key128 *key)
{
    size_t i = rt_home(key->a, capacity);
    while (slots[i].b) {
        if (slots[i].a == key->a && slots[i].b == key->b)
            return 1;
        if (++i == capacity)
            i = 0;
    }
    slots[i] = *key;
    return 0;
}

/* Up to 32 members are in a list; more in blocks of 256, 1024 … 65536 slots, at most half full. */
enum { RT_SEEN_FEW = 32, RT_SEEN_LEVELS = 6 };

typedef struct {
    rt_key128 few[RT_SEEN_FEW];
    uint32_t lows[RT_SEEN_FEW]; /* their lowest bits, which are compared first */
    rt_key128 *blocks[RT_SEEN_LEVELS];
    int level;                  /* 0: in the list, RT_SEEN_LEVELS: in the crowd */
    size_t count;
    rt_crowd crowd;
} rt_seen;

typedef uint32_t rt_four __attribute__((vector_size(16)));

static inline void rt_seen_reset(rt_seen *seen)
{
    if (seen->level == RT_SEEN_LEVELS)
        rt_crowd_clear(&seen->crowd);
    seen->level = 0;
    seen->count = 0;
}

static inline size_t rt_seen_slots(int level) { return (size_t)64 << (2 * level); }

static int rt_seen_block(rt_seen *seen, int level)
{
    size_t size = rt_seen_slots(level) * sizeof(rt_key128);
    if (seen->blocks[level] == NULL && (seen->blocks[level] = (rt_key128 *)malloc(size)) == NULL)
        return -1;
    memset(seen->blocks[level], 0, size);
    return 0;
}

static int rt_seen_grow(rt_seen *seen)
{
    const rt_key128 *old = seen->level ? seen->blocks[seen->level] : seen->few;
    size_t slots = seen->level ? rt_seen_slots(seen->level) : seen->count;
    int level = seen->level + 1;
    if (level < RT_SEEN_LEVELS && rt_seen_block(seen, level) < 0)
        return -1;
    for (size_t i = 0; i < slots; i++) {
        if (!old[i].b)
            continue;
        if (level < RT_SEEN_LEVELS)
            rt_seen_place(seen->blocks[level], rt_seen_slots(level), &old[i]);
        else if (rt_crowd_add(&seen->crowd, &old[i]) < 0) {
            rt_crowd_clear(&seen->crowd);
            return -1;
        }
    }
    seen->level = level;
    return 0;
}

/* Four at a time, to the end of the fours: what an earlier set left there does not count. */
static inline int rt_seen_has(const rt_seen *seen, const rt_key128 *key)
{
    uint32_t low = (uint32_t)key->a;
    const rt_four wanted = {low, low, low, low};
    rt_four any = {0, 0, 0, 0}, some;
    uint64_t halves[2];
    for (size_t i = 0; i < seen->count; i += 4) {
        memcpy(&some, seen->lows + i, sizeof(some));
        any |= (rt_four)(some == wanted);
    }
    memcpy(halves, &any, sizeof(any));
    if (!(halves[0] | halves[1]))
        return 0;
    for (size_t i = 0; i < seen->count; i++)
        if (seen->few[i].a == key->a && seen->few[i].b == key->b)
            return 1;
    return 0;
}

/* 1: it was there, 0: it is new, -1: no memory. */
static inline int rt_seen_add(rt_seen *seen, const rt_key128 *key)
{
    int there;
    if (seen->level == 0) {
        if (rt_seen_has(seen, key))
            return 1;
        if (seen->count < RT_SEEN_FEW) {
            seen->few[seen->count] = *key;
            seen->lows[seen->count++] = (uint32_t)key->a;
            return 0;
        }
        if (rt_seen_grow(seen) < 0)
            return -1;
    } else if (seen->level < RT_SEEN_LEVELS && seen->count * 2 >= rt_seen_slots(seen->level) && rt_seen_grow(seen) < 0) {
        return -1;
    }
    if (seen->level == RT_SEEN_LEVELS)
        there = rt_crowd_add(&seen->crowd, key);
    else
        there = rt_seen_place(seen->blocks[seen->level], rt_seen_slots(seen->level), key);
    seen->count += there == 0;
    return there;
}

static void rt_seen_free(rt_seen *seen)
{
    rt_crowd_clear(&seen->crowd);
    for (int i = 0; i < RT_SEEN_LEVELS; i++)
        free(seen->blocks[i]);
    memset(seen, 0, sizeof(*seen));
}

#endif
