/* Numbers to text and back: integers, shortest doubles, the servers' own doubles.
 *
 * One table of 128-bit powers of ten (rt_pow10, written at build time) serves three algorithms:
 *   rt_shortest   Schubfach (R. Giulietti): the shortest digits that read back to the same double;
 *   rt_grisu2     Grisu2 (F. Loitsch), with the cached powers and rounding that servers since
 *                 7.2 use: nearly always, but not always, the shortest. Digests depend on it;
 *   rt_parse_double  Eisel-Lemire: decimal text to the nearest double, Python's parser only when in doubt (not
 *                 C's, which reads a comma where the program chose a locale that has one).
 * Text layout follows format F5.
 */
#ifndef RT_NUMBERS_H
#define RT_NUMBERS_H

#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>

#include "le64.h"
#include "_powers.h" /* RT_POW10_MIN, RT_POW10_MAX, rt_pow10[][2]: floor(10^k * 2^-s), high word first */

typedef unsigned __int128 rt_u128;

static const char rt_digit_pairs[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

static const uint64_t rt_tens[20] = {
    1ull, 10ull, 100ull, 1000ull, 10000ull, 100000ull, 1000000ull, 10000000ull, 100000000ull, 1000000000ull,
    10000000000ull, 100000000000ull, 1000000000000ull, 10000000000000ull, 100000000000000ull, 1000000000000000ull,
    10000000000000000ull, 100000000000000000ull, 1000000000000000000ull, 10000000000000000000ull};

/* How many digits v has; 1 of 0. */
static inline int rt_digit_count(uint64_t v)
{
    int about = (64 - __builtin_clzll(v | 1)) * 1233 >> 12; /* 1233/4096: the logarithm of 2 */
    return about + ((v | 1) >= rt_tens[about]);
}

/* The eight digits of v < 10^8, as numbers in bytes: the first one is the lowest. */
static inline uint64_t rt_eight_digits(uint32_t v)
{
    uint64_t fours = v / 10000 | (uint64_t)(v % 10000) << 32;
    uint64_t high = fours * 10486 >> 20 & 0x0000007F0000007Full;
    uint64_t twos = high | (fours - high * 100) << 16;
    high = twos * 103 >> 10 & 0x000F000F000F000Full;
    return high | (twos - high * 10) << 8;
}

/* A word of text, of which the lowest byte is the first. */
static inline void rt_put_word(char *out, uint64_t word)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(out, &word, 8);
}

/* Writes at most 20 characters; returns how many. */
static inline int rt_u64_text(uint64_t v, char *out)
{
    int n = rt_digit_count(v);
    char *p = out + n;
    for (; v >= 100000000; v /= 100000000) {
        p -= 8;
        rt_put_word(p, rt_eight_digits((uint32_t)(v % 100000000)) + 0x3030303030303030ull);
    }
    uint32_t rest = (uint32_t)v;
    for (; rest >= 100; rest /= 100) {
        p -= 2;
        memcpy(p, rt_digit_pairs + 2 * (rest % 100), 2);
    }
    if (rest >= 10)
        memcpy(out, rt_digit_pairs + 2 * rest, 2);
    else
        *out = (char)('0' + rest);
    return n;
}

static inline int rt_i64_text(int64_t v, char *out)
{
    if (v < 0) {
        *out = '-';
        return 1 + rt_u64_text(0 - (uint64_t)v, out + 1);
    }
    return rt_u64_text((uint64_t)v, out);
}

static inline int rt_floor_log2_pow10(int k) { return (int)(((int64_t)k * 1741647) >> 19); }

/* ---- Schubfach ------------------------------------------------------------------------------ */

