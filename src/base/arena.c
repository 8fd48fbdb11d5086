/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.c - chunks that double up to 1 MiB; a large request gets its own.
 */
#include <colophon/base/arena.h>
#include <colophon/base/memory.h>

#include <stdio.h>
#include <string.h>

#define CHUNK_MIN 4096
#define CHUNK_MAX (1u << 20)

struct cph_arena_chunk {
    cph_arena_chunk *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

void cph_arena_init(cph_arena *a, size_t max_bytes)
{
    *a = (cph_arena){.max_bytes = max_bytes ? max_bytes : SIZE_MAX};
}

static void drop(cph_arena_chunk *c)
{
    while (c) {
        cph_arena_chunk *next = c->next;
        cph_free(c);
        c = next;
    }
}

void cph_arena_release(cph_arena *a)
{
    drop(a->head);
    a->head = NULL;
    a->used_bytes = 0;
}

void cph_arena_reset(cph_arena *a)
{
    if (!a->head) return;
    drop(a->head->next);
    a->head->next = NULL;
    a->head->used = 0;
    a->used_bytes = 0;
}

cph_status cph_arena_alloc(cph_arena *a, void **out, size_t n_bytes, cph_err *err)
{
    if (n_bytes > a->max_bytes - a->used_bytes || n_bytes > SIZE_MAX / 2)
        return cph_fail(err, CPH_NOMEM, "a limit of %zu bytes was reached", a->max_bytes);
    size_t n = (n_bytes + 15) & ~(size_t)15;
    cph_arena_chunk *c = a->head;
    if (!c || c->size - c->used < n) {
        size_t size = c ? c->size * 2 : CHUNK_MIN;
        if (size > CHUNK_MAX) size = CHUNK_MAX;
        if (size < n) size = n;
        void *p;
        CPH_TRY(cph_alloc(&p, sizeof *c + size, err));
        c = p;
        *c = (cph_arena_chunk){.next = a->head, .size = size};
        a->head = c;
    }
    *out = c->bytes + c->used;
    c->used += n;
    a->used_bytes += n_bytes;
    return CPH_OK;
}

cph_status cph_arena_alloc0(cph_arena *a, void **out, size_t n, size_t size, cph_err *err)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) return cph_fail(err, CPH_NOMEM, "%zu items of %zu bytes", n, size);
    CPH_TRY(cph_arena_alloc(a, out, bytes, err));
    memset(*out, 0, bytes);
    return CPH_OK;
}

cph_status cph_arena_str(cph_arena *a, cph_str *out, cph_str s, cph_err *err)
{
    void *p;
    CPH_TRY(cph_arena_alloc(a, &p, s.n + 1, err));
    if (s.n) memcpy(p, s.p, s.n);
    ((char *)p)[s.n] = 0;
    *out = (cph_str){p, s.n};
    return CPH_OK;
}

cph_status cph_arena_printf(cph_arena *a, cph_str *out, cph_err *err, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    void *p = NULL;
    cph_status s = n < 0 ? cph_fail(err, CPH_BUG, "a format failed: %s", fmt)
                         : cph_arena_alloc(a, &p, (size_t)n + 1, err);
    if (s == CPH_OK) {
        vsnprintf(p, (size_t)n + 1, fmt, again);
        *out = (cph_str){p, (size_t)n};
    }
    va_end(again);
    return s;
}
