/* CRC-64 of Redis (format A5: reflected, Jones' polynomial), for files, and for payloads, of which there are millions.
 *
 * Where the processor multiplies without carries, 16 bytes are folded at a time, or four times 16; elsewhere tables take 8
 * bytes at a time.
 */
#ifndef RT_CRC64_H
#define RT_CRC64_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define RT_CRC64_FOLDS 1
#include <immintrin.h>
#endif

/* row[k][b]: the checksum of the byte b with k zero bytes after it. */
static uint64_t rt_crc64_rows[8][256];

static void rt_crc64_prepare_rows(void)
{
    for (int b = 0; b < 256; b++) {
        uint64_t sum = (uint64_t)b;
        for (int i = 0; i < 8; i++)
            sum = sum & 1 ? sum >> 1 ^ 0x95AC9329AC4BC9B5ull : sum >> 1;
        rt_crc64_rows[0][b] = sum;
    }
    for (int k = 1; k < 8; k++)
        for (int b = 0; b < 256; b++)
            rt_crc64_rows[k][b] = rt_crc64_rows[k - 1][b] >> 8 ^ rt_crc64_rows[0][rt_crc64_rows[k - 1][b] & 255];
}

/* As rt_crc64, by the tables. */
static uint64_t rt_crc64_by_rows(uint64_t sum, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word = 0;
        for (int i = 0; i < 8; i++)
            word |= (uint64_t)p[i] << (8 * i);
        word ^= sum;
        sum = rt_crc64_rows[7][word & 255] ^ rt_crc64_rows[6][word >> 8 & 255] ^ rt_crc64_rows[5][word >> 16 & 255] ^
              rt_crc64_rows[4][word >> 24 & 255] ^ rt_crc64_rows[3][word >> 32 & 255] ^
              rt_crc64_rows[2][word >> 40 & 255] ^ rt_crc64_rows[1][word >> 48 & 255] ^ rt_crc64_rows[0][word >> 56];
    }
    for (; n; n--, p++)
        sum = sum >> 8 ^ rt_crc64_rows[0][(sum ^ *p) & 255];
    return sum;
}

/* a × b modulo the polynomial; the highest bit stands for x to the power of 0. */
static uint64_t rt_crc64_times(uint64_t a, uint64_t b)
{
    uint64_t product = 0;
    for (uint64_t bit = 1ull << 63; bit; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b & 1 ? b >> 1 ^ 0x95AC9329AC4BC9B5ull : b >> 1;
    }
    return product;
}

#ifdef RT_CRC64_FOLDS
/* What the first and the last 8 of 16 bytes are multiplied with, that they may be added to those 16 and 64 bytes further on:
 * x to the power of 191 and 127, and of 575 and 511. (One less than the distance: the product of two reflected numbers is
 * reflected about one bit less than they.) */
static uint64_t rt_crc64_next[2], rt_crc64_far[2];
static uint64_t rt_crc64_inverse; /* x to the power of 128 divided by the polynomial, without its highest term */
static int rt_crc64_folds;

static uint64_t rt_crc64_power(int exponent)
{
    uint64_t power = 1ull << 63;
    while (exponent--)
        power = power & 1 ? power >> 1 ^ 0x95AC9329AC4BC9B5ull : power >> 1;
    return power;
}

#define RT_CLMUL __attribute__((target("pclmul,sse4.1")))

static inline RT_CLMUL __m128i rt_crc64_fold(__m128i sum, __m128i factors, __m128i next)
{
    return _mm_xor_si128(next, _mm_xor_si128(_mm_clmulepi64_si128(sum, factors, 0x00),
                                             _mm_clmulepi64_si128(sum, factors, 0x11)));
}

