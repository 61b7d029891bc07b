/* LZF with every read and write bounded (format F2).
 *
 * Inflating: the output buffer must have RT_LZF_SLACK spare bytes after `out_size`: short copies are
 * made in whole words and may overrun the end by less than that. Nothing is ever read outside the
 * input or before the output.
 */
#ifndef RT_LZF_H
#define RT_LZF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "copy.h"

#define RT_LZF_SLACK 32

/* Returns 1 when the whole input inflates to exactly out_size bytes, else 0. */
static int rt_lzf_inflate(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
    const uint8_t *ip = in, *in_end = in + in_size;
    uint8_t *op = out, *out_end = out + out_size;

    while (ip < in_end) {
        size_t ctrl = *ip++;
        if (ctrl < 32) {
            size_t run = ctrl + 1;
            if ((size_t)(in_end - ip) < run || (size_t)(out_end - op) < run)
                return 0;
            if (in_end - ip >= 32) {
                memcpy(op, ip, 16);
                memcpy(op + 16, ip + 16, 16);
            } else {
                rt_copy_short(op, ip, run);
            }
            op += run;
            ip += run;
        } else {
            size_t length = ctrl >> 5, offset = (ctrl & 31) << 8;
            if (length == 7) {
                if (ip >= in_end)
                    return 0;
                length += *ip++;
            }
            if (ip >= in_end)
                return 0;
            offset += (size_t)*ip++ + 1;
            length += 2;
            if ((size_t)(op - out) < offset || (size_t)(out_end - op) < length)
                return 0;
            const uint8_t *from = op - offset;
            if (offset >= 8) {
                /* Most are short: one jump that is hard to predict, for the length, is enough. */
                memcpy(op, from, 8);
                memcpy(op + 8, from + 8, 8);
                for (size_t at = 16; at < length; at += 16) {
                    memcpy(op + at, from + at, 8);
                    memcpy(op + at + 8, from + at + 8, 8);
                }
            } else if (offset == 1) {
                memset(op, *from, length);
            } else {
                for (size_t i = 0; i < length; i++)
                    op[i] = from[i];
            }
            op += length;
        }
    }
    return op == out_end;
}

/* Inflates operations until one may need more input, or more room, than there is: literals take up to 33 bytes of input,
 * a match makes up to 264. `last`: all the input is there. *op is where output goes on; what precedes it from `out` on is
 * what matches look back at. Moves *at and *op and returns 1, or 0 where the stream is damaged.
 */
static int rt_lzf_some(const uint8_t **at, const uint8_t *end, int last, const uint8_t *out, uint8_t **op, const uint8_t *op_end)
{
    const uint8_t *ip = *at;
    uint8_t *to = *op;
    while (ip < end && op_end - to >= 264 && (last || end - ip >= 33)) {
        size_t ctrl = *ip++;
        if (ctrl < 32) {
            if ((size_t)(end - ip) < ctrl + 1)
                return 0;
            memcpy(to, ip, ctrl + 1);
            to += ctrl + 1;
            ip += ctrl + 1;
            continue;
        }
        size_t length = ctrl >> 5, offset = (ctrl & 31) << 8;
        if (length == 7) {
            if (ip >= end)
                return 0;
            length += *ip++;
        }
        if (ip >= end)
            return 0;
        offset += (size_t)*ip++ + 1;
        length += 2;
        if ((size_t)(to - out) < offset)
            return 0;
        if (offset >= length) {
            memcpy(to, to - offset, length);
        } else if (offset == 1) {
            memset(to, to[-1], length);
        } else {
            for (size_t i = 0; i < length; i++)
                to[i] = to[i - offset];
        }
        to += length;
    }
    *at = ip;
    *op = to;
    return 1;
}

#define RT_LZF_HASH_BITS 14

/* Where three bytes were seen last. Kept from one string to the next: a position counts only if it lies
 * in the current string, so nothing has to be cleared for short ones. */
typedef struct {
    uint32_t seen[1 << RT_LZF_HASH_BITS];
    uint32_t base; /* position 0 of the current string */
} rt_lzf_table;

