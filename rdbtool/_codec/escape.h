/* Text out: JSON strings, UTF-8 validation, base64. The caller reserves the room.
 *
 * A JSON string needs at most 6 bytes for each input byte, 2 quotes and 16 bytes of slack (plain text is
 * copied in blocks of 16).
 */
#ifndef RT_ESCAPE_H
#define RT_ESCAPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define RT_JSON_WIDE 1
#include <immintrin.h>
#endif

/* Size of the well-formed UTF-8 sequence at p (2..4), or 0 (RFC 3629: no overlong forms, no surrogates). */
static inline int rt_utf8_size(const uint8_t *p, size_t left)
{
    uint8_t b = p[0];
    if (b < 0xC2 || left < 2 || (p[1] & 0xC0) != 0x80)
        return 0;
    if (b < 0xE0)
        return 2;
    if (left < 3 || (p[2] & 0xC0) != 0x80)
        return 0;
    if (b < 0xF0)
        return (b == 0xE0 && p[1] < 0xA0) || (b == 0xED && p[1] > 0x9F) ? 0 : 3;
    if (b > 0xF4 || left < 4 || (p[3] & 0xC0) != 0x80)
        return 0;
    return (b == 0xF0 && p[1] < 0x90) || (b == 0xF4 && p[1] > 0x8F) ? 0 : 4;
}

/* Bytes at the end of p that begin a UTF-8 sequence and do not complete it: 0..3. */
static inline size_t rt_utf8_cut(const uint8_t *p, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        uint8_t b = p[n - back];
        if (b >= 0xC0)
            return back < (size_t)(b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4) ? back : 0;
        if (b < 0x80)
            return 0;
    }
    return 0;
}

static int rt_is_utf8(const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n;
    while (p < end) {
        uint64_t word;
        while (end - p >= 8) {
            memcpy(&word, p, 8);
            if (word & 0x8080808080808080ull)
                break;
            p += 8;
        }
        while (p < end && *p < 0x80)
            p++;
        if (p >= end)
            break;
        int size = rt_utf8_size(p, (size_t)(end - p));
        if (!size)
            return 0;
        p += size;
    }
    return 1;
}

/* Whether the well-formed sequence of `size` bytes at p is a control character that terminals and editors obey: C1
 * (U+0080..9F), line and paragraph separators, or one that turns the direction of writing. */
static inline int rt_is_control(const uint8_t *p, int size)
{
    if (size == 2)
        return (p[0] == 0xC2 && p[1] < 0xA0) || (p[0] == 0xD8 && p[1] == 0x9C);
    if (size != 3 || p[0] != 0xE2)
        return 0;
    if (p[1] == 0x80)
        return p[2] == 0x8E || p[2] == 0x8F || (p[2] >= 0xA8 && p[2] <= 0xAE);
    return p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9;
}

static const char rt_hex[] = "0123456789abcdef";

/* How a JSON string shows bytes:
 *   RT_UTF8    UTF-8 as it is, control characters as \uXXXX; what is not UTF-8 is refused (the caller falls back to
 *              base64);
 *   RT_RAW     every byte above 0x7F as \u00XX;
 *   RT_PRINT   every byte outside 0x20..0x7E as the four characters \xHH;
 *   RT_MIXED   UTF-8 as \uXXXX, every byte that is not part of it as the four characters \xHH;
 *   RT_SPELLED UTF-8 as RT_UTF8, every byte that is not part of it as the four characters \xHH, a backslash as two;
 *   RT_QUOTED  as RT_UTF8, within quotes of CSV: each quote is two.
 */
enum { RT_UTF8, RT_RAW, RT_PRINT, RT_MIXED, RT_SPELLED, RT_QUOTED };

static inline char *rt_json_u(char *op, unsigned unit)
{
    memcpy(op, "\\u", 2);
    for (int i = 0; i < 4; i++)
        op[2 + i] = rt_hex[unit >> (12 - 4 * i) & 15];
    return op + 6;
}

static inline char *rt_json_x(char *op, uint8_t c)
{
    static const char upper[] = "0123456789ABCDEF";
    memcpy(op, "\\\\x", 3);
    op[3] = upper[c >> 4];
    op[4] = upper[c & 15];
    return op + 5;
}

