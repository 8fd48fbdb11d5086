/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - the sink and delayed progress.
 */
#include <colophon/base/log.h>

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define DELAY_S 2.0
#define PERIOD_NS 500000000u

static cph_log_sink sink;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

double cph_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void cph_log_set(cph_log_sink s) { sink = s; }

void cph_log(cph_level level, const char *fmt, ...)
{
    if (!sink.message) return;
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    pthread_mutex_lock(&lock);
    sink.message(sink.ctx, level, text);
    pthread_mutex_unlock(&lock);
}

void cph_progress_begin(cph_progress *p, const char *what, const char *unit, uint64_t total)
{
    double now = cph_now_s();
    *p = (cph_progress){.what = what, .unit = unit, .total = total, .began_s = now};
    p->next_report_ns = (uint64_t)((now + DELAY_S) * 1e9);
}

static void report(cph_progress *p, double now, bool finished)
{
    uint64_t done = __atomic_load_n(&p->done, __ATOMIC_RELAXED);
    double spent = now - p->began_s, rate = spent > 0 ? (double)done / spent : 0;
    cph_progress_view v = {.what = p->what, .unit = p->unit, .done = done, .total = p->total, .rate = rate,
                           .finished = finished,
                           .eta_s = p->total > done && rate > 0 ? (double)(p->total - done) / rate : -1};
    pthread_mutex_lock(&lock);
    p->shown = true;
    sink.progress(sink.ctx, &v);
    pthread_mutex_unlock(&lock);
}

void cph_progress_add(cph_progress *p, uint64_t n)
{
    __atomic_add_fetch(&p->done, n, __ATOMIC_RELAXED);
    if (!sink.progress) return;
    double now = cph_now_s();
    uint64_t due = __atomic_load_n(&p->next_report_ns, __ATOMIC_RELAXED), ns = (uint64_t)(now * 1e9);
    if (ns < due || !__atomic_compare_exchange_n(&p->next_report_ns, &due, ns + PERIOD_NS, false, __ATOMIC_RELAXED,
                                                 __ATOMIC_RELAXED))
        return;
    report(p, now, false);
}

void cph_progress_end(cph_progress *p)
{
    if (sink.progress && p->shown) report(p, cph_now_s(), true);
}
