/* What is pending in a consumer group: rows ascending by ID, in blocks of up to PENDING_MOST.
 *
 * Most rows come after the last one, and go in about the order in which they came. A block that is full is cut in two; of
 * what comes in order, it stays full. Nothing here touches Python but its allocator and its counts of references.
 * -1 is "no memory", and then nothing has changed.
 */
#ifndef RDBTOOL_PENDING_H
#define RDBTOOL_PENDING_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { PENDING_MOST = 128 };

typedef struct {
    uint64_t ms, seq;
    int64_t delivered_at_ms;
    uint64_t delivery_count;
    PyObject *consumer; /* owned; NULL: of no consumer */
} pending_row;

typedef struct {
    pending_row *rows;
    uint32_t count, room; /* a block is never empty */
} pending_block;

typedef struct {
    pending_block *blocks;
    uint32_t count, places;
    uint64_t length;
} pending_rows;

static inline int pending_is_before(const pending_row *row, uint64_t ms, uint64_t seq) {
    return row->ms != ms ? row->ms < ms : row->seq < seq;
}

/* Find the first row whose ID is not smaller: its block (``count`` where there is none) and its index in that. */
static inline void pending_seek(const pending_rows *p, uint64_t ms, uint64_t seq, uint32_t *block, uint32_t *at) {
    uint32_t low = 0, high = p->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const pending_block *b = &p->blocks[middle];
        if (pending_is_before(&b->rows[b->count - 1], ms, seq))
            low = middle + 1;
        else
            high = middle;
    }
    *block = low;
    *at = 0;
    if (low == p->count) return;
    high = p->blocks[low].count;
    while (*at < high) {
        uint32_t middle = *at + (high - *at) / 2;
        if (pending_is_before(&p->blocks[low].rows[middle], ms, seq))
            *at = middle + 1;
        else
            high = middle;
    }
}

static inline pending_row *pending_find(const pending_rows *p, uint64_t ms, uint64_t seq) {
    uint32_t block, at;
    pending_row *row;
    pending_seek(p, ms, seq, &block, &at);
    if (block == p->count) return NULL;
    row = &p->blocks[block].rows[at];
    return row->ms == ms && row->seq == seq ? row : NULL;
}

/* The row at a place, or the first one of the next block; NULL after the last one. Moves the place on. */
static inline pending_row *pending_next(const pending_rows *p, uint32_t *block, uint32_t *at) {
    if (*block < p->count && *at >= p->blocks[*block].count) {
        ++*block;
        *at = 0;
    }
    return *block < p->count ? &p->blocks[*block].rows[(*at)++] : NULL;
}

/* Have an empty block at an index, with room for some rows. */
static int pending_make_block(pending_rows *p, uint32_t index, uint32_t room) {
    pending_row *rows;
    if (p->count == p->places) {
        uint64_t places = (uint64_t)p->places + p->places / 4 + 1;
        pending_block *blocks;
        if (places > UINT32_MAX) return -1;
        blocks = (pending_block *)PyMem_Realloc(p->blocks, (size_t)places * sizeof(pending_block));
        if (blocks == NULL) return -1;
        p->blocks = blocks;
        p->places = (uint32_t)places;
    }
    rows = (pending_row *)PyMem_Malloc(room * sizeof(pending_row));
    if (rows == NULL) return -1;
    memmove(p->blocks + index + 1, p->blocks + index, (p->count - index) * sizeof(pending_block));
    p->blocks[index].rows = rows;
    p->blocks[index].count = 0;
    p->blocks[index].room = room;
    p->count++;
    return 0;
}

/* Return the row of an ID, a new one with nothing but that if there was none; NULL: no memory. */
static pending_row *pending_put(pending_rows *p, uint64_t ms, uint64_t seq) {
    uint32_t index, at;
    pending_block *block;
    pending_row *row;
    pending_seek(p, ms, seq, &index, &at);
    if (index < p->count) {
        row = &p->blocks[index].rows[at];
        if (row->ms == ms && row->seq == seq) return row;
    } else if (index) {
        at = p->blocks[--index].count;
    }
    if (p->count == 0 || (p->blocks[index].count == PENDING_MOST && at == PENDING_MOST)) {
        /* Only after the last row of all. */
        if (pending_make_block(p, p->count, p->count ? PENDING_MOST : 2) < 0) return NULL;
        index = p->count - 1;
        at = 0;
    } else if (p->blocks[index].count == PENDING_MOST) {
        if (pending_make_block(p, index + 1, PENDING_MOST) < 0) return NULL;
        block = &p->blocks[index];
        block->count = p->blocks[index + 1].count = PENDING_MOST / 2;
        memcpy(p->blocks[index + 1].rows, block->rows + PENDING_MOST / 2, PENDING_MOST / 2 * sizeof(pending_row));
        if (at > PENDING_MOST / 2) {
            at -= PENDING_MOST / 2;
            index++;
        }
    }
    block = &p->blocks[index];
    if (block->count == block->room) {
        uint32_t room = block->room > PENDING_MOST / 2 ? PENDING_MOST : 2 * block->room;
        pending_row *rows = (pending_row *)PyMem_Realloc(block->rows, room * sizeof(pending_row));
        if (rows == NULL) return NULL;
        block->rows = rows;
        block->room = room;
    }
    row = &block->rows[at];
    memmove(row + 1, row, (block->count - at) * sizeof(pending_row));
    memset(row, 0, sizeof(*row));
    row->ms = ms;
    row->seq = seq;
    block->count++;
    p->length++;
    return row;
}

/* Remove the row of an ID; return whether it was there. */
static int pending_remove(pending_rows *p, uint64_t ms, uint64_t seq) {
    uint32_t index, at;
    pending_block *block;
    PyObject *consumer;
    pending_seek(p, ms, seq, &index, &at);
    if (index == p->count) return 0;
    block = &p->blocks[index];
    if (block->rows[at].ms != ms || block->rows[at].seq != seq) return 0;
    consumer = block->rows[at].consumer;
    block->count--;
    p->length--;
    memmove(block->rows + at, block->rows + at + 1, (block->count - at) * sizeof(pending_row));
    if (block->count == 0) {
        PyMem_Free(block->rows);
        p->count--;
        memmove(block, block + 1, (p->count - index) * sizeof(pending_block));
    } else if (block->count <= block->room / 4) {
        /* Consumers leave a few for long. */
        pending_row *rows = (pending_row *)PyMem_Realloc(block->rows, block->room / 2 * sizeof(pending_row));
        if (rows != NULL) {
            block->rows = rows;
            block->room /= 2;
        }
    }
    /* Last: it may run code. */
    Py_XDECREF(consumer);
    return 1;
}

static void pending_clear(pending_rows *p) {
    pending_rows old = *p;
    memset(p, 0, sizeof(*p));
    for (uint32_t i = 0; i < old.count; i++) {
        for (uint32_t j = 0; j < old.blocks[i].count; j++) Py_XDECREF(old.blocks[i].rows[j].consumer);
        PyMem_Free(old.blocks[i].rows);
    }
    PyMem_Free(old.blocks);
}

#endif
