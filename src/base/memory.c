/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - blocks with a counted header, one cap for the process.
 * The only file of the project that calls malloc's family.
 */
#include <colophon/base/memory.h>
#include <colophon/base/str.h>

#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGN 64
#define HUGE_PAGE ((uintptr_t)2 << 20)
typedef struct header {
    size_t n_bytes;
} header;
_Static_assert(sizeof(header) <= ALIGN, "the header fits before an aligned block");

static uint64_t cap, in_use, peak, fail_countdown;

void cph_memory_set_cap(uint64_t bytes) { __atomic_store_n(&cap, bytes, __ATOMIC_RELAXED); }
uint64_t cph_memory_cap(void) { return __atomic_load_n(&cap, __ATOMIC_RELAXED); }
uint64_t cph_memory_in_use(void) { return __atomic_load_n(&in_use, __ATOMIC_RELAXED); }
uint64_t cph_memory_peak(void) { return __atomic_load_n(&peak, __ATOMIC_RELAXED); }
void cph_memory_fail_at(uint64_t n) { __atomic_store_n(&fail_countdown, n, __ATOMIC_RELAXED); }

static cph_status refuse(size_t n_bytes, cph_err *err)
{
    char wanted[32], used[32], limit[32];
    cph_format_bytes(n_bytes, wanted);
    cph_format_bytes(cph_memory_in_use(), used);
    cph_format_bytes(cph_memory_cap(), limit);
    cph_fail(err, CPH_NOMEM, "memory: %s more wanted, %s in use, limit %s", wanted, used,
             cph_memory_cap() ? limit : "that of the system");
    return err ? cph_hint(err, "raise --memory, or use fewer threads") : CPH_NOMEM;
}

/* Counts n more bytes, or says no. */
static bool take(uint64_t n)
{
    if (__atomic_load_n(&fail_countdown, __ATOMIC_RELAXED) &&
        __atomic_sub_fetch(&fail_countdown, 1, __ATOMIC_RELAXED) == 0)
        return false;
    uint64_t now = __atomic_add_fetch(&in_use, n, __ATOMIC_RELAXED), limit = cph_memory_cap();
    if (limit && now > limit) {
        __atomic_sub_fetch(&in_use, n, __ATOMIC_RELAXED);
        return false;
    }
    uint64_t seen = cph_memory_peak();
    while (now > seen &&
           !__atomic_compare_exchange_n(&peak, &seen, now, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return true;
}

static void give(uint64_t n) { __atomic_sub_fetch(&in_use, n, __ATOMIC_RELAXED); }
static header *header_of(void *block) { return (header *)(void *)((char *)block - ALIGN); }

/* Kernels walk large blocks by columns: with small pages that is one page walk a row. A wish, no demand. */
static void wish_huge_pages(void *block, size_t n)
{
    uintptr_t begin = ((uintptr_t)block + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    uintptr_t end = ((uintptr_t)block + n) / HUGE_PAGE * HUGE_PAGE;
    if (end > begin) (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

cph_status cph_alloc(void **out, size_t n_bytes, cph_err *err)
{
    if (n_bytes > SIZE_MAX / 2) return refuse(n_bytes, err);
    size_t whole = (n_bytes + 2 * ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!take(whole)) return refuse(n_bytes, err);
    header *h = aligned_alloc(ALIGN, whole);
    if (!h) {
        give(whole);
        return refuse(n_bytes, err);
    }
    if (whole >= 4 * HUGE_PAGE) wish_huge_pages(h, whole);
    h->n_bytes = whole;
    *out = (char *)h + ALIGN;
    return CPH_OK;
}

cph_status cph_alloc0(void **out, size_t n_bytes, cph_err *err)
{
    void *p;
    CPH_TRY(cph_alloc(&p, n_bytes, err));
    memset(p, 0, n_bytes);
    *out = p;
    return CPH_OK;
}

cph_status cph_realloc(void **block, size_t n_bytes, cph_err *err)
{
    void *p;
    CPH_TRY(cph_alloc(&p, n_bytes, err));
    if (*block) {
        size_t old = header_of(*block)->n_bytes - ALIGN;
        memcpy(p, *block, old < n_bytes ? old : n_bytes);
        cph_free(*block);
    }
    *block = p;
    return CPH_OK;
}

void cph_free(void *block)
{
    if (!block) return;
    header *h = header_of(block);
    give(h->n_bytes);
    free(h);
}

cph_status cph_alloc_n(void **out, size_t n, size_t size, cph_err *err)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) return refuse(SIZE_MAX, err);
    return cph_alloc(out, bytes, err);
}

uint64_t cph_memory_available(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    if (!f) return 0;
    char line[128];
    unsigned long long kib = 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1) break;
    fclose(f);
    return (uint64_t)kib * 1024;
}