static inline uint64_t rt_round_to_odd(uint64_t g_hi, uint64_t g_lo, uint64_t cp)
{
    rt_u128 x = (rt_u128)g_lo * cp;
    rt_u128 y = (rt_u128)g_hi * cp + (uint64_t)(x >> 64);
    return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

/* Finite positive v: sets the decimal digits * 10^exponent, not yet stripped of trailing zeros. */
static void rt_shortest(double v, uint64_t *digits, int *exponent)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    uint64_t fraction = bits & 0xFFFFFFFFFFFFFull;
    int biased = (int)(bits >> 52) & 0x7FF;
    uint64_t c;
    int q;
    if (biased) {
        c = fraction | (1ull << 52);
        q = biased - 1075;
        if (q <= 0 && q > -53 && (c & ((1ull << -q) - 1)) == 0) {
            *digits = c >> -q;
            *exponent = 0;
            return;
        }
    } else {
        c = fraction;
        q = -1074;
    }
    int even = (c & 1) == 0;
    int closer = fraction == 0 && biased > 1;
    uint64_t cbl = 4 * c - 2 + (uint64_t)closer, cb = 4 * c, cbr = 4 * c + 2;
    int k = (int)(((int64_t)q * 1262611 - (closer ? 524031 : 0)) >> 22);
    int h = q + rt_floor_log2_pow10(-k) + 1;
    const uint64_t *row = rt_pow10[-k - RT_POW10_MIN];
    uint64_t g_hi = row[0], g_lo = row[1];
    if (-k < 0 || -k > 55) { /* not exact: the algorithm wants the power rounded up */
        g_lo++;
        g_hi += g_lo == 0;
    }
    uint64_t vbl = rt_round_to_odd(g_hi, g_lo, cbl << h);
    uint64_t vb = rt_round_to_odd(g_hi, g_lo, cb << h);
    uint64_t vbr = rt_round_to_odd(g_hi, g_lo, cbr << h);
    uint64_t lower = vbl + !even, upper = vbr - !even, s = vb / 4;
    if (s >= 10) {
        uint64_t sp = s / 10;
        int up_inside = lower <= 40 * sp, wp_inside = 40 * sp + 40 <= upper;
        if (up_inside != wp_inside) {
            *digits = sp + (uint64_t)wp_inside;
            *exponent = k + 1;
            return;
        }
    }
    int u_inside = lower <= 4 * s, w_inside = 4 * s + 4 <= upper;
    if (u_inside != w_inside) {
        *digits = s + (uint64_t)w_inside;
    } else {
        uint64_t mid = 4 * s + 2;
        *digits = s + (uint64_t)(vb > mid || (vb == mid && (s & 1)));
    }
    *exponent = k;
}

/* ---- Grisu2 --------------------------------------------------------------------------------- */

static inline uint64_t rt_mul_round(uint64_t a, uint64_t b)
{
    return (uint64_t)(((rt_u128)a * b + ((rt_u128)1 << 63)) >> 64);
}

/* Finite positive v: writes the digit characters, sets the exponent of the last one, returns how many. */
static int rt_grisu2(double v, char *digits, int *exponent)
{
    static const uint64_t tens[] = {
        1ull, 10ull, 100ull, 1000ull, 10000ull, 100000ull, 1000000ull, 10000000ull, 100000000ull, 1000000000ull,
        10000000000ull, 100000000000ull, 1000000000000ull, 10000000000000ull, 100000000000000ull,
        1000000000000000ull, 10000000000000000ull, 100000000000000000ull, 1000000000000000000ull,
        10000000000000000000ull};
    const uint64_t hidden = 1ull << 52;
    uint64_t bits;
    memcpy(&bits, &v, 8);
    uint64_t f = bits & (hidden - 1);
    int e = (int)(bits >> 52) & 0x7FF;
    if (e) {
        f += hidden;
        e -= 1075;
    } else {
        e = -1074;
    }
    /* boundaries, normalised to the upper one */
    uint64_t upper = (f << 1) + 1, lower;
    int shift = __builtin_clzll(upper), upper_e = e - 1 - shift;
    upper <<= shift;
    int l_shift = f == hidden ? 2 : 1;
    lower = ((f << l_shift) - 1) << (e - l_shift - upper_e);
    shift = __builtin_clzll(f);
    uint64_t w = f << shift;
    /* a cached power 10^k, k = -348 + 8i, that brings the exponent into -60..-32 */
    int approx = (int)(-(upper_e + 87) * 0.30102999566398114);
    int index = (approx + 348) / 8, k, power_e;
    for (;;) {
        k = -348 + 8 * index;
        power_e = rt_floor_log2_pow10(k) - 63;
        int current = upper_e + power_e + 64;
        if (current < -60)
            index++;
        else if (current > -32)
            index--;
        else
            break;
    }
    const uint64_t *row = rt_pow10[k - RT_POW10_MIN];
    uint64_t power = row[0] + (row[1] >> 63);
    w = rt_mul_round(w, power);
    upper = rt_mul_round(upper, power) - 1;
    lower = rt_mul_round(lower, power) + 1;
    int one_shift = -(upper_e + power_e + 64);

    uint64_t one = 1ull << one_shift, delta = upper - lower, gap = upper - w;
    uint64_t whole = upper >> one_shift, rest = upper & (one - 1);
    int count = 0, kappa = 10;
    uint64_t remainder, unit;
    for (int i = 9; ; i--) {
        if (i >= 0) {
            uint64_t digit = whole / tens[i];
            if (digit || count)
                digits[count++] = (char)('0' + digit);
            whole -= digit * tens[i];
            kappa--;
            remainder = (whole << one_shift) + rest;
            if (remainder <= delta) {
                unit = tens[i] << one_shift;
                break;
            }
        } else {
            rest *= 10;
            delta *= 10;
            kappa--;
            uint64_t digit = rest >> one_shift;
            if (digit || count)
                digits[count++] = (char)('0' + digit);
            rest &= one - 1;
            if (rest < delta) {
                remainder = rest;
                unit = one;
                gap *= tens[-kappa];
                break;
            }
        }
    }
    while (remainder < gap && delta - remainder >= unit &&
           (remainder + unit < gap || gap - remainder > remainder + unit - gap)) {
        digits[count - 1]--;
        remainder += unit;
    }
    *exponent = kappa - k;
    return count;
}

