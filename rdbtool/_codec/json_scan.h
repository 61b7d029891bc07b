/* JSON in: the tokens of a line, out of a buffer that may end anywhere.
 *
 * Every function takes a cursor and moves it over what it read, or says why not and leaves it where it was:
 *   RT_OK    it was read;
 *   RT_MORE  the buffer ends inside of it, or right after where its end is not certain;
 *   RT_BAD   it is something else, or something that is rarely written. Who calls declines then: what is accepted
 *            here is a part of what the reader in Python accepts.
 * A newline ends a line: it is no blank, and in no string.
 */
#ifndef RT_JSON_SCAN_H
#define RT_JSON_SCAN_H

#include <stdlib.h>

#include "escape.h"
#include "numbers.h"

enum { RT_OK = 0, RT_MORE = 1, RT_BAD = 2, RT_NO_MEMORY = 3 };

typedef struct {
    const uint8_t *p, *end;
} rt_json;

typedef struct {
    uint8_t *data;
    size_t capacity;
} rt_buffer;

static int rt_buffer_grow(rt_buffer *buffer, size_t size)
{
    if (size <= buffer->capacity)
        return 1;
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity < size)
        capacity *= 2;
    uint8_t *data = (uint8_t *)realloc(buffer->data, capacity);
    if (!data)
        return 0;
    buffer->data = data;
    buffer->capacity = capacity;
    return 1;
}

static void rt_buffer_free(rt_buffer *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->capacity = 0;
}

static inline const uint8_t *rt_json_blanks(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

/* A character that stands for itself, with the blanks before it. */
static inline int rt_json_mark(rt_json *c, char mark)
{
    const uint8_t *p = rt_json_blanks(c->p, c->end);
    if (p == c->end)
        return RT_MORE;
    if (*p != (uint8_t)mark)
        return RT_BAD;
    c->p = p + 1;
    return RT_OK;
}

/* ---- strings --------------------------------------------------------------------------------- */

#if defined(__SSE2__)
static inline __m128i rt_json_stops(__m128i v)
{
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);
    return _mm_or_si128(control, _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                              _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
}
#endif

/* The first byte that a string does not have as it is: a quote, a backslash, a control character. */
static inline const uint8_t *rt_json_plain(const uint8_t *p, const uint8_t *end, int *high)
{
#if defined(__SSE2__)
    while (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        int mask = _mm_movemask_epi8(rt_json_stops(v)), above = _mm_movemask_epi8(v);
        if (mask) {
            int plain = __builtin_ctz((unsigned)mask);
            *high |= above & ((1 << plain) - 1);
            return p + plain;
        }
        *high |= above;
        p += 16;
    }
#endif
    for (; p < end; p++) {
        if (*p < 0x20 || *p == '"' || *p == '\\')
            break;
        *high |= *p & 0x80;
    }
    return p;
}

static inline int rt_json_hex4(const uint8_t *p, uint32_t *unit)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (c | 0x20) - 'a' + 10u;
        else
            return 0;
        v = v << 4 | digit;
    }
    *unit = v;
    return 1;
}