static inline char *rt_json_control(char *op, uint8_t c)
{
    *op++ = '\\';
    switch (c) {
    case '"': *op++ = '"'; return op;
    case '\\': *op++ = '\\'; return op;
    case '\n': *op++ = 'n'; return op;
    case '\r': *op++ = 'r'; return op;
    case '\t': *op++ = 't'; return op;
    case '\b': *op++ = 'b'; return op;
    case '\f': *op++ = 'f'; return op;
    }
    return rt_json_u(op - 1, c);
}

/* One character that cannot simply be copied; moves *at after it. NULL: refused. */
static char *rt_json_special(const uint8_t **at, const uint8_t *end, char *op, int mode)
{
    const uint8_t *p = *at;
    uint8_t c = *p;
    int size = c < 0x80 ? 1 : rt_utf8_size(p, (size_t)(end - p));
    *at = p + 1;
    if (c == '\\' && mode == RT_SPELLED)
        op = rt_json_control(op, c);
    if (c == '"' && mode == RT_QUOTED) {
        memcpy(op, "\\\"\"", 3);
        return op + 3;
    }
    if (c == '"' || c == '\\')
        return rt_json_control(op, c);
    if (mode == RT_PRINT)
        return rt_json_x(op, c);
    if (c < 0x80)
        return rt_json_control(op, c);
    if (mode == RT_RAW)
        return rt_json_u(op, c);
    if (!size)
        return mode == RT_UTF8 || mode == RT_QUOTED ? NULL : rt_json_x(op, c);
    *at = p + size;
    if (mode != RT_MIXED && !rt_is_control(p, size)) {
        memcpy(op, p, (size_t)size);
        return op + size;
    }
    uint32_t point = c & (0xFF >> (size + 1));
    for (int i = 1; i < size; i++)
        point = point << 6 | (p[i] & 0x3F);
    if (point < 0x10000)
        return rt_json_u(op, point);
    point -= 0x10000;
    return rt_json_u(rt_json_u(op, 0xD800 + (point >> 10)), 0xDC00 + (point & 0x3FF));
}

#if defined(__SSE2__)
/* Which of 16 bytes cannot be copied into a JSON string as they are, as a bit mask. */
static inline int rt_json_specials(__m128i v)
{
    __m128i special = _mm_or_si128(_mm_cmpgt_epi8(_mm_set1_epi8(0x20), v), /* also 0x80.. as negatives */
                                   _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                                _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
    return _mm_movemask_epi8(_mm_or_si128(special, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7F))));
}

/* Copies n >= 4 bytes of plain text in blocks that may overlap; 0 as soon as anything is not plain. */
static inline int rt_json_copy_plain(const uint8_t *p, size_t n, char *op)
{
    if (n >= 16) {
        for (size_t i = 0; i + 16 <= n; i += 16) {
            __m128i v = _mm_loadu_si128((const __m128i *)(p + i));
            if (rt_json_specials(v))
                return 0;
            _mm_storeu_si128((__m128i *)(op + i), v);
        }
        __m128i v = _mm_loadu_si128((const __m128i *)(p + n - 16));
        _mm_storeu_si128((__m128i *)(op + n - 16), v);
        return !rt_json_specials(v);
    }
    if (n >= 8) {
        uint64_t first, last;
        memcpy(&first, p, 8);
        memcpy(&last, p + n - 8, 8);
        memcpy(op, &first, 8);
        memcpy(op + n - 8, &last, 8);
        return !rt_json_specials(_mm_set_epi64x((int64_t)last, (int64_t)first));
    }
    uint32_t first, last;
    memcpy(&first, p, 4);
    memcpy(&last, p + n - 4, 4);
    memcpy(op, &first, 4);
    memcpy(op + n - 4, &last, 4);
    return !rt_json_specials(_mm_set_epi32(0x20202020, 0x20202020, (int)last, (int)first));
}
#else
static inline int rt_json_copy_plain(const uint8_t *p, size_t n, char *op)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] < 0x20 || p[i] >= 0x7F || p[i] == '"' || p[i] == '\\')
            return 0;
        op[i] = (char)p[i];
    }
    return 1;
}
#endif

