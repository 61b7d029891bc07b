/* The 128-bit hash of Fingerprint and of the keys of diff: products of 64x64 bits, chained.
 *
 * A state is fed with byte strings and numbers one after the other; each length is mixed in, so no two different
 * sequences share their input. Each step multiplies twice, and each half of the new state takes the low half of one
 * product and the high half of the other: so a factor that happens to be zero loses nothing that the other product does
 * not have. One step leaves traces of its input, above all of small differences, which the next one removes:
 * `rt_hash_finish` is that step after the last part. It finds mistakes and damage, not forgeries. Hashes are compared
 * in one process and never stored: the order of bytes in a number is that of the processor.
 */
#ifndef RT_HASH128_H
#define RT_HASH128_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "le64.h"

typedef struct {
    uint64_t a, b;
} rt_hash128;

/* The first bits of the fractions of square roots of 2, 3, 5 and 7, made odd. */
#define RT_HASH_1 0x6a09e667f3bcc909ull
#define RT_HASH_2 0xbb67ae8584caa73bull
#define RT_HASH_3 0x3c6ef372fe94f82bull
#define RT_HASH_4 0xa54ff53a5f1d36f1ull

static inline void rt_hash_products(rt_hash128 *state, uint64_t a, uint64_t by_a, uint64_t b, uint64_t by_b)
{
    unsigned __int128 first = (unsigned __int128)a * by_a, second = (unsigned __int128)b * by_b;
    state->a = (uint64_t)first ^ (uint64_t)(second >> 64);
    state->b = (uint64_t)second ^ (uint64_t)(first >> 64);
}

/* Mixes in 16 bytes. */
static inline void rt_hash_step(rt_hash128 *state, uint64_t x, uint64_t y)
{
    rt_hash_products(state, x ^ state->a, y ^ RT_HASH_1, y ^ state->b, x ^ RT_HASH_2);
}

/* A small number, such as a size, that goes in beside text: in all bits, as text can make up for another one in few. */
static inline uint64_t rt_hash_spread(uint64_t v) { return v * 0x9e3779b97f4a7c15ull; }

/* Mixes in the last 16 bytes of a string, or all that it has, and its size. */
static inline void rt_hash_last(rt_hash128 *state, uint64_t x, uint64_t y, uint64_t size)
{
    state->a ^= rt_hash_spread(size);
    rt_hash_step(state, x, y);
}

/* A string of at most 16 bytes, by two loads that may overlap: the size says how. */
static inline void rt_hash_short(rt_hash128 *state, const uint8_t *p, size_t size)
{
    uint64_t x = 0, y = 0;
    if (size >= 8) {
        x = rt_load64(p);
        y = rt_load64(p + size - 8);
    } else if (size >= 4) {
        x = rt_load32(p);
        y = rt_load32(p + size - 4);
    } else if (size) {
        x = (uint64_t)p[0] << 16 | (uint64_t)p[size / 2] << 8 | p[size - 1];
    }
    rt_hash_last(state, x, y, size);
}

/* Mixes in blocks of 16 bytes until 1 to 16 bytes are left, of more than 16; returns where these are. */
static inline const uint8_t *rt_hash_blocks(rt_hash128 *state, const uint8_t *p, size_t size)
{
    rt_hash128 h = *state;
    for (; size > 16; size -= 16, p += 16)
        rt_hash_step(&h, rt_load64(p), rt_load64(p + 8));
    *state = h;
    return p;
}

static inline void rt_hash_feed(rt_hash128 *state, const uint8_t *p, size_t size)
{
    if (size <= 16) {
        rt_hash_short(state, p, size);
        return;
    }
    rt_hash_blocks(state, p, size);
    rt_hash_last(state, rt_load64(p + size - 16), rt_load64(p + size - 8), size);
}

/* A string that is fed in pieces. Zeros to begin with. */
typedef struct {
    uint8_t text[32];   /* the last 16 bytes that were mixed in, then those that follow and were not */
    size_t held;        /* of them; none only if the string is empty so far */
    uint64_t size;      /* so far */
} rt_hash_pieces;

static void rt_hash_piece(rt_hash128 *state, rt_hash_pieces *pieces, const uint8_t *p, size_t size)
{
    const uint8_t *rest;
    size_t room = 16 - pieces->held;
    pieces->size += size;
    if (size <= room) {
        if (size)
            memcpy(pieces->text + 16 + pieces->held, p, size);
        pieces->held += size;
        return;
    }
    if (pieces->held) {
        memcpy(pieces->text + 16 + pieces->held, p, room);
        p += room;
        size -= room;
        rt_hash_step(state, rt_load64(pieces->text + 16), rt_load64(pieces->text + 24));
        memcpy(pieces->text, pieces->text + 16, 16);
    }
    rest = rt_hash_blocks(state, p, size);
    if (rest != p)
        memcpy(pieces->text, rest - 16, 16);
    pieces->held = size - (size_t)(rest - p);
    memcpy(pieces->text + 16, rest, pieces->held);
}

/* Ends such a string: afterwards the state is as if it had been fed at once. */
static void rt_hash_pieces_end(rt_hash128 *state, const rt_hash_pieces *pieces)
{
    const uint8_t *last = pieces->text + pieces->held;
    if (pieces->size <= 16)
        rt_hash_short(state, pieces->text + 16, (size_t)pieces->size);
    else
        rt_hash_last(state, rt_load64(last), rt_load64(last + 8), pieces->size);
}

static inline void rt_hash_number(rt_hash128 *state, uint64_t v)
{
    rt_hash_products(state, v ^ state->a, RT_HASH_3, v ^ state->b, RT_HASH_4);
}

/* After the last part: every bit of the hash depends on all of it. */
static inline void rt_hash_finish(rt_hash128 *state) { rt_hash_number(state, 0); }

/* Begins the hash of a key, a value, or one part of a sum. ``what`` distinguishes it from others of the same input. */
static inline void rt_hash_begin(rt_hash128 *state, uint64_t what)
{
    state->a = RT_HASH_4;
    state->b = RT_HASH_3 ^ rt_hash_spread(what);
}

/* Order-independent sum of two hashes that are finished (addition modulo 2^128, so equal members do not cancel). */
static inline void rt_hash_add(rt_hash128 *sum, const rt_hash128 *x)
{
    uint64_t low = sum->a + x->a;
    sum->b += x->b + (low < sum->a);
    sum->a = low;
}

/* Adds a part, which is finished then. */
static inline void rt_hash_add_part(rt_hash128 *sum, rt_hash128 *part)
{
    rt_hash_finish(part);
    rt_hash_add(sum, part);
}

#endif
