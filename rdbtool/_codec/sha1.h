/* SHA-1 of short messages (FIPS 180-4), for the dataset digest (format F6), which needs millions of them.
 *
 * One message: by the processor's SHA instructions where it has them, else in portable C. Many: side by side, one in
 * each lane of a vector, where the processor has AVX-512 (16 lanes, a fifth of the time of the SHA instructions) or
 * AVX2 (8 lanes, half of it), or has no SHA instructions (4 lanes, any processor). A digest that a server prints is
 * an interface, not a protection: nothing here relies on SHA-1 being hard to break.
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

static inline uint32_t rt_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

#define RT_CHOOSE(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define RT_PARITY(b, c, d) ((b) ^ (c) ^ (d))
#define RT_MAJORITY(b, c, d) (((b) & (c)) | ((d) & ((b) | (c))))

static void rt_sha1_block_c(uint32_t h[5], const uint8_t *block)
{
    uint32_t w[16], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++)
        w[i] = rt_be32(block + 4 * i);
    /* Unrolled, with the names of the words moved on instead of the words. */
#define RT_WORD(i)                                                                                                 \
    ((i) < 16 ? w[(i) & 15]                                                                                        \
              : (w[(i) & 15] =                                                                                     \
                     rt_rol(w[((i) + 13) & 15] ^ w[((i) + 8) & 15] ^ w[((i) + 2) & 15] ^ w[(i) & 15], 1)))
#define RT_ROUND(a, b, c, d, e, f, k, i)                    \
    do {                                                    \
        e += rt_rol(a, 5) + f(b, c, d) + (k) + RT_WORD(i);  \
        b = rt_rol(b, 30);                                  \
    } while (0)
#define RT_FIVE(f, k, i)                        \
    RT_ROUND(a, b, c, d, e, f, k, i);           \
    RT_ROUND(e, a, b, c, d, f, k, (i) + 1);     \
    RT_ROUND(d, e, a, b, c, f, k, (i) + 2);     \
    RT_ROUND(c, d, e, a, b, f, k, (i) + 3);     \
    RT_ROUND(b, c, d, e, a, f, k, (i) + 4)
#define RT_TWENTY(f, k, i)       \
    RT_FIVE(f, k, i);            \
    RT_FIVE(f, k, (i) + 5);      \
    RT_FIVE(f, k, (i) + 10);     \
    RT_FIVE(f, k, (i) + 15)
    RT_TWENTY(RT_CHOOSE, 0x5A827999u, 0);
    RT_TWENTY(RT_PARITY, 0x6ED9EBA1u, 20);
    RT_TWENTY(RT_MAJORITY, 0x8F1BBCDCu, 40);
    RT_TWENTY(RT_PARITY, 0xCA62C1D6u, 60);
#undef RT_WORD
#undef RT_ROUND
#undef RT_FIVE
#undef RT_TWENTY
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

/* States of 16 messages: word i of message k is w[i][k]. */
typedef struct {
    uint32_t w[5][16];
} rt_sha1_row;

#define RT_SHA1_ROW 16
#define RT_SHA1_BEGIN {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u}

static const uint32_t rt_sha1_lane_numbers[8] = {0, 1, 2, 3, 4, 5, 6, 7};

#if defined(__GNUC__) || defined(__clang__)
#define RT_VECTORS 1

/* Vectors that any processor has, or that the compiler makes of words. */
typedef uint32_t rt_v4 __attribute__((vector_size(16)));
typedef uint32_t rt_v4_anywhere __attribute__((vector_size(16), aligned(4), may_alias));

static inline __attribute__((always_inline)) void rt_sha1_columns_4(rt_v4 w[16], const uint8_t *const blocks[4])
{
    const uint8_t *a = blocks[0], *b = blocks[1], *c = blocks[2], *d = blocks[3];
    for (int i = 0; i < 64; i += 4)
        w[i / 4] = (rt_v4){rt_be32(a + i), rt_be32(b + i), rt_be32(c + i), rt_be32(d + i)};
}

