/* Memory for large tables that are read at random: in huge pages where the system has them.
 *
 * With pages of 4 KiB nearly every access to such a table needs the address of its page first, which is in no cache
 * either: with huge pages that takes half of the time.
 */
#ifndef RT_LARGE_MEMORY_H
#define RT_LARGE_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
#include <sys/mman.h>
#endif

#if defined(MADV_HUGEPAGE) && defined(MAP_ANONYMOUS)
#define RT_HUGE_PAGE ((size_t)1 << 21)
#endif

/* The size to allocate for `size` bytes: whole huge pages of a large table. */
static inline size_t rt_large_size(size_t size)
{
    const size_t page = (size_t)1 << 21;
    return size < page || size > SIZE_MAX - page ? size : (size + page - 1) / page * page;
}

/* Zeros; NULL: there is not enough memory. Sizes that are no multiple of a huge page are as from calloc. */
static void *rt_large_alloc(size_t size)
{
#ifdef RT_HUGE_PAGE
    if (size && size % RT_HUGE_PAGE == 0 && size < SIZE_MAX - RT_HUGE_PAGE) {
        char *mapped = mmap(NULL, size + RT_HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED)
            return NULL;
        /* From the next boundary on. */
        size_t before = (RT_HUGE_PAGE - (uintptr_t)mapped % RT_HUGE_PAGE) % RT_HUGE_PAGE;
        if (before)
            munmap(mapped, before);
        munmap(mapped + before + size, RT_HUGE_PAGE - before);
        /* Without huge pages it is only slower. */
        madvise(mapped + before, size, MADV_HUGEPAGE);
        return mapped + before;
    }
#endif
    return calloc(1, size);
}

/* Of the size that it was allocated with. */
static void rt_large_free(void *p, size_t size)
{
#ifdef RT_HUGE_PAGE
    if (size && size % RT_HUGE_PAGE == 0) {
        if (p)
            munmap(p, size);
        return;
    }
#endif
    (void)size;
    free(p);
}

#endif
