/* CRC-64 of Redis (format A5: reflected, Jones' polynomial), for payloads, of which there are millions. */
#ifndef RT_CRC64_H
#define RT_CRC64_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* row[k][b]: the checksum of the byte b with k zero bytes after it. */
static uint64_t rt_crc64_rows[8][256];

static void rt_crc64_prepare(void)
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

/* The checksum of n bytes after bytes whose checksum is `sum`; 0: nothing is before them. */
static uint64_t rt_crc64(uint64_t sum, const uint8_t *p, size_t n)
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