#define LANES 4
#define VECTOR rt_v4
#define TARGET
#define NAME(f) rt_sha1_##f##_4
#define SET1(x) ((rt_v4){(x), (x), (x), (x)})
#define LOAD(p) ((rt_v4) * (const rt_v4_anywhere *)(p))
#define STORE(p, v) (*(rt_v4_anywhere *)(p) = (rt_v4_anywhere)(v))
#define ROL(v, n) (((v) << (n)) | ((v) >> (32 - (n))))
#define CHOOSE RT_CHOOSE
#define PARITY RT_PARITY
#define MAJORITY RT_MAJORITY
#define XOR4(a, b, c, d) ((a) ^ (b) ^ (c) ^ (d))
#define RT_TAKEN(n) ((rt_v4)(LOAD(rt_sha1_lane_numbers) < SET1((uint32_t)(n))))
#define KEEP(old, new, n) (((new) & RT_TAKEN(n)) | ((old) & ~RT_TAKEN(n)))
#include "sha1_lanes.h"
#undef RT_TAKEN
#endif

#ifdef RT_SHA_NI

typedef uint32_t rt_v16 __attribute__((vector_size(64)));
typedef uint32_t rt_v8 __attribute__((vector_size(32)));

#define RT_AVX512 __attribute__((target("avx512f,avx512bw")))
#define RT_AVX2 __attribute__((target("avx2")))

/* A transposition of 16 × 16 words: in pairs, in fours, then by 128 bits. */
static inline __attribute__((always_inline)) RT_AVX512 void rt_sha1_columns_16(rt_v16 w[16],
                                                                               const uint8_t *const blocks[16])
{
    const __m512i swap = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll));
    __m512i r[16], t[16];
    for (int i = 0; i < 16; i++)
        r[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(blocks[i]), swap);
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int k = 0; k < 4; k++) {
        __m512i a = _mm512_shuffle_i32x4(r[k], r[4 + k], 0x88), b = _mm512_shuffle_i32x4(r[k], r[4 + k], 0xDD);
        __m512i c = _mm512_shuffle_i32x4(r[8 + k], r[12 + k], 0x88);
        __m512i d = _mm512_shuffle_i32x4(r[8 + k], r[12 + k], 0xDD);
        w[k] = (rt_v16)_mm512_shuffle_i32x4(a, c, 0x88);
        w[4 + k] = (rt_v16)_mm512_shuffle_i32x4(b, d, 0x88);
        w[8 + k] = (rt_v16)_mm512_shuffle_i32x4(a, c, 0xDD);
        w[12 + k] = (rt_v16)_mm512_shuffle_i32x4(b, d, 0xDD);
    }
}

#define LANES 16
#define VECTOR rt_v16
#define TARGET RT_AVX512
#define NAME(f) rt_sha1_##f##_16
#define SET1(x) ((rt_v16)_mm512_set1_epi32((int)(x)))
#define LOAD(p) ((rt_v16)_mm512_loadu_si512(p))
#define STORE(p, v) _mm512_storeu_si512(p, (__m512i)(v))
#define ROL(v, n) ((rt_v16)_mm512_rol_epi32((__m512i)(v), n))
#define RT_TERNARY(a, b, c, table) ((rt_v16)_mm512_ternarylogic_epi32((__m512i)(a), (__m512i)(b), (__m512i)(c), table))
#define CHOOSE(b, c, d) RT_TERNARY(b, c, d, 0xCA)
#define PARITY(b, c, d) RT_TERNARY(b, c, d, 0x96)
#define MAJORITY(b, c, d) RT_TERNARY(b, c, d, 0xE8)
#define XOR4(a, b, c, d) (RT_TERNARY(a, b, c, 0x96) ^ (d))
#define KEEP(old, new, lanes) \
    ((rt_v16)_mm512_mask_mov_epi32((__m512i)(old), (__mmask16)((1u << (lanes)) - 1), (__m512i)(new)))
#include "sha1_lanes.h"
#undef RT_TERNARY

