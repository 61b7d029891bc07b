/* The 128-bit hash of Fingerprint, chained: folded products with constants, in two halves.
 *
 * A state is fed with byte strings one after the other; each length is mixed in, so no two different
 * sequences share their input. It finds mistakes and damage, not forgeries; it is the same everywhere.
 */
#ifndef RT_HASH128_H
#define RT_HASH128_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fold64.h"
#include "le64.h"

typedef struct {
    uint64_t a, b;
} rt_hash128;

/* Drawn at random among the numbers with 32 bits set. */
#define RT_HASH_W0 0xae43af2f71b04a61ull
#define RT_HASH_W1 0x7d8042ce0d5bfc8bull
#define RT_HASH_W2 0x217bc57852a52e6dull
#define RT_HASH_W3 0x0a932faa564ee8d3ull
#define RT_HASH_W4 0xbd229e82653a8f8bull
#define RT_HASH_W5 0x8c51e2e17cca90efull
#define RT_HASH_W6 0x4de6bc4cb94a9915ull

static inline void rt_hash_step(rt_hash128 *state, uint64_t x, uint64_t y)
{
    state->a = rt_fold64(x ^ RT_HASH_W0 ^ state->a, y ^ RT_HASH_W1);
    state->b = rt_fold64(x ^ RT_HASH_W2, y ^ RT_HASH_W3 ^ state->b);
}

/* Mixes in blocks of 16 bytes, but for the last 16 bytes and fewer; returns how many bytes it mixed in. */
static inline size_t rt_hash_blocks(rt_hash128 *state, const uint8_t *p, size_t size)
{
    size_t left = size;
    for (; left > 16; left -= 16, p += 16)
        rt_hash_step(state, rt_le64(p, 8), rt_le64(p + 8, 8));
    return size - left;
}

/* Mixes in the last bytes, at most 16, of a string of `size` bytes. */
static inline void rt_hash_end(rt_hash128 *state, const uint8_t *p, size_t left, uint64_t size)
{
    /* Words that overlap: the size says how far. */
    if (left >= 8)
        rt_hash_step(state, rt_le64(p, 8), rt_le64(p + left - 8, 8));
    else
        rt_hash_step(state, rt_le64(p, left), 0);
    uint64_t a = state->a, b = state->b;
    state->a = rt_fold64(a ^ size ^ RT_HASH_W4, b ^ RT_HASH_W5);
    state->b = rt_fold64(b ^ size ^ RT_HASH_W3, a ^ RT_HASH_W6);
}

static void rt_hash_long(rt_hash128 *state, const uint8_t *p, size_t size)
{
    size_t done = rt_hash_blocks(state, p, size);
    rt_hash_end(state, p + done, size - done, size);
}

/* Most strings are short: for them there is no call. */
static inline void rt_hash_feed(rt_hash128 *state, const uint8_t *p, size_t size)
{
    if (size <= 16)
        rt_hash_end(state, p, size, size);
    else
        rt_hash_long(state, p, size);
}

/* A string that is fed in pieces: what is left of the pieces so far, at most 16 bytes. Zeros to begin with. */
typedef struct {
    uint8_t rest[16];
    size_t held;
    uint64_t size;
} rt_hash_pieces;

static void rt_hash_piece(rt_hash128 *state, rt_hash_pieces *pieces, const uint8_t *p, size_t size)
{
    pieces->size += size;
    if (pieces->held) {
        size_t more = 16 - pieces->held < size ? 16 - pieces->held : size;
        memcpy(pieces->rest + pieces->held, p, more);
        pieces->held += more;
        p += more;
        size -= more;
        if (!size)
            return;
        rt_hash_step(state, rt_le64(pieces->rest, 8), rt_le64(pieces->rest + 8, 8));
    }
    size_t done = rt_hash_blocks(state, p, size);
    pieces->held = size - done;
    memcpy(pieces->rest, p + done, pieces->held);
}

static inline void rt_hash_number(rt_hash128 *state, uint64_t v)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    rt_hash_end(state, bytes, 8, 8);
}

/* Begins the hash of one part of a sum: not with zeros, whose hash with nothing after them is zero and in no sum. */
static inline void rt_hash_begin(rt_hash128 *state)
{
    state->a = 0;
    state->b = 0x9e3779b97f4a7c15ull;
}

/* Order-independent sum of two hashes (addition modulo 2^128, so equal members do not cancel). */
static inline void rt_hash_add(rt_hash128 *sum, const rt_hash128 *x)
{
    uint64_t low = sum->a + x->a;
    sum->b += x->b + (low < sum->a);
    sum->a = low;
}

#endif
