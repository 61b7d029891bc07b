/* Keys by prefix, in bounded memory.
 *
 * A key is cut into tokens, each with the separator that ends it: `user:17:cart` is `user:`, `17:`, `cart`. Which
 * characters separate is said, or guessed node by node from the first keys; a node then cuts all of its keys the same
 * way, so that a node is exactly the keys that begin as its path does. Tokens that look like numbers, UUIDs, hex or
 * are long become `*`, and so do digits at the end of a token (`host12` is `host*`).
 *
 * A key counts at the node where it ends; sums over branches are made at the end. When there is no room for more, nodes
 * with many small children fold them into their child `*`, which takes all new tokens from then on: what is folded is
 * folded whole, and everything that still has a name stays exact. A token that turns up often after that gets a
 * node of its own again, which is marked: it is less than the whole.
 */
#ifndef RT_PREFIX_TREE_H
#define RT_PREFIX_TREE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    PT_TOKEN = 40,              /* bytes of a token that is not folded */
    PT_DEPTH = 16,              /* tokens of a key that are looked at */
    PT_LOOK = 1024,             /* bytes of a key that are looked at */
    PT_SAMPLE = 16384,          /* keys that separators are guessed from */
    PT_SAMPLE_BYTES = 1 << 21,
    PT_SUB = 16,                /* buckets between a power of two and the next */
    PT_BUCKETS = 45 * PT_SUB,   /* sizes up to 2**48 */
    PT_SKETCH = 256,
    PT_LATE = 64,               /* keys of a folded token before it gets a node */
    PT_MANY = 64,               /* children that are folded at the end, if nearly all are small */
    PT_SMALL = 8,               /* keys of a small one of them */
    PT_TIDY_PART = 100,         /* and which part of all memory it takes at most */
    PT_PART = 2000,             /* the same, where room is needed */

    PT_FOLDED = 1,              /* the token is *, not literally */
    PT_WILD = 2,                /* tokens without a node go to * */
    PT_IS_LATE = 4,             /* some keys of this token are in * */
    PT_DEAD = 8,
};

/* Strong separators come first. The bit of a separator is 1 << its index. */
static const char PT_SEPARATORS[] = ":/|._-";
#define PT_STRONG 7
#define PT_ALL 63

typedef struct {
    uint32_t hash, count;
} pt_slot;

typedef struct {
    uint64_t hash;
    uint64_t keys, memory, allocated, no_ttl, no_ttl_memory, max;
    uint64_t old_keys, old_memory;
    uint64_t folded;            /* tokens that went into * */
    uint32_t *counts;           /* sizes by bucket, once there are two keys */
    pt_slot *sketch;            /* of tokens that are folded */
    uint32_t parent, child, next, children;
    uint32_t hot;               /* the child that a key went to last */
    uint16_t first, octaves;    /* the buckets that counts has */
    uint8_t mask, flags, size;  /* separators below it; of the token */
    char token[PT_TOKEN + 3];
} pt_node;

typedef struct {
    uint64_t memory, allocated;
    uint32_t at, size;
    uint32_t next, node;
    uint8_t no_ttl, old;
} pt_row;

typedef struct {
    pt_node *nodes;
    uint32_t used, room, free, live;
    uint32_t *table;
    uint32_t slots;             /* a power of two */
    uint32_t filled;
    uint64_t bytes, budget;     /* of nodes and histograms */
    uint64_t memory;            /* of all keys, of both sides */
    uint64_t folds, sketches;
    uint32_t depth;
    int guessing;               /* the sample is being taken */
    uint8_t separators;         /* where they are said */
    int has_separators;
    uint8_t classes[256];       /* separator bits, of those asked for */
    char names[8];              /* the separators in the order of their bits */
    pt_row *rows;
    uint32_t row_count;
    char *text;
    uint32_t text_used;
    /* sums over branches, made by pt_sum */
    uint64_t *sum_keys, *sum_memory;
} pt_tree;

enum { PT_DIGIT = 1, PT_HEX = 2, PT_LETTER = 4, PT_CONTROL = 8 };

static uint8_t pt_kinds[256];

static void pt_init_kinds(void)
{
    for (int c = 0; c < 256; c++) {
        uint8_t k = 0;
        if (c >= '0' && c <= '9')
            k |= PT_DIGIT | PT_HEX;
        if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            k |= PT_HEX;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            k |= PT_LETTER;
        if (c < 32 || c == 127)
            k |= PT_CONTROL;
        pt_kinds[c] = k;
    }
}

static inline uint32_t pt_bucket(uint64_t v)
{
    if (v < PT_SUB)
        return (uint32_t)v;
    int e = 63 - __builtin_clzll(v);
    if (e > 47)
        return PT_BUCKETS - 1;
    return (uint32_t)(e - 3) * PT_SUB + (uint32_t)((v >> (e - 4)) & (PT_SUB - 1));
}