/* How each byte is written that is no part of a UTF-8 sequence, by mode, and in how many characters; `leads`: 1 it may begin one, 2 it is refused
 * unless it does. */
typedef struct {
    char text[7];
    uint8_t size;
} rt_json_row;

static rt_json_row rt_json_rows[RT_QUOTED + 1][256];
static uint8_t rt_json_sizes[RT_QUOTED + 1][256];
static uint8_t rt_json_leads[RT_QUOTED + 1][256];
static uint8_t rt_json_follows[256]; /* 3: after the first byte of a sequence, else 2 */
static int rt_json_ready;
static int rt_json_wide; /* the processor can write 8 bytes at once */

static void rt_json_prepare(void)
{
    for (int mode = 0; mode <= RT_QUOTED; mode++)
        for (int c = 0; c < 256; c++) {
            char *row = rt_json_rows[mode][c].text;
            uint8_t byte = (uint8_t)c;
            const uint8_t *at = &byte;
            char *end = row + 1;
            row[0] = (char)c;
            if (c < 0x20 || c >= 0x7F || c == '"' || c == '\\')
                end = rt_json_special(&at, at + 1, row, mode);
            rt_json_rows[mode][c].size = rt_json_sizes[mode][c] = (uint8_t)(end ? end - row : 0);
            if (c >= 0x80)
                rt_json_leads[mode][c] = !end ? 2 : (mode == RT_MIXED || mode == RT_SPELLED) && c >= 0xC2 && c <= 0xF4;
        }
    for (int c = 0; c < 256; c++)
        rt_json_follows[c] = (c & 0xC0) == 0x80 ? 3 : 2;
#ifdef RT_JSON_WIDE
    rt_json_wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2") &&
                   __builtin_cpu_supports("bmi2");
#endif
    rt_json_ready = 1;
}

/* What may begin a UTF-8 sequence, in a mode that refuses nothing: the sequence, or the byte alone. */
static inline char *rt_json_beginning(const uint8_t **at, const uint8_t *end, char *op, int mode)
{
    if (rt_utf8_size(*at, (size_t)(end - *at)))
        return rt_json_special(at, end, op, mode);
    const rt_json_row *row = &rt_json_rows[mode][*(*at)++];
    memcpy(op, row, 8);
    return op + row->size;
}

#ifdef RT_JSON_WIDE
#define RT_WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi2,popcnt")))

/* 8 bytes, or the first `count` of them (less than 32): the rows of all, of which the characters that count are put together. Writes 64
 * bytes, most of which count for nothing. */
static inline RT_WIDE char *rt_json_eight(__m128i bytes, unsigned count, const rt_json_row *rows, char *op)
{
    const __m512i last = _mm512_set1_epi64(0x0707070707070707ll), place = _mm512_set1_epi64(0x0706050403020100ll);
    const __m512i lanes = _mm512_set_epi64(0x0808080808080808ll, 0, 0x0808080808080808ll, 0, 0x0808080808080808ll, 0,
                                           0x0808080808080808ll, 0);
    __m512i text = _mm512_i64gather_epi64(_mm512_cvtepu8_epi64(bytes), rows, 8);
    __m512i sizes = _mm512_shuffle_epi8(text, _mm512_add_epi8(last, lanes));
    __mmask64 counts = _mm512_cmplt_epu8_mask(place, sizes);
    counts = _bzhi_u64(counts, 8 * (unsigned)count);
    _mm512_storeu_si512(op, _mm512_maskz_compress_epi8(counts, text));
    return op + _mm_popcnt_u64(counts);
}

/* Escapes while much is special and 18 bytes are left, in a mode that refuses nothing. Of each byte 6 are reserved in the
 * output, so 64 may be written where 10 are left, with the slack. */
