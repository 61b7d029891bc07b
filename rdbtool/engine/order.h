/* The order of a sorted set: its positions in a pack by (score, name), in a B+ tree whose nodes know how many entries they
 * hold, so that adding, removing and finding by rank take a number of steps that grows with the logarithm of the size.
 *
 * A node of the tree repeats, for each child, the first entry of it. A node that runs empty goes; two neighbours that
 * together fill half a node become one. -1 is "no memory": the tree is of no use then.
 */
#ifndef RDBTOOL_ORDER_H
#define RDBTOOL_ORDER_H

#include "pack.h"

#define ORDER_LEAF 64
#define ORDER_FAN 32

typedef struct order_node {
    uint16_t filled;
    uint8_t is_leaf;
} order_node;

typedef struct {
    order_node head;
    double scores[ORDER_LEAF];
    uint32_t at[ORDER_LEAF];
} order_leaf;

typedef struct {
    order_node head;
    double scores[ORDER_FAN];
    uint32_t at[ORDER_FAN];
    uint32_t counts[ORDER_FAN];
    order_node *children[ORDER_FAN];
} order_inner;

typedef struct {
    order_node *root;
    const pack *of;
} order;

#define LEAF(node) ((order_leaf *)(node))
#define INNER(node) ((order_inner *)(node))

static inline int order_compare(const pack *of, double score, const uint8_t *name, size_t size, double other, uint32_t at) {
    size_t other_size;
    const uint8_t *p;
    int found;
    if (score != other) return score < other ? -1 : 1;
    p = pack_get_size(of->blob + pack_offset(of, at), &other_size);
    found = memcmp(name, p, size < other_size ? size : other_size);
    if (found) return found;
    return size < other_size ? -1 : size > other_size;
}

static void order_free_node(order_node *node) {
    if (node == NULL) return;
    if (!node->is_leaf)
        for (int i = 0; i < node->filled; i++) order_free_node(INNER(node)->children[i]);
    PyMem_Free(node);
}

static void order_free(order *o) {
    if (o != NULL) {
        order_free_node(o->root);
        PyMem_Free(o);
    }
}

static order_node *order_new(int is_leaf) {
    order_node *node = (order_node *)PyMem_Malloc(is_leaf ? sizeof(order_leaf) : sizeof(order_inner));
    if (node != NULL) {
        node->filled = 0;
        node->is_leaf = (uint8_t)is_leaf;
    }
    return node;
}

static inline uint32_t order_size(const order_node *node) {
    uint32_t total = 0;
    if (node->is_leaf) return node->filled;
    for (int i = 0; i < node->filled; i++) total += INNER(node)->counts[i];
    return total;
}

static inline void order_first(const order_node *node, double *score, uint32_t *at) {
    *score = node->is_leaf ? LEAF(node)->scores[0] : INNER(node)->scores[0];
    *at = node->is_leaf ? LEAF(node)->at[0] : INNER(node)->at[0];
}