/* ---- layout --------------------------------------------------------------------------------- */

/* digits d1..dn and the exponent of the last one, to text (format F5); returns the length. */
static int rt_layout(const char *digits, int n, int exponent, char *out)
{
    int scientific = exponent + n - 1, magnitude = abs(scientific);
    char *p = out;
    if (exponent >= 0 && magnitude < n + 7) {
        memcpy(p, digits, (size_t)n);
        memset(p + n, '0', (size_t)exponent);
        return n + exponent;
    }
    if (exponent < 0 && (exponent > -7 || magnitude < 4)) {
        int point = n + exponent;
        if (point <= 0) {
            memcpy(p, "0.", 2);
            memset(p + 2, '0', (size_t)-point);
            memcpy(p + 2 - point, digits, (size_t)n);
            return 2 - point + n;
        }
        memcpy(p, digits, (size_t)point);
        p[point] = '.';
        memcpy(p + point + 1, digits + point, (size_t)(n - point));
        return n + 1;
    }
    *p++ = digits[0];
    if (n > 1) {
        *p++ = '.';
        memcpy(p, digits + 1, (size_t)(n - 1));
        p += n - 1;
    }
    *p++ = 'e';
    *p++ = scientific < 0 ? '-' : '+';
    p += rt_u64_text((uint64_t)magnitude, p);
    return (int)(p - out);
}

/* Does the same for the decimals that are frequent: 0.001 to 10^8, not whole. Of `decimal` * 10^exponent, where trailing
 * zeros may be left; writes up to 31 bytes. 0: this is another number. */
static int rt_layout_short(uint64_t decimal, int exponent, char *out)
{
    /* Exactly 17 digits, the first one apart. */
    int missing = 17 - rt_digit_count(decimal);
    if (missing < 0)
        return 0;
    decimal *= rt_tens[missing];
    exponent -= missing;
    int point = 17 + exponent;
    if (point < -2 || point > 8)
        return 0;
    uint64_t rest = decimal % 10000000000000000ull;
    uint64_t first = decimal / 10000000000000000ull;
    uint64_t a = rt_eight_digits((uint32_t)(rest / 100000000)), b = rt_eight_digits((uint32_t)(rest % 100000000));
    int n = 17 - (b ? __builtin_clzll(b) / 8 : a ? 8 + __builtin_clzll(a) / 8 : 16);
    if (point >= n)
        return 0;
    a += 0x3030303030303030ull;
    b += 0x3030303030303030ull;
    uint64_t words[3] = {('0' + first) | a << 8, a >> 56 | b << 8, b >> 56};
    if (point >= 5 && n - point >= 7) {
        out[0] = (char)('0' + first);
        out[1] = '.';
        rt_put_word(out + 2, a);
        rt_put_word(out + 10, b);
        char end[4] = {'e', '+', (char)('0' + point - 1), 0};
        memcpy(out + n + 1, end, 4);
        return n + 4;
    }
    if (point <= 0) {
        rt_put_word(out, 0x3030303030302E30ull); /* "0.000000" */
        char *p = out + 2 - point;
        rt_put_word(p, words[0]);
        rt_put_word(p + 8, words[1]);
        rt_put_word(p + 16, words[2]);
        return 2 - point + n;
    }
    /* The point is put between the digits, and what follows it moves on by a byte. */
    uint64_t low = point == 8 ? ~0ull : (1ull << 8 * point) - 1;
    if (point == 8) {
        rt_put_word(out, words[0]);
        rt_put_word(out + 8, (uint64_t)'.' | words[1] << 8);
    } else {
        rt_put_word(out, (words[0] & low) | (uint64_t)'.' << 8 * point | (words[0] & ~low) << 8);
        rt_put_word(out + 8, words[0] >> 56 | words[1] << 8);
    }
    rt_put_word(out + 16, words[1] >> 56 | words[2] << 8);
    return n + 1;
}

