/* Hints for the processor: the memory that a coming lookup in a dictionary will read.
 *
 * A key of a large keyspace is in no cache. A lookup waits for memory three times, one after another: for the place of the
 * index, for the entry, and for key and value; and where the place is another key's, which half of the new keys meet, for
 * the next place and its entry. Commands are known in advance, so each is asked for while others are executed. A hint
 * changes nothing: a wrong one costs time only.
 *
 * CPython does not publish how dictionaries are laid out. It is the same in 3.11 to 3.14; prefetch_fits() makes sure
 * when the module is loaded, and elsewhere there are no hints.
 */
#ifndef RDBTOOL_PREFETCH_H
#define RDBTOOL_PREFETCH_H

#include <Python.h>
#include <stdint.h>

#if defined(__GNUC__) && !defined(PYPY_VERSION) && !defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030B0000 && \
    PY_VERSION_HEX < 0x030F0000

typedef struct {
    Py_ssize_t references;
    uint8_t log2_size, log2_index_bytes, kind; /* kind 0: keys of any type */
    uint32_t version;
    Py_ssize_t usable, entries;
    char places[]; /* of 1, 2, 4 or 8 bytes; then the entries */
} prefetch_keys;

typedef struct {
    Py_hash_t hash;
    PyObject *key, *value;
} prefetch_entry;

static inline __attribute__((always_inline)) const char *prefetch_place(const prefetch_keys *keys, size_t at) {
    return keys->places + (at << (keys->log2_size < 8 ? 0 : keys->log2_size < 16 ? 1 : keys->log2_size < 32 ? 2 : 3));
}

/* Return the entry of a place, NULL where there is none. */
static inline __attribute__((always_inline)) const prefetch_entry *prefetch_read(const prefetch_keys *keys, size_t at) {
    const char *place = prefetch_place(keys, at);
    int64_t found = keys->log2_size < 8    ? *(const int8_t *)place
                    : keys->log2_size < 16 ? *(const int16_t *)place
                    : keys->log2_size < 32 ? *(const int32_t *)place
                                           : *(const int64_t *)place;
    if (found < 0 || found >= keys->entries) return NULL;
    return (const prefetch_entry *)(keys->places + ((size_t)1 << keys->log2_index_bytes)) + found;
}

/* Hint at what a lookup of a key with this hash reads, step by step: at the place that it tries as number ``step``, counted
 * from 0, the entry of the place before, and the objects of the one before that. What they are found by was hinted at in
 * earlier steps. Inlined in any case: GCC takes a function that only gives hints for one without effects, and drops the
 * calls. */
static inline __attribute__((always_inline)) void prefetch(PyObject *dict, Py_hash_t hash, int step) {
    const prefetch_keys *keys = (const prefetch_keys *)((PyDictObject *)dict)->ma_keys;
    size_t mask = ((size_t)1 << keys->log2_size) - 1, left = (size_t)hash, at = left & mask;
    if (keys->kind != 0) return;
    for (; step > 0; step--) {
        const prefetch_entry *entry = prefetch_read(keys, at);
        if (entry == NULL) return;
        if (step == 1) {
            __builtin_prefetch(entry);
        } else if (entry->hash == hash) {
            if (step == 2) {
                __builtin_prefetch(entry->key);
                __builtin_prefetch(entry->value);
                __builtin_prefetch((const char *)entry->value + 64);
            }
            return;
        }
        left >>= 5;
        at = (at * 5 + left + 1) & mask;
    }
    __builtin_prefetch(prefetch_place(keys, at));
}

/* Whether the dictionaries of this Python are laid out as here. -1: an exception is set. */
static int prefetch_fits(void) {
    PyObject *dict = PyDict_New(), *key = PyBytes_FromString("key");
    int fits = -1;
    if (dict != NULL && key != NULL && PyDict_SetItem(dict, key, Py_None) == 0) {
        const prefetch_keys *keys = (const prefetch_keys *)((PyDictObject *)dict)->ma_keys;
        const prefetch_entry *entry = prefetch_read(keys, (size_t)PyObject_Hash(key) & (((size_t)1 << keys->log2_size) - 1));
        fits = keys->kind == 0 && entry != NULL && entry->key == key && entry->value == Py_None;
    }
    Py_XDECREF(dict);
    Py_XDECREF(key);
    return fits;
}

#else

static inline void prefetch(PyObject *dict, Py_hash_t hash, int step) {
    (void)dict, (void)hash, (void)step;
}

static int prefetch_fits(void) { return 0; }

#endif
#endif