/* Twice a transposition of 8 × 8 words. */
static inline __attribute__((always_inline)) RT_AVX2 void rt_sha1_columns_8(rt_v8 w[16], const uint8_t *const blocks[8])
{
    const __m256i swap = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d0e0f08090a0bll, 0x0405060700010203ll));
    for (int half = 0; half < 2; half++) {
        __m256i r[8], t[8];
        for (int i = 0; i < 8; i++)
            r[i] = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(blocks[i] + 32 * half)), swap);
        for (int i = 0; i < 8; i += 2) {
            t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
            t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
        }
        for (int i = 0; i < 8; i += 4) {
            r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
            r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
            r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
            r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
        }
        for (int k = 0; k < 4; k++) {
            w[8 * half + k] = (rt_v8)_mm256_permute2x128_si256(r[k], r[4 + k], 0x20);
            w[8 * half + 4 + k] = (rt_v8)_mm256_permute2x128_si256(r[k], r[4 + k], 0x31);
        }
    }
}

#define LANES 8
#define VECTOR rt_v8
#define TARGET RT_AVX2
#define NAME(f) rt_sha1_##f##_8
#define SET1(x) ((rt_v8)_mm256_set1_epi32((int)(x)))
#define LOAD(p) ((rt_v8)_mm256_loadu_si256((const __m256i *)(p)))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(p), (__m256i)(v))
#define ROL(v, n) (((v) << (n)) | ((v) >> (32 - (n))))
#define CHOOSE RT_CHOOSE
#define PARITY RT_PARITY
#define MAJORITY RT_MAJORITY
#define XOR4(a, b, c, d) ((a) ^ (b) ^ (c) ^ (d))
#define KEEP(old, new, lanes)                                                                              \
    ((rt_v8)_mm256_blendv_epi8((__m256i)(old), (__m256i)(new),                                             \
                               _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), (__m256i)LOAD(rt_sha1_lane_numbers))))
#include "sha1_lanes.h"

#endif

/* The ways to compute; each machine has some of them. */
enum { RT_SHA1_BEST, RT_SHA1_PORTABLE, RT_SHA1_SHA_NI, RT_SHA1_LANES_4, RT_SHA1_LANES_8, RT_SHA1_LANES_16 };

static void (*rt_sha1_block)(uint32_t h[5], const uint8_t *block) = rt_sha1_block_c;

/* Lanes that work at once: 1, 4, 8 or 16. */
static int rt_sha1_lanes = 1;

/* Of fewer messages than this one after the other is faster than side by side. */
static int rt_sha1_fewest = 1;

/* Chooses a way; false if this machine does not have it. RT_SHA1_BEST and RT_SHA1_PORTABLE are everywhere. */
static int rt_sha1_choose(int way)
{
    int has_sha = 0, has_4 = 0, has_8 = 0, has_16 = 0, chosen = 1;
#ifdef RT_VECTORS
    has_4 = 1;
#endif
#ifdef RT_SHA_NI
    unsigned a, b, c, d, basic = 0, extended = 0, saved = 0;
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        basic = c;
        if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
            extended = b;
        /* Whether the system keeps the vectors of a program that it interrupts. */
        if (basic >> 27 & 1)
            __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(saved), "=d"(d) : "c"(0));
    }
    has_sha = (extended >> 29 & 1) && (basic >> 19 & 1) && (basic >> 9 & 1);
    has_8 = (extended >> 5 & 1) && (basic >> 28 & 1) && (saved & 0x06) == 0x06;
    has_16 = (extended >> 16 & 1) && (extended >> 30 & 1) && (saved & 0xE6) == 0xE6;
#endif
    switch (way) {
    case RT_SHA1_PORTABLE:
        has_sha = has_4 = has_8 = has_16 = 0;
        break;
    case RT_SHA1_SHA_NI:
        chosen = has_sha;
        has_8 = has_16 = 0;
        break;
    case RT_SHA1_LANES_4:
        chosen = has_4;
        has_sha = has_8 = has_16 = 0;
        break;
    case RT_SHA1_LANES_8:
        chosen = has_8;
        has_16 = 0;
        break;
    case RT_SHA1_LANES_16:
        chosen = has_16;
        break;
    default:
        break;
    }
    rt_sha1_block = rt_sha1_block_c;
