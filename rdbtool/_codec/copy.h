/* Copies of strings that are mostly short: a call takes as long as the copy. */
#ifndef RT_COPY_H
#define RT_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Copies n bytes, 1 to 32, and no other, in blocks that may overlap. */
static inline void rt_copy_short(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n >= 16) {
        memcpy(to, from, 16);
        memcpy(to + n - 16, from + n - 16, 16);
    } else if (n >= 8) {
        memcpy(to, from, 8);
        memcpy(to + n - 8, from + n - 8, 8);
    } else if (n >= 4) {
        memcpy(to, from, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else {
        to[0] = from[0];
        to[n / 2] = from[n / 2];
        to[n - 1] = from[n - 1];
    }
}

/* Copies any number of bytes, but none from nowhere: `from` may be NULL if n is 0. */
static inline void rt_copy(void *to, const void *from, size_t n)
{
    if (n - 1 < 32)
        rt_copy_short((uint8_t *)to, (const uint8_t *)from, n);
    else if (n)
        memcpy(to, from, n);
}

#endif