/* An escape, to at most 4 bytes. A half of a surrogate pair is refused. */
static int rt_json_unescape(const uint8_t **at, const uint8_t *end, uint8_t *out, size_t *made)
{
    static const uint8_t meant[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                       ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    const uint8_t *p = *at;
    if (end - p < 2)
        return RT_MORE;
    if (p[1] != 'u') {
        if (!meant[p[1]])
            return RT_BAD;
        out[0] = meant[p[1]];
        *made = 1;
        *at = p + 2;
        return RT_OK;
    }
    uint32_t point, low;
    if (end - p < 6)
        return RT_MORE;
    if (!rt_json_hex4(p + 2, &point))
        return RT_BAD;
    p += 6;
    if (point >= 0xD800 && point < 0xE000) {
        if (end - p < 6)
            return RT_MORE;
        if (point >= 0xDC00 || p[0] != '\\' || p[1] != 'u' || !rt_json_hex4(p + 2, &low) || low < 0xDC00 || low > 0xDFFF)
            return RT_BAD;
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
        p += 6;
    }
    *at = p;
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        *made = 1;
    } else if (point < 0x800) {
        out[0] = (uint8_t)(0xC0 | point >> 6);
        out[1] = (uint8_t)(0x80 | (point & 0x3F));
        *made = 2;
    } else if (point < 0x10000) {
        out[0] = (uint8_t)(0xE0 | point >> 12);
        out[1] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (point & 0x3F));
        *made = 3;
    } else {
        out[0] = (uint8_t)(0xF0 | point >> 18);
        out[1] = (uint8_t)(0x80 | (point >> 12 & 0x3F));
        out[2] = (uint8_t)(0x80 | (point >> 6 & 0x3F));
        out[3] = (uint8_t)(0x80 | (point & 0x3F));
        *made = 4;
    }
    return RT_OK;
}

/* A string of ASCII without escapes, as most are: 1, and its bytes lie where it stands; 0 for anything else. */
static inline int rt_json_plain_text(rt_json *c, const uint8_t **text, size_t *size)
{
    int high = 0;
    if (c->p == c->end || *c->p != '"')
        return 0;
    const uint8_t *begin = c->p + 1, *stop = rt_json_plain(begin, c->end, &high);
    if (stop == c->end || *stop != '"' || high)
        return 0;
    *text = begin;
    *size = (size_t)(stop - begin);
    c->p = stop + 1;
    return 1;
}

/* Copies what a string has as it is, up to the byte that rt_json_plain finds or until 16 bytes are copied, to `out`,
 * which has room for 16; returns how many. */
static inline size_t rt_json_copy_some(const uint8_t *p, const uint8_t *end, uint8_t *out, int *high)
{
#if defined(__SSE2__)
    if (end - p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        unsigned mask = (unsigned)_mm_movemask_epi8(rt_json_stops(v)) | 1u << 16;
        unsigned plain = (unsigned)__builtin_ctz(mask);
        _mm_storeu_si128((__m128i *)out, v);
        *high |= _mm_movemask_epi8(v) & ((1 << plain) - 1);
        return plain;
    }
#endif
    const uint8_t *stop = rt_json_plain(p, end - p > 16 ? p + 16 : end, high);
    memcpy(out, p, (size_t)(stop - p));
    return (size_t)(stop - p);
}

/* A string: its bytes lie where it stands, or in `buffer` where it has escapes. */
static int rt_json_any_text(rt_json *c, rt_buffer *buffer, const uint8_t **text, size_t *size)
{
    const uint8_t *p = c->p, *stop;
    size_t used = 0, made;
    int high = 0, status;
    if (p == c->end)
        return RT_MORE;
    if (*p != '"')
        return RT_BAD;
    stop = rt_json_plain(++p, c->end, &high);
    if (stop < c->end && *stop == '"') {
        if (high && !rt_is_utf8(p, (size_t)(stop - p)))
            return RT_BAD;
        *text = p;
        *size = (size_t)(stop - p);
        c->p = stop + 1;
        return RT_OK;
    }
    if (!rt_buffer_grow(buffer, (size_t)(stop - p) + 32))
        return RT_NO_MEMORY;
    used = (size_t)(stop - p);
    memcpy(buffer->data, p, used);
    for (p = stop; p < c->end;) {
        if (!rt_buffer_grow(buffer, used + 32))
            return RT_NO_MEMORY;
        if (*p == '\\') {
            status = rt_json_unescape(&p, c->end, buffer->data + used, &made);
            if (status)
                return status;
            used += made;
        } else if (*p == '"') {
            if (high && !rt_is_utf8(buffer->data, used))
                return RT_BAD;
            *text = buffer->data;
            *size = used;
            c->p = p + 1;
            return RT_OK;
        } else {
            made = rt_json_copy_some(p, c->end, buffer->data + used, &high);
            if (!made)
                return RT_BAD;
            used += made;
            p += made;
        }
    }
    return RT_MORE;
}

