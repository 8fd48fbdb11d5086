/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - workers that wait between runs, a moment awake and then asleep on a condition;
 * tasks are taken by one atomic counter. Every worker sets the floating-point state that
 * the kernels rely on: round to nearest, denormals kept (engine 8, rule 5).
 *
 * A training step is hundreds of short runs: waking a sleeper costs more than many of them
 * take. Nobody spins for long, and nobody where there are more threads than processors.
 */
#include <colophon/base/memory.h>
#include <colophon/base/pool.h>

#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

struct worker {
    cph_pool *pool;
    pthread_t thread;
    unsigned index;
};

struct cph_pool {
    unsigned n_threads, n_started;
    struct worker *workers;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    uint64_t generation;
    unsigned n_busy, n_asleep;
    unsigned spins; /* looks before sleep */
    bool quit;
    /* the run under way */
    cph_task_fn fn;
    void *arg;
    size_t n_tasks, next;
    size_t failed_task;
    cph_status status;
    cph_err err;
};

unsigned cph_cpu_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

static void fp_default(void)
{
    fesetenv(FE_DFL_ENV);
}

static void work(cph_pool *p, unsigned worker)
{
    for (;;) {
        size_t task = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED);
        if (task >= p->n_tasks || __atomic_load_n(&p->failed_task, __ATOMIC_RELAXED) < task) return;
        cph_err err = {0};
        cph_status s = p->fn(p->arg, task, worker, &err);
        if (s == CPH_OK) continue;
        pthread_mutex_lock(&p->lock);
        if (task < p->failed_task) {
            __atomic_store_n(&p->failed_task, task, __ATOMIC_RELAXED);
            p->status = s;
            p->err = err;
        }
        pthread_mutex_unlock(&p->lock);
    }
}

#define SPINS 4000u /* some tens of microseconds */

static void pause_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool news(const cph_pool *p, uint64_t seen)
{
    return __atomic_load_n(&p->generation, __ATOMIC_ACQUIRE) != seen || __atomic_load_n(&p->quit, __ATOMIC_ACQUIRE);
}

static void *live(void *arg)
{
    struct worker *w = arg;
    cph_pool *p = w->pool;
    uint64_t seen = 0;
    fp_default();
    for (;;) {
        for (unsigned i = 0; i < p->spins && !news(p, seen); i++) pause_a_little();
        if (!news(p, seen)) {
            pthread_mutex_lock(&p->lock);
            p->n_asleep++;
            while (!news(p, seen)) pthread_cond_wait(&p->wake, &p->lock);
            p->n_asleep--;
            pthread_mutex_unlock(&p->lock);
        }
        if (__atomic_load_n(&p->quit, __ATOMIC_ACQUIRE)) return NULL;
        seen = __atomic_load_n(&p->generation, __ATOMIC_ACQUIRE);
        work(p, w->index);
        if (__atomic_sub_fetch(&p->n_busy, 1, __ATOMIC_ACQ_REL) > 0) continue;
        pthread_mutex_lock(&p->lock); /* the caller looks at n_busy under the lock before it sleeps */
        pthread_cond_signal(&p->done);
        pthread_mutex_unlock(&p->lock);
    }
}

/* Until the other workers have found nothing more to do. */
static void wait_for_others(cph_pool *p)
{
    for (unsigned i = 0; i < p->spins && __atomic_load_n(&p->n_busy, __ATOMIC_ACQUIRE); i++) pause_a_little();
    if (!__atomic_load_n(&p->n_busy, __ATOMIC_ACQUIRE)) return;
    pthread_mutex_lock(&p->lock);
    while (__atomic_load_n(&p->n_busy, __ATOMIC_ACQUIRE)) pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

cph_status cph_pool_open(cph_pool **out, unsigned n_threads, cph_err *err)
{
    if (n_threads == 0) n_threads = cph_cpu_count();
    if (n_threads > 4096) return cph_fail(err, CPH_USAGE, "%u threads: at most 4096", n_threads);
    void *mem;
    CPH_TRY(cph_alloc0(&mem, sizeof(cph_pool), err));
    cph_pool *p = mem;
    p->n_threads = n_threads;
    p->spins = n_threads <= cph_cpu_count() ? SPINS : 0;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->done, NULL);
    cph_status s = cph_alloc0(&mem, n_threads * sizeof *p->workers, err);
    if (s != CPH_OK) goto fail;
    p->workers = mem;
    for (unsigned i = 1; i < n_threads; i++) {
        p->workers[i] = (struct worker){.pool = p, .index = i};
        if (pthread_create(&p->workers[i].thread, NULL, live, &p->workers[i]) != 0) {
            s = cph_fail(err, CPH_IO, "the system starts no more than %u threads", i);
            goto fail;
        }
        p->n_started++;
    }
    fp_default();
    *out = p;
    return CPH_OK;
fail:
    cph_pool_close(p);
    return s;
}

void cph_pool_close(cph_pool *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    __atomic_store_n(&p->quit, true, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 1; i <= p->n_started; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    cph_free(p->workers);
    cph_free(p);
}

unsigned cph_pool_threads(const cph_pool *p) { return p->n_threads; }

cph_status cph_pool_run(cph_pool *p, size_t n_tasks, cph_task_fn fn, void *arg, cph_err *err)
{
    if (n_tasks == 0) return CPH_OK;
    p->fn = fn;
    p->arg = arg;
    p->n_tasks = n_tasks;
    p->failed_task = SIZE_MAX;
    p->status = CPH_OK;
    __atomic_store_n(&p->next, 0, __ATOMIC_RELAXED);
    bool shared = p->n_threads > 1 && n_tasks > 1;
    if (shared) {
        pthread_mutex_lock(&p->lock);
        __atomic_store_n(&p->n_busy, p->n_threads - 1, __ATOMIC_RELAXED);
        __atomic_store_n(&p->generation, p->generation + 1, __ATOMIC_RELEASE);
        if (p->n_asleep) pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
    }
    work(p, 0);
    if (shared) wait_for_others(p);
    if (p->status != CPH_OK && err) *err = p->err;
    return p->status;
}