/* At most 32 characters: nan, inf, -inf, -0, else the shortest text. Returns the length. */
static int rt_double_text(double v, char *out, int as_server)
{
    int sign = signbit(v) != 0;
    if (isnan(v)) {
        memcpy(out, "nan", 3);
        return 3;
    }
    char *p = out;
    if (sign)
        *p++ = '-';
    if (isinf(v)) {
        memcpy(p, "inf", 3);
        return sign + 3;
    }
    v = fabs(v);
    if (v == 0) {
        *p = '0';
        return sign + 1;
    }
    char digits[24];
    int n, exponent;
    if (as_server) {
        n = rt_grisu2(v, digits, &exponent);
    } else {
        uint64_t decimal;
        rt_shortest(v, &decimal, &exponent);
        n = rt_layout_short(decimal, exponent, p);
        if (n)
            return sign + n;
        n = rt_u64_text(decimal, digits);
        while (n > 1 && digits[n - 1] == '0') {
            n--;
            exponent++;
        }
    }
    return sign + rt_layout(digits, n, exponent, p);
}

/* ---- text to double ------------------------------------------------------------------------- */

static int rt_word_is(const uint8_t *p, size_t n, const char *word)
{
    if (strlen(word) != n)
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((p[i] | 0x20) != (uint8_t)word[i])
            return 0;
    return 1;
}

/* w * 10^q, w != 0 and exact, to the nearest double; 0 when this method cannot decide. */
static int rt_eisel_lemire(uint64_t w, int q, double *out)
{
    if (q < -342 || q > 308)
        return 0;
    int lz = __builtin_clzll(w);
    w <<= lz;
    const uint64_t *row = rt_pow10[q - RT_POW10_MIN];
    rt_u128 product = (rt_u128)w * row[0];
    uint64_t hi = (uint64_t)(product >> 64), lo = (uint64_t)product;
    if ((hi & 0x1FF) == 0x1FF && lo + w < w) { /* the low word of the power may matter */
        rt_u128 second = (rt_u128)w * row[1];
        uint64_t before = lo;
        lo += (uint64_t)(second >> 64);
        hi += lo < before;
        if ((hi & 0x1FF) == 0x1FF && lo + 1 == 0 && (uint64_t)second + w < w)
            return 0;
    }
    int top = (int)(hi >> 63);
    uint64_t mantissa = hi >> (top + 9);
    int exponent = rt_floor_log2_pow10(q) + 64 - lz + top + 1022;
    if (exponent <= 0 || exponent >= 0x7FE)
        return 0; /* subnormal or near overflow: leave it to Python */
    if (lo == 0 && (hi & 0x1FF) == 0 && (mantissa & 3) == 1)
        return 0; /* halfway, perhaps: leave it to Python */
    mantissa += mantissa & 1;
    mantissa >>= 1;
    if (mantissa >= 1ull << 53) {
        mantissa >>= 1;
        exponent++;
    }
    uint64_t bits = (mantissa & ((1ull << 52) - 1)) | ((uint64_t)exponent << 52);
    memcpy(out, &bits, 8);
    return 1;
}

/* Whether eight characters, of which the first is the lowest byte, are all digits; `word` then has them as numbers. */
static inline int rt_are_digits_in(uint64_t text, uint64_t *word)
{
    uint64_t digits = text ^ 0x3030303030303030ull;
    *word = digits;
    return ((digits | (digits + 0x7676767676767676ull)) & 0x8080808080808080ull) == 0;
}

static inline int rt_are_digits(const uint8_t *p, uint64_t *word) { return rt_are_digits_in(rt_le64(p, 8), word); }