/* How many entries of a leaf, or children of an inner node, begin before the given one. */
static inline int order_place(const pack *of, const double *scores, const uint32_t *at, int filled, double score,
                              const uint8_t *name, size_t size) {
    int low = 0, high = filled;
    while (low < high) {
        int middle = (low + high) / 2;
        if (order_compare(of, score, name, size, scores[middle], at[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The child that holds a given entry, or should: the last one that does not begin after it. */
static inline int order_child(const pack *of, const order_inner *node, double score, const uint8_t *name, size_t size) {
    int low = 0, high = node->head.filled - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (order_compare(of, score, name, size, node->scores[middle], node->at[middle]) >= 0)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static inline void order_open_leaf(order_leaf *leaf, int from) {
    int n = leaf->head.filled - from;
    memmove(leaf->scores + from + 1, leaf->scores + from, (size_t)n * sizeof(double));
    memmove(leaf->at + from + 1, leaf->at + from, (size_t)n * sizeof(uint32_t));
    leaf->head.filled++;
}

static inline void order_close_leaf(order_leaf *leaf, int from) {
    int n = leaf->head.filled - from - 1;
    memmove(leaf->scores + from, leaf->scores + from + 1, (size_t)n * sizeof(double));
    memmove(leaf->at + from, leaf->at + from + 1, (size_t)n * sizeof(uint32_t));
    leaf->head.filled--;
}

static inline void order_move_children(order_inner *to, int at, const order_inner *from, int first, int n) {
    memmove(to->scores + at, from->scores + first, (size_t)n * sizeof(double));
    memmove(to->at + at, from->at + first, (size_t)n * sizeof(uint32_t));
    memmove(to->counts + at, from->counts + first, (size_t)n * sizeof(uint32_t));
    memmove(to->children + at, from->children + first, (size_t)n * sizeof(order_node *));
}

/* Add an entry to a node; ``*split`` becomes a new right neighbour where the node was full. */
static int order_add_to(const pack *of, order_node *node, double score, const uint8_t *name, size_t size, uint32_t at,
                        order_node **split) {
    *split = NULL;
    if (node->is_leaf) {
        order_leaf *leaf = LEAF(node);
        int place = order_place(of, leaf->scores, leaf->at, leaf->head.filled, score, name, size);
        if (leaf->head.filled == ORDER_LEAF) {
            order_leaf *right = LEAF(order_new(1));
            /* What comes in order fills its nodes. */
            int keep = place == ORDER_LEAF ? ORDER_LEAF : ORDER_LEAF / 2, n = ORDER_LEAF - keep;
            if (right == NULL) return -1;
            memcpy(right->scores, leaf->scores + keep, (size_t)n * sizeof(double));
            memcpy(right->at, leaf->at + keep, (size_t)n * sizeof(uint32_t));
            right->head.filled = (uint16_t)n;
            leaf->head.filled = (uint16_t)keep;
            *split = &right->head;
            if (place > keep || (place == keep && n == 0)) {
                leaf = right;
                place -= keep;
            }
        }
        order_open_leaf(leaf, place);
        leaf->scores[place] = score;
        leaf->at[place] = at;
        return 0;
    }
    order_inner *inner = INNER(node);
    int child = order_child(of, inner, score, name, size);
    order_node *made;
    if (order_add_to(of, inner->children[child], score, name, size, at, &made) < 0) return -1;
    inner->counts[child] = made == NULL ? inner->counts[child] + 1 : order_size(inner->children[child]);
    order_first(inner->children[child], &inner->scores[child], &inner->at[child]);
    if (made == NULL) return 0;
    int place = child + 1;
    if (inner->head.filled == ORDER_FAN) {
        order_inner *right = INNER(order_new(0));
        int keep = place == ORDER_FAN ? ORDER_FAN : ORDER_FAN / 2, n = ORDER_FAN - keep;
        if (right == NULL) {
            order_free_node(made);
            return -1;
        }
        order_move_children(right, 0, inner, keep, n);
        right->head.filled = (uint16_t)n;
        inner->head.filled = (uint16_t)keep;
        *split = &right->head;
        if (place > keep || (place == keep && n == 0)) {
            inner = right;
            place -= keep;
        }
    }
    order_move_children(inner, place + 1, inner, place, inner->head.filled - place);
    inner->head.filled++;
    inner->children[place] = made;
    inner->counts[place] = order_size(made);
    order_first(made, &inner->scores[place], &inner->at[place]);
    return 0;
}

static int order_add(order *o, double score, const uint8_t *name, size_t size, uint32_t at) {
    order_node *split;
    if (order_add_to(o->of, o->root, score, name, size, at, &split) < 0) return -1;
    if (split != NULL) {
        order_inner *root = INNER(order_new(0));
        if (root == NULL) {
            order_free_node(split);
            return -1;
        }
        root->head.filled = 2;
        root->children[0] = o->root;
        root->children[1] = split;
        for (int i = 0; i < 2; i++) {
            root->counts[i] = order_size(root->children[i]);
            order_first(root->children[i], &root->scores[i], &root->at[i]);
        }
        o->root = &root->head;
    }
    return 0;
}

/* Make one of two neighbours that are half empty together. */
static void order_merge(order_inner *inner, int left) {
    if (left < 0 || left + 1 >= inner->head.filled) return;
    order_node *one = inner->children[left], *other = inner->children[left + 1];
    int total = one->filled + other->filled;
    if (total > (one->is_leaf ? ORDER_LEAF : ORDER_FAN) / 2) return;
    if (one->is_leaf) {
        memcpy(LEAF(one)->scores + one->filled, LEAF(other)->scores, other->filled * sizeof(double));
        memcpy(LEAF(one)->at + one->filled, LEAF(other)->at, other->filled * sizeof(uint32_t));
    } else {
        order_move_children(INNER(one), one->filled, INNER(other), 0, other->filled);
    }
    one->filled = (uint16_t)total;
    inner->counts[left] += inner->counts[left + 1];
    PyMem_Free(other);
    order_move_children(inner, left + 1, inner, left + 2, inner->head.filled - left - 2);
    inner->head.filled--;
}

/* Remove the entry of a rank from a node. Of the last entry, the tree is left without use. */
static void order_remove_from(order_node *node, uint32_t rank) {
    if (node->is_leaf) {
        order_close_leaf(LEAF(node), (int)rank);
        return;
    }
    order_inner *inner = INNER(node);
    int child = 0;
    while (rank >= inner->counts[child]) rank -= inner->counts[child++];
    order_remove_from(inner->children[child], rank);
    if (--inner->counts[child] == 0) {
        order_free_node(inner->children[child]);
        order_move_children(inner, child, inner, child + 1, inner->head.filled - child - 1);
        inner->head.filled--;
        return;
    }
    order_first(inner->children[child], &inner->scores[child], &inner->at[child]);
    order_merge(inner, child);
    order_merge(inner, child - 1);
}

static void order_remove(order *o, uint32_t rank) {
    order_remove_from(o->root, rank);
    while (!o->root->is_leaf && o->root->filled == 1) {
        order_node *root = o->root;
        o->root = INNER(root)->children[0];
        PyMem_Free(root);
    }
}

/* The rank of an entry: how many are before it. */
static uint32_t order_rank(const order *o, double score, const uint8_t *name, size_t size) {
    const order_node *node = o->root;
    uint32_t rank = 0;
    while (!node->is_leaf) {
        const order_inner *inner = INNER(node);
        int child = order_child(o->of, inner, score, name, size);
        for (int i = 0; i < child; i++) rank += inner->counts[i];
        node = inner->children[child];
    }
    return rank + (uint32_t)order_place(o->of, LEAF(node)->scores, LEAF(node)->at, node->filled, score, name, size);
}

/* The leaf that has a rank; ``*rank`` becomes the place in it. */
static const order_leaf *order_find(const order *o, uint32_t *rank) {
    const order_node *node = o->root;
    while (!node->is_leaf) {
        const order_inner *inner = INNER(node);
        int child = 0;
        while (*rank >= inner->counts[child]) *rank -= inner->counts[child++];
        node = inner->children[child];
    }
    return LEAF(node);
}

static void order_move_node(order_node *node, const uint32_t *moved, uint32_t base) {
    if (node->is_leaf) {
        for (int i = 0; i < node->filled; i++) LEAF(node)->at[i] = moved[LEAF(node)->at[i] - base];
        return;
    }
    for (int i = 0; i < node->filled; i++) {
        INNER(node)->at[i] = moved[INNER(node)->at[i] - base];
        order_move_node(INNER(node)->children[i], moved, base);
    }
}

/* Put positions that moved in the place of the old ones, which count from ``base``. */
static void order_move(order *o, const uint32_t *moved, uint32_t base) { order_move_node(o->root, moved, base); }

typedef struct {
    double score;
    uint32_t at;
} order_item;

static inline int order_before(const pack *of, const order_item *one, const order_item *other) {
    size_t size;
    const uint8_t *name;
    if (one->score != other->score) return one->score < other->score;
    name = pack_get_size(of->blob + pack_offset(of, one->at), &size);
    return order_compare(of, one->score, name, size, other->score, other->at) < 0;
}

/* Sort by merging; ``spare`` has room for as many. */
static void order_sort(const pack *of, order_item *items, order_item *spare, size_t n) {
    if (n < 12) {
        for (size_t i = 1; i < n; i++) {
            order_item item = items[i];
            size_t j = i;
            while (j && order_before(of, &item, &items[j - 1])) {
                items[j] = items[j - 1];
                j--;
            }
            items[j] = item;
        }
        return;
    }
    size_t half = n / 2, i = 0, j = half, k = 0;
    order_sort(of, items, spare, half);
    order_sort(of, items + half, spare, n - half);
    if (order_before(of, &items[half - 1], &items[half])) return;
    memcpy(spare, items, half * sizeof(order_item));
    while (i < half && j < n) {
        if (order_before(of, &items[j], &spare[i]))
            items[k++] = items[j++];
        else
            items[k++] = spare[i++];
    }
    while (i < half) items[k++] = spare[i++];
}

/* All entries of a pack, sorted; to be freed by the caller. NULL: no memory. */
static order_item *order_sorted(const pack *of) {
    order_item *items = (order_item *)PyMem_Malloc(((size_t)of->live + 1) * sizeof(order_item) * 2);
    size_t n = 0;
    pack_entry entry;
    if (items == NULL) return NULL;
    for (uint32_t i = of->first; i < of->first + of->count; i++) {
        uint64_t offset = pack_offset(of, i);
        if (offset == PACK_HOLE) continue;
        pack_read(of, offset, &entry);
        memcpy(&items[n].score, entry.value, 8);
        items[n++].at = i;
    }
    order_sort(of, items, items + n, n);
    return items;
}

static order *order_make(const pack *of) {
    order_item *items = order_sorted(of);
    order *o = (order *)PyMem_Malloc(sizeof(order));
    order_node **level = NULL;
    size_t n = of->live, made = 0, at = 0;
    if (items != NULL && o != NULL) level = (order_node **)PyMem_Malloc((n / (ORDER_LEAF / 2) + 2) * sizeof(order_node *));
    if (level == NULL) goto fail;
    do {
        order_leaf *leaf = LEAF(order_new(1));
        if (leaf == NULL) goto fail;
        level[made++] = &leaf->head;
        /* Three quarters full: most sorted sets grow. */
        for (int i = 0; i < ORDER_LEAF * 3 / 4 && at < n; i++, at++) {
            leaf->scores[i] = items[at].score;
            leaf->at[i] = items[at].at;
            leaf->head.filled++;
        }
    } while (at < n);
    while (made > 1) {
        size_t upper = 0, taken = 0;
        while (taken < made) {
            order_inner *inner = INNER(order_new(0));
            if (inner == NULL) {
                /* Those that have a parent already are freed with it. */
                for (size_t i = taken; i < made; i++) order_free_node(level[i]);
                made = upper;
                goto fail;
            }
            for (int i = 0; i < ORDER_FAN * 3 / 4 && taken < made; i++, taken++) {
                inner->children[i] = level[taken];
                inner->counts[i] = order_size(level[taken]);
                order_first(level[taken], &inner->scores[i], &inner->at[i]);
                inner->head.filled++;
            }
            level[upper++] = &inner->head;
        }
        made = upper;
    }
    o->root = level[0];
    o->of = of;
    PyMem_Free(level);
    PyMem_Free(items);
    return o;
fail:
    if (level != NULL)
        for (size_t i = 0; i < made; i++) order_free_node(level[i]);
    PyMem_Free(level);
    PyMem_Free(items);
    PyMem_Free(o);
    return NULL;
}

#undef LEAF
#undef INNER
#endif