static RT_WIDE char *rt_json_escape_wide(const uint8_t **at, const uint8_t *end, char *op, int mode)
{
    const uint8_t *p = *at;
    const rt_json_row *rows = rt_json_rows[mode];
    const int has_leads = rt_json_leads[mode][0xC2];
    while (end - p >= 18) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)p);
        if (__builtin_popcount((unsigned)rt_json_specials(bytes)) < 4)
            break;
        /* Up to what may be a UTF-8 sequence: a byte that begins one of two bytes, or of more, and as many that go on. */
        unsigned begins = 0;
        if (has_leads) {
            unsigned next = _mm_cmplt_epi8_mask(_mm_loadu_si128((const __m128i *)(p + 1)), _mm_set1_epi8((char)0xC0));
            unsigned third = _mm_cmplt_epi8_mask(_mm_loadu_si128((const __m128i *)(p + 2)), _mm_set1_epi8((char)0xC0));
            unsigned long_ones = _mm_cmpge_epu8_mask(bytes, _mm_set1_epi8((char)0xE0));
            begins = _mm_cmpge_epu8_mask(bytes, _mm_set1_epi8((char)0xC2)) & next & (third | ~long_ones);
        }
        /* No jump depends on how many they are: it could not be predicted. */
        unsigned count = (unsigned)__builtin_ctz(begins | 0x10000);
        op = rt_json_eight(bytes, count, rows, op);
        op = rt_json_eight(_mm_srli_si128(bytes, 8), count > 8 ? count - 8 : 0, rows, op);
        p += count;
        if (begins)
            op = rt_json_beginning(&p, end, op, mode);
    }
    *at = p;
    return op;
}
#endif

#if defined(__SSE2__)
/* Which of the 16 bytes at p may begin a UTF-8 sequence, as a bit mask: one of two bytes, or of more, with as many that go on. */
static inline unsigned rt_json_begins(const uint8_t *p, __m128i bytes)
{
    const __m128i two = _mm_set1_epi8((char)0xC2), three = _mm_set1_epi8((char)0xE0), stop = _mm_set1_epi8((char)0xC0);
    __m128i leads = _mm_cmpeq_epi8(_mm_max_epu8(bytes, two), bytes);
    __m128i long_ones = _mm_cmpeq_epi8(_mm_max_epu8(bytes, three), bytes);
    __m128i next = _mm_cmplt_epi8(_mm_loadu_si128((const __m128i *)(p + 1)), stop);
    __m128i third = _mm_cmplt_epi8(_mm_loadu_si128((const __m128i *)(p + 2)), stop);
    __m128i goes_on = _mm_and_si128(next, _mm_or_si128(third, _mm_andnot_si128(long_ones, leads)));
    return (unsigned)_mm_movemask_epi8(_mm_and_si128(leads, goes_on));
}

/* 8 bytes by their rows; `ends`: where each of them ends in the output. */
static inline char *rt_json_put_eight(const uint8_t *p, const rt_json_row *rows, char *op, char **ends)
{
    for (int i = 0; i < 8; i++) {
        memcpy(op, &rows[p[i]], 8);
        op += rows[p[i]].size;
        ends[i] = op;
    }
    return op;
}

/* As rt_json_escape_wide, without AVX-512: all 16 bytes are written, though only those before a sequence count. */
static char *rt_json_escape_blocks(const uint8_t **at, const uint8_t *end, char *op, int mode)
{
    const uint8_t *p = *at;
    const rt_json_row *rows = rt_json_rows[mode];
    const int has_leads = rt_json_leads[mode][0xC2];
    char *ends[17];
    while (end - p >= 18) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)p);
        if (__builtin_popcount((unsigned)rt_json_specials(bytes)) < 4)
            break;
        unsigned begins = has_leads ? rt_json_begins(p, bytes) : 0;
        unsigned count = (unsigned)__builtin_ctz(begins | 0x10000);
        ends[0] = op;
        rt_json_put_eight(p + 8, rows, rt_json_put_eight(p, rows, op, ends + 1), ends + 9);
        op = ends[count];
        p += count;
        if (mode == RT_MIXED) {
            /* Of random bytes nearly all are of two: written without a jump, and kept if there is one. */
            unsigned pair = (begins != 0) & (*p < 0xE0);
            memcpy(op, "\\u0", 3);
            op[3] = (char)('0' + (*p >> 2 & 7));
            op[4] = rt_hex[(*p << 2 | (p[1] >> 4 & 3)) & 15];
            op[5] = rt_hex[p[1] & 15];
            op += 6 * pair;
            p += 2 * pair;
            begins = begins && !pair;
        }
        if (begins)
            op = rt_json_beginning(&p, end, op, mode);
    }
    *at = p;
    return op;
}
#endif

