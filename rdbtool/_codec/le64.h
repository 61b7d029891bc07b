/* A few bytes as a number: in the order of the processor for hashes, else with the first as the lowest. */
#ifndef RT_LE64_H
#define RT_LE64_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t rt_load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline uint64_t rt_load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
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

#endif
