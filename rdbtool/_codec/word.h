/* A string of known size: a word of a command, a name or a value. */
#ifndef RT_WORD_H
#define RT_WORD_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint8_t *text;
    size_t size;
} rt_word;

#endif
