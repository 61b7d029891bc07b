/* The step of our hashes: the two halves of a 64x64-bit product, one over the other. */
#ifndef RT_FOLD64_H
#define RT_FOLD64_H

#include <stdint.h>

static inline uint64_t rt_fold64(uint64_t x, uint64_t y)
{
    unsigned __int128 product = (unsigned __int128)x * y;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