#ifdef RT_SHA_NI
    if (has_sha)
        rt_sha1_block = rt_sha1_block_ni;
#endif
    rt_sha1_lanes = has_16 ? 16 : has_8 ? 8 : has_4 && !has_sha ? 4 : 1;
    /* Measured: a block takes 31 ns by SHA instructions and 68 in C; all lanes take 100 to 140, however many. */
    rt_sha1_fewest = has_sha ? 5 : 3;
    return chosen;
}

/* Mixes in the last bytes, fewer than 64, of a message of `total` bytes. */
static void rt_sha1_end(uint32_t h[5], const uint8_t *data, size_t size, uint64_t total)
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
}

/* SHA-1 of `size` bytes, as five words. */
static void rt_sha1(const void *message, size_t size, uint32_t h[5])
{
    static const uint32_t begin[5] = RT_SHA1_BEGIN;
    const uint8_t *data = message;
    uint64_t total = size;
    memcpy(h, begin, sizeof(begin));
    for (; size >= 64; data += 64, size -= 64)
        rt_sha1_block(h, data);
    rt_sha1_end(h, data, size, total);
}

/* The 20 bytes of five words. */
static void rt_sha1_bytes(const uint32_t h[5], uint8_t out[20])
{
    for (int i = 0; i < 5; i++) {
        out[4 * i] = (uint8_t)(h[i] >> 24);
        out[4 * i + 1] = (uint8_t)(h[i] >> 16);
        out[4 * i + 2] = (uint8_t)(h[i] >> 8);
        out[4 * i + 3] = (uint8_t)h[i];
    }
}

/* Replaces five words by the hash of their 20 bytes. */
static void rt_sha1_again(uint32_t h[5])
{
    static const uint32_t begin[5] = RT_SHA1_BEGIN;
    uint8_t block[64] = {0};
    rt_sha1_bytes(h, block);
    block[20] = 0x80;
    block[63] = 160;
    memcpy(h, begin, sizeof(begin));
    rt_sha1_block(h, block);
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

static void rt_sha1_pieces_end(rt_sha1_pieces *pieces, uint32_t h[5])
{
    rt_sha1_end(pieces->h, pieces->rest, pieces->held, pieces->size);
    memcpy(h, pieces->h, sizeof(pieces->h));
}

/* ---- many messages, in rows of up to 16 ---- */

#define RT_SHA1_ONE_BLOCK 55 /* bytes of a message, at most */

/* Copies up to 55 bytes: fewer than a call of memcpy would take. */
static inline void rt_sha1_copy(uint8_t *to, const uint8_t *from, size_t size)
{
    if (size >= 16) {
        memcpy(to, from, 16);
        if (size > 32) {
            memcpy(to + 16, from + 16, 16);
            if (size > 48)
                memcpy(to + 32, from + 32, 16);
        }
        memcpy(to + size - 16, from + size - 16, 16);
    } else if (size >= 8) {
        memcpy(to, from, 8);
        memcpy(to + size - 8, from + size - 8, 8);
    } else if (size >= 4) {
        memcpy(to, from, 4);
        memcpy(to + size - 4, from + size - 4, 4);
    } else if (size) {
        to[0] = from[0];
        to[size / 2] = from[size / 2];
        to[size - 1] = from[size - 1];
    }
}

/* A block with a whole message in it. */
static inline void rt_sha1_fill(uint8_t block[64], const void *data, size_t size)
{
    memset(block, 0, 64);
    rt_sha1_copy(block, data, size);
    block[size] = 0x80;
    block[62] = (uint8_t)(size >> 5);
    block[63] = (uint8_t)(size << 3);
}

/* The number of blocks of a message of `size` bytes. */
static inline size_t rt_sha1_blocks(size_t size) { return (size + 8) / 64 + 1; }

/* Blocks with a whole message in them, as many as rt_sha1_blocks says, but at least two. */
static void rt_sha1_fill_blocks(uint8_t *blocks, const void *data, size_t size)
{
    size_t all = rt_sha1_blocks(size) * 64;
    uint64_t bits = (uint64_t)size * 8;
    memset(blocks + all - 128, 0, 128);
    memcpy(blocks, data, size);
    blocks[size] = 0x80;
    for (int i = 0; i < 8; i++)
        blocks[all - 1 - i] = (uint8_t)(bits >> (8 * i));
}

static void rt_sha1_row_begin(rt_sha1_row *row)
{
    static const uint32_t begin[5] = RT_SHA1_BEGIN;
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < RT_SHA1_ROW; k++)
            row->w[i][k] = begin[i];
}