/* The largest size in a bucket. */
static inline uint64_t pt_bucket_end(uint32_t b)
{
    if (b < PT_SUB)
        return b;
    return ((uint64_t)(PT_SUB + b % PT_SUB + 1) << (b / PT_SUB - 1)) - 1;
}

static int pt_init(pt_tree *t, const char *separators, int count, int has_separators, uint32_t depth, uint64_t budget)
{
    if (!pt_kinds['0'])
        pt_init_kinds();
    memset(t, 0, sizeof *t);
    t->room = 64;
    t->slots = 1 << 10;
    t->nodes = (pt_node *)calloc(t->room, sizeof(pt_node));
    t->table = (uint32_t *)calloc(t->slots, sizeof(uint32_t));
    if (!t->nodes || !t->table)
        return -1;
    t->used = t->live = 1;
    t->budget = budget;
    t->depth = depth && depth < PT_DEPTH ? depth : PT_DEPTH;
    if (!has_separators) {
        separators = PT_SEPARATORS;
        count = 6;
    }
    for (int i = 0; i < count && i < 8; i++) {
        t->classes[(uint8_t)separators[i]] |= (uint8_t)(1 << i);
        t->names[i] = separators[i];
    }
    t->has_separators = has_separators;
    t->separators = (uint8_t)((1 << (count < 8 ? count : 8)) - 1);
    if (has_separators)
        t->nodes[0].mask = t->separators;
    t->guessing = !has_separators;
    return 0;
}

static void pt_free(pt_tree *t)
{
    if (t->nodes)
        for (uint32_t i = 0; i < t->used; i++) {
            free(t->nodes[i].counts);
            free(t->nodes[i].sketch);
        }
    free(t->nodes);
    free(t->table);
    free(t->rows);
    free(t->text);
    free(t->sum_keys);
    free(t->sum_memory);
    memset(t, 0, sizeof *t);
}

/* ---- histograms of a node ---- */

static int pt_count(pt_tree *t, pt_node *n, uint32_t bucket, uint32_t times)
{
    uint32_t octave = bucket / PT_SUB;
    if (!n->counts || octave < n->first || octave >= (uint32_t)n->first + n->octaves) {
        uint32_t first = octave, end = octave + 1;
        if (n->counts) {
            if (n->first < first)
                first = n->first;
            if ((uint32_t)n->first + n->octaves > end)
                end = (uint32_t)n->first + n->octaves;
        }
        uint32_t *counts = (uint32_t *)calloc((size_t)(end - first) * PT_SUB, sizeof(uint32_t));
        if (!counts)
            return -1;
        if (n->counts)
            memcpy(counts + (n->first - first) * PT_SUB, n->counts, (size_t)n->octaves * PT_SUB * sizeof(uint32_t));
        t->bytes += (end - first - (n->counts ? n->octaves : 0)) * PT_SUB * sizeof(uint32_t);
        free(n->counts);
        n->counts = counts;
        n->first = (uint16_t)first;
        n->octaves = (uint16_t)(end - first);
    }
    uint32_t *slot = &n->counts[bucket - n->first * PT_SUB];
    *slot = *slot + times < *slot ? UINT32_MAX : *slot + times;
    return 0;
}

/* Adds all sizes of src. A node with one key has no histogram: its size is its memory. */
static int pt_count_all(pt_tree *t, pt_node *dst, const pt_node *src)
{
    if (!src->keys)
        return 0;
    if (!src->counts)
        return pt_count(t, dst, pt_bucket(src->memory), 1);
    for (uint32_t i = 0; i < (uint32_t)src->octaves * PT_SUB; i++)
        if (src->counts[i] && pt_count(t, dst, src->first * PT_SUB + i, src->counts[i]))
            return -1;
    return 0;
}

static inline int pt_add(pt_tree *t, pt_node *n, uint64_t memory, uint64_t allocated, int no_ttl, int old)
{
    if (old) {
        n->old_keys++;
        n->old_memory += memory;
        return 0;
    }
    if (n->keys) {
        if (!n->counts && pt_count(t, n, pt_bucket(n->memory), 1))
            return -1;
        if (pt_count(t, n, pt_bucket(memory), 1))
            return -1;
    }
    n->keys++;
    n->memory += memory;
    n->allocated += allocated;
    if (memory > n->max)
        n->max = memory;
    if (no_ttl) {
        n->no_ttl++;
        n->no_ttl_memory += memory;
    }
    return 0;
}

/* ---- tokens ---- */

typedef struct {
    const char *text;           /* as it is in the key, or folded */
    uint32_t size;              /* of that, the separator included */
    uint32_t length;            /* in the key, the separator included */
    uint8_t separator;          /* 0: the end of the key */
    uint8_t folded;
    char scratch[PT_TOKEN + 3];
} pt_token;

