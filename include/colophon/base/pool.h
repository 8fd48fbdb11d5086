/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - a pool of threads that run numbered tasks.
 *
 * Tasks 0..n-1 are taken in order by whichever worker is free; what a task
 * computes may depend on its number and never on its worker. The caller works
 * too (worker 0), so that one thread means no thread is started at all.
 *
 * Invariant  cph_pool_run returns when all its tasks are done or, after the
 *            first failure, when the tasks already begun are done. The failure
 *            that is reported is that of the lowest-numbered failed task.
 * Threads    cph_pool_run is called by one thread at a time and not from a task.
 * Memory     The pool allocates at open only.
 * Errors     Those of the tasks.
 */
#ifndef CPH_BASE_POOL_H
#define CPH_BASE_POOL_H

#include <colophon/base/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cph_pool cph_pool;
/* `worker` is 0..n_threads-1: an index into per-worker scratch. */
typedef cph_status (*cph_task_fn)(void *arg, size_t task, unsigned worker, cph_err *err);

/* n_threads 0 means as many as the processors this process may use. */
CPH_API cph_status cph_pool_open(cph_pool **out, unsigned n_threads, cph_err *err) CPH_MUST_USE;
CPH_API void cph_pool_close(cph_pool *p); /* NULL is fine */
CPH_API unsigned cph_pool_threads(const cph_pool *p);
CPH_API unsigned cph_cpu_count(void); /* processors this process may use */

CPH_API cph_status cph_pool_run(cph_pool *p, size_t n_tasks, cph_task_fn fn, void *arg,
                                cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
