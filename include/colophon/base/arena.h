/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - many small allocations that end together.
 *
 * An arena takes its maximum at birth and fails with CPH_NOMEM beyond it, so
 * that hostile input meets a limit and not the machine.
 *
 * Invariant  What an arena hands out lives until cph_arena_reset or _release.
 * Threads    One thread at a time.
 * Memory     Chunks come from cph_alloc. Reset keeps the first chunk.
 * Errors     CPH_NOMEM with the arena's limit.
 */
#ifndef CPH_BASE_ARENA_H
#define CPH_BASE_ARENA_H

#include <colophon/base/status.h>
#include <colophon/base/str.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_arena_chunk cph_arena_chunk;
typedef struct cph_arena {
    cph_arena_chunk *head;
    size_t used_bytes, max_bytes;
} cph_arena;

CPH_API void cph_arena_init(cph_arena *a, size_t max_bytes); /* 0: no limit but the process cap */
CPH_API void cph_arena_release(cph_arena *a);
CPH_API void cph_arena_reset(cph_arena *a);

/* 16-byte aligned, not cleared. */
CPH_API cph_status cph_arena_alloc(cph_arena *a, void **out, size_t n_bytes, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_arena_alloc0(cph_arena *a, void **out, size_t n, size_t size,
                                    cph_err *err) CPH_MUST_USE;
/* A copy with a NUL after it (not counted in n). */
CPH_API cph_status cph_arena_str(cph_arena *a, cph_str *out, cph_str s, cph_err *err) CPH_MUST_USE;
CPH_API cph_status cph_arena_printf(cph_arena *a, cph_str *out, cph_err *err, const char *fmt, ...)
    CPH_MUST_USE CPH_PRINTF(4, 5);

#ifdef __cplusplus
}
#endif
#endif