/* Deflating in pieces: what was read and written so far. */
typedef struct {
    const uint8_t *in;
    rt_lzf_table *table;
    size_t in_size, ip, room; /* `room`: more output than this is not worth it */
    size_t made;              /* output that was returned */
    size_t run;               /* literals of the run that is open */
    int fails;                /* there would be more than `room` */
    uint32_t base;
    uint8_t open[33]; /* the open run, after a byte for its control byte */
} rt_lzf_packing;

/* Returns 0 where nothing can be saved. */
static int rt_lzf_begin(rt_lzf_packing *packing, const uint8_t *in, size_t in_size, size_t room, rt_lzf_table *table)
{
    if (in_size < 4 || room < 4 || in_size > 0x40000000u)
        return 0;
    if (table->base > 0x80000000u - (uint32_t)in_size || table->base == 0) {
        memset(table->seen, 0, sizeof(table->seen));
        table->base = 1;
    }
    packing->in = in;
    packing->in_size = in_size;
    packing->room = room;
    packing->table = table;
    packing->base = table->base;
    packing->ip = packing->made = packing->run = 0;
    packing->fails = 0;
    packing->open[0] = 0;
    table->base += (uint32_t)in_size;
    return 1;
}

/* The three bytes at p, of which there are four, as a number that is the same everywhere: positions in the table follow
 * from it, and from those the output. */
static inline uint32_t rt_lzf_three(const uint8_t *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint32_t four;
    memcpy(&four, p, 4);
    return four << 8;
#else
    return (uint32_t)p[0] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 24;
#endif
}

static inline uint32_t *rt_lzf_slot(rt_lzf_table *table, uint32_t three)
{
    return &table->seen[three * 2654435761u >> (32 - RT_LZF_HASH_BITS)];
}

/* How many of `most` bytes, of which the first 3 are, are the same at p as at q. */
static inline size_t rt_lzf_same(const uint8_t *p, const uint8_t *q, size_t most)
{
    size_t length = 3;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; length + 8 <= most; length += 8) {
        uint64_t x, y;
        memcpy(&x, p + length, 8);
        memcpy(&y, q + length, 8);
        if (x != y)
            return length + ((size_t)__builtin_ctzll(x ^ y) >> 3);
    }
#endif
    while (length < most && p[length] == q[length])
        length++;
    return length;
}

/* How far back a match may go. */
#define RT_LZF_REACH 8192

/* Where the three bytes at p, of which there are four, were before, NULL: nowhere in reach. p is at position `at`, which
 * takes their place in the table. */
static inline const uint8_t *rt_lzf_before(rt_lzf_table *table, uint32_t base, const uint8_t *p, uint32_t at)
{
    uint32_t three = rt_lzf_three(p), *slot = rt_lzf_slot(table, three), seen = *slot;
    *slot = at;
    /* Most are of earlier strings. */
    if (seen < base || at - seen > RT_LZF_REACH)
        return NULL;
    return rt_lzf_three(p - (at - seen)) == three ? p - (at - seen) : NULL;
}

/* The same for the last three bytes of a string. */
static inline const uint8_t *rt_lzf_before_end(rt_lzf_table *table, uint32_t base, const uint8_t *p, uint32_t at)
{
    const uint8_t four[4] = {p[0], p[1], p[2], 0};
    uint32_t seen = *rt_lzf_slot(table, rt_lzf_three(four));
    if (seen < base || at - seen > RT_LZF_REACH)
        return NULL;
    return memcmp(p - (at - seen), p, 3) == 0 ? p - (at - seen) : NULL;
}

/* Where the next match begins from p, which is at position `at`, and in *before with what; or `stop` and NULL. A function
 * of its own: its loop takes all the registers. Most positions begin no match, so four go into a round. */
