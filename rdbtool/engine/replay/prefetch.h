/* Hints for the processor: the memory that a coming lookup in a dictionary will read.
 *
 * A key of a large keyspace is in no cache. A lookup waits for memory three times, one after another: for the place of the
 * index, for the entry, and for key and value. Commands are known in advance, so each of the three is asked for while
 * others are executed. A hint changes nothing: a wrong one costs time only.
 *
 * CPython does not publish how dictionaries are laid out. It is the same in 3.11 to 3.14; prefetch_fits() makes sure
 * when the module is loaded, and elsewhere there are no hints.
 */
#ifndef RDBTOOL_PREFETCH_H
#define RDBTOOL_PREFETCH_H

#include <Python.h>
#include <stdint.h>

enum { PREFETCH_PLACE, PREFETCH_ENTRY, PREFETCH_OBJECTS };

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

/* Return the entry of the first place where a hash belongs, NULL where there is none; only hint at the place: ``hint``. */
static inline __attribute__((always_inline)) const prefetch_entry *prefetch_find(PyObject *dict, Py_hash_t hash, int hint) {
    const prefetch_keys *keys = (const prefetch_keys *)((PyDictObject *)dict)->ma_keys;
    size_t at = (size_t)hash & (((size_t)1 << keys->log2_size) - 1);
    int log2_width = keys->log2_size < 8 ? 0 : keys->log2_size < 16 ? 1 : keys->log2_size < 32 ? 2 : 3;
    const char *place = keys->places + (at << log2_width);
    int64_t found;
    if (keys->kind != 0) return NULL;
    if (hint) {
        __builtin_prefetch(place);
        return NULL;
    }
    found = log2_width == 0   ? *(const int8_t *)place
            : log2_width == 1 ? *(const int16_t *)place
            : log2_width == 2 ? *(const int32_t *)place
                              : *(const int64_t *)place;
    if (found < 0 || found >= keys->entries) return NULL;
    return (const prefetch_entry *)(keys->places + ((size_t)1 << keys->log2_index_bytes)) + found;
}

/* Hint at what a lookup of a key with this hash reads, after what an earlier call hinted at. Inlined in any case: GCC
 * takes a function that only gives hints for one without effects, and drops the calls. */
static inline __attribute__((always_inline)) void prefetch(PyObject *dict, Py_hash_t hash, int what) {
    const prefetch_entry *entry = prefetch_find(dict, hash, what == PREFETCH_PLACE);
    if (entry == NULL) return;
    if (what == PREFETCH_ENTRY) {
        __builtin_prefetch(entry);
    } else if (entry->hash == hash) {
        __builtin_prefetch(entry->key);
        __builtin_prefetch(entry->value);
        __builtin_prefetch((const char *)entry->value + 64);
    }
}

/* Whether the dictionaries of this Python are laid out as here. -1: an exception is set. */
static int prefetch_fits(void) {
    PyObject *dict = PyDict_New(), *key = PyBytes_FromString("key");
    int fits = -1;
    if (dict != NULL && key != NULL && PyDict_SetItem(dict, key, Py_None) == 0) {
        const prefetch_entry *entry = prefetch_find(dict, PyObject_Hash(key), 0);
        fits = entry != NULL && entry->key == key && entry->value == Py_None;
    }
    Py_XDECREF(dict);
    Py_XDECREF(key);
    return fits;
}

#else

static inline void prefetch(PyObject *dict, Py_hash_t hash, int what) {
    (void)dict, (void)hash, (void)what;
}

static int prefetch_fits(void) { return 0; }

#endif
#endif
