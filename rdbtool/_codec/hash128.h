/* The 128-bit hash of Fingerprint: MurmurHash3 x64/128 (A. Appleby, public domain algorithm), chained.
 *
 * A state is fed with byte strings one after the other; each length is mixed in, so no two different
 * sequences share their input. It finds mistakes and damage, not forgeries.
 */
#ifndef RT_HASH128_H
#define RT_HASH128_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint64_t a, b;
} rt_hash128;

static inline uint64_t rt_rotl64(uint64_t v, int n) { return (v << n) | (v >> (64 - n)); }

static inline uint64_t rt_fmix64(uint64_t k)
{
    k ^= k >> 33;
    k *= 0xff51afd7ed558ccdull;
    k ^= k >> 33;
    k *= 0xc4ceb9fe1a85ec53ull;
    return k ^ k >> 33;
}

/* n bytes, at most 8, of which the first is the lowest. */
static inline uint64_t rt_le64(const uint8_t *p, size_t n)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* Two loads that overlap, in place of a loop whose end cannot be predicted. */
    uint32_t low, high;
    uint64_t v;
    if (n == 8) {
        memcpy(&v, p, 8);
        return v;
    }
    if (n >= 4) {
        memcpy(&low, p, 4);
        memcpy(&high, p + n - 4, 4);
        return low | (uint64_t)high << (8 * (n - 4));
    }
    if (n == 0)
        return 0;
    return p[0] | (uint64_t)p[n / 2] << (8 * (n / 2)) | (uint64_t)p[n - 1] << (8 * (n - 1));
#else
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
#endif
}

/* Mixes in whole blocks of 16 bytes and returns how many bytes that were. */
static inline size_t rt_hash_blocks(rt_hash128 *state, const uint8_t *p, size_t size)
{
    const uint64_t c1 = 0x87c37b91114253d5ull, c2 = 0x4cf5ad432745937full;
    uint64_t h1 = state->a, h2 = state->b;
    size_t left = size;
    for (; left >= 16; left -= 16, p += 16) {
        uint64_t k1 = rt_le64(p, 8), k2 = rt_le64(p + 8, 8);
        h1 ^= rt_rotl64(k1 * c1, 31) * c2;
        h1 = (rt_rotl64(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= rt_rotl64(k2 * c2, 33) * c1;
        h2 = (rt_rotl64(h2, 31) + h1) * 5 + 0x38495ab5;
    }
    state->a = h1;
    state->b = h2;
    return size - left;
}

/* Mixes in the last bytes, fewer than 16, of a string of `size` bytes. */
static inline void rt_hash_end(rt_hash128 *state, const uint8_t *p, size_t left, uint64_t size)
{
    const uint64_t c1 = 0x87c37b91114253d5ull, c2 = 0x4cf5ad432745937full;
    uint64_t h1 = state->a, h2 = state->b;
    if (left > 8)
        h2 ^= rt_rotl64(rt_le64(p + 8, left - 8) * c2, 33) * c1;
    if (left)
        h1 ^= rt_rotl64(rt_le64(p, left < 8 ? left : 8) * c1, 31) * c2;
    h1 ^= size;
    h2 ^= size;
    h1 += h2;
    h2 += h1;
    h1 = rt_fmix64(h1);
    h2 = rt_fmix64(h2);
    h1 += h2;
    state->a = h1;
    state->b = h2 + h1;
}

static void rt_hash_feed(rt_hash128 *state, const uint8_t *p, size_t size)
{
    size_t done = rt_hash_blocks(state, p, size);
    rt_hash_end(state, p + done, size - done, size);
}

/* A string that is fed in pieces: what is left of the pieces so far. Zeros to begin with. */
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
        if (pieces->held < 16)
            return;
        rt_hash_blocks(state, pieces->rest, 16);
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
