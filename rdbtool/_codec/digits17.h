/* Doubles as printf's %.17g writes them, without its way through big integers. */
#ifndef RT_DIGITS17_H
#define RT_DIGITS17_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "numbers.h"

/* Writes v, and returns the size of the text (at most 32); 0 for what has to be written in another way. */
static int rt_digits17(double v, char *out)
{
#ifdef __SIZEOF_INT128__
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    static const uint64_t fives[] = {
        1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 9765625, 48828125, 244140625, 1220703125, 6103515625,
        30517578125, 152587890625, 762939453125, 3814697265625, 19073486328125, 95367431640625};
    const uint64_t most = 100000000000000000ull; /* 10^17 */
    uint64_t bits, number;
    char digits[24];
    int size = 0, whole, count = 17;
    memcpy(&bits, &v, 8);
    if (bits >> 63) {
        out[size++] = '-';
        v = -v;
    }
    if (v < 9007199254740992.0 && v == (double)(int64_t)v) {
        number = (uint64_t)v;
        count = 0;
        do
            digits[count++] = (char)('0' + number % 10);
        while (number /= 10);
        while (count)
            out[size++] = digits[--count];
        return size;
    }
    /* What is left has bits after the point. NaN fails the test. */
    if (!(v >= 1e-3 && v < 1e15))
        return 0;
    /* v is fraction * 2^exponent; `whole` is the number of digits before the point, less the zeros after it. */
    uint64_t fraction = (bits & ((1ull << 52) - 1)) | 1ull << 52;
    int exponent = (int)(bits >> 52 & 0x7FF) - 1075;
    if (v >= 1)
        for (whole = 1; v >= tens[whole]; whole++)
            ;
    else
        whole = v >= 1e-1 ? 0 : v >= 1e-2 ? -1 : -2;
    for (;;) {
        /* fraction < 2^53 and 5^20 < 2^47: the product is exact. */
        int behind = 17 - whole;
        unsigned __int128 product = (unsigned __int128)fraction * fives[behind];
        int shift = -(exponent + behind);
        if (shift <= 0) {
            number = (uint64_t)(product << -shift);
        } else {
            unsigned __int128 rest = product & (((unsigned __int128)1 << shift) - 1);
            unsigned __int128 half = (unsigned __int128)1 << (shift - 1);
            number = (uint64_t)(product >> shift);
            number += rest > half || (rest == half && (number & 1));
        }
        if (number >= most / 10)
            break;
        whole--; /* v is just below a power of ten that no double is */
    }
    if (number >= most) {
        number /= 10;
        whole++;
    }
    /* In two halves, whose divisions do not wait for each other. */
    uint32_t low = (uint32_t)(number % 100000000), high = (uint32_t)(number / 100000000 % 100000000);
    digits[0] = (char)('0' + number / 10000000000000000ull);
    rt_put_word(digits + 1, rt_eight_digits(high) + 0x3030303030303030ull);
    rt_put_word(digits + 9, rt_eight_digits(low) + 0x3030303030303030ull);
    while (count > 1 && digits[count - 1] == '0')
        count--;
    if (whole <= 0) {
        memcpy(out + size, "0.", 2);
        size += 2;
        for (int i = whole; i < 0; i++)
            out[size++] = '0';
        memcpy(out + size, digits, (size_t)count);
        return size + count;
    }
    if (count <= whole) {
        memcpy(out + size, digits, (size_t)whole);
        return size + whole;
    }
    memcpy(out + size, digits, (size_t)whole);
    out[size + whole] = '.';
    memcpy(out + size + whole + 1, digits + whole, (size_t)(count - whole));
    return size + count + 1;
#else
    (void)v;
    (void)out;
    return 0;
#endif
}

/* Writes any double as %.17g does, whatever the locale (printf's comma is Python's point); returns the size, at most 24,
 * or -1 with an exception set. */
static inline int rt_double17_text(double v, char *out) {
    int size = rt_digits17(v, out);
    if (size)
        return size;
    char *text = PyOS_double_to_string(v, 'g', 17, 0, NULL);
    if (text == NULL)
        return -1;
    size = (int)strlen(text);
    memcpy(out, text, (size_t)size);
    PyMem_Free(text);
    return size;
}

#endif
