/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.h - the only place where Colophon asks the system for memory.
 *
 * Every block is counted against one cap for the process (--memory). A request
 * beyond the cap fails with CPH_NOMEM: a sentence, never a kill by the system.
 *
 * Invariant  Blocks are 64-byte aligned. Size 0 gives a valid, unique block.
 * Threads    All functions may be called from any thread.
 * Memory     The caller owns each block and gives it back with cph_free.
 * Errors     CPH_NOMEM names the cap and what is in use.
 */
#ifndef CPH_BASE_MEMORY_H
#define CPH_BASE_MEMORY_H

#include <colophon/base/status.h>

#ifdef __cplusplus
extern "C" {
#endif

CPH_API cph_status cph_alloc(void **out, size_t n_bytes, cph_err *err) CPH_MUST_USE;  /* not cleared */
CPH_API cph_status cph_alloc0(void **out, size_t n_bytes, cph_err *err) CPH_MUST_USE; /* all zero */
/* Grows or shrinks *block (NULL is fine) and keeps its first bytes. On failure *block stands. */
CPH_API cph_status cph_realloc(void **block, size_t n_bytes, cph_err *err) CPH_MUST_USE;
CPH_API void cph_free(void *block); /* NULL is fine */

/* n * size, or CPH_NOMEM when the product does not fit into a size_t. */
CPH_API cph_status cph_alloc_n(void **out, size_t n, size_t size, cph_err *err) CPH_MUST_USE;

CPH_API void cph_memory_set_cap(uint64_t bytes); /* 0: no cap of ours */
CPH_API uint64_t cph_memory_cap(void);
CPH_API uint64_t cph_memory_in_use(void);
CPH_API uint64_t cph_memory_peak(void); /* the most that was in use at once */

/* Memory of the machine that could be had now, in bytes; 0 where unknown. */
CPH_API uint64_t cph_memory_available(void);

/* For tests: the n-th request from now on fails (0: none does). */
CPH_API void cph_memory_fail_at(uint64_t n);

#ifdef __cplusplus
}
#endif
#endif