/* The number of eight digits, as rt_are_digits has them. */
static inline uint32_t rt_eight_digits_value(uint64_t word)
{
    word = word * 10 + (word >> 8);
    return (uint32_t)(((word & 0x000000FF000000FFull) * 0x000F424000000064ull +
                       (word >> 16 & 0x000000FF000000FFull) * 0x0000271000000001ull) >> 32);
}

/* w * 10^exponent, as far as it is certain; 0 when it is left to Python. */
static inline int rt_decimal(uint64_t w, int exponent, double *out)
{
    static const double exact_tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (w == 0) {
        *out = 0;
        return 1;
    }
    if (w <= (1ull << 53) && exponent >= -22 && exponent <= 22) {
        *out = exponent < 0 ? (double)w / exact_tens[-exponent] : (double)w * exact_tens[exponent];
        return 1;
    }
    return rt_eisel_lemire(w, exponent, out);
}

/* A score's text, whole and strict: [+-] digits [. digits] [e [+-] digits], inf, infinity or nan in any
 * case, at most 128 characters. Returns 1 and the nearest double, else 0. */
static int rt_parse_double(const uint8_t *text, size_t size, double *out)
{
    if (size == 0 || size > 128)
        return 0;
    const uint8_t *p = text, *end = text + size;
    int negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    if (p < end && *p >= 'A') {
        size_t n = (size_t)(end - p);
        if (rt_word_is(p, n, "inf") || rt_word_is(p, n, "infinity"))
            *out = negative ? -INFINITY : INFINITY;
        else if (rt_word_is(p, n, "nan"))
            *out = NAN;
        else
            return 0;
        return 1;
    }
    uint64_t w = 0;
    int digits = 0, significant = 0, exponent = 0, exact = 1;
    for (; p < end && (unsigned)(*p - '0') < 10; p++, digits++) {
        if (significant < 19) {
            w = w * 10 + (unsigned)(*p - '0');
            significant += w != 0;
        } else {
            exact &= *p == '0';
            exponent++;
        }
    }
    if (p < end && *p == '.') {
        p++;
        /* Eight at a time, where all of them are significant. */
        for (uint64_t word; w && significant <= 11 && end - p >= 8 && rt_are_digits(p, &word); p += 8) {
            w = w * 100000000 + rt_eight_digits_value(word);
            significant += 8;
            exponent -= 8;
            digits += 8;
        }
        for (; p < end && (unsigned)(*p - '0') < 10; p++, digits++) {
            if (significant < 19) {
                w = w * 10 + (unsigned)(*p - '0');
                significant += w != 0;
                exponent--;
            } else {
                exact &= *p == '0';
            }
        }
    }
    if (digits == 0)
        return 0;
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        int minus = 0, value = 0, any = 0;
        if (p < end && (*p == '-' || *p == '+'))
            minus = *p++ == '-';
        for (; p < end && (unsigned)(*p - '0') < 10; p++, any = 1)
            if (value < 100000)
                value = value * 10 + (*p - '0');
        if (!any)
            return 0;
        exponent += minus ? -value : value;
    }
    if (p != end)
        return 0;
    double v;
    if ((!exact && w) || !rt_decimal(w, exponent, &v)) {
        char copy[130];
        memcpy(copy, text, size);
        copy[size] = 0;
        *out = PyOS_string_to_double(copy, NULL, NULL);
        return 1;
    }
    *out = negative ? -v : v;
    return 1;
}

/* A canonical decimal int64 (no plus, no leading zeros, no -0): returns 1 and the value, else 0. */
static int rt_parse_i64(const uint8_t *p, size_t n, int64_t *out)
{
    if (n == 0 || n > 20)
        return 0;
    int negative = *p == '-';
    if (negative) {
        p++;
        n--;
        if (n == 0)
            return 0;
    }
    if (*p == '0') {
        *out = 0;
        return n == 1 && !negative;
    }
    if (*p > '9' || n > 19)
        return 0;
    uint64_t v = 0, word;
    for (; n >= 8; n -= 8, p += 8) {
        if (!rt_are_digits(p, &word))
            return 0;
        v = v * 100000000 + rt_eight_digits_value(word);
    }
    if (n) {
        /* After as many zeros as make them eight. */
        if (!rt_are_digits_in(rt_le64(p, n) << 8 * (8 - n) | 0x3030303030303030ull >> 8 * n, &word))
            return 0;
        v = v * rt_tens[n] + rt_eight_digits_value(word);
    }
    if (v > (uint64_t)INT64_MAX + (uint64_t)negative)
        return 0;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return 1;
}

#endif