static inline void rt_sha1_row_get(const rt_sha1_row *row, int k, uint32_t h[5])
{
    for (int i = 0; i < 5; i++)
        h[i] = row->w[i][k];
}

static inline void rt_sha1_row_set(rt_sha1_row *row, int k, const uint32_t h[5])
{
    for (int i = 0; i < 5; i++)
        row->w[i][k] = h[i];
}

/* h ^= column k */
static inline void rt_sha1_row_give(const rt_sha1_row *row, int k, uint32_t h[5])
{
    for (int i = 0; i < 5; i++)
        h[i] ^= row->w[i][k];
}

/* column k ^= h */
static inline void rt_sha1_row_take(rt_sha1_row *row, int k, const uint32_t h[5])
{
    for (int i = 0; i < 5; i++)
        row->w[i][k] ^= h[i];
}

static inline void rt_sha1_row_xor(rt_sha1_row *to, const rt_sha1_row *row)
{
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < RT_SHA1_ROW; k++)
            to->w[i][k] ^= row->w[i][k];
}

/* Mixes a block into each of the first `count` states. All 16 pointers must be of 64 readable bytes. */
static void rt_sha1_row_next(rt_sha1_row *row, const uint8_t *const blocks[RT_SHA1_ROW], int count)
{
    int at = 0;
#ifdef RT_VECTORS
    for (; rt_sha1_lanes > 1 && count - at >= rt_sha1_fewest; at += rt_sha1_lanes) {
#ifdef RT_SHA_NI
        if (rt_sha1_lanes == 16)
            rt_sha1_next_16(row, at, blocks + at, count - at);
        else if (rt_sha1_lanes == 8)
            rt_sha1_next_8(row, at, blocks + at, count - at);
        else
#endif
            rt_sha1_next_4(row, at, blocks + at, count - at);
    }
#endif
    for (; at < count; at++) {
        uint32_t h[5];
        rt_sha1_row_get(row, at, h);
        rt_sha1_block(h, blocks[at]);
        rt_sha1_row_set(row, at, h);
    }
}

/* Replaces the first `count` states by the hashes of their 20 bytes. */
static void rt_sha1_row_again(rt_sha1_row *row, int count)
{
    int at = 0;
#ifdef RT_VECTORS
    for (; rt_sha1_lanes > 1 && count - at >= rt_sha1_fewest; at += rt_sha1_lanes) {
#ifdef RT_SHA_NI
        if (rt_sha1_lanes == 16)
            rt_sha1_again_16(row, at, count - at);
        else if (rt_sha1_lanes == 8)
            rt_sha1_again_8(row, at, count - at);
        else
#endif
            rt_sha1_again_4(row, at, count - at);
    }
#endif
    for (; at < count; at++) {
        uint32_t h[5];
        rt_sha1_row_get(row, at, h);
        rt_sha1_again(h);
        rt_sha1_row_set(row, at, h);
    }
}

/* Hashes `count` blocks that stand `stride` bytes apart, each a whole message. */
static void rt_sha1_row_first(rt_sha1_row *row, const uint8_t *first, size_t stride, int count)
{
    const uint8_t *blocks[RT_SHA1_ROW];
    for (int k = 0; k < RT_SHA1_ROW; k++)
        blocks[k] = first + stride * (size_t)(k < count ? k : 0);
    rt_sha1_row_begin(row);
    rt_sha1_row_next(row, blocks, count);
}

static inline void rt_sha1_xor(uint32_t to[5], const uint32_t hash[5])
{
    for (int i = 0; i < 5; i++)
        to[i] ^= hash[i];
}

#endif