static inline int rt_json_text(rt_json *c, rt_buffer *buffer, const uint8_t **text, size_t *size)
{
    return rt_json_plain_text(c, text, size) ? RT_OK : rt_json_any_text(c, buffer, text, size);
}

/* Some of the inside of a string, to `out`, which has room for as many bytes as the input has, and 8 more. No UTF-8
 * sequence is cut. RT_OK: the cursor is at the quote that ends it; RT_MORE: at what the buffer has not all of. */
static int rt_json_some(rt_json *c, const uint8_t *limit, uint8_t *out, size_t *made)
{
    const uint8_t *p = c->p, *stop;
    size_t used = 0, plain = 0, size, cut;
    int high = 0, status = RT_MORE;
    while (p < limit) {
        stop = rt_json_plain(p, limit, &high);
        plain = (size_t)(stop - p);
        memcpy(out + used, p, plain);
        used += plain;
        p = stop;
        if (p == limit)
            break;
        if (*p == '"') {
            status = RT_OK;
            break;
        }
        if (*p != '\\')
            return RT_BAD;
        int escape = rt_json_unescape(&p, c->end, out + used, &size);
        if (escape == RT_BAD)
            return RT_BAD;
        plain = 0;
        if (escape == RT_MORE)
            break;
        used += size;
    }
    if (status == RT_MORE) {
        cut = rt_utf8_cut(out, used);
        if (cut > plain)
            return RT_BAD;
        used -= cut;
        p -= cut;
    }
    if (high && !rt_is_utf8(out, used))
        return RT_BAD;
    *made = used;
    c->p = p;
    return status;
}

/* ---- base64 ---------------------------------------------------------------------------------- */

static const int8_t rt_base64_values[256] = {
#define RT_NO16 -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1
    RT_NO16, RT_NO16,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 62, -1, -1, -1, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1, -1,
    -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, -1,
    -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1,
    RT_NO16, RT_NO16, RT_NO16, RT_NO16, RT_NO16, RT_NO16, RT_NO16, RT_NO16,
#undef RT_NO16
};

/* n characters, a multiple of 4; only the last of all may be padded. Returns 0 for what is no base64, or is unusual. */
static int rt_base64_decode(const uint8_t *p, size_t n, int last, uint8_t *out, size_t *made)
{
    uint8_t *op = out;
    for (; n >= 4; n -= 4, p += 4) {
        int a = rt_base64_values[p[0]], b = rt_base64_values[p[1]], c = rt_base64_values[p[2]];
        int d = rt_base64_values[p[3]];
        if ((a | b | c | d) >= 0) {
            uint32_t v = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | (uint32_t)d;
            *op++ = (uint8_t)(v >> 16);
            *op++ = (uint8_t)(v >> 8);
            *op++ = (uint8_t)v;
            continue;
        }
        if (!last || n != 4 || (a | b) < 0 || p[3] != '=')
            return 0;
        *op++ = (uint8_t)(a << 2 | b >> 4);
        if (p[2] == '=') {
            if (b & 15)
                return 0;
        } else {
            if (c < 0 || c & 3)
                return 0;
            *op++ = (uint8_t)(b << 4 | c >> 2);
        }
    }
    *made = (size_t)(op - out);
    return n == 0;
}

/* What precedes the base64 text of {"base64": "…"}, with its quote. */
static int rt_json_base64_head(rt_json *c)
{
    rt_json at = *c;
    int status = rt_json_mark(&at, '{');
    if (status)
        return status;
    at.p = rt_json_blanks(at.p, at.end);
    size_t there = (size_t)(at.end - at.p);
    if (memcmp(at.p, "\"base64\"", there < 8 ? there : 8) != 0)
        return RT_BAD;
    if (there < 8)
        return RT_MORE;
    at.p += 8;
    status = rt_json_mark(&at, ':');
    if (!status)
        status = rt_json_mark(&at, '"');
    if (!status)
        *c = at;
    return status;
}