static int pt_is_uuid(const char *p, size_t n)
{
    if (n < 36 || p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-')
        return 0;
    for (int i = 0; i < 36; i++)
        if (i != 8 && i != 13 && i != 18 && i != 23 && !(pt_kinds[(uint8_t)p[i]] & PT_HEX))
            return 0;
    return 1;
}

static inline void pt_star(pt_token *k, uint8_t separator)
{
    k->scratch[0] = '*';
    k->scratch[1] = (char)separator;
    k->text = k->scratch;
    k->size = separator ? 2 : 1;
    k->folded = 1;
}

/* Whether letters and digits alternate as they do in no name: ULIDs, base 62 and the like. */
static int pt_is_random(const char *p, uint32_t n)
{
    uint32_t turns = 0;
    for (uint32_t i = 1; i < n; i++)
        turns += ((pt_kinds[(uint8_t)p[i]] ^ pt_kinds[(uint8_t)p[i - 1]]) & PT_DIGIT) != 0;
    return turns >= 5;
}

/* Takes the next token of a key, which ends at a separator of the mask. */
static inline void pt_next(const pt_tree *t, const char *p, uint32_t n, uint8_t mask, pt_token *k)
{
    uint32_t i = 0, digits = 0, run = 0;
    uint8_t all = PT_DIGIT | PT_HEX | PT_LETTER, any = 0;
    k->separator = 0;
    k->folded = 0;
    if (n >= 36 && p[8] == '-' && pt_is_uuid(p, n) && (n == 36 || t->classes[(uint8_t)p[36]])) {
        k->separator = n == 36 ? 0 : (uint8_t)p[36];
        k->length = n == 36 ? 36 : 37;
        pt_star(k, k->separator);
        return;
    }
    for (; i < n; i++) {
        uint8_t c = (uint8_t)p[i];
        if (t->classes[c] & mask) {
            k->separator = c;
            break;
        }
        uint8_t kind = pt_kinds[c];
        all &= kind;
        any |= kind;
        run = kind & PT_DIGIT ? run + 1 : 0;
        digits += kind & PT_DIGIT;
    }
    k->length = i + (k->separator != 0);
    if (i && (i > PT_TOKEN || (all & PT_DIGIT) || ((all & PT_HEX) && ((i >= 8 && digits) || i >= 16))
              || (any & PT_CONTROL) || (i >= 16 && digits * 8 >= i && pt_is_random(p, i)))) {
        pt_star(k, k->separator);
        return;
    }
    if (run >= 2) {
        uint32_t stem = i - run;
        memcpy(k->scratch, p, stem);
        k->scratch[stem] = '*';
        k->scratch[stem + 1] = (char)k->separator;
        k->text = k->scratch;
        k->size = stem + 1 + (k->separator != 0);
        k->folded = 1;
        return;
    }
    k->text = p;
    k->size = k->length;
}

static inline uint64_t pt_hash(uint32_t parent, const char *p, uint32_t n, uint8_t folded)
{
    uint64_t h = ((uint64_t)parent + 1) * 0x9E3779B97F4A7C15ull ^ (n | (uint32_t)folded << 8);
    uint64_t v;
    while (n >= 8) {
        memcpy(&v, p, 8);
        h = (h ^ v) * 0xff51afd7ed558ccdull;
        h ^= h >> 32;
        p += 8;
        n -= 8;
    }
    v = 0;
    switch (n) {
    case 7: v |= (uint64_t)(uint8_t)p[6] << 48; /* fall through */
    case 6: v |= (uint64_t)(uint8_t)p[5] << 40; /* fall through */
    case 5: v |= (uint64_t)(uint8_t)p[4] << 32; /* fall through */
    case 4: v |= (uint64_t)(uint8_t)p[3] << 24; /* fall through */
    case 3: v |= (uint64_t)(uint8_t)p[2] << 16; /* fall through */
    case 2: v |= (uint64_t)(uint8_t)p[1] << 8;  /* fall through */
    case 1: v |= (uint64_t)(uint8_t)p[0];       /* fall through */
    default: break;
    }
    h = (h ^ v) * 0xc4ceb9fe1a85ec53ull;
    return h ^ h >> 29;
}

/* ---- nodes ---- */

static void pt_enter(pt_tree *t, uint32_t index)
{
    uint32_t mask = t->slots - 1, slot = (uint32_t)t->nodes[index].hash & mask;
    while (t->table[slot])
        slot = (slot + 1) & mask;
    t->table[slot] = index;
    t->filled++;
}

static int pt_rebuild(pt_tree *t, uint32_t slots)
{
    uint32_t *table = (uint32_t *)calloc(slots, sizeof(uint32_t));
    if (!table)
        return -1;
    free(t->table);
    t->table = table;
    t->slots = slots;
    t->filled = 0;
    for (uint32_t i = 1; i < t->used; i++)
        if (!(t->nodes[i].flags & PT_DEAD))
            pt_enter(t, i);
    return 0;
}

static inline uint32_t pt_find(const pt_tree *t, uint32_t parent, const char *p, uint32_t n, uint8_t folded, uint64_t h)
{
    uint32_t mask = t->slots - 1, slot = (uint32_t)h & mask, index;
    while ((index = t->table[slot]) != 0) {
        const pt_node *node = &t->nodes[index];
        if (node->hash == h && node->parent == parent && node->size == n && !(node->flags & PT_DEAD)
            && (node->flags & PT_FOLDED) == folded && !memcmp(node->token, p, n))
            return index;
        slot = (slot + 1) & mask;
    }
    return 0;
}

/* Returns the new node, 0 without memory. */
static uint32_t pt_make(pt_tree *t, uint32_t parent, const char *p, uint32_t n, uint8_t folded, uint64_t h)
{
    uint32_t index;
    if (t->free) {
        index = t->free;
        t->free = t->nodes[index].next;
    } else {
        if (t->used == t->room) {
            pt_node *nodes = (pt_node *)realloc(t->nodes, (size_t)t->room * 2 * sizeof(pt_node));
            if (!nodes)
                return 0;
            t->nodes = nodes;
            t->room *= 2;
        }
        index = t->used++;
    }
    if ((t->filled + 1) * 2 > t->slots) {
        t->nodes[index].flags = PT_DEAD;
        t->nodes[index].counts = NULL;
        t->nodes[index].sketch = NULL;
        if (pt_rebuild(t, t->slots * 2))
            return 0;
    }
    pt_node *node = &t->nodes[index];
    memset(node, 0, sizeof *node);
    node->hash = h;
    node->parent = parent;
    node->flags = folded;
    node->size = (uint8_t)n;
    memcpy(node->token, p, n);
    node->mask = t->has_separators ? t->separators : PT_STRONG;
    node->next = t->nodes[parent].child;
    t->nodes[parent].child = index;
    t->nodes[parent].children++;
    t->live++;
    t->bytes += sizeof(pt_node) + 8;
    pt_enter(t, index);
    return index;
}

static uint32_t pt_child(pt_tree *t, uint32_t parent, const char *p, uint32_t n, uint8_t folded)
{
    uint64_t h = pt_hash(parent, p, n, folded);
    uint32_t index = pt_find(t, parent, p, n, folded, h);
    return index ? index : pt_make(t, parent, p, n, folded, h);
}

/* Counts a token that a folding node has no child for; says whether it is frequent by now. */
static int pt_is_frequent(pt_node *n, uint64_t h)
{
    if (!n->sketch)
        return 0;
    pt_slot *slot = &n->sketch[(h >> 20) % PT_SKETCH];
    uint32_t mark = (uint32_t)(h >> 32) | 1;
    if (slot->hash == mark)
        return ++slot->count >= PT_LATE;
    if (slot->count > 1)
        slot->count--;
    else {
        slot->hash = mark;
        slot->count = 1;
    }
    return 0;
}

/* Returns the node of a key that begins at p, UINT32_MAX without memory. */
static inline uint32_t pt_walk(pt_tree *t, const char *p, uint32_t n)
{
    uint32_t node = 0;
    pt_token k;
    if (n > PT_LOOK)
        n = PT_LOOK;
    for (uint32_t depth = 0; n && depth < t->depth; depth++) {
        pt_next(t, p, n, t->nodes[node].mask, &k);
        uint32_t next = t->nodes[node].hot;
        const pt_node *hot = &t->nodes[next];
        if (next && hot->size == k.size && (hot->flags & PT_FOLDED) == k.folded && !memcmp(hot->token, k.text, k.size)) {
            node = next;
            p += k.length;
            n -= k.length;
            continue;
        }
        uint64_t h = pt_hash(node, k.text, k.size, k.folded);
        next = pt_find(t, node, k.text, k.size, k.folded, h);
        if (!next) {
            if (t->nodes[node].flags & PT_WILD) {
                if (pt_is_frequent(&t->nodes[node], h)) {
                    next = pt_make(t, node, k.text, k.size, k.folded, h);
                    if (!next)
                        return UINT32_MAX;
                    t->nodes[next].flags |= PT_IS_LATE;
                } else {
                    pt_star(&k, k.separator);
                    next = pt_child(t, node, k.text, k.size, 1);
                }
            } else
                next = pt_make(t, node, k.text, k.size, k.folded, h);
            if (!next)
                return UINT32_MAX;
        }
        t->nodes[node].hot = next;
        node = next;
        p += k.length;
        n -= k.length;
    }
    return node;
}

/* ---- sums and folding ---- */

static void pt_sum_branch(pt_tree *t, uint32_t index)
{
    pt_node *n = &t->nodes[index];
    uint64_t keys = n->keys + n->old_keys, memory = n->memory + n->old_memory;
    for (uint32_t c = n->child; c; c = t->nodes[c].next) {
        pt_sum_branch(t, c);
        keys += t->sum_keys[c];
        memory += t->sum_memory[c];
    }
    t->sum_keys[index] = keys;
    t->sum_memory[index] = memory;
}

static int pt_sum(pt_tree *t)
{
    free(t->sum_keys);
    free(t->sum_memory);
    t->sum_keys = (uint64_t *)calloc(t->room, sizeof(uint64_t));
    t->sum_memory = (uint64_t *)calloc(t->room, sizeof(uint64_t));
    if (!t->sum_keys || !t->sum_memory)
        return -1;
    pt_sum_branch(t, 0);
    return 0;
}

static void pt_kill(pt_tree *t, uint32_t index)
{
    pt_node *n = &t->nodes[index];
    t->bytes -= sizeof(pt_node) + 8 + (n->counts ? (uint64_t)n->octaves * PT_SUB * sizeof(uint32_t) : 0);
    if (n->sketch) {
        t->sketches--;
        free(n->sketch);
    }
    free(n->counts);
    n->counts = NULL;
    n->sketch = NULL;
    n->flags |= PT_DEAD;
    t->live--;
}

/* Puts all of src into dst; src is not among the children of its parent any more. */
static int pt_merge(pt_tree *t, uint32_t dst, uint32_t src)
{
    pt_node *d = &t->nodes[dst], *s = &t->nodes[src];
    int was_wild = (d->flags | s->flags) & PT_WILD;
    if (s->keys) {
        if (d->keys && !d->counts && pt_count(t, d, pt_bucket(d->memory), 1))
            return -1;
        if (d->keys || s->keys > 1) {
            if (pt_count_all(t, d, s))
                return -1;
        }
    }
    d->keys += s->keys;
    d->memory += s->memory;
    d->allocated += s->allocated;
    d->no_ttl += s->no_ttl;
    d->no_ttl_memory += s->no_ttl_memory;
    d->old_keys += s->old_keys;
    d->old_memory += s->old_memory;
    d->folded += s->folded;
    d->mask |= s->mask;
    if (s->max > d->max)
        d->max = s->max;
    /* Tokens without a node went to * there: from now on they do so here. */
    d->flags |= s->flags & PT_WILD;
    t->sum_keys[dst] += t->sum_keys[src];
    t->sum_memory[dst] += t->sum_memory[src];
    uint32_t c = s->child, next;
    s->child = 0;
    for (; c; c = next) {
        pt_node *child = &t->nodes[c];
        next = child->next;
        uint8_t folded = child->flags & PT_FOLDED;
        uint64_t h = pt_hash(dst, child->token, child->size, folded);
        uint32_t same = pt_find(t, dst, child->token, child->size, folded, h);
        if (same) {
            if (pt_merge(t, same, c))
                return -1;
        } else {
            child->hash = h;
            child->parent = dst;
            child->next = t->nodes[dst].child;
            t->nodes[dst].child = c;
            t->nodes[dst].children++;
            pt_enter(t, c);
        }
    }
    /* What one of the two calls by name may be among the * of the other. */
    if (was_wild)
        for (c = t->nodes[dst].child; c; c = t->nodes[c].next)
            if (!(t->nodes[c].flags & PT_FOLDED && t->nodes[c].token[0] == '*'))
                t->nodes[c].flags |= PT_IS_LATE;
    pt_kill(t, src);
    return 0;
}

static inline int pt_is_small(const pt_tree *t, uint32_t c, uint64_t keys, uint32_t part)
{
    return !(t->nodes[c].flags & PT_FOLDED && t->nodes[c].token[0] == '*')
        && t->sum_keys[c] <= keys && t->sum_memory[c] <= t->memory / part;
}

/* Folds the small children of a node into its child *. */
static int pt_fold(pt_tree *t, uint32_t index, uint64_t keys, uint32_t part, int keeps_counting)
{
    uint32_t c = t->nodes[index].child, next, small = 0, folded = 0;
    t->nodes[index].child = 0;
    t->nodes[index].children = 0;
    for (; c; c = next) {
        next = t->nodes[c].next;
        if (pt_is_small(t, c, keys, part)) {
            t->nodes[c].next = small;
            small = c;
        } else {
            t->nodes[c].next = t->nodes[index].child;
            t->nodes[index].child = c;
            t->nodes[index].children++;
        }
    }
    for (; small; small = next) {
        char star[2] = {'*', 0};
        pt_node *n = &t->nodes[small];
        uint8_t separator = n->size ? (uint8_t)n->token[n->size - 1] : 0;
        uint32_t size = n->size && t->classes[separator] ? 2 : 1;
        next = n->next;
        star[1] = (char)separator;
        uint64_t h = pt_hash(index, star, size, 1);
        uint32_t dst = pt_find(t, index, star, size, 1, h);
        if (!dst) {
            uint8_t mask = t->nodes[small].mask;
            /* No rebuild of the table, and no node that is dying, in the middle of this: see pt_make. */
            dst = pt_make(t, index, star, size, 1, h);
            if (!dst)
                return -1;
            t->nodes[dst].mask = mask;
            if (dst < t->room) {
                t->sum_keys[dst] = 0;
                t->sum_memory[dst] = 0;
            }
        }
        if (pt_merge(t, dst, small))
            return -1;
        folded++;
    }
    if (folded) {
        t->nodes[index].flags |= PT_WILD;
        t->nodes[index].folded += folded;
        t->folds += folded;
        if (keeps_counting && !t->nodes[index].sketch && t->sketches < 256) {
            t->nodes[index].sketch = (pt_slot *)calloc(PT_SKETCH, sizeof(pt_slot));
            if (t->nodes[index].sketch)
                t->sketches++;
        }
    }
    return 0;
}

/* Room for the nodes that folding makes before it frees others: nothing moves meanwhile. */
static int pt_begin_folding(pt_tree *t)
{
    uint32_t room = t->used + t->live + 16;
    if (room > t->room) {
        pt_node *nodes = (pt_node *)realloc(t->nodes, (size_t)room * sizeof(pt_node));
        if (!nodes)
            return -1;
        t->nodes = nodes;
        t->room = room;
    }
    uint32_t slots = t->slots;
    while (slots < 8 * t->live)
        slots *= 2;
    if (pt_rebuild(t, slots))
        return -1;
    t->free = 0;                /* nodes that are free keep out of it */
    return pt_sum(t);
}

static int pt_end_folding(pt_tree *t)
{
    t->free = 0;
    t->nodes[0].hot = 0;
    for (uint32_t i = t->used; i-- > 1;) {
        t->nodes[i].hot = 0;
        if (t->nodes[i].flags & PT_DEAD) {
            t->nodes[i].next = t->free;
            t->free = i;
        }
    }
    free(t->sum_keys);
    free(t->sum_memory);
    t->sum_keys = t->sum_memory = NULL;
    return pt_rebuild(t, t->slots);
}

static int pt_fold_all(pt_tree *t, uint64_t keys, uint32_t many)
{
    uint32_t used = t->used;
    for (uint32_t i = 0; i < used; i++) {
        uint32_t small = 0;
        if (t->nodes[i].flags & PT_DEAD)
            continue;
        for (uint32_t c = t->nodes[i].child; c; c = t->nodes[c].next)
            small += (uint32_t)pt_is_small(t, c, keys, PT_PART);
        if (small >= many && pt_fold(t, i, keys, PT_PART, 1))
            return -1;
    }
    return 0;
}

/* Makes room: nodes with many small children first, then with few, then larger ones. */
static int pt_shrink(pt_tree *t)
{
    static const uint32_t many[] = {1024, 64, 8, 2, 1};
    uint64_t keys = 1;
    if (pt_begin_folding(t))
        return -1;
    while (t->bytes > t->budget / 2 && keys) {
        for (size_t i = 0; i < sizeof many / sizeof *many && t->bytes > t->budget / 2; i++) {
            if (pt_fold_all(t, keys, many[i]))
                return -1;
            /* Folding freed nodes and made others: what comes next needs the room again. */
            if (pt_end_folding(t) || pt_begin_folding(t))
                return -1;
        }
        keys *= 4;
    }
    return pt_end_folding(t);
}

/* At the end: folds names that stand for one thing each, so that what follows them comes together. */
static int pt_tidy(pt_tree *t)
{
    int again = 1;
    for (int round = 0; again && round < PT_DEPTH; round++) {
        again = 0;
        if (pt_begin_folding(t))
            return -1;
        uint32_t used = t->used;
        for (uint32_t i = 0; i < used; i++) {
            uint32_t small = 0;
            /* Where names were folded, the few small ones that are left say nothing. */
            int is_wild = t->nodes[i].flags & PT_WILD;
            if ((t->nodes[i].flags & PT_DEAD) || (t->nodes[i].children < PT_MANY && !is_wild))
                continue;
            for (uint32_t c = t->nodes[i].child; c; c = t->nodes[c].next)
                small += (uint32_t)pt_is_small(t, c, PT_SMALL, PT_TIDY_PART);
            if (small && (is_wild || (uint64_t)small * 10 >= (uint64_t)t->nodes[i].children * 9)) {
                if (pt_fold(t, i, PT_SMALL, PT_TIDY_PART, 0))
                    return -1;
                again = 1;
            }
        }
        if (pt_end_folding(t))
            return -1;
    }
    return 0;
}

/* ---- guessing separators ---- */

/* How many different tokens there are if the rows of a node are cut at a separator, and how many rows have it. */
static void pt_try(pt_tree *t, uint32_t head, uint8_t mask, uint8_t other, uint64_t *set, uint32_t size,
                   uint32_t *have, uint32_t *distinct)
{
    pt_token k;
    memset(set, 0, (size_t)size * sizeof *set);
    *have = *distinct = 0;
    for (uint32_t r = head; r != UINT32_MAX; r = t->rows[r].next) {
        const char *p = t->text + t->rows[r].at;
        if (!t->rows[r].size)
            continue;
        if (mask & PT_STRONG) { /* rows in which it comes before those */
            pt_next(t, p, t->rows[r].size, mask | other, &k);
            if (!k.separator || !(t->classes[k.separator] & mask))
                continue;
        } else {                /* rows that those have nothing in */
            pt_next(t, p, t->rows[r].size, mask | other, &k);
            if (!k.separator || !(t->classes[k.separator] & mask))
                continue;
            pt_next(t, p, t->rows[r].size, other, &k);
            if (k.separator)
                continue;
            pt_next(t, p, t->rows[r].size, mask, &k);
        }
        ++*have;
        uint64_t h = pt_hash(0, k.text, k.size, k.folded) | 1;
        uint32_t slot = (uint32_t)(h >> 7) & (size - 1);
        while (set[slot] && set[slot] != h)
            slot = (slot + 1) & (size - 1);
        if (!set[slot]) {
            set[slot] = h;
            ++*distinct;
        }
    }
}

static uint8_t pt_guess_mask(pt_tree *t, uint32_t head, uint32_t rows, uint64_t *set)
{
    static const uint32_t weights[] = {100, 90, 90, 60, 50, 40};
    uint32_t size = 16, have, distinct;
    uint8_t mask = 0;
    while (size < rows * 2)
        size *= 2;
    for (int round = 0; round < 6; round++) {
        uint64_t best = 0;
        uint8_t found = 0;
        for (int i = 0; i < 6; i++) {
            uint8_t bit = (uint8_t)(1 << i);
            if (mask & bit)
                continue;
            pt_try(t, head, bit, mask, set, size, &have, &distinct);
            if (!have)
                continue;
            int strong = (bit & PT_STRONG) != 0;
            /* A separator is in many keys and leaves few different tokens; else it is part of a name. */
            if (!strong && (distinct * 2 > have || have * 20 < rows))
                continue;
            if (strong && have >= 64 && distinct * 10 > have * 9 && have * 10 < rows * 9)
                continue;
            if (mask && have * 50 < rows)
                continue;
            uint64_t score = (uint64_t)have * weights[i];
            if (score > best) {
                best = score;
                found = bit;
            }
        }
        if (!found)
            break;
        mask |= found;
    }
    return mask ? mask : PT_STRONG;
}

/* Guesses the separators of all nodes that the sample has, then counts its rows. */
static int pt_end_sample(pt_tree *t)
{
    uint32_t *heads = NULL, *lengths = NULL, room = 0;
    uint64_t *set = NULL;
    int result = -1;
    if (!t->guessing)
        return 0;
    t->guessing = 0;
    room = t->row_count * 4 + 64;
    heads = (uint32_t *)malloc((size_t)room * sizeof *heads);
    lengths = (uint32_t *)calloc(room, sizeof *lengths);
    set = (uint64_t *)malloc((size_t)(t->row_count * 4 + 64) * sizeof *set);
    if (!heads || !lengths || !set)
        goto done;
    memset(heads, 0xff, (size_t)room * sizeof *heads);
    /* The offset and size of a row move on as its tokens are taken; they are put back at the end. */
    uint32_t *starts = (uint32_t *)malloc(((size_t)t->row_count + 1) * 2 * sizeof *starts);
    if (!starts)
        goto done;
    for (uint32_t r = t->row_count; r-- > 0;) {
        starts[2 * r] = t->rows[r].at;
        starts[2 * r + 1] = t->rows[r].size;
        t->rows[r].next = heads[0];
        heads[0] = r;
        lengths[0]++;
    }
    /* Nodes are made in the order of this walk, so children come after their parents. */
    for (uint32_t i = 0; i < t->used && i < room; i++) {
        uint32_t depth = 0;
        for (uint32_t up = i; up; up = t->nodes[up].parent)
            depth++;
        if (heads[i] == UINT32_MAX || depth >= t->depth)
            continue;
        uint8_t mask = pt_guess_mask(t, heads[i], lengths[i], set);
        t->nodes[i].mask = mask;
        for (uint32_t r = heads[i], next; r != UINT32_MAX; r = next) {
            pt_token k;
            pt_row *row = &t->rows[r];
            next = row->next;
            if (!row->size)
                continue;
            pt_next(t, t->text + row->at, row->size, mask, &k);
            uint32_t c = pt_child(t, i, k.text, k.size, k.folded);
            if (!c) {
                free(starts);
                goto done;
            }
            row->at += k.length;
            row->size -= k.length;
            if (c >= room || !row->size)
                continue;
            row->next = heads[c];
            heads[c] = r;
            lengths[c]++;
        }
    }
    for (uint32_t r = 0; r < t->row_count; r++) {
        const pt_row *row = &t->rows[r];
        uint32_t node = pt_walk(t, t->text + starts[2 * r], starts[2 * r + 1]);
        if (node == UINT32_MAX || pt_add(t, &t->nodes[node], row->memory, row->allocated, row->no_ttl, row->old)) {
            free(starts);
            goto done;
        }
    }
    free(starts);
    result = 0;
done:
    free(heads);
    free(lengths);
    free(set);
    free(t->rows);
    free(t->text);
    t->rows = NULL;
    t->text = NULL;
    return result;
}

/* ---- answers ---- */

typedef struct {
    uint64_t keys, memory, allocated, no_ttl, no_ttl_memory, max, old_keys, old_memory, folded, nodes;
} pt_total;

static void pt_total_branch(const pt_tree *t, uint32_t index, pt_total *totals)
{
    const pt_node *n = &t->nodes[index];
    pt_total *sum = &totals[index];
    sum->keys = n->keys;
    sum->memory = n->memory;
    sum->allocated = n->allocated;
    sum->no_ttl = n->no_ttl;
    sum->no_ttl_memory = n->no_ttl_memory;
    sum->max = n->max;
    sum->old_keys = n->old_keys;
    sum->old_memory = n->old_memory;
    sum->folded = n->folded;
    sum->nodes = 1;
    for (uint32_t c = n->child; c; c = t->nodes[c].next) {
        pt_total_branch(t, c, totals);
        const pt_total *more = &totals[c];
        sum->keys += more->keys;
        sum->memory += more->memory;
        sum->allocated += more->allocated;
        sum->no_ttl += more->no_ttl;
        sum->no_ttl_memory += more->no_ttl_memory;
        sum->old_keys += more->old_keys;
        sum->old_memory += more->old_memory;
        sum->folded += more->folded;
        sum->nodes += more->nodes;
        if (more->max > sum->max)
            sum->max = more->max;
    }
}

static void pt_buckets(const pt_tree *t, uint32_t index, uint64_t *counts)
{
    const pt_node *n = &t->nodes[index];
    if (n->counts)
        for (uint32_t i = 0; i < (uint32_t)n->octaves * PT_SUB; i++)
            counts[n->first * PT_SUB + i] += n->counts[i];
    else if (n->keys)
        counts[pt_bucket(n->memory)]++;
    for (uint32_t c = n->child; c; c = t->nodes[c].next)
        pt_buckets(t, c, counts);
}

/* Returns the size that a share of the keys does not exceed (nearest rank), rounded up to the end of its bucket. */
static uint64_t pt_quantile(const uint64_t *counts, uint64_t keys, double share, uint64_t max)
{
    uint64_t rank = (uint64_t)((double)keys * share), seen = 0;
    if ((double)rank < (double)keys * share)
        rank++;
    for (uint32_t b = 0; b < PT_BUCKETS; b++) {
        seen += counts[b];
        if (seen >= rank && seen) {
            uint64_t end = pt_bucket_end(b);
            return end < max ? end : max;
        }
    }
    return max;
}

/* Counts a key; p is what follows the prefix that was asked for. Returns -1 without memory. */
static inline int pt_key(pt_tree *t, const char *p, size_t size, uint64_t memory, uint64_t allocated, int no_ttl, int old)
{
    uint32_t n = size > PT_LOOK ? PT_LOOK : (uint32_t)size;
    t->memory += memory;
    if (t->guessing) {
        if (!t->rows) {
            t->rows = (pt_row *)malloc(PT_SAMPLE * sizeof(pt_row));
            t->text = (char *)malloc(PT_SAMPLE_BYTES + PT_LOOK);
            if (!t->rows || !t->text)
                return -1;
        }
        pt_row *row = &t->rows[t->row_count++];
        row->memory = memory;
        row->allocated = allocated;
        row->no_ttl = (uint8_t)no_ttl;
        row->old = (uint8_t)old;
        row->at = t->text_used;
        row->size = n;
        memcpy(t->text + t->text_used, p, n);
        t->text_used += n;
        if (t->row_count == PT_SAMPLE || t->text_used >= PT_SAMPLE_BYTES)
            return pt_end_sample(t);
        return 0;
    }
    uint32_t node = pt_walk(t, p, n);
    if (node == UINT32_MAX || pt_add(t, &t->nodes[node], memory, allocated, no_ttl, old))
        return -1;
    if (t->bytes > t->budget)
        return pt_shrink(t);
    return 0;
}

#endif
