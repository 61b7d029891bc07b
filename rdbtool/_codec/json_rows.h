/* JSON in: whole rows as the jsonl format writes them, and heads of lines, without a blank or an escape.
 *
 * Every function takes a cursor and moves it over all that it read, or returns 0 and leaves it where it was: then what
 * follows has to be read token by token, and may be sound as well.
 */
#ifndef RT_JSON_ROWS_H
#define RT_JSON_ROWS_H

#include "json_scan.h"

typedef struct {
    const uint8_t *text, *other;
    size_t size, other_size;
    double score;
    int closed; /* the array ends after this row */
} rt_json_plain_row;

static inline int rt_json_char(rt_json *c, char mark)
{
    if (c->p == c->end || *c->p != (uint8_t)mark)
        return 0;
    c->p++;
    return 1;
}

/* What follows a row. */
static inline int rt_json_next(rt_json *c, rt_json_plain_row *row)
{
    if (c->p == c->end || (*c->p != ',' && *c->p != ']'))
        return 0;
    row->closed = *c->p++ == ']';
    return 1;
}

/* "…" */
static inline int rt_json_element(rt_json *c, rt_json_plain_row *row)
{
    rt_json at = *c;
    if (!rt_json_plain_text(&at, &row->text, &row->size) || !rt_json_next(&at, row))
        return 0;
    *c = at;
    return 1;
}

/* ["…","…"] */
static inline int rt_json_pair(rt_json *c, rt_json_plain_row *row)
{
    rt_json at = *c;
    if (!rt_json_char(&at, '[') || !rt_json_plain_text(&at, &row->text, &row->size) || !rt_json_char(&at, ',') ||
        !rt_json_plain_text(&at, &row->other, &row->other_size) || !rt_json_char(&at, ']') || !rt_json_next(&at, row))
        return 0;
    *c = at;
    return 1;
}

/* ["…",1.5] */
static inline int rt_json_scored(rt_json *c, rt_json_plain_row *row)
{
    rt_json at = *c;
    if (!rt_json_char(&at, '[') || !rt_json_plain_text(&at, &row->text, &row->size) || !rt_json_char(&at, ',') ||
        !rt_json_plain_number(&at, &row->score) || !rt_json_char(&at, ']') || !rt_json_next(&at, row))
        return 0;
    *c = at;
    return 1;
}

/* ---- heads ----------------------------------------------------------------------------------- */

/* A name of a kind, or of an encoding of it, as a line has it, with the quote that ends it. */
enum { RT_JSON_NAME = 33 };

typedef struct {
    int type_code, form;
    size_t size; /* with the quote */
    char name[RT_JSON_NAME];
} rt_json_code;

typedef struct {
    const uint8_t *key;
    size_t key_size;
    uint64_t db;
    int64_t expire_at_ms;
    int has_expire;
    int kind;
    const rt_json_code *code;
} rt_json_head;

#define RT_JSON_LITERAL(at, literal) \
    ((size_t)((at)->end - (at)->p) >= sizeof(literal) - 1 && memcmp((at)->p, literal, sizeof(literal) - 1) == 0 && \
     ((at)->p += sizeof(literal) - 1, 1))

static inline int rt_json_named(rt_json *c, const rt_json_code *code)
{
    if ((size_t)(c->end - c->p) < code->size || *c->p != (uint8_t)*code->name || memcmp(c->p, code->name, code->size) != 0)
        return 0;
    c->p += code->size;
    return 1;
}

/* {"db":0,"key":"…","type":"…","encoding":"…","expire_at_ms":…,"value": with one of `kinds`, and one of `codes`, which
 * are ordered by kind: those of a kind begin at its place in `first`. */
static int rt_json_plain_head(rt_json *c, const rt_json_code *kinds, int kind_count, const rt_json_code *codes,
                              const int *first, rt_json_head *head)
{
    rt_json at = *c;
    int kind = 0, i;
    if (!RT_JSON_LITERAL(&at, "{\"db\":") || rt_json_u64(&at, 0x7FFFFFFF, &head->db) ||
        !RT_JSON_LITERAL(&at, ",\"key\":") || !rt_json_plain_text(&at, &head->key, &head->key_size) ||
        !RT_JSON_LITERAL(&at, ",\"type\":\""))
        return 0;
    while (!rt_json_named(&at, &kinds[kind]))
        if (++kind == kind_count)
            return 0;
    if (!RT_JSON_LITERAL(&at, ",\"encoding\":\""))
        return 0;
    for (i = first[kind]; i < first[kind + 1]; i++)
        if (rt_json_named(&at, &codes[i]))
            break;
    if (i == first[kind + 1] || !RT_JSON_LITERAL(&at, ",\"expire_at_ms\":"))
        return 0;
    head->kind = kind;
    head->code = &codes[i];
    head->has_expire = !RT_JSON_LITERAL(&at, "null");
    if (head->has_expire && (rt_json_i64(&at, &head->expire_at_ms) || head->expire_at_ms == -1))
        return 0;
    if (!RT_JSON_LITERAL(&at, ",\"value\":") || at.p == at.end || *at.p <= ' ')
        return 0;
    *c = at;
    return 1;
}

#endif
