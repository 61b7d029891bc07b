/* LZF inflation with every read and write bounded (format F2).
 *
 * The output buffer must have RT_LZF_SLACK spare bytes behind `out_size`: short copies are made
 * in whole words and may overrun the end by less than that. Nothing is ever read outside the input
 * or before the output.
 */
#ifndef RT_LZF_H
#define RT_LZF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RT_LZF_SLACK 32

/* Returns 1 when the whole input inflates to exactly out_size bytes, else 0. */
static int rt_lzf_inflate(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
    const uint8_t *ip = in, *in_end = in + in_size;
    uint8_t *op = out, *out_end = out + out_size;

    while (ip < in_end) {
        size_t ctrl = *ip++;
        if (ctrl < 32) {
            size_t run = ctrl + 1;
            if ((size_t)(in_end - ip) < run || (size_t)(out_end - op) < run)
                return 0;
            if (in_end - ip >= 32) {
                memcpy(op, ip, 16);
                memcpy(op + 16, ip + 16, 16);
            } else {
                memcpy(op, ip, run);
            }
            op += run;
            ip += run;
        } else {
            size_t length = ctrl >> 5, offset = (ctrl & 31) << 8;
            if (length == 7) {
                if (ip >= in_end)
                    return 0;
                length += *ip++;
            }
            if (ip >= in_end)
                return 0;
            offset += (size_t)*ip++ + 1;
            length += 2;
            if ((size_t)(op - out) < offset || (size_t)(out_end - op) < length)
                return 0;
            const uint8_t *from = op - offset;
            if (offset >= 16) {
                uint8_t *to = op, *stop = op + length;
                do {
                    memcpy(to, from, 16);
                    to += 16;
                    from += 16;
                } while (to < stop);
            } else if (offset >= 8) {
                uint8_t *to = op, *stop = op + length;
                do {
                    memcpy(to, from, 8);
                    to += 8;
                    from += 8;
                } while (to < stop);
            } else if (offset == 1) {
                memset(op, *from, length);
            } else {
                for (size_t i = 0; i < length; i++)
                    op[i] = from[i];
            }
            op += length;
        }
    }
    return op == out_end;
}

#endif