/* Bytes: a string, or {"base64": "…"}. */
static int rt_json_any_octets(rt_json *c, rt_buffer *buffer, const uint8_t **text, size_t *size)
{
    if (c->p < c->end && *c->p == '"')
        return rt_json_any_text(c, buffer, text, size);
    rt_json at = *c;
    int high = 0, status = rt_json_base64_head(&at);
    if (status)
        return status;
    const uint8_t *stop = rt_json_plain(at.p, at.end, &high);
    if (stop == at.end)
        return RT_MORE;
    size_t n = (size_t)(stop - at.p);
    if (*stop != '"' || n % 4)
        return RT_BAD;
    if (!rt_buffer_grow(buffer, n / 4 * 3 + 1))
        return RT_NO_MEMORY;
    if (!rt_base64_decode(at.p, n, 1, buffer->data, size))
        return RT_BAD;
    *text = buffer->data;
    at.p = stop + 1;
    status = rt_json_mark(&at, '}');
    if (!status)
        *c = at;
    return status;
}

static inline int rt_json_octets(rt_json *c, rt_buffer *buffer, const uint8_t **text, size_t *size)
{
    return rt_json_plain_text(c, text, size) ? RT_OK : rt_json_any_octets(c, buffer, text, size);
}

/* ---- numbers and ids ------------------------------------------------------------------------- */

/* A whole number of up to 19 digits, or of 20 where it is no larger than 64 bits: its sign and what it counts. */
static int rt_json_whole(rt_json *c, int *negative, uint64_t *number)
{
    const uint8_t *p = c->p, *begin;
    uint64_t v = 0;
    *negative = p < c->end && *p == '-';
    p += *negative;
    begin = p;
    for (; p < c->end && (unsigned)(*p - '0') < 10; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return RT_BAD;
        v = v * 10 + digit;
    }
    if (p == c->end)
        return p - begin > 20 ? RT_BAD : RT_MORE;
    if (p == begin || (*begin == '0' && p - begin > 1) || *p == '.' || (*p | 0x20) == 'e')
        return RT_BAD;
    *number = v;
    c->p = p;
    return RT_OK;
}

static int rt_json_u64(rt_json *c, uint64_t most, uint64_t *out)
{
    int negative;
    rt_json at = *c;
    int status = rt_json_whole(&at, &negative, out);
    if (status)
        return status;
    if (*out > most || (negative && *out))
        return RT_BAD;
    *c = at;
    return RT_OK;
}

static int rt_json_i64(rt_json *c, int64_t *out)
{
    int negative;
    uint64_t number;
    rt_json at = *c;
    int status = rt_json_whole(&at, &negative, &number);
    if (status)
        return status;
    if (number > (uint64_t)INT64_MAX + (uint64_t)negative)
        return RT_BAD;
    *out = negative ? (int64_t)(0 - number) : (int64_t)number;
    *c = at;
    return RT_OK;
}

/* null: RT_BAD where it is anything else. */
static int rt_json_null(rt_json *c)
{
    size_t there = (size_t)(c->end - c->p);
    if (memcmp(c->p, "null", there < 4 ? there : 4) != 0)
        return RT_BAD;
    if (there < 4)
        return RT_MORE;
    c->p += 4;
    return RT_OK;
}