static const uint8_t *rt_lzf_scan(rt_lzf_table *table, uint32_t base, const uint8_t *p, const uint8_t *stop, uint32_t at,
                                  const uint8_t **before)
{
    const uint8_t *found = NULL;
    for (; stop - p > 3; p += 4, at += 4)
        for (uint32_t i = 0; i < 4; i++)
            if ((found = rt_lzf_before(table, base, p + i, at + i))) {
                *before = found;
                return p + i;
            }
    for (; p < stop; p++, at++)
        if ((found = rt_lzf_before(table, base, p, at)))
            break;
    *before = found;
    return p;
}

/* Deflates until the input ends, `out` is full (it has 64 bytes or more), or the whole result would not fit in `room`.
 * Returns the number of bytes written to out. */
static size_t rt_lzf_pack(rt_lzf_packing *packing, uint8_t *out, size_t out_size)
{
    const uint8_t *in = packing->in;
    const size_t in_size = packing->in_size, left = packing->room - packing->made;
    const size_t end = out_size < left ? out_size : left;
    const uint32_t base = packing->base;
    rt_lzf_table *table = packing->table;
    size_t ip = packing->ip, run = packing->run, op = run + 1; /* op leaves room for the control byte of a run */
    if (run)
        memcpy(out, packing->open, run + 1);
    while (ip < in_size) {
        const uint8_t *before = NULL;
        /* So many literals can follow without a look at the run, the last three bytes, and the room that a match takes. */
        size_t ahead = 32 - run;
        if (ahead + 3 > in_size - ip)
            ahead = in_size - ip > 3 ? in_size - ip - 3 : 0;
        if (op + 4 > end)
            ahead = 0;
        else if (ahead > end - op - 3)
            ahead = end - op - 3;
        if (ahead) {
            const uint8_t *from = in + ip;
            size_t literals = (size_t)(rt_lzf_scan(table, base, from, from + ahead, base + (uint32_t)ip, &before) - from);
            if (literals) {
                rt_copy_short(out + op, from, literals);
                ip += literals;
                op += literals;
                run += literals;
            }
        } else {
            if (op + 4 > end && end < left)
                break;
            if (in_size - ip > 3)
                before = rt_lzf_before(table, base, in + ip, base + (uint32_t)ip);
            else if (in_size - ip == 3)
                before = rt_lzf_before_end(table, base, in + ip, base + (uint32_t)ip);
            if (!before) {
                if (op + 1 > end) {
                    packing->fails = 1;
                    return 0;
                }
                out[op++] = in[ip++];
                run++;
            }
        }
        if (before) {
            size_t most = in_size - ip < 264 ? in_size - ip : 264;
            size_t length = rt_lzf_same(in + ip, before, most);
            size_t offset = (size_t)(in + ip - before) - 1, code = length - 2;
            if (op + 4 > end) {
                packing->fails = 1;
                return 0;
            }
            if (run)
                out[op - run - 1] = (uint8_t)(run - 1);
            else
                op--;
            run = 0;
            if (code < 7) {
                out[op++] = (uint8_t)(offset >> 8 | code << 5);
            } else {
                out[op++] = (uint8_t)(offset >> 8 | 7 << 5);
                out[op++] = (uint8_t)(code - 7);
            }
            out[op++] = (uint8_t)offset;
            op++;
            ip += length;
        } else if (run == 32) {
            out[op - run - 1] = 31;
            run = 0;
            op++;
        }
    }
    packing->ip = ip;
    packing->run = run;
    if (ip < in_size) {
        memcpy(packing->open, out + op - run - 1, run + 1);
        op -= run + 1;
    } else if (run) {
        out[op - run - 1] = (uint8_t)(run - 1);
    } else {
        op--;
    }
    if (op > left)
        packing->fails = 1;
    packing->made += op;
    return op;
}

/* Returns the number of bytes written to out, at most `room`; 0 where the result would not fit. */
static size_t rt_lzf_deflate(const uint8_t *in, size_t in_size, uint8_t *out, size_t room, rt_lzf_table *table)
{
    rt_lzf_packing packing;
    if (!rt_lzf_begin(&packing, in, in_size, room, table))
        return 0;
    size_t made = rt_lzf_pack(&packing, out, room);
    return packing.fails ? 0 : made;
}

#endif