/* As rt_crc64, of 16 bytes or more. */
static RT_CLMUL uint64_t rt_crc64_by_folds(uint64_t sum, const uint8_t *p, size_t n)
{
    static const uint8_t moves[48] = {
        0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
        0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
        0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
    const __m128i next = _mm_loadu_si128((const __m128i *)rt_crc64_next);
    /* Zeros before the first byte change nothing, so that the rest is a multiple of 16 bytes. What precedes it, `sum`, is
     * added to the first 8 bytes, which may be in two blocks. */
    size_t odd = n % 16;
    const __m128i up = _mm_loadu_si128((const __m128i *)(moves + odd));
    const __m128i down = _mm_loadu_si128((const __m128i *)(moves + 16 + odd));
    const __m128i before = _mm_set_epi64x(0, (long long)sum);
    __m128i a = _mm_shuffle_epi8(_mm_xor_si128(_mm_loadu_si128((const __m128i *)p), before), up);
    a = rt_crc64_fold(a, next, _mm_xor_si128(_mm_loadu_si128((const __m128i *)(p + odd)), _mm_shuffle_epi8(before, down)));
    __m128i b;
    p += odd + 16;
    n -= odd + 16;
    if (n >= 112) {
        const __m128i far = _mm_loadu_si128((const __m128i *)rt_crc64_far);
        __m128i c = _mm_loadu_si128((const __m128i *)(p + 16));
        __m128i d = _mm_loadu_si128((const __m128i *)(p + 32));
        b = _mm_loadu_si128((const __m128i *)p);
        for (p += 48, n -= 48; n >= 64; p += 64, n -= 64) {
            a = rt_crc64_fold(a, far, _mm_loadu_si128((const __m128i *)p));
            b = rt_crc64_fold(b, far, _mm_loadu_si128((const __m128i *)(p + 16)));
            c = rt_crc64_fold(c, far, _mm_loadu_si128((const __m128i *)(p + 32)));
            d = rt_crc64_fold(d, far, _mm_loadu_si128((const __m128i *)(p + 48)));
        }
        a = rt_crc64_fold(a, next, b);
        a = rt_crc64_fold(a, next, c);
        a = rt_crc64_fold(a, next, d);
    }
    for (; n; p += 16, n -= 16)
        a = rt_crc64_fold(a, next, _mm_loadu_si128((const __m128i *)p));
    /* 16 bytes, and the 8 of zeros that a checksum stands for, to 16 by one more product, then to 8 (Barrett). */
    uint64_t low, high, quotient;
    b = _mm_xor_si128(_mm_clmulepi64_si128(a, next, 0x10), _mm_srli_si128(a, 8));
    low = (uint64_t)_mm_cvtsi128_si64(b);
    high = (uint64_t)_mm_extract_epi64(b, 1);
    b = _mm_clmulepi64_si128(b, _mm_cvtsi64_si128((long long)rt_crc64_inverse), 0x00);
    quotient = low ^ (uint64_t)_mm_cvtsi128_si64(b) << 1;
    b = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)quotient), _mm_cvtsi64_si128((long long)0x95AC9329AC4BC9B5ull), 0x00);
    return high ^ (uint64_t)_mm_cvtsi128_si64(b) >> 63 ^ (uint64_t)_mm_extract_epi64(b, 1) << 1;
}
#endif

static void rt_crc64_prepare(void)
{
    rt_crc64_prepare_rows();
#ifdef RT_CRC64_FOLDS
    rt_crc64_next[0] = rt_crc64_power(191);
    rt_crc64_next[1] = rt_crc64_power(127);
    rt_crc64_far[0] = rt_crc64_power(575);
    rt_crc64_far[1] = rt_crc64_power(511);
    rt_crc64_inverse = 0;
    for (uint64_t bit = 1, rest = 0x95AC9329AC4BC9B5ull; bit; bit <<= 1) {
        rt_crc64_inverse |= rest & 1 ? bit : 0;
        rest = rest & 1 ? rest >> 1 ^ 0x95AC9329AC4BC9B5ull : rest >> 1;
    }
    rt_crc64_folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#endif
}

static inline int rt_crc64_is_fast(void)
{
#ifdef RT_CRC64_FOLDS
    return rt_crc64_folds;
#else
    return 0;
#endif
}

/* The checksum of n bytes after bytes whose checksum is `sum`; 0: nothing is before them. */
static uint64_t rt_crc64(uint64_t sum, const uint8_t *p, size_t n)
{
#ifdef RT_CRC64_FOLDS
    if (n >= 16 && rt_crc64_folds)
        return rt_crc64_by_folds(sum, p, n);
#endif
    return rt_crc64_by_rows(sum, p, n);
}

/* The checksum of bytes whose checksum is `before` and of n bytes after them whose own is `sum`. */
static uint64_t rt_crc64_behind(uint64_t before, uint64_t sum, uint64_t n)
{
    uint64_t power = 1ull << 55; /* x to the power of 8 */
    for (; n; n >>= 1) {
        if (n & 1)
            before = rt_crc64_times(before, power);
        power = rt_crc64_times(power, power);
    }
    return before ^ sum;
}

#endif