/* A number without an exponent, of up to 19 digits, as most are; 0 for anything else. */
static inline int rt_json_plain_number(rt_json *c, double *out)
{
    const uint8_t *p = c->p, *end = c->end, *begin, *point = NULL;
    uint64_t w = 0, word;
    int negative = p < end && *p == '-';
    p += negative;
    begin = p;
    while (p < end && (unsigned)(*p - '0') < 10)
        w = w * 10 + (unsigned)(*p++ - '0');
    if (p == end || p == begin || (*begin == '0' && p - begin > 1))
        return 0;
    if (*p == '.') {
        point = ++p;
        for (; end - p >= 8 && p - begin <= 12 && rt_are_digits(p, &word); p += 8)
            w = w * 100000000 + rt_eight_digits_value(word);
        while (p < end && (unsigned)(*p - '0') < 10)
            w = w * 10 + (unsigned)(*p++ - '0');
        if (p == end || p == point)
            return 0;
    }
    /* What has more digits than fit is not believed. */
    if (p - begin > 19 + (point != NULL) || (*p | 0x20) == 'e' || !rt_decimal(w, point ? (int)(point - p) : 0, out))
        return 0;
    if (negative && (point || *out != 0))
        *out = -*out;
    c->p = p;
    return 1;
}

/* A number, as JSON writes them. `is_whole`: it has neither a point nor an exponent. */
static int rt_json_number(rt_json *c, double *out, int *is_whole)
{
    const uint8_t *p = c->p, *begin;
    *is_whole = 1;
    if (p < c->end && *p == '-')
        p++;
    begin = p;
    while (p < c->end && (unsigned)(*p - '0') < 10)
        p++;
    if (p < c->end && (p == begin || (*begin == '0' && p - begin > 1)))
        return RT_BAD;
    if (p < c->end && *p == '.') {
        *is_whole = 0;
        begin = ++p;
        while (p < c->end && (unsigned)(*p - '0') < 10)
            p++;
        if (p < c->end && p == begin)
            return RT_BAD;
    }
    if (p < c->end && (*p | 0x20) == 'e') {
        *is_whole = 0;
        p++;
        if (p < c->end && (*p == '+' || *p == '-'))
            p++;
        begin = p;
        while (p < c->end && (unsigned)(*p - '0') < 10)
            p++;
        if (p < c->end && p == begin)
            return RT_BAD;
    }
    if (p == c->end)
        return p - c->p > 400 ? RT_BAD : RT_MORE;
    if (!rt_parse_double(c->p, (size_t)(p - c->p), out) || isinf(*out))
        return RT_BAD;
    if (*is_whole && *out == 0)
        *out = 0; /* -0 is a whole number, which has no sign */
    c->p = p;
    return RT_OK;
}

/* A score: a number, or a string that says what JSON has no number for. */
static int rt_json_score(rt_json *c, double *out)
{
    static const char *const words[] = {"\"inf\"", "\"-inf\"", "\"nan\""};
    int is_whole;
    if (rt_json_plain_number(c, out))
        return RT_OK;
    if (c->p < c->end && *c->p != '"')
        return rt_json_number(c, out, &is_whole);
    size_t there = (size_t)(c->end - c->p);
    for (int i = 0; i < 3; i++) {
        size_t size = strlen(words[i]);
        if (memcmp(c->p, words[i], there < size ? there : size) != 0)
            continue;
        if (there < size)
            return RT_MORE;
        *out = i == 0 ? (double)INFINITY : i == 1 ? -(double)INFINITY : (double)NAN;
        c->p += size;
        return RT_OK;
    }
    return RT_BAD;
}

/* "ms-seq" */
static int rt_json_id(rt_json *c, uint64_t *ms, uint64_t *seq)
{
    const uint8_t *p = c->p;
    if (p == c->end)
        return RT_MORE;
    if (*p++ != '"')
        return RT_BAD;
    for (int half = 0; half < 2; half++) {
        const uint8_t *begin = p;
        uint64_t v = 0;
        for (; p < c->end && (unsigned)(*p - '0') < 10 && p - begin < 20; p++) {
            unsigned digit = (unsigned)(*p - '0');
            if (v > (UINT64_MAX - digit) / 10)
                return RT_BAD;
            v = v * 10 + digit;
        }
        if (p == c->end)
            return RT_MORE;
        if (p == begin || *p++ != (half ? '"' : '-'))
            return RT_BAD;
        *(half ? seq : ms) = v;
    }
    c->p = p;
    return RT_OK;
}

#endif