/* Whether 8 bytes are written at once; `off`: not from now on, so that a test reaches what other processors run. */
static int rt_json_is_wide(int off)
{
    if (!rt_json_ready)
        rt_json_prepare();
    rt_json_wide &= !off;
    return rt_json_wide;
}

/* As rt_json_escape, of what is probably not plain. */
static char *rt_json_escape_special(const uint8_t *p, size_t n, char *op, int mode)
{
    const uint8_t *end = p + n;
    if (!rt_json_ready)
        rt_json_prepare();
    const rt_json_row *rows = rt_json_rows[mode];
    const uint8_t *sizes = rt_json_sizes[mode], *leads = rt_json_leads[mode];
    while (p < end) {
#if defined(__SSE2__)
        while (end - p >= 16) {
            __m128i v = _mm_loadu_si128((const __m128i *)p);
            int mask = rt_json_specials(v);
            _mm_storeu_si128((__m128i *)op, v);
            if (mask) {
                int plain = __builtin_ctz((unsigned)mask);
                p += plain;
                op += plain;
                break;
            }
            p += 16;
            op += 16;
        }
        if (p >= end)
            break;
#endif
#if defined(__SSE2__)
        if (end - p >= 18 && leads[0xC2] != 2) {
#ifdef RT_JSON_WIDE
            op = rt_json_wide ? rt_json_escape_wide(&p, end, op, mode) : rt_json_escape_blocks(&p, end, op, mode);
#else
            op = rt_json_escape_blocks(&p, end, op, mode);
#endif
            if (p >= end)
                break;
        }
#endif
        /* What is special is seldom alone: some bytes by the table, before blocks are tried again. */
        const uint8_t *stop = end - p > 24 ? p + 24 : end - 1;
        while (p < stop) {
            uint8_t c = *p;
            /* One jump, nearly never taken for random bytes: another one for each lead byte cannot be predicted. */
            if (leads[c] & rt_json_follows[p[1]] && (leads[c] == 2 || rt_utf8_size(p, (size_t)(end - p)))) {
                op = rt_json_special(&p, end, op, mode);
                if (!op)
                    return NULL;
                continue;
            }
            memcpy(op, &rows[c], 8);
            op += sizes[c];
            p++;
        }
        if (p == end - 1) {
            if (leads[*p] == 2)
                return NULL;
            memcpy(op, &rows[*p], 8);
            op += sizes[*p++];
        }
    }
    return op;
}

/* The inside of a JSON string. Returns the end of the output, NULL where `mode` refuses the bytes. */
static inline char *rt_json_escape(const uint8_t *p, size_t n, char *op, int mode)
{
    if (n >= 4 && rt_json_copy_plain(p, n, op))
        return op + n;
    return rt_json_escape_special(p, n, op, mode);
}

/* How text is written in a cell of CSV: 1 as it is, 2 in quotes, 0 if more than printable ASCII has to be looked at, or what
 * may be a formula. */
static int rt_csv_plain(const uint8_t *p, size_t n)
{
    int needs = 1;
    if (n && (*p == '=' || *p == '+' || *p == '-' || *p == '@'))
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < 0x20 || p[i] > 0x7E)
            return 0;
        if (p[i] == '"' || p[i] == ',')
            needs = 2;
    }
    return needs;
}

static int rt_is_printable(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < 0x20 || p[i] > 0x7E)
            return 0;
    return 1;
}

/* 4 characters for every 3 bytes begun; returns the end of the output. */
static char *rt_base64(const uint8_t *p, size_t n, char *op)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; n >= 3; n -= 3, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        *op++ = alphabet[v >> 18];
        *op++ = alphabet[v >> 12 & 63];
        *op++ = alphabet[v >> 6 & 63];
        *op++ = alphabet[v & 63];
    }
    if (n) {
        uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
        *op++ = alphabet[v >> 18];
        *op++ = alphabet[v >> 12 & 63];
        *op++ = n == 2 ? alphabet[v >> 6 & 63] : '=';
        *op++ = '=';
    }
    return op;
}

#endif
