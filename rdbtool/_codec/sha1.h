/* SHA-1 of short messages (FIPS 180-4), for the dataset digest (format F6), which needs millions of them.
 *
 * Uses the processor's SHA instructions where it has them, else portable C. A digest that a server
 * prints is an interface, not a protection: nothing here relies on SHA-1 being hard to break.
 */
#ifndef RT_SHA1_H
#define RT_SHA1_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define RT_SHA_NI 1
#include <cpuid.h>
#include <immintrin.h>
#endif

static inline uint32_t rt_rol(uint32_t v, int n) { return (v << n) | (v >> (32 - n)); }

static void rt_sha1_block_c(uint32_t h[5], const uint8_t *block)
{
    uint32_t w[80];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rt_rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
#define RT_ROUND(f, k, i)                                  \
    do {                                                   \
        uint32_t t = rt_rol(a, 5) + (f) + e + (k) + w[i];  \
        e = d;                                             \
        d = c;                                             \
        c = rt_rol(b, 30);                                 \
        b = a;                                             \
        a = t;                                             \
    } while (0)
    for (int i = 0; i < 20; i++)
        RT_ROUND((b & c) | (~b & d), 0x5A827999u, i);
    for (int i = 20; i < 40; i++)
        RT_ROUND(b ^ c ^ d, 0x6ED9EBA1u, i);
    for (int i = 40; i < 60; i++)
        RT_ROUND((b & c) | (b & d) | (c & d), 0x8F1BBCDCu, i);
    for (int i = 60; i < 80; i++)
        RT_ROUND(b ^ c ^ d, 0xCA62C1D6u, i);
#undef RT_ROUND
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

#ifdef RT_SHA_NI
__attribute__((target("sha,sse4.1,ssse3"))) static void rt_sha1_block_ni(uint32_t h[5], const uint8_t *block)
{
    const __m128i swap = _mm_set_epi64x(0x0001020304050607ll, 0x08090a0b0c0d0e0fll);
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)h), 0x1B);
    __m128i e0 = _mm_set_epi32((int)h[4], 0, 0, 0), e1;
    const __m128i abcd_in = abcd, e_in = e0;
    __m128i m[4];
    for (int i = 0; i < 4; i++)
        m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), swap);

    /* Twenty groups of four rounds; the message schedule runs three groups ahead. */
#define RT_GROUP(g, f)                                                          \
    do {                                                                        \
        e1 = (g) == 0 ? _mm_add_epi32(e0, m[0]) : _mm_sha1nexte_epu32(e0, m[(g) & 3]); \
        e0 = abcd;                                                              \
        abcd = _mm_sha1rnds4_epu32(abcd, e1, f);                                \
        if ((g) < 16) {                                                         \
            __m128i next = _mm_sha1msg1_epu32(m[(g) & 3], m[((g) + 1) & 3]);    \
            next = _mm_xor_si128(next, m[((g) + 2) & 3]);                       \
            m[(g) & 3] = _mm_sha1msg2_epu32(next, m[((g) + 3) & 3]);            \
        }                                                                       \
    } while (0)
    RT_GROUP(0, 0);
    RT_GROUP(1, 0);
    RT_GROUP(2, 0);
    RT_GROUP(3, 0);
    RT_GROUP(4, 0);
    RT_GROUP(5, 1);
    RT_GROUP(6, 1);
    RT_GROUP(7, 1);
    RT_GROUP(8, 1);
    RT_GROUP(9, 1);
    RT_GROUP(10, 2);
    RT_GROUP(11, 2);
    RT_GROUP(12, 2);
    RT_GROUP(13, 2);
    RT_GROUP(14, 2);
    RT_GROUP(15, 3);
    RT_GROUP(16, 3);
    RT_GROUP(17, 3);
    RT_GROUP(18, 3);
    RT_GROUP(19, 3);
#undef RT_GROUP
    e0 = _mm_sha1nexte_epu32(e0, e_in);
    abcd = _mm_add_epi32(abcd, abcd_in);
    _mm_storeu_si128((__m128i *)h, _mm_shuffle_epi32(abcd, 0x1B));
    h[4] = (uint32_t)_mm_extract_epi32(e0, 3);
}
#endif

static void (*rt_sha1_block)(uint32_t h[5], const uint8_t *block) = rt_sha1_block_c;

static void rt_sha1_choose(int portable)
{
    rt_sha1_block = rt_sha1_block_c;
#ifdef RT_SHA_NI
    unsigned a, b, c, d;
    if (!portable && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) && __get_cpuid(1, &a, &b, &c, &d) &&
        (c >> 19 & 1) && (c >> 9 & 1))
        rt_sha1_block = rt_sha1_block_ni;
#else
    (void)portable;
#endif
}

