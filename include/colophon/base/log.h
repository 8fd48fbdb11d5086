/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - one sink for what the library wants to say, and delayed progress.
 *
 * The library never prints: it calls the sink, and whoever owns the process
 * decides where the words go. Without a sink nothing is said.
 *
 * Progress stays silent for two seconds, then reports at most every half second:
 * done, total, rate and time left.
 *
 * Threads  The sink may be called from any thread; calls do not overlap.
 *          cph_progress_add may be called from any thread.
 * Memory   A message lives for the duration of the call.
 */
#ifndef CPH_BASE_LOG_H
#define CPH_BASE_LOG_H

#include <stdbool.h>


#include <colophon/base/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cph_level { CPH_DEBUG, CPH_INFO, CPH_WARN } cph_level;

typedef struct cph_progress_view {
    const char *what;  /* "reading pages" */
    const char *unit;  /* "pages" */
    uint64_t done;
    uint64_t total;    /* 0 when not known */
    double rate;       /* units a second */
    double eta_s;      /* negative when not known */
    bool finished;
} cph_progress_view;

typedef struct cph_log_sink {
    void (*message)(void *ctx, cph_level level, const char *text);
    void (*progress)(void *ctx, const cph_progress_view *view);
    void *ctx;
} cph_log_sink;

CPH_API void cph_log_set(cph_log_sink sink); /* before other threads start */
CPH_API void cph_log(cph_level level, const char *fmt, ...) CPH_PRINTF(2, 3);

typedef struct cph_progress {
    const char *what, *unit;
    uint64_t total;
    double began_s;
    uint64_t done, next_report_ns; /* touched by atomic operations only */
    bool shown;
} cph_progress;

CPH_API void cph_progress_begin(cph_progress *p, const char *what, const char *unit, uint64_t total);
CPH_API void cph_progress_add(cph_progress *p, uint64_t n);
CPH_API void cph_progress_end(cph_progress *p);

/* Monotonic seconds, for rates only: no result may depend on it. */
CPH_API double cph_now_s(void);

#ifdef __cplusplus
}
#endif

#endif