/* Mixes in the last bytes, fewer than 64, of a message of `total` bytes; out gets 20. */
static void rt_sha1_end(uint32_t h[5], const uint8_t *data, size_t size, uint64_t total, uint8_t out[20])
{
    uint64_t bits = total * 8;
    uint8_t tail[128] = {0};
    size_t tail_size = size < 56 ? 64 : 128;
    if (size)
        memcpy(tail, data, size);
    tail[size] = 0x80;
    for (int i = 0; i < 8; i++)
        tail[tail_size - 1 - i] = (uint8_t)(bits >> (8 * i));
    rt_sha1_block(h, tail);
    if (tail_size == 128)
        rt_sha1_block(h, tail + 64);
    for (int i = 0; i < 5; i++) {
        out[4 * i] = (uint8_t)(h[i] >> 24);
        out[4 * i + 1] = (uint8_t)(h[i] >> 16);
        out[4 * i + 2] = (uint8_t)(h[i] >> 8);
        out[4 * i + 3] = (uint8_t)h[i];
    }
}

#define RT_SHA1_BEGIN {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u}

/* SHA-1 of `size` bytes; out gets 20. */
static void rt_sha1(const uint8_t *data, size_t size, uint8_t out[20])
{
    uint32_t h[5] = RT_SHA1_BEGIN;
    uint64_t total = size;
    for (; size >= 64; data += 64, size -= 64)
        rt_sha1_block(h, data);
    rt_sha1_end(h, data, size, total, out);
}

/* A message that comes in pieces. */
typedef struct {
    uint32_t h[5];
    uint8_t rest[64];
    size_t held;
    uint64_t size;
} rt_sha1_pieces;

static void rt_sha1_pieces_begin(rt_sha1_pieces *pieces)
{
    const uint32_t h[5] = RT_SHA1_BEGIN;
    memcpy(pieces->h, h, sizeof(h));
    pieces->held = 0;
    pieces->size = 0;
}

static void rt_sha1_piece(rt_sha1_pieces *pieces, const uint8_t *data, size_t size)
{
    pieces->size += size;
    if (pieces->held) {
        size_t more = 64 - pieces->held < size ? 64 - pieces->held : size;
        memcpy(pieces->rest + pieces->held, data, more);
        pieces->held += more;
        data += more;
        size -= more;
        if (pieces->held < 64)
            return;
        rt_sha1_block(pieces->h, pieces->rest);
    }
    for (; size >= 64; data += 64, size -= 64)
        rt_sha1_block(pieces->h, data);
    pieces->held = size;
    memcpy(pieces->rest, data, size);
}

static void rt_sha1_pieces_end(rt_sha1_pieces *pieces, uint8_t out[20])
{
    rt_sha1_end(pieces->h, pieces->rest, pieces->held, pieces->size, out);
}

/* Many messages of one block each: blocks that do not wait for each other overlap in the processor. */

#define RT_SHA1_ONE_BLOCK 55 /* bytes of a message, at most */

/* A block with a whole message in it. */
static inline void rt_sha1_fill(uint8_t block[64], const void *data, size_t size)
{
    memset(block, 0, 64);
    if (size)
        memcpy(block, data, size);
    block[size] = 0x80;
    block[62] = (uint8_t)(size >> 5);
    block[63] = (uint8_t)(size << 3);
}

/* The same with the message a ^ b, two hashes. */
static inline void rt_sha1_fill_hashes(uint8_t block[64], const uint8_t a[20], const uint8_t b[20])
{
    uint64_t x[2], y[2];
    uint32_t u, w;
    memset(block + 16, 0, 48);
    memcpy(x, a, 16);
    memcpy(y, b, 16);
    x[0] ^= y[0];
    x[1] ^= y[1];
    memcpy(block, x, 16);
    memcpy(&u, a + 16, 4);
    memcpy(&w, b + 16, 4);
    u ^= w;
    memcpy(block + 16, &u, 4);
    block[20] = 0x80;
    block[63] = 160;
}

/* Hashes `count` blocks that stand `stride` bytes apart, each a whole message; the hashes stand `out_stride` apart. */
static void rt_sha1_many(const uint8_t *blocks, size_t stride, size_t count, uint8_t *out, size_t out_stride)
{
    static const uint32_t begin[5] = RT_SHA1_BEGIN;
    for (size_t i = 0; i < count; i++, blocks += stride, out += out_stride) {
        uint32_t h[5];
        memcpy(h, begin, sizeof(h));
        rt_sha1_block(h, blocks);
        for (int k = 0; k < 5; k++) {
            out[4 * k] = (uint8_t)(h[k] >> 24);
            out[4 * k + 1] = (uint8_t)(h[k] >> 16);
            out[4 * k + 2] = (uint8_t)(h[k] >> 8);
            out[4 * k + 3] = (uint8_t)h[k];
        }
    }
}

static inline void rt_sha1_xor(uint8_t to[20], const uint8_t hash[20])
{
    uint64_t a[2], b[2];
    uint32_t u, w;
    memcpy(a, to, 16);
    memcpy(b, hash, 16);
    a[0] ^= b[0];
    a[1] ^= b[1];
    memcpy(to, a, 16);
    memcpy(&u, to + 16, 4);
    memcpy(&w, hash + 16, 4);
    u ^= w;
    memcpy(to + 16, &u, 4);
}

#endif
